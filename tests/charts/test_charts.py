"""Charts: valid Vega-Lite, the right marks in the rows, and a drawing that does not change with its values."""

from __future__ import annotations

import math

import pandas as pd
import pytest

from kpis.charts.chance import chance
from kpis.charts.changes import waterfall
from kpis.charts.creation import months, pace, spread
from kpis.charts.landing import landing, landings
from kpis.charts.pipeline import composition, needed
from kpis.charts.style import MEANINGS, PARTS, ROOM
from kpis.charts.track_record import chances


def parts(scale: float = 1.0, target: float | None = 500.0, periods: tuple[str, ...] = ("2026Q3",)) -> pd.DataFrame:
    amounts = {"won": 100.0, "open": 250.0, "not yet created": 50.0}
    return pd.DataFrame(
        [
            {"period": p, "part": part, "amount": scale * amount, "target": target, "p10": 300.0, "p50": 390.0, "p90": 480.0}
            for p in periods
            for part, amount in amounts.items()
        ]
    )  # fmt: skip


def distribution(low: float = 100.0) -> pd.DataFrame:
    return pd.DataFrame({"amount": [low + k for k in range(1, 100)], "chance": [1 - k / 100 for k in range(1, 100)]})


def stages(amount: float = 10.0) -> pd.DataFrame:
    return pd.DataFrame(
        {"stage": ["Proposal", "Discovery"], "deals": [1, 2], "amount": [amount, 20.0], "expected": [4.0, 2.0]}
    )


def periods(needed: float | None = 900.0) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "period": ["2026Q3", "2026Q4"],
            "open_qualified": [600.0, 300.0],
            "required_pipeline": [needed, None],
            "gap": [300.0, None],
        }
    )


def created(n: float = 5.0) -> pd.DataFrame:
    day, after = pd.Timestamp("2026-08-01"), pd.Timestamp("2026-09-01")
    return pd.DataFrame(
        {
            "month": [day, day, day, after],
            "part": ["created", "not yet created", "needed", "needed"],
            "opportunities": [n, 2.5, 9.0, 9.0],
            "period": [None, None, "2026Q4", "2026Q4"],
        }
    )


def paced(last: float = 7.0) -> pd.DataFrame:
    table = pd.DataFrame({"day": [1, 2, 3, 4], "this_period": [2.0, 4.0, last, math.nan]})
    table = table.assign(past_low=[1, 2, 3, 4], past_mean=[2.0, 3.0, 4.0, 5.0], past_high=[3, 4, 6, 9])
    return table.assign(needed=[math.nan, math.nan, last, 11.0])


def spread_table(n: int = 3) -> pd.DataFrame:
    month = pd.Timestamp("2026-08-01")
    return pd.DataFrame({"month": [month], "months_to_close": ["4 or more"], "opportunities": [n], "amount": [9.5]})


def steps(won: float = -30.0) -> pd.DataFrame:
    # 100 at the start, + 20 new, 30 won: 90 at the end.
    return pd.DataFrame(
        {
            "step": ["1 Jul", "New", "Won", "31 Jul"],
            "kind": ["start", "new", "won", "end"],
            "deals": [4, 1, 1200, 3],
            "amount": [100.0, 20.0, won, 120.0 + won],
            "low": [0.0, 100.0, 120.0 + won, 0.0],
            "high": [100.0, 120.0, 120.0, 120.0 + won],
        }
    )


def reached(hits: int = 2, low: float = 0.2) -> pd.DataFrame:
    return pd.DataFrame({"said": [0.5], "reached": [hits / 4], "low": [low], "high": [0.9], "hits": [hits], "n": [4]})


CHARTS = {
    "landing": (lambda: landing(parts(), "$"), lambda: landing(parts(2.0, None), "$")),
    "landings": (lambda: landings(parts(periods=("2026Q3", "2026Q4")), "$"), lambda: landings(parts(3.0), "$")),
    "chance": (lambda: chance(distribution(), 150.0, 0.5, "$"), lambda: chance(distribution(900.0), symbol="$")),
    "composition": (lambda: composition(stages(), "stage", "$"), lambda: composition(stages(99.0), "stage", "$")),
    "needed": (lambda: needed(periods(), "$"), lambda: needed(periods(None), "$")),
    "months": (lambda: months(created()), lambda: months(created(50.0))),
    "pace": (lambda: pace(paced()), lambda: pace(paced(3.0)[["day", "this_period"]])),
    "chances": (lambda: chances(reached()), lambda: chances(reached(3, 0.1))),
    "spread": (lambda: spread(spread_table()), lambda: spread(spread_table(30))),
    "waterfall": (lambda: waterfall(steps(), "$"), lambda: waterfall(steps(-90.0).iloc[[0, 1, 3]], "$")),
}


@pytest.mark.parametrize("name", CHARTS)
def test_a_chart_is_valid_and_its_rows_fill_its_fields(name):
    chart = CHARTS[name][0]()
    drawn = chart.to_dict()  # validates against the Vega-Lite schema
    made = {t["as"] for t in walk(drawn, "transform") for t in t if "as" in t}
    used = {e["field"] for e in encodings(drawn) if "field" in e}
    assert used - made <= set(chart.data.columns)


