"""Next steps: tied to the gaps, worth what the forecast says they are worth, and silent where there is nothing to do."""

from __future__ import annotations

import re

import numpy as np
import pytest

from kpis.answers.board import lever_board, set_to
from kpis.answers.next_steps import (
    MARKETING,
    NAMED,
    SALES,
    Step,
    _best,
    _of_next_period,
    _of_segments,
    next_steps,
)
from kpis.answers.outlook import outlook
from kpis.assumptions import Assumptions
from kpis.forecast.model import fit
from kpis.intake import read


@pytest.fixture(scope="module")
def found(sample_data):
    """The demo company without its record, against targets that are out of reach."""
    wanted = ("opportunities", "opportunity_history", "stages", "leads", "spend")
    dataset = read([sample_data / f"{name}.csv" for name in wanted]).dataset
    bare = outlook(dataset, fit(dataset))
    return bare.under(Assumptions(targets=tuple(1.2 * x.expected for x in bare.landings)))


def test_a_lever_is_worth_the_difference_of_two_forecasts(found):
    steps = next_steps(found).tables["steps"]
    checked = 0
    for lever in lever_board(found.model):
        rows = steps[steps["step"].str.startswith(f"{lever.label}: from ")]
        if rows.empty:
            continue
        better = lever.own.low if lever.field == "sales_cycle" else lever.own.high
        value = min(max(better * lever.scale, lever.minimum), lever.maximum)
        other = found.under(set_to(found.projection.assumptions, lever, value))
        w = [x.label for x in found.landings].index(rows["period"].iloc[0])
        gain = other.landings[w].expected - found.landings[w].expected
        assert rows["effect"].iloc[0] == pytest.approx(gain)
        checked += 1
    assert checked >= 2


def test_creating_what_is_missing_brings_what_twice_as_many_would_by_share(found):
    # From new deals, x opportunities spread evenly until the last useful day bring x times one's mean worth until then.
    steps = next_steps(found).tables["steps"]
    need = found.landings[1].need
    row = steps[(steps["team"] == MARKETING) & (steps["period"] == found.landings[1].label)].iloc[0]
    days = need.last_useful - found.model.today
    one = found.projection.value_created[:days, 1].sum() / days
    assert row["effect"] == pytest.approx(need.opportunities * one)
    assert row["effect"] > found.landings[1].target - found.landings[1].expected


def test_pulling_in_brings_now_what_was_expected_later(found):
    # The three of the deals due in the period after that are expected to bring most in it.
    (step,) = _of_next_period(found, 0)
    p, window = found.projection, found.projection.windows[1]
    due = found.model.due[1].deals
    brings = sorted((p.deal_amount[due] * p.deal_p[due, 1] * window.scale).tolist())[-NAMED:]
    assert step.effect == pytest.approx(sum(brings))
    assert (step.team, step.period) == (SALES, found.landings[0].label)
    assert step.why.endswith(f"in {found.landings[1].label} is then missing there")
    assert list(_of_next_period(found, 2)) == []


def test_a_segment_is_worth_what_more_of_it_brings_by_its_last_useful_day(found):
    (step,) = _of_segments(found, [0, 1, 2])
    model, w = found.model, [x.label for x in found.landings].index(step.period)
    name = step.step.removeprefix("New opportunities in ").split(":")[0]
    deals = model.stints.deals
    created = deals.loc[deals["segment"] == name, "created"].to_numpy().astype("datetime64[D]").astype("datetime64[M]")
    month = np.datetime64(model.today, "D").astype("datetime64[M]")
    past = np.array([(created == month - k).sum() for k in range(35, 0, -1)])
    more = np.quantile(past, 0.9) - past[-12:].mean()
    days = found.last_useful_days[name][w] - model.today
    one = found.projection.worth_created(model.segments[name][1])[:days, w].mean()
    assert "the better end of 35 past months" in step.step
    assert step.effect == pytest.approx(more * days / (365.25 / 12) * one)


def test_each_team_has_few_steps_and_none_of_unknown_worth_is_lost():
    worth = [Step(SALES, f"{k}", "", "", float(k)) for k in range(9)]
    open_ended = Step(SALES, "re-date", "", "", None, "dates win nothing")
    best = _best([*worth, open_ended, Step(MARKETING, "m", "", "", 99.0)], SALES)
    assert [x.effect for x in best] == [8.0, 7.0, 6.0, 5.0, 4.0, None]


def test_the_largest_worth_comes_first_and_an_unknown_one_last(found):
    answer = next_steps(found)
    for team in (SALES, MARKETING):
        worth = [x["effect"] for x in answer.document[team.lower()]]
        known = [x for x in worth if x is not None]
        assert known == sorted(known, reverse=True)
        assert worth == [*known, *[None] * (len(worth) - len(known))]
        assert all(x["reason"] for x in answer.document[team.lower()] if x["effect"] is None)


def test_every_step_names_the_gap_it_is_for(found):
    for step in next_steps(found).tables["steps"].itertuples():
        if step.effect is not None and step.effect == step.effect:
            assert re.match(
                rf"{step.period} is (under )?\d+ % likely to reach its target, expected .+ below it", step.why
            )


def test_where_every_target_is_likely_there_is_nothing_to_do(found):
    answer = next_steps(found.under(Assumptions(targets=(1.0, 1.0, 1.0))))
    assert answer.sentence == "Every period with a target is likely enough to reach it."
    assert answer.tables["steps"]["effect"].dropna().empty


def test_without_targets_it_asks_for_them_and_levers_still_count(found):
    bare = found.under(Assumptions())
    assert all(x.target is None for x in bare.landings)
    answer = next_steps(bare)
    assert answer.sentence.startswith("Set targets to see what is missing.")
    assert len(answer.tables["steps"]) > 0


def test_what_is_likely_is_told_of_every_period(found):
    likely = next_steps(found).tables["likely"]
    assert list(likely["period"].head(3)) == [x.label for x in found.landings]
    assert likely["what"].str.endswith(".").all()
