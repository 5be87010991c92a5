"""The open pipeline on the same day of every period, what became of it, and what the forecast adds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import narwhals.stable.v2 as nw
import numpy as np

from kpis.measures.core.composed import Derived
from kpis.measures.core.forecast_view import ForecastView, PeriodView
from kpis.measures.core.formulas import quotient
from kpis.measures.core.grid import Grid
from kpis.measures.core.known import Known
from kpis.measures.core.quantity import Quantity
from kpis.measures.core.rows import LEAD_IN, Panel, Reducer, Rows, Span, Window, yes
from kpis.measures.core.states import states, states_from
from kpis.measures.core.tables import EACH, shared
from kpis.measures.core.totals import Stock

PAST = LEAD_IN - 1
"""Whole periods that own history is taken from; the pipeline ahead of the first of them is seen a period before."""


@shared
def pipeline(known: Known) -> Panel:
    """Open qualified money on the same day of every period, and on its first day, with what became of it.

    Columns, all Σ amount but ``deals0`` to ``deals2``, which count: ``open0``, ``open1``, ``open2`` expected to
    close in the period, the next, the next but one; ``won0`` the part of ``open0`` won later in the period;
    ``dayone`` expected in the period on its first day, ``dayone_won`` the part won in it; ``pulled_in`` open on
    the first day, expected elsewhere, won in it (``pulled_deals`` counts them, ``pulled_won`` sums what they were
    won for).
    """
    money, close, won_on = nw.col("state_amount").fill_null(0.0), nw.col("state_close"), nw.col("closed_at_n")

    def stands(day: nw.Expr) -> nw.Expr:
        """In force and open at the end of ``day``."""
        running = won_on.is_null() | (won_on > day)
        return yes((nw.col("from_day") <= day) & (nw.col("until_day") > day) & running)

    def within(periods_ahead: int) -> nw.Expr:
        first, last = EACH.ahead(periods_ahead)
        return yes((close >= first) & (close <= last))

    won = (nw.col("is_won") == 1) & (won_on <= EACH.last) & (won_on >= EACH.start)
    state = known.in_each_period(states(known)).with_columns(
        now=stands(EACH.day),
        first=stands(EACH.start),
        here=within(0),
        next_one=within(1),
        after=within(2),
        won=yes(won),
    )
    now, first, here, won_here = (nw.col(name) for name in ("now", "first", "here", "won"))
    deals = {f"deals{k}": now * nw.col(name) for k, name in enumerate(("here", "next_one", "after"))}
    state = state.with_columns(**deals, pulled_deals=first * (1 - here) * won_here)
    return Panel(
        state.with_columns(
            **{f"open{k}": nw.col(f"deals{k}") * money for k in range(3)},
            won0=nw.col("deals0") * won_here * money,
            dayone=first * here * money,
            dayone_won=first * here * won_here * money,
            pulled_in=nw.col("pulled_deals") * money,
            pulled_won=nw.col("pulled_deals") * nw.col("amount").fill_null(0.0),
        ),
        "opportunities",
    )


def stock(
    known: Known, column: str, *, at: Callable[[Span], int] = lambda span: span.day, unit: str = "money"
) -> Stock:
    """A column of the pipeline on a day of each period."""
    counted = column.replace("open", "deals") if column in ("open0", "open1", "open2") else ""
    return Stock(pipeline(known), column, unit, states_from(known), at, counted)


def past_share(column: str, of: str, known: Known) -> Quantity:
    """Share of ``of`` that became ``column``, over the last PAST whole periods together, at each period."""
    at = (lambda span: span.start) if of == "dayone" else (lambda span: span.day)

    def formula(part: Grid, whole: Grid, window: Window) -> Grid:
        return quotient(
            trailing_sum(part, window), trailing_sum(whole, window), "no earlier period with a known pipeline"
        )

    return Derived(formula, (stock(known, column, at=at), stock(known, of, at=at)), "share")


def trailing_sum(grid: Grid, window: Window) -> Grid:
    """At each period the sum over the PAST whole periods before it that are known; n is how many they are."""
    value, n = np.full(grid.shape, np.nan), np.zeros(grid.shape)
    for p in range(grid.shape[1]):
        past = grid.value[:, max(0, p - PAST) : p][:, window.whole[max(0, p - PAST) : p]]
        if past.shape[1]:
            value[:, p] = np.where(np.isfinite(past).any(axis=1), np.nansum(past, axis=1), np.nan)
            n[:, p] = np.isfinite(past).sum(axis=1)
    return Grid.of(grid.groups, value, n, why="no earlier period with a known pipeline")


@shared
def open_today(known: Known) -> Rows:
    """Today's open deals in a qualified stage, on today, with their ``money``: those the forecast counts as well."""
    here = (nw.col("is_open") == 1) & (nw.col("flagged") == 1) & ~nw.col("created_at_n").is_null()
    rows = Rows(known.opportunities.filter(here), "opportunities", "today_n")
    return rows.also(today_n=nw.lit(known.today), money=nw.col("amount").fill_null(0.0))


@dataclass(frozen=True, eq=False)
class FromForecast(Quantity):
    """A number of the forecast, today only."""

    take: Callable[[ForecastView], tuple[float | None, float | None, float | None]]
    unit: str = "money"
    note: str = "from the forecast"

    @property
    def sampled(self) -> bool:
        """The forecast has a range of its own."""
        return False

    @property
    def settled(self) -> bool:
        """It moves with the levers."""
        return False

    def grid(self, reducer: Reducer) -> Grid:
        """The number in the last period."""
        shape = (1, len(reducer.window.periods))
        value, low, high = (np.full(shape, np.nan) for _ in range(3))
        forecast = reducer.forecast
        found = self.take(forecast) if forecast is not None else (None, None, None)
        for array, number in zip((value, low, high), found, strict=True):
            array[0, -1] = np.nan if number is None else number
        why = "needs the forecast" if forecast is None else "the forecast has no value for it"
        return Grid.of(("",), value, np.zeros(shape), low=low, high=high, why=why)


def from_forecast(take: Callable[[PeriodView], float | None], unit: str, period: int = 0) -> FromForecast:
    """A number that the forecast has for a period: 0 is the current one."""

    def number(forecast: ForecastView) -> tuple[float | None, float | None, float | None]:
        return take(forecast.periods[period]) if period < len(forecast.periods) else None, None, None

    return FromForecast(number, unit)


def trailing_mean(value: np.ndarray, window: Window) -> np.ndarray:
    """At each period the mean over the PAST whole periods before it that are known."""
    mean = np.full(value.shape, np.nan)
    for p in range(value.shape[1]):
        past = value[:, max(0, p - PAST) : p][:, window.whole[max(0, p - PAST) : p]]
        seen = np.isfinite(past)
        counted = seen.sum(axis=1)
        mean[:, p] = np.divide(
            np.where(seen, past, 0.0).sum(axis=1), counted, out=np.full(len(past), np.nan), where=counted > 0
        )
    return mean