@pytest.mark.parametrize("name", CHARTS)
def test_other_values_change_rows_only(name):
    # A drawing that stays the same is kept by the browser, which swaps the rows: no flicker on a lever.
    one, other = (make() for make in CHARTS[name])
    assert one.template is other.template
    assert one.template.spec["data"] == {"name": "rows"}
    assert one.live()["datasets"]["rows"] is one.data
    fresh = {
        k: v for k, v in other.to_dict(validate=False).items() if k not in ("config", "$schema", "datasets", "height")
    }
    assert one.template.spec == {**fresh, "data": {"name": "rows"}}


def test_each_currency_has_a_drawing_of_its_own():
    assert landing(parts(), "$").template is landing(parts(), "$").template
    assert landing(parts(), "$").template is not landing(parts(), "€").template


@pytest.mark.parametrize("name", CHARTS)
def test_every_axis_says_what_it_measures(name):
    for encoding in encodings(CHARTS[name][0]().to_dict()):
        if encoding.get("type") == "quantitative" and "axis" in encoding:
            assert encoding["axis"].get("title")


@pytest.mark.parametrize("name", CHARTS)
def test_colours_are_meanings_in_the_order_of_the_theme(name):
    drawn = CHARTS[name][0]().to_dict()
    scales = [e["scale"]["domain"] for e in encodings(drawn, "color")]
    assert scales
    assert all(domain == list(MEANINGS) for domain in scales)


def test_landing_adds_up_to_what_is_expected():
    # 100 won + 250 open + 50 not yet created = 400 expected.
    rows = landing(parts()).data
    steps, total = rows[:3], rows[3:]
    assert list(steps["start"]) == [0.0, 100.0, 350.0]
    assert list(steps["end"]) == [100.0, 350.0, 400.0]
    assert list(steps["said"]) == [100.0, 250.0, 50.0]
    assert list(total["said"].dropna()) == [400.0]
    assert (total["row"] == "Expected landing").all()
    # Target and range are drawn once, not once a part.
    assert list(rows["goal"].dropna()) == [500.0]
    assert (list(rows["low"].dropna()), list(rows["high"].dropna())) == ([300.0], [480.0])


def test_landing_without_a_target_has_no_line_for_it():
    assert landing(parts(target=None)).data["goal"].isna().all()


def test_landings_stack_each_period_from_zero():
    rows = landings(parts(periods=("2026Q3", "2026Q4"))).data
    assert list(rows["start"]) == [0.0, 100.0, 350.0] * 2
    assert list(rows["expected"].dropna()) == [400.0, 400.0]
    assert list(rows["goal"].dropna()) == [500.0, 500.0]


def test_room_for_labels_lies_beyond_the_longest_mark():
    assert landing(parts()).data["room"].iloc[0] >= ROOM * 500  # the target is further than the range's 480
    assert landing(parts(target=None)).data["room"].iloc[0] >= ROOM * 480


def test_the_chance_curve_names_few_points_and_none_beside_the_target():
    rows = chance(distribution(), 150.0, 0.5).data
    named = rows[rows["named"].eq(True)]
    assert sorted(named["chance"].round(2)) == [0.1, 0.9]  # 0.5 is said at the target
    assert rows[["goal", "hit"]].dropna().to_numpy().tolist() == [[150.0, 0.5]]
    free = chance(distribution()).data
    assert sorted(free.loc[free["named"].eq(True), "chance"].round(2)) == [0.1, 0.5, 0.9]
    assert free["goal"].isna().all()


def test_composition_stands_in_the_order_of_its_table():
    assert list(composition(stages(), "stage").data["name"]) == ["Proposal", "Discovery"]


def test_created_opportunities_have_the_colour_of_open_deals():
    assert list(months(created()).data["meaning"]) == [PARTS[1], PARTS[2], "target", "target"]


def test_pace_marks_the_last_known_day():
    rows = pace(paced()).data
    assert list(rows.loc[rows["today"], "day"]) == [3.0]
    assert list(rows.loc[rows["last"], "day"]) == [4.0]


def test_needed_keeps_a_period_whose_need_is_unknown():
    rows = needed(periods()).data
    assert list(rows["period"]) == ["2026Q3", "2026Q4"]
    assert rows["required_pipeline"].isna().tolist() == [False, True]


def test_a_waterfall_signs_changes_and_colours_what_leaves():
    rows = waterfall(steps(), "$").data
    assert list(rows["step"]) == ["1 Jul (4)", "New (1)", "Won (1,200)", "31 Jul (3)"]
    assert list(rows["sign"]) == ["", "+", "", ""]
    assert list(rows["meaning"]) == ["open", "open", "won", "open"]
    assert (rows["room"] > rows["ends"].max()).all()
    assert list(waterfall(steps().assign(kind="pushed out")).data["meaning"].unique()) == ["warning"]


def walk(node, key):
    """Every value of ``key`` in a specification."""
    if isinstance(node, dict):
        for name, value in node.items():
            if name == key:
                yield value
            yield from walk(value, key)
    elif isinstance(node, list):
        for value in node:
            yield from walk(value, key)


def encodings(drawn, channel=None):
    """Every channel definition of a specification, or those of one channel."""
    for encoding in walk(drawn, "encoding"):
        for name, definition in encoding.items():
            if channel in (None, name):
                yield from (definition if isinstance(definition, list) else [definition])


def test_a_need_is_labelled_at_its_last_month():
    rows = months(created()).data
    assert rows.loc[rows["last"], ["month", "period"]].to_numpy().tolist() == [[pd.Timestamp("2026-09-01"), "2026Q4"]]
