"""One count under two rules, worked by hand."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from types import SimpleNamespace

import pytest

from kpis.answers.measures import measure
from kpis.answers.reconcile import reconciler, rule_of, shared_definition
from kpis.intake import read
from kpis.settings import Settings
from tests.build import dataset

STAGES = [
    {"stage": "Contact", "position": 1, "is_qualified": 0},
    {"stage": "Qualify", "position": 2, "is_qualified": 1},
    {"stage": "Propose", "position": 3, "is_qualified": 1},
    {"stage": "Won", "position": 4, "is_qualified": 1, "is_won": 1},
    {"stage": "Lost", "position": 5, "is_qualified": 0, "is_lost": 1},
]
RULES = {
    "sales": {"stages": ["Propose"], "lead": "sql_at"},
    "marketing": {"stages": ["Qualify", "Propose"], "lead": "mql_at", "score_from": 50},
}
TODAY = date(2026, 8, 15)


def d(month, day):
    return date(2026, month, day)


WAYS = {
    "A": [("Qualify", d(5, 10)), ("Propose", d(7, 5))],
    "B": [("Qualify", d(7, 1)), ("Propose", d(7, 20))],
    "C": [("Contact", d(6, 1)), ("Qualify", d(7, 2))],
    "D": [("Contact", d(6, 1))],
    "E": [("Propose", d(4, 3))],
    "F": [("Qualify", d(1, 10)), ("Propose", d(4, 15))],
}
LEADS = [
    {"lead_id": "1", "created_at": d(6, 1), "mql_at": d(7, 1), "sql_at": d(7, 20), "score": 60},
    {"lead_id": "2", "created_at": d(6, 1), "mql_at": d(7, 2), "sql_at": d(7, 25), "score": 40},
    {"lead_id": "3", "created_at": d(5, 1), "mql_at": d(5, 5), "score": 70},
    {"lead_id": "4", "created_at": d(6, 1), "mql_at": d(6, 30), "sql_at": d(7, 1)},
]


def company(leads=LEADS, rules=RULES):
    deals = [
        {"opportunity_id": key, "name": f"deal {key}", "created_at": way[0][1], "stage": way[-1][0], "amount": 10}
        for key, way in WAYS.items()
    ]
    deals[3] |= {"stage": "Won", "status": "won", "closed_at": d(6, 20)}
    history = [
        {"opportunity_id": key, "stage": stage, "changed_at": day} for key, way in WAYS.items() for stage, day in way
    ]
    tables = {"opportunities": deals, "opportunity_history": history, "stages": STAGES}
    if leads:
        tables["leads"] = leads
    return dataset(tables, settings=Settings(definitions=rules), newest=TODAY)


@pytest.fixture(scope="module")
def answer():
    data = company()
    return reconciler(data, data.settings.calendar)


def test_counts_by_hand(answer):
    # Opportunities. Sales: E on 3 Apr, F on 15 Apr, D on 20 Jun (won, which qualifies) in Q2; A on 5 Jul, B on 20 Jul
    # in Q3. Marketing: E on 3 Apr, A on 10 May, D on 20 Jun in Q2, F long before; B on 1 Jul, C on 2 Jul in Q3.
    # Leads. Sales: 1, 2 and 4 in Q3. Marketing: 3 in Q2, 1 in Q3; 2 scores too low and 4 has no score.
    assert answer.tables["counts"].to_dict("list") == {
        "kind": ["opportunities", "opportunities", "leads", "leads"],
        "period": ["2026Q2", "2026Q3"] * 2,
        "sales": [3, 2, 0, 3],
        "marketing": [3, 2, 1, 1],
        "both": [2, 1, 0, 1],
        "only_sales": [1, 1, 0, 2],
        "only_marketing": [1, 1, 1, 0],
    }
    assert [number.value for number in answer.numbers.values()] == [2, 2, 3, 1]
    assert answer.sentence == (
        "In 2026Q3 so far, Sales counts 2 qualified opportunities and Marketing 2; "
        "over 2026Q2 and 2026Q3 they differ on 3 opportunities and 3 leads."
    )


def test_the_records_that_differ_say_why(answer):
    told = answer.tables["differences"].set_index("id")[["record", "counted_by", "why"]]
    assert {key: tuple(row) for key, row in zip(told.index, told.to_numpy(), strict=True)} == {
        "A": ("opportunity", "both, in different periods", "Marketing on 10 May 2026, then Sales on 05 Jul 2026"),
        "C": (
            "opportunity", "Marketing only", "Sales does not count it: it entered none of its stages (it is in Qualify)",
        ),
        "F": ("opportunity", "both, in different periods", "Marketing on 10 Jan 2026, then Sales on 15 Apr 2026"),
        "2": ("lead", "Sales only", "Marketing does not count it: its score 40 is below 50"),
        "3": ("lead", "Marketing only", "Sales does not count it: nothing says that it is sales qualified"),
        "4": ("lead", "Sales only", "Marketing does not count it: it has no score"),
    }  # fmt: skip


def test_the_counts_differ_by_the_records_that_differ(answer):
    counts, rows = answer.tables["counts"], answer.tables["differences"]
    for kind, record in (("opportunities", "opportunity"), ("leads", "lead")):
        for label, first, last in (("2026Q2", d(4, 1), d(6, 30)), ("2026Q3", d(7, 1), TODAY)):
            one = counts[(counts["kind"] == kind) & (counts["period"] == label)].iloc[0]
            inside = {
                who: sum(
                    day is not None and first <= day <= last for day in rows[rows["record"] == record][f"{who}_day"]
                )
                for who in ("sales", "marketing")
            }
            assert inside == {"sales": one["only_sales"], "marketing": one["only_marketing"]}


def test_a_day_in_the_past_knows_no_more_than_then():
    data = company().known_at(d(7, 3))
    counts = reconciler(data, data.settings.calendar).tables["counts"]
    # Of the third quarter only what happened by 3 July: B and C for Marketing, nothing yet for Sales.
    assert counts[counts["kind"] == "opportunities"][["sales", "marketing"]].to_numpy().tolist() == [[3, 3], [0, 2]]


def test_equal_rules_differ_on_nothing():
    same = {"stages": ["Propose"], "lead": "sql_at"}
    data = company(rules={"sales": same, "marketing": same})
    answer = reconciler(data, data.settings.calendar)
    assert answer.tables["differences"].empty
    assert answer.sentence.endswith("both rules count every record of the last two periods alike.")


def test_what_is_left_open_is_guessed_and_said():
    data = company(rules={})
    assert rule_of(data, "sales").stages == ("Qualify", "Propose", "Won")
    assert rule_of(data, "marketing").stages == ("Contact", "Qualify", "Propose", "Won")
    assert (rule_of(data, "sales").lead, rule_of(data, "marketing").lead) == ("sql_at", "mql_at")
    answer = reconciler(data, data.settings.calendar)
    assert all("(guessed)" in note for note in answer.notes)
    assert not any("guessed" in note for note in reconciler(company(), data.settings.calendar).notes)


def test_leads_without_the_day_of_a_rule_are_not_counted_as_differences():
    no_sql = [{key: value for key, value in lead.items() if key != "sql_at"} for lead in LEADS]
    data = company(no_sql)
    answer = reconciler(data, data.settings.calendar)
    assert answer.numbers["leads_marketing"].value is None
    assert answer.numbers["leads_marketing"].reason == "needs table leads, column sql_at"
    assert set(answer.tables["differences"]["record"]) == {"opportunity"}


def test_the_shared_rule_is_the_one_of_the_measures(sample_data):
    # Sales' guess is every stage flagged qualified: the same days as the measure of new qualified opportunities.
    names = ("opportunities", "opportunity_history", "stages")
    data = read([sample_data / f"{name}.csv" for name in names]).dataset
    counts = reconciler(data, data.settings.calendar).tables["counts"]
    measured = measure(data, ["new_qualified_opportunities"], periods=2).document["measures"][0]["values"]
    assert list(counts[counts["kind"] == "opportunities"]["sales"]) == [value["value"] for value in measured]


def in_short(data):
    model = SimpleNamespace(dataset=data, calendar=data.settings.calendar, once=lambda find: find(model))
    return shared_definition(SimpleNamespace(model=model))


def test_the_definition_in_short_is_the_reconcilers_count_and_who_agreed(answer):
    data = company()
    said = in_short(data)
    assert said.sentence == f"Nobody has agreed on these rules yet. {answer.sentence}"
    assert said.notes[0].startswith("New: an opportunity counts on the day it is created")
    assert said.notes[1:] == answer.notes
    assert said.tables["counts"].equals(answer.tables["counts"])
    agreed = replace(data, settings=data.settings.revised(agreed={"by": "Dana", "on": date(2026, 8, 1)}))
    assert in_short(agreed).sentence.startswith("Agreed by Dana on 01 Aug 2026. In 2026Q3")


def test_each_count_has_its_query(answer):
    for key in ("opportunities", "leads"):
        assert answer.counts[key].query().startswith("WITH")
