"""What the benchmark times are the same questions: Tandem and pandas by hand give the same numbers."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from benchmarks import by_hand, scale


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A small company whose amounts and expected closes change on the way, and whose stages are entered again."""
    there = tmp_path_factory.mktemp("company")
    scale.generate(2000, there)
    history = there / "opportunity_history.parquet"
    changed = (
        "SELECT opportunity_id, changed_at, CASE WHEN hash(opportunity_id || changed_at) % 5 = 0 THEN 'Lead' ELSE stage END"
        " AS stage, amount * (hash(changed_at::VARCHAR || opportunity_id) % 3 + 1) AS amount, "
        "expected_close + (hash(opportunity_id || stage) % 201)::INTEGER - 100 AS expected_close"
    )
    duckdb.sql(f"{changed} FROM '{history}'").write_parquet(str(there / "changed.parquet"))
    (there / "changed.parquet").replace(history)
    return there


def test_both_sides_give_the_same_numbers(folder) -> None:
    (_, tandem), (took, pandas) = (by_hand.answered(folder, side) for side in by_hand.SIDES)
    assert by_hand.compared(tandem, pandas) > 500
    steps = tandem[f"waterfalls of {by_hand.WEEKS} weeks"].drop(columns="week")
    assert (steps.abs().sum() > 0).all()
    assert len(tandem["pushes by owner"]) == 60
    assert set(took) == {"read", *by_hand.QUESTIONS}


def test_a_difference_fails(folder) -> None:
    _, answers = by_hand.answered(folder, "pandas")
    other = {**answers, "pipeline by stage": answers["pipeline by stage"].assign(amount=1.0)}
    with pytest.raises(AssertionError, match="pipeline by stage"):
        by_hand.compared(answers, other)
