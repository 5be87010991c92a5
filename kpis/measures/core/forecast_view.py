"""What the forecast says, as far as measures show it: handed in by the answers, never computed here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class PeriodView:
    """The forecast of one period; None where it cannot be told.

    Parameters
    ----------
    expected, p10, p50, p90
        The period's whole landing: won so far, open, and not yet created.
    p_hit
        Chance of reaching the target.
    from_open
        Expected money from deals open today.
    required_pipeline, required_coverage, gap
        What the plan needs, and what is lacking.
    """

    label: str
    expected: float | None = None
    p10: float | None = None
    p50: float | None = None
    p90: float | None = None
    p_hit: float | None = None
    from_open: float | None = None
    required_pipeline: float | None = None
    required_coverage: float | None = None
    gap: float | None = None
    needed: Mapping[str, float | str | None] = field(default_factory=dict)


@dataclass(frozen=True)
class ForecastView:
    """The current and the next two periods, and the value of the open funnel.

    Parameters
    ----------
    funnel_value, funnel_low, funnel_high
        Σ amount × P(win in the end) of the open qualified deals, and its 80 % range.
    """

    periods: tuple[PeriodView, ...]
    funnel_value: float | None = None
    funnel_low: float | None = None
    funnel_high: float | None = None
