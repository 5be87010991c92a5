"""The fitted model: everything a projection needs, in tables whose size does not grow with the rows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from threading import Lock
from typing import Any, TypeVar

import narwhals.stable.v2 as nw
import numpy as np
import pandas as pd

from kpis.assumptions import Conversion
from kpis.dataset import Dataset
from kpis.engine import NEVER, collect
from kpis.errors import NotEnoughData
from kpis.forecast.amounts import Amounts, fit_amounts
from kpis.forecast.creation import MARK_DAYS, Creation, forecast_creation
from kpis.forecast.groups import Due, Groups, OpenDeals, hold, recent, recent_kinds, recent_mix
from kpis.forecast.hazards import Hazards, fit_hazards
from kpis.forecast.levers import Mix
from kpis.forecast.risks import Flags, flags
from kpis.forecast.spells import atom_shares, expose
from kpis.periods import Calendar, Period, day_n
from kpis.pipeline.pacing import BuildUp, Pace, build_up, pace, yields
from kpis.pipeline.stints import Stints, read_stages, stints

_Found = TypeVar("_Found")

LATEST = 64
"""Results by cycle and close rates that a model keeps: enough for two dozen people who share it, each with theirs."""

WINDOWS = 3
"""The rest of the current period, and the two that follow."""

MIN_SEGMENT, MAX_SEGMENTS = 30, 8
"""A segment with fewer new deals has no speed of its own to speak of; more segments than this nobody reads."""


@dataclass(frozen=True)
class Model:
    """What was learned from the data as known at the end of ``today``.

    Parameters
    ----------
    dataset
        As of ``today``.
    periods, ends
        The current and the next two periods, and their last days.
    won
        Amount won so far in the current period.
    open_deals, groups
        The open deals one by one (for lists), and counted (for projections).
    marks
        Deals created in the last 364 days, as counts: the kind of deals that will be created.
    by_source
        The part of ``marks`` that came from each source: the same groups, other counts.
    atom
        Outcome -> share of deals created that are won or lost at once, and their mean amount.
    """

    dataset: Dataset
    calendar: Calendar
    today: int
    periods: tuple[Period, ...]
    ends: tuple[int, ...]
    stints: Stints
    hazards: Hazards
    amounts: Amounts
    creation: Creation
    mix: Mix
    open_deals: OpenDeals
    groups: Groups
    marks: Groups
    by_source: dict[str, Groups]
    atom: dict[int, tuple[float, float]]
    won: float
    won_count: int
    _kept: dict[Callable[[Model], Any], Any] = field(default_factory=dict, init=False, repr=False, compare=False)
    _latest: dict[tuple[Conversion, Any], Any] = field(default_factory=dict, init=False, repr=False, compare=False)
    _keeping: Lock = field(default_factory=Lock, init=False, repr=False, compare=False)

    def once(self, find: Callable[[Model], _Found]) -> _Found:
        """What ``find`` gives of this model, found once: for what no lever changes, so that none waits for it."""
        if find not in self._kept:
            self._kept[find] = find(self)
        return self._kept[find]

    def under(self, conversion: Conversion, find: Callable[[Model, Conversion], _Found]) -> _Found:
        """What ``find`` gives of this model under a cycle and close rates: no other lever finds it again.

        Beyond LATEST the one that was asked for longest ago is forgotten.
        """
        with self._keeping:
            found = self._latest.pop((conversion, find), None)
        # Outside the lock: two who ask at once may both find it, and nobody waits for another.
        found = find(self, conversion) if found is None else found
        with self._keeping:
            self._latest[conversion, find] = found
            if len(self._latest) > LATEST:
                del self._latest[next(iter(self._latest))]
        return found

    @cached_property
    def labels(self) -> pd.DataFrame:
        """Name, company and next step of every open opportunity, by its id: text that only lists need."""
        frame = self.dataset.frame("opportunities", self.dataset.engine.cursor())
        text = dict.fromkeys(("opportunity_id", "name", "account_id", "next_step"), "text")
        return collect(frame.filter(nw.col("closed_at_n").is_null()), text).set_index("opportunity_id")

    @cached_property
    def open_ids(self) -> pd.Index:
        """(open deals,) opportunity_id of each."""
        return pd.Index(self.stints.deals["opportunity_id"].iloc[self.open_deals.row], dtype=object)

    @cached_property
    def qualified(self) -> np.ndarray:
        """(open deals,) whether each is in a qualified stage."""
        return np.array(self.stints.stages.qualified, dtype=bool)[self.open_deals.stage]

    @cached_property
    def open_amount(self) -> np.ndarray:
        """(open deals,) last known amount, as on the CRM's screen (with stand-ins where there is none)."""
        return self.amounts.known[self.open_deals.row]

    @cached_property
    def expected_close(self) -> np.ndarray:
        """(open deals,) whole-number day each is expected to close; NEVER where none is known."""
        return self.stints.deals["expected_close"].to_numpy()[self.open_deals.row]

    @cached_property
    def due(self) -> tuple[Due, ...]:
        """The open qualified deals that count for each period.

        Those expected to close in it; all of them for each where no expected close of an open deal is known.
        """
        close, counts = self.expected_close, self.qualified
        if (close < NEVER).any():
            due = [counts & (close >= day_n(p.start)) & (close <= day_n(p.end)) for p in self.periods]
        else:
            due = [counts] * len(self.periods)
        return tuple(Due(d, float(self.open_amount[d].sum()), self.counted(d)) for d in map(np.flatnonzero, due))

    def counted(self, deals: np.ndarray) -> Groups:
        """Some of the open deals (positions) as counts."""
        return self.groups.holding(self.open_deals.group[deals], self.open_deals.amount[deals])

    @cached_property
    def flags(self) -> Flags:
        """What could keep each open deal from coming through."""
        return flags(self)

    @cached_property
    def build_up(self) -> list[BuildUp]:
        """Pipeline of the last and the coming periods day by day; empty where no history tells it."""
        try:
            return build_up(self.dataset, self.calendar)
        except NotEnoughData:
            return []

    @cached_property
    def yields(self) -> dict[Period, tuple[float, float]]:
        """Past period -> amount won in it of the deals that its first day's pipeline held, and of all others."""
        return yields(self.dataset, self.build_up, self.stints.bookings)

    @cached_property
    def paces(self) -> tuple[Pace | None, ...]:
        """Where the pipeline of the next two periods stands on the way to its first day; None for the current."""
        return (None, *(pace(self.build_up, p, self.today, self.yields) for p in self.periods[1:]))

    @cached_property
    def segments(self) -> dict[str, tuple[int, np.ndarray]]:
        """Deals created lately by segment: how many, and (classes, stages) their amount by first night, per deal.

        The largest segments that have at least 30 of them, the largest first; empty where none is known.
        """
        rows, stage = recent(self.stints)
        named = self.stints.deals["segment"].astype("object").to_numpy()[rows]
        amount = self.amounts.first[rows] * self.amounts.ratio[stage]
        held = pd.Series(named).value_counts()
        found = {}
        for name, n in held[held >= MIN_SEGMENT].head(MAX_SEGMENTS).items():
            own = named == name
            mix = np.zeros(self.mix.created.shape)
            np.add.at(mix, (self.hazards.deal_class[rows[own]], stage[own]), amount[own])
            found[str(name)] = int(n), mix / n
        return found

    @cached_property
    def process(self) -> tuple[str, ...]:
        """The stages that lists show, in the order of the process: also those that no history tells apart."""
        listed = tuple(read_stages(self.dataset)["stage"]) if self.dataset.has("stages") else ()
        return (*listed, *(name for name in self.stages if name not in listed))

    @property
    def stages(self) -> tuple[str, ...]:
        """Names of the stages that the hazards tell apart."""
        return self.stints.stages.names


