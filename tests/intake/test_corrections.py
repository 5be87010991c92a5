"""Corrections of a person: refused where they cannot be, applied where they can, also to the next export."""

from __future__ import annotations

import pytest

from kpis.answers.mapping import NOT_USED, changes_answer, columns_of, corrected, mapping_answer, taken_for
from kpis.errors import AssumptionError
from kpis.intake.corrections import as_mapped, choices, correction, proposed, tables
from kpis.settings import Settings
from tests.intake.files import load, look, rows

ODD = "Kennung,Stufe,Volumen netto,Angelegt am\nA,Proposal,5,2024-01-01\nB,Proposal,7,2024-01-02\n"


def with_field(file, **fields):
    """The columns of a report as a person left them: header (spaces as underscores) -> field."""
    table = columns_of(file, fields.pop("table", None))
    changed = {header.replace("_", " "): field for header, field in fields.items()}
    return table.assign(field=[changed.get(c, f) for c, f in zip(table["column"], table["field"], strict=True)])


def test_a_refused_file_becomes_a_table_once_it_is_corrected():
    report = look(odd=ODD)["odd.csv"]
    assert report.table is None
    assert taken_for(report) == NOT_USED
    assert list(columns_of(report)["samples"]) == ["A · B", "Proposal", "5 · 7", "2024-01-01 · 2024-01-02"]
    chosen = with_field(report, table="opportunities", Kennung="opportunity_id", Stufe="stage", Volumen_netto="amount")
    entry = corrected(report, "opportunities", chosen)
    assert entry["Volumen netto"] == "opportunities.amount"
    assert entry["Angelegt am"] == "opportunities.created_at"  # proposed from the name, as for any file
    intake = load(Settings(mapping={"odd.csv": entry}), odd=ODD)
    assert rows(intake, "SELECT opportunity_id, stage, amount FROM opportunities ORDER BY 1") == [
        ("A", "Proposal", 5.0),
        ("B", "Proposal", 7.0),
    ]
    said = changes_answer([report], intake.files)
    assert said.sentence == "4 columns are read differently and 2 rows more accepted."
    assert list(said.tables["changed_columns"]["before"]) == [NOT_USED] * 4
    assert said.tables["changed_rows"][["accepted_before", "accepted_after"]].to_numpy().tolist() == [[0, 2]]


def test_the_next_export_under_another_name_is_read_alike():
    said = dict(zip(ODD.splitlines()[0].split(","), ("opportunity_id", "stage", "amount", "created_at"), strict=True))
    settings = Settings(mapping={"deals-may.csv": {c: f"opportunities.{f}" for c, f in said.items()}})
    assert look(settings, deals_june=ODD)["deals_june.csv"].accepted == 2
    more = ODD.replace("Angelegt am", "Angelegt am,Neu").replace("\nA", "\nA").replace("-01\n", "-01,x\n")
    assert look(settings, deals_june=more)["deals_june.csv"].table is None  # other columns: another export


def test_one_column_can_be_left_out_and_the_rest_stays_as_recognised():
    text = "opportunity_id,stage,amount,created_at\nA,Proposal,5,2024-01-01\n"
    plain = look(x=text)["x.csv"]
    report = look(Settings(mapping={"x.csv": {"amount": ""}}), x=text)["x.csv"]
    assert report.table == "opportunities"
    assert {m.column: m.field for m in report.mapping} == {m.column: m.field for m in plain.mapping} | {"amount": None}
    assert next(m.why for m in report.mapping if m.column == "amount") == "set by you: not used"


def test_a_whole_file_can_be_left_out():
    text = "opportunity_id,stage,amount,created_at\nA,Proposal,5,2024-01-01\n"
    entry = correction(look(x=text)["x.csv"], "", {})
    reports = look(Settings(mapping={"x.csv": entry}), x=text, twin=text.replace("A", "B"))
    assert reports["x.csv"].reason == "left out, as you said"
    assert reports["twin.csv"].accepted == 1  # the same columns under another name are another file


def test_a_field_may_be_chosen_once_and_a_table_needs_its_own():
    report = look(odd=ODD)["odd.csv"]
    twice = {"Kennung": "opportunity_id", "Stufe": "stage", "Volumen netto": "amount", "Angelegt am": "amount"}
    with pytest.raises(AssumptionError, match=r"'Volumen netto' and 'Angelegt am' are both taken for amount"):
        correction(report, "opportunities", twice)
    with pytest.raises(AssumptionError, match="leads cannot do without lead_id, created_at"):
        correction(report, "leads", dict.fromkeys(report.samples, ""))


def test_a_column_that_serves_two_fields_is_one_row():
    text = "Record ID,Deal Stage,Amount,Close Date,Create Date\n9,Proposal,5,2024-02-01,2024-01-01\n"
    table = columns_of(look(x=text)["x.csv"]).set_index("column")
    assert list(table.index) == ["Record ID", "Deal Stage", "Amount", "Close Date", "Create Date"]
    assert table.loc["Close Date", "field"] == "close_date"
    assert not table.loc["Close Date", "why"].endswith("deals")


def test_a_lookup_is_said_to_be_joined_and_is_no_table_of_its_own():
    deals = "opportunity_id,stage,amount,created_at,IndustrySeq\n" + "".join(
        f"{n},Proposal,5,2024-01-0{n},{n % 3}\n" for n in range(1, 9)
    )
    reports = look(deals=deals, industries="IndustrySeq,Industry\n0,Banks\n1,Shops\n2,Farms\n")
    assert reports["industries.csv"].joined
    assert taken_for(reports["industries.csv"]) == "joined into opportunities"
    assert set(as_mapped(list(reports.values()))) == {"deals.csv"}


def test_what_a_file_would_be_as_another_table():
    text = "lead_id,Create Date,Lead Source\nL1,2024-01-01,Web\n"
    report = look(x=text)["x.csv"]
    assert report.table == "leads"
    assert {m.column: m.field for m in proposed(report, "opportunities")} == {
        "lead_id": "lead_id",
        "Create Date": "created_at",
        "Lead Source": "source",
    }


def test_every_table_and_field_has_its_meaning():
    assert all(tables().values())
    assert all(meaning for table in tables() for meaning in choices(table).values())


def test_what_columns_were_taken_for():
    text = "opportunity_id,stage,Amt,created_at,Mood\nA,Proposal,5,2024-01-01,good\n"
    answer = mapping_answer(list(look(x=text, notes="a,b\nx,y\n").values()))
    assert answer.sentence == "3 of 7 columns are used, and all of them are sure."  # neither Amt nor Mood nor the notes
    files = answer.tables["files"].set_index("file")
    assert files.loc["notes.csv", ["table", "columns", "used"]].tolist() == [NOT_USED, 2, 0]
    assert set(answer.tables["mapping"]["file"]) == {"x.csv", "notes.csv"}
