"""A dataset: canonical tables in an engine, and the one function that says what was known on a day."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from functools import reduce
from operator import or_

import narwhals.stable.v2 as nw

from kpis.engine import NEVER, Cursor, Engine
from kpis.errors import NotEnoughData
from kpis.periods import day_n
from kpis.schema import TABLES
from kpis.settings import Settings

IN_FORCE = "derived_in_force"
"""Of each change (``seq``) the days at whose end it is the last one: from ``since`` to before ``until``."""


@dataclass(frozen=True)
class Dataset:
    """Tables as known at the end of the day ``as_of``.

    What intake guarantees, and everything after it relies on:

    * a stored table has every column of the dictionary (all null where the upload had none);
      ``present`` names the columns that hold at least one value;
    * beside every date stands its whole-number companion ``<name>_n``;
    * ``opportunities``: ``status`` is ``open``, ``won`` or ``lost`` and never null, ``closed_at`` is null
      exactly for the open ones, ``opportunity_id`` is unique, ``amount_basis`` tells a given amount from
      a list price;
    * ``opportunity_history``: ``seq`` is unique and rises with time within an opportunity, and each row is the
      whole state after its change: what a source leaves empty is carried forward from the row before;
    * ``stages``: always there, one row a stage, positions from 1, with the flags for qualified, won and lost.

    Parameters
    ----------
    engine
        Where the tables are.
    fingerprint
        Hash of what was read and of the settings that shaped it; the least that any cache is keyed on.
    newest
        The newest day on which something happened in the data.
    as_of
        Nothing that happened after the end of this day is visible.
    present
        Table -> columns that hold a value.
    currency
        Code of the one currency that money is in.
    amount_known_at_close
        True when open opportunities carry no amount of their own: their amounts are known at close only,
        and before it the product's list price stands in.
    part
        Which rows these are, in words, where others are left out; empty where all are there.
    """

    engine: Engine
    fingerprint: str
    name: str
    newest: date
    as_of: date
    present: Mapping[str, frozenset[str]]
    settings: Settings = field(default_factory=Settings)
    currency: str = ""
    amount_known_at_close: bool = False
    part: str = ""

    @property
    def title(self) -> str:
        """Name of the data, and of which rows of them."""
        return f"{self.name} ({self.part} only)" if self.part else self.name

    def has(self, table: str, *columns: str) -> bool:
        """Whether the table is there and each named column holds a value."""
        return table in self.present and set(columns) <= self.present[table]

    def need(self, table: str, *columns: str) -> None:
        """Raise NotEnoughData naming the first thing missing of ``table`` and ``columns``."""
        if table not in self.present:
            way_out = f"It cannot be told for {self.part} alone" if self.part else "Upload it as well"
            raise NotEnoughData(f"needs table {table}", way_out=way_out)
        for column in columns:
            if column not in self.present[table]:
                raise NotEnoughData(f"needs table {table}, column {column}", way_out="Add the column to the export")

    @property
    def has_history(self) -> bool:
        """Whether stage changes are known, so that past states can be rebuilt."""
        return self.has("opportunity_history", "opportunity_id", "changed_at", "stage")

    def known_at(self, day: date) -> Dataset:
        """The same dataset as it was known at the end of ``day``; never later than the newest day."""
        return replace(self, as_of=min(day, self.newest))

    def frame(self, table: str, cursor: Cursor) -> nw.LazyFrame:
        """Lazy frame of ``table`` with only what was known at the end of ``as_of``.

        Rows dated later are gone, later events are null, and an opportunity closed later is open. Its
        stage, amount, expected close and owner are the last recorded ones where there is history; without
        history the stage and the expected close of a past day are unknown (null), not today's.
        """
        self.need(table)
        spec = TABLES[table]
        frame = cursor.frame(table)
        if self.as_of >= self.newest and table != "opportunities":
            return self._until(frame, table)
        frame = self._until(frame, table)
        if table == "opportunities":
            frame = self._opportunities_then(frame, cursor)
        if table == "leads" and "opportunities" in self.present:
            # The opportunity that a lead became is known once it is there.
            there = self._until(cursor.frame("opportunities"), "opportunities").select(
                "opportunity_id", became=nw.lit(1)
            )
            frame = frame.join(there, on="opportunity_id", how="left")
            frame = frame.with_columns(
                opportunity_id=nw.when(~nw.col("became").is_null()).then(nw.col("opportunity_id"))
            )
        return frame.select(
            *[c for name in spec.names for c in ([name, f"{name}_n"] if name in spec.dates else [name])]
        )

    def _until(self, frame: nw.LazyFrame, table: str) -> nw.LazyFrame:
        """Drop rows dated after the as-of day and blank the events that came after it."""
        spec, today = TABLES[table], day_n(self.as_of)
        events = [c.name for c in spec.columns if c.kind == "date" and c.name != spec.dated_by]
        if spec.dated_by:
            dated = nw.col(f"{spec.dated_by}_n")
            # On a past day a row without its date is known by what had happened to it, if anything.
            by_event = [(nw.col(f"{name}_n") <= today).fill_null(False) for name in events]
            known = reduce(or_, by_event, nw.lit(self.as_of >= self.newest))
            frame = frame.filter((dated <= today) | (dated.is_null() & known))
        if not events:
            return frame
        blank = []
        for name in events:
            happened = nw.col(f"{name}_n") <= today
            blank += [
                nw.when(happened).then(nw.col(name)).alias(name),
                nw.when(happened).then(nw.col(f"{name}_n")).alias(f"{name}_n"),
            ]
        return frame.with_columns(*blank)

    def _opportunities_then(self, frame: nw.LazyFrame, cursor: Cursor) -> nw.LazyFrame:
        """Undo what happened to opportunities after the as-of day."""
        past = self.as_of < self.newest
        is_open = nw.col("closed_at_n").is_null()
        frame = frame.with_columns(
            status=nw.when(is_open).then(nw.lit("open")).otherwise(nw.col("status")),
            lost_reason=nw.when(~is_open).then(nw.col("lost_reason")),
        )
        if past and self.amount_known_at_close:
            frame = frame.with_columns(
                amount=nw.when(is_open).then(nw.col("list_price")).otherwise(nw.col("amount")),
                amount_basis=nw.when(is_open).then(nw.lit("list price")).otherwise(nw.col("amount_basis")),
            )
        if not past:
            return frame
        unknown = [
            "stage",
            "expected_close",
            "expected_close_n",
            "forecast_category",
            "probability",
            "push_count",
            "next_step",
        ]
        if not self.has_history:
            return frame.with_columns(*[nw.when(~is_open).then(nw.col(c)).alias(c) for c in unknown])
        recorded = [
            c
            for c in ("stage", "amount", "expected_close", "forecast_category", "probability", "owner")
            if self.has("opportunity_history", c)
        ]
        if "expected_close" in recorded:
            recorded.append("expected_close_n")
        self.engine.store(IN_FORCE, _in_force)
        on_the_day = (nw.col("since") <= day_n(self.as_of)) & (nw.col("until") > day_n(self.as_of))
        last = cursor.frame(IN_FORCE).filter(on_the_day).select("seq")
        # Every row is the whole state after its change (intake carries forward what a source leaves empty).
        state = (
            cursor.frame("opportunity_history")
            .join(last, on="seq", how="inner")
            .select("opportunity_id", *[nw.col(c).alias(f"then_{c}") for c in recorded])
        )
        frame = frame.join(state, on="opportunity_id", how="left")
        # What was recorded later is not known yet, even where nothing else is: today's value would be a leak.
        then = [nw.coalesce(nw.col(f"then_{c}"), nw.when(~is_open).then(nw.col(c))).alias(c) for c in recorded]
        forgotten = [nw.when(~is_open).then(nw.col(c)).alias(c) for c in unknown if c not in recorded]
        return frame.with_columns(*then, *forgotten)


def _in_force(own: Cursor) -> nw.LazyFrame:
    """Found once for all days: to look for the last change before each of them would group the history every time."""
    rows = own.frame("opportunity_history").filter(~nw.col("changed_at_n").is_null())
    rows = rows.select("opportunity_id", "seq", since=nw.col("changed_at_n"))
    rows = rows.with_columns(then=nw.col("since").shift(-1).over("opportunity_id", order_by="seq"))
    return rows.select("seq", "since", until=nw.col("then").fill_null(NEVER))
