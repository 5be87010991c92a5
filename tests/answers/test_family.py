"""A family of measures at a glance, and one of them opened, on hand-written opportunities."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from kpis.answers.family import CARD, COURSE, family, ids_of
from kpis.answers.measures import latest, measure, signed, spoken
from kpis.answers.one_measure import all_numbers, by_group, dimensions, rows_of
from kpis.errors import NotEnoughData
from tests.build import dataset
from tests.measures.look import result


def deals(won: list[int], lost: list[int], *, newest: date) -> list[dict]:
    """So many deals won and lost in each quarter from 2025Q1 on, half of the won ones by Ann, all others by Bo."""
    days = [date(2025 + quarter // 4, 3 * (quarter % 4) + 2, 15) for quarter in range(len(won))]
    return [
        {
            "opportunity_id": f"{quarter}-{k}",
            "owner": "Ann" if k < good // 2 else "Bo",
            "stage": "Proposal",
            "status": "won" if k < good else "lost",
            "amount": 1000.0,
            "created_at": closed - timedelta(days=30),
            "qualified_at": closed - timedelta(days=30),
            "closed_at": closed,
        }
        for quarter, (closed, good, bad) in enumerate(zip(days, won, lost, strict=True))
        for k in range(good + bad)
        if closed <= newest
    ]


STAGES = [
    {"stage": name, "position": k, "is_qualified": True, "is_won": name == "Won", "is_lost": name == "Lost"}
    for k, name in enumerate(("Proposal", "Won", "Lost"), 1)
]


def company(won, lost, newest):
    return dataset({"opportunities": deals(won, lost, newest=newest), "stages": STAGES}, newest=newest, currency="USD")


WON, LOST = [20, 20, 20, 20, 10], [20, 20, 20, 20, 30]


def cards(answer):
    return {card["measure"]: card for card in answer.document["measures"]}


def test_ids_of_a_family_in_their_order():
    assert ids_of("SIX-") == tuple(f"SIX-{k}" for k in range(1, 7))
    assert len(ids_of("FUNNEL-")) == 25
    assert len(ids_of("")) == 72


def test_a_card_shows_the_latest_whole_period_and_what_came_since():
    # 2026Q1 is over on 31 March; 2026Q2 began with 3 won of 4. 10 of 40 = 25.0 %, 25 points below 20 of 40.
    answer = family(company([*WON, 3], [*LOST, 1], date(2026, 5, 20)), "?", ["SALES-7"])
    card = cards(answer)["win_rate"]
    assert card.keys() == CARD.keys()
    assert (card["id"], card["label"], card["period"], card["n"]) == (
        "SALES-7",
        "Opportunity-to-win ratio",
        "2026Q1",
        40,
    )
    assert card["value"] == 0.25
    assert card["said"] == "25.0 %"
    assert (card["change"], card["change_said"]) == (-0.25, "-25.0 points")
    assert card["so_far"] == "since then: 75.0 %"
    assert card["history"] == [0.5, 0.5, 0.5, 0.5, 0.25]
    assert not card["low_sample"]
    assert card["verdict"] == "cannot tell"
    assert card["verdict_help"].startswith("needs 8 periods before")


def test_a_change_is_marked_only_beyond_chance():
    # Wilson at 20 of 40: 0.352 to 0.648; at 10 of 40: 0.142 to 0.402. The fall of 0.25 is larger than
    # hypot(0.5 - 0.352, 0.402 - 0.25) = 0.212. From 20 to 16 of 40 it is 0.1: smaller than about 0.21.
    fell = cards(family(company(WON, LOST, date(2026, 3, 31)), "?", ["SALES-7"]))["win_rate"]
    assert (fell["certain"], fell["change_mood"]) == (True, "bad")
    wavered = family(company([20, 20, 20, 20, 16], [20, 20, 20, 20, 24], date(2026, 3, 31)), "?", ["SALES-7"])
    assert (cards(wavered)["win_rate"]["certain"], cards(wavered)["win_rate"]["change_mood"]) == (False, "none")


def test_the_sentence_says_alarms_changes_and_what_is_missing():
    before = family(company(WON, LOST, date(2026, 3, 31)), "?", ["SALES-7", "MKTG-3", "SALES-15"])
    assert before.sentence == (
        "No measure has enough periods to be judged yet. Beyond chance changed Opportunity-to-win ratio (-25.0 points). "
        "2 of 3 need data that is not there."
    )
    # Nine whole quarters at 100 of 200, then 20 of 200: far outside of 0.5 -+ 3 sqrt(0.25/200) = 0.394 to 0.606.
    dip = family(company([*[100] * 9, 20], [*[100] * 9, 180], date(2027, 6, 30)), "?", ["SALES-7"])
    assert dip.sentence == "1 of 1 judged measure left the usual range: Opportunity-to-win ratio fell to 10.0 %."
    card = cards(dip)["win_rate"]
    assert (card["verdict"], card["verdict_mood"]) == ("dip", "bad")
    assert card["verdict_help"].startswith("2027Q2: usually 39.4 % to 60.6 %.")


def test_the_course_has_limits_and_the_card_s_interval():
    answer = family(company([*[100] * 9, 20], [*[100] * 9, 180], date(2027, 6, 30)), "?", ["SALES-7"])
    course = answer.tables["course"]
    last = course[course["period"] == "2027Q2"].iloc[0]
    card = cards(answer)["win_rate"]
    assert (last["value"], last["least"], last["most"]) == (card["value"], card["low"], card["high"])
    assert last["low"] == pytest.approx(0.5 - 3 * (0.25 / 200) ** 0.5)


def test_counts_are_charted_and_bounded_per_working_day():
    answer = family(company([100] * 10, [100] * 10, date(2027, 6, 30)), "?", ["HEINZ-3"])
    course, card = answer.tables["course"], cards(answer)["new_qualified_opportunities"]
    last = course[course["period"] == card["period"]].iloc[0]
    days = last["plain"] / last["value"]
    assert last["plain"] == card["value"]
    assert (last["least"], last["most"]) == pytest.approx((card["low"] / days, card["high"] / days))


def test_a_family_without_data_says_so_and_has_an_empty_course():
    answer = family(company(WON, LOST, date(2026, 3, 31)), "?", ["MKTG-3", "MKTG-13"])
    assert all(card["needs"].startswith("needs table ") for card in answer.document["measures"])
    assert answer.sentence.endswith("2 of 2 need data that is not there.")
    assert list(answer.tables["course"].columns) == list(COURSE)
    assert answer.tables["course"].empty


def test_latest_prefers_a_whole_period():
    running = company([*WON, 3], [*LOST, 1], date(2026, 5, 20))
    assert latest(result(running, "win_rate")) == 0
    # Whatever closed is in the running period: it is all there is.
    assert latest(result(company([3], [1], date(2025, 2, 20)), "win_rate")) == 1
    assert latest(result(running, "bounce_rate")) is None


def test_groups_of_a_measure():
    known = company(WON, LOST, date(2026, 3, 31))
    assert dimensions(known, "win_rate") == ("owner",)
    assert dimensions(known, "bounce_rate") == ()
    answer = by_group(known, "win_rate", "owner")
    # Of the 10 won in 2026Q1 Ann has 5 and lost none; Bo has 5 and lost 30: 5/5 and 5/35 = 14.3 %.
    table = answer.tables["groups"].set_index("group")
    assert table["value"].to_dict() == pytest.approx({"Ann": 1.0, "Bo": 5 / 35})
    assert table["low_sample"].to_dict() == {"Ann": True, "Bo": False}
    assert answer.sentence == "2026Q1: Ann (100.0 %, n 5) is highest, Bo (14.3 %, n 35) lowest."
    with pytest.raises(NotEnoughData):
        by_group(known, "bounce_rate")


def test_groups_that_chance_alone_tells_apart():
    # Ann 10 of 10 won: Wilson from 0.722; Bo 10 of 30: up to 0.512. With 1 won each of 1 and 3: 0.207 and up to 0.796.
    small = company([2], [2], date(2025, 3, 31))
    assert by_group(small, "win_rate", "owner").sentence.endswith("chance alone can make such a difference.")
    large = company([20], [20], date(2025, 3, 31))
    assert by_group(large, "win_rate", "owner").sentence.endswith("lowest.")


def test_all_numbers_are_those_of_the_command_in_words():
    known = company(WON, LOST, date(2026, 3, 31))
    document = measure(known, ["win_rate"]).document["measures"][0]
    answer = all_numbers(known, "win_rate")
    said = answer.tables["said"]
    assert list(said["part"]) == [part["part"].replace("_", " ") for part in document["parts"]]
    assert said["2026Q1"].iloc[0] == "25.0 %"
    assert len(answer.tables["numbers"]) == sum(len(part["values"]) for part in document["parts"])


def test_the_rows_are_those_of_the_period_and_group():
    rows = rows_of(company(WON, LOST, date(2026, 3, 31)), "win_rate", "2026Q1", by="owner", group="Ann")
    assert sorted(rows["opportunity_id"]) == [f"4-{k}" for k in range(5)]
    assert "closed_at" in rows
    assert "closed_at_n" not in rows


def test_words_of_values_and_changes():
    assert spoken(0.0693, "share", "USD") == "6.9 %"
    assert spoken(float("nan"), "share", "USD") == "n/a"
    assert spoken(2.97, "count a working day", "USD") == "3.0"
    assert spoken(25_349.2, "money per day", "USD") == "$25.3 k"
    assert signed(-0.023, "share", "USD") == "-2.3 points"
    assert signed(790_000.0, "money", "USD") == "+$790 k"
    assert signed(0.0, "count", "USD") == "0"
