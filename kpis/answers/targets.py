"""Targets: from the levers, else the settings, else the targets table."""

from __future__ import annotations

import narwhals.stable.v2 as nw

from kpis.dataset import Dataset
from kpis.engine import collect
from kpis.periods import Period, day_n, day_of

COMPANY = ("company", "all", "total", "")


def targets_for(
    dataset: Dataset, periods: tuple[Period, ...], given: tuple[float | None, ...] = (), metric: str = "bookings"
) -> tuple[float | None, ...]:
    """Target of each period, None where nobody set one.

    One given target holds for every period; several hold in order. In the targets table a company that sets
    targets by month has its quarters summed, and a period with a month missing has no target.
    """
    if given:
        held = given * len(periods) if len(given) == 1 else (*given, *[None] * len(periods))
        return held[: len(periods)]
    written = dataset.settings.targets if metric == "bookings" else {}
    table = _table(dataset, metric)
    return tuple(written.get(p.label, _from_table(table, p)) for p in periods)


def _table(dataset: Dataset, metric: str) -> dict[int, float]:
    """Company target by first day of its period."""
    if not dataset.has("targets", "period", "metric", "value"):
        return {}
    frame = dataset.frame("targets", dataset.engine.cursor())
    frame = frame.with_columns(scope=nw.col("scope").fill_null("")).filter(nw.col("metric") == metric)
    rows = collect(frame.filter(~nw.col("period_n").is_null()), {"period_n": "int", "scope": "text", "value": "float"})
    rows = rows[rows["scope"].str.lower().isin(COMPANY)].dropna()
    return dict(zip(rows["period_n"], rows["value"], strict=True))


def _from_table(table: dict[int, float], period: Period) -> float | None:
    """The period's own target, or the sum of its months' where targets are set by month."""
    months = sorted({day_of(n).replace(day=1) for n in range(day_n(period.start), day_n(period.end) + 1)})
    by_month = any((day_of(n).month - period.start.month) % 3 for n in table)
    values = [table.get(day_n(month)) for month in (months if by_month else months[:1])]
    return None if None in values else float(sum(v for v in values if v is not None))
