"""Leads, visits and sales: counted one by one, or in the totals that campaigns report where nothing else tells."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import narwhals.stable.v2 as nw

from kpis.measures.core.composed import Ratio
from kpis.measures.core.known import Known
from kpis.measures.core.quantity import Missing, Quantity, first_of
from kpis.measures.core.rows import Rows
from kpis.measures.core.samples import Amount, Mean, Median, SumRatio
from kpis.measures.core.tables import is_one_of, shared
from kpis.measures.core.totals import Count

REPORTED = "as the campaigns report it"
NOTHING_SOLD = "nothing was won in this period"


@dataclass(frozen=True, eq=False)
class Tally:
    """Events that are a row each, or rows of totals.

    Parameters
    ----------
    count
        Column with how many events a row stands for.
    money
        Column with what they were worth.
    note
        Where they are counted, unless one by one in the table made for them.
    """

    rows: Rows
    count: str = "rows"
    money: str = ""
    note: str = ""

    @property
    def in_totals(self) -> bool:
        """Whether a row can stand for several events."""
        return self.count != "rows"

    def by(self, column: str) -> Tally:
        """The same, always broken down by ``column``."""
        return Tally(self.rows.by(column), self.count, self.money, self.note)

    @cached_property
    def number(self) -> Count:
        """How many there were."""
        return Count(self.rows, self.count, note=self.note)

    @cached_property
    def amount(self) -> Amount:
        """What they were worth together."""
        return Amount(self.rows, self.money, note=self.note)

    @cached_property
    def mean(self) -> Quantity:
        """What one was worth on average."""
        if self.in_totals:
            return SumRatio(self.rows, self.money, self.count, "money", NOTHING_SOLD, self.note)
        return Mean(self.rows, self.money, empty=NOTHING_SOLD, note=self.note)

    @cached_property
    def median(self) -> Quantity:
        """What the one in the middle was worth."""
        if self.in_totals:
            return Missing("needs sales one by one: campaigns report their total", "money")
        return Median(self.rows, self.money, empty=NOTHING_SOLD, note=self.note)


def reported(known: Known, count: str, money: str = "", *, needs: tuple[str, ...] = ()) -> Tally:
    """What the campaigns report: a column of spend with a count, and one with money.

    Raises
    ------
    NotEnoughData
        Where the spend has no such column, or lacks one of the others it ``needs``.
    """
    columns = [name for name in (count, money) if name]
    known.need("spend", "period", *columns, *needs)
    return Tally(known.rows("spend", "period").given(*columns), count, money, REPORTED)


def new_leads(known: Known, *needs: str) -> Tally:
    """Leads on the day they were created; of columns that are needed as well, where both are there."""

    def one_by_one() -> Tally:
        known.need("leads", "created_at", *needs)
        return Tally(known.leads("created_at"))

    return first_of(one_by_one, lambda: reported(known, "leads", needs=needs))


@shared
def digital_leads_per_visit(known: Known) -> Ratio:
    """Leads by digital channels for each visit; clicks on advertisements stand for visits where none are recorded."""

    def one_by_one() -> tuple[Tally, Tally]:
        known.need("leads", "created_at", "channel")
        leads = Tally(known.leads("created_at"), "is_digital")
        return leads, Tally(known.rows("web_sessions", "started_at"))

    def in_totals() -> tuple[Tally, Tally]:
        leads = reported(known, "leads", needs=("channel",))
        digital = is_one_of("channel", known.definitions.digital_channels)
        rows = leads.rows.also(digital=nw.when(digital).then(nw.col("leads")).otherwise(0))
        return Tally(rows, "digital", note=REPORTED), reported(known, "clicks")

    leads, seen = first_of(one_by_one, in_totals)
    note = f"{REPORTED}; a click stands for a visit" if seen.in_totals else ""
    return Ratio(leads.number, seen.number, "share", empty="nobody visited the site in this period", exact_counts=True,
                 note=note)  # fmt: skip


@shared
def sales(known: Known) -> Tally:
    """What was sold: won opportunities; orders where there are none; else the sales that campaigns report."""

    def won() -> Tally:
        known.need("opportunities", "closed_at", "amount")
        return Tally(known.won, money="amount")

    def ordered() -> Tally:
        known.need("orders", "ordered_at", "amount")
        return Tally(known.rows("orders", "ordered_at"), money="amount", note="orders: there are no opportunities")

    return first_of(won, ordered, lambda: reported(known, "conversions", "conversion_value"))
