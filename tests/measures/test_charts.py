"""Charts of measures: valid Vega-Lite with the right marks in the rows."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from kpis.charts.measures import MOST, bridge, control, credited, deciles, drivers, groups, pareto, response
from kpis.measures.core.attribution import RULES, UNTOUCHED
from kpis.measures.core.control import VERDICTS


def points(verdict: str = "spike") -> pd.DataFrame:
    return pd.DataFrame(
        {
            "period": ["2026Q1", "2026Q2"],
            "value": [1.0, 3.0],
            "centre": 1.0,
            "low": 0.0,
            "high": 2.0,
            "judged": [False, True],
            "verdict": verdict,
        }
    )


def steps() -> pd.DataFrame:
    rows = [
        ("2026Q1", "level", 0.0, 10.0, 10.0),
        ("rate", "down", 10.0, 6.0, -4.0),
        ("size", "up", 6.0, 9.0, 3.0),
        ("2026Q2", "level", 0.0, 9.0, 9.0),
    ]
    return pd.DataFrame(rows, columns=["step", "kind", "begins", "ends", "value"])


def channels() -> pd.DataFrame:
    rows = {"name": ["Email", UNTOUCHED], "touched": [True, False]}
    return pd.DataFrame(rows | {rule: [float(k), 100.0] for k, rule in enumerate(RULES)})


CURVE = pd.DataFrame(
    {"outcome": "leads", "spend": [10.0, 20.0], "usual": [1.0, 2.0], "low": [0.5, 1.5], "high": [1.5, 2.5]}
)
MONTHS = pd.DataFrame({"month": pd.to_datetime(["2026-01-01"]), "outcome": "leads", "spend": [15.0], "result": [1.4]})
DECILES = pd.DataFrame({"decile": range(1, 11), "leads": 10.0, "share": 0.1, "low": 0.0, "high": 0.3})
PARETO = pd.DataFrame({"customers": np.arange(1, 6) / 5, "revenue": [0.5, 0.7, 0.85, 0.95, 1.0]})


GROUPS = pd.DataFrame(
    {"group": [f"g{k}" for k in range(20)], "value": np.linspace(1.0, 0.05, 20), "low": 0.0, "high": np.nan,
     "n": [float(k) for k in range(20)], "said": "x"}
)  # fmt: skip


def looked_at(n: int = 2) -> pd.DataFrame:
    return pd.DataFrame(
        {"attribute": "channel", "value": [str(k) for k in range(n)], "leads": 50.0, "share": 0.5, "share_of_others": 0.4,
         "lift": [0.5 + k for k in range(n)], "low": 0.4, "high": 3.0, "corrected": 0.01, "tells": True}
    )  # fmt: skip


@pytest.mark.parametrize(
    "chart",
    [
        control(points(), "share"), control(points(), "money", "$"), control(points(), "days"), bridge(steps(), "money", "$"),
        bridge(steps(), "share"), credited(channels(), RULES, "$"), response(CURVE, MONTHS, "leads", "$"),
        response(CURVE, MONTHS, "revenue", "$"), deciles(DECILES), drivers(looked_at()), pareto(PARETO),
        groups(GROUPS, "share"), groups(GROUPS, "count"), control(points().assign(least=0.5, most=3.5), "count"),
    ],
)  # fmt: skip
def test_every_chart_is_valid(chart):
    drawn = chart.to_dict()  # validates against the schema of Vega-Lite
    assert drawn["layer"]
    assert "data" in chart.template.spec


def test_only_an_alarm_stands_out():
    for verdict in VERDICTS:
        rows = control(points(verdict), "share").data
        assert rows["alarm"].tolist() == [False, verdict in ("spike", "dip", "shift")]


def test_a_bridge_signs_rises_and_leaves_room():
    rows = bridge(steps(), "money").data
    assert rows["sign"].tolist() == ["", "", "+", ""]
    assert rows["meaning"].tolist() == ["open", "warning", "won", "open"]
    assert rows["reach"].tolist() == [10.0, 10.0, 9.0, 9.0]
    assert (rows["room"] > 10).all()


def test_credits_span_the_rules_and_leave_out_what_was_not_touched():
    rows = credited(channels(), RULES).data
    assert rows["name"].tolist() == ["Email"]
    assert (rows["least"].iloc[0], rows["most"].iloc[0]) == (0.0, 4.0)


def test_the_chosen_rule_is_the_bar_and_gives_the_order():
    table = channels().assign(touched=True)
    assert credited(table, RULES, rule="first").data["credit"].tolist() == [100.0, 0.0]
    assert credited(table, RULES, rule="last").data["credit"].tolist() == [100.0, 1.0]


def test_of_many_groups_the_largest_are_drawn_the_highest_first():
    rows = groups(GROUPS, "share").data
    assert rows["group"].tolist() == [f"g{k}" for k in range(8, 20)]
    assert rows["value"].is_monotonic_decreasing
    assert (rows["room"] > rows["end"].max()).all()


def test_drivers_tell_more_from_less_and_stop_at_the_strongest():
    rows = drivers(looked_at()).data
    assert rows["meaning"].tolist() == ["won", "warning"]
    assert len(drivers(looked_at(40)).data) == MOST


def test_the_fifth_is_marked():
    rows = pareto(PARETO).data
    assert rows.loc[rows["fifth"], "revenue"].tolist() == [0.5]