def fit(dataset: Dataset, calendar: Calendar | None = None, *, found: Stints | None = None) -> Model:
    """Fit to ``dataset`` as it was known at the end of its as-of day.

    Parameters
    ----------
    found
        The stints of ``dataset`` (made when not given).

    Raises
    ------
    NotEnoughData
        When there is no opportunity with a creation date.
    """
    dataset.need("opportunities", "created_at")
    calendar = calendar or dataset.settings.calendar
    found = found or stints(dataset)
    if not len(found.deals):
        raise NotEnoughData(
            f"No opportunity was created by {dataset.as_of}",
            way_out="Choose a later as-of date or check the creation dates",
        )
    periods = tuple(calendar.after(dataset.as_of, WINDOWS))
    ends = tuple(day_n(p.end) for p in periods)
    hazards = fit_hazards(found, expose(found), calendar)
    amounts = fit_amounts(found)
    open_deals, groups = hold(found, hazards, amounts, ends)
    marks, by_source = recent_kinds(found, hazards, amounts)
    this_period = found.bookings[found.bookings["closed"] >= day_n(periods[0].start)]
    return Model(
        dataset=dataset,
        calendar=calendar,
        today=found.today,
        periods=periods,
        ends=ends,
        stints=found,
        hazards=hazards,
        amounts=amounts,
        creation=forecast_creation(found, ends[-1] - found.today),
        mix=recent_mix(found, hazards),
        open_deals=open_deals,
        groups=groups,
        marks=marks,
        by_source=by_source,
        atom=atom_shares(found, amounts.known, found.today - MARK_DAYS),
        won=float(this_period["amount"].sum()),
        won_count=len(this_period),
    )
