"""What stands behind a number: its queries, and its rows."""

from __future__ import annotations

import narwhals.stable.v2 as nw
import pandas as pd

from kpis.dataset import Dataset
from kpis.errors import NotEnoughData
from kpis.measures.core.quantity import Quantity
from kpis.measures.core.rows import Panel
from kpis.measures.core.runs import Run, run_by
from kpis.measures.registry import find


def queries(dataset: Dataset, name: str, *, by: str = "", periods: int = 8) -> dict[str, list[str]]:
    """The SQL behind each part: the counts and sums its formula is taken over."""
    run, parts = _declared_now(dataset, name, by, periods)
    found: dict[str, list[str]] = {}
    for part, quantity in parts.items():
        found[part] = [dataset.engine.text(run.reducer.query(scan).to_native()) for scan in quantity.scans()]
    return found


def rows_behind(
    dataset: Dataset,
    name: str,
    part: str = "",
    *,
    by: str = "",
    group: str | None = None,
    period: str = "",
    limit: int = 1000,
) -> pd.DataFrame:
    """The rows behind one number: those of the part, in the labelled period and group, at most ``limit``.

    Raises
    ------
    NotEnoughData
        When the part has no rows of its own, or the data cannot support it.
    """
    run, parts = _declared_now(dataset, name, by, 8)
    quantity = parts[part or next(iter(parts))]
    rows = quantity.rows()
    if rows is None:
        raise NotEnoughData(f"{name} has no rows of its own", way_out="Open the measures it is made of")
    frame, label = run.reducer.with_group(rows)
    if group is not None:
        frame = frame.filter(label.get("group", nw.lit("")) == group)
    if period:
        window = run.reducer.window
        number = [one.label for one in window.periods].index(period)
        if isinstance(rows, Panel):
            frame = frame.filter(nw.col("p") == number)
        else:
            day = nw.col(rows.day)
            frame = frame.filter((day >= int(window.starts[number])) & (day <= int(window.ends[number])))
    return frame.head(limit).collect("pyarrow").to_native().to_pandas()


def _declared_now(dataset: Dataset, name: str, by: str, periods: int) -> tuple[Run, dict[str, Quantity]]:
    run = run_by(dataset, by, periods)
    return run, find(name).declare(run.known)
