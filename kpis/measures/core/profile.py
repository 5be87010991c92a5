"""The ideal customer: the agreed profile, or in each period one learned from the deals that had closed before it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import narwhals.stable.v2 as nw
import pandas as pd

from kpis.definitions import CustomerProfile
from kpis.engine import collect
from kpis.errors import NotEnoughData
from kpis.measures.core.known import Known
from kpis.measures.core.rows import Rows
from kpis.measures.core.tables import shared

FEWEST = 10
"""A level needs this many closed deals before its win rate is believed."""


@shared
def ideal_profiles(known: Known) -> tuple[CustomerProfile, ...]:
    """The profile in each period of the window: the agreed one; else the levels that won more often than all deals.

    Levels are the lead's industry where leads are linked to deals, the deal's segment and its account's
    industry. Each period's are learned from the deals closed before it, so that it is not tried on what it was
    learned from, and does not depend on how many periods are looked at; it is not set where that gives none.

    Raises
    ------
    NotEnoughData
        When no profile is agreed and none can be learned.
    """
    agreed, periods = known.definitions.ideal_customer, len(known.window.periods)
    if agreed.is_set:
        return (agreed,) * periods
    found: list[list[str]] = [[] for _ in range(periods)]
    for closed in _closed_by_level(known):
        for p in range(periods):
            found[p] += _better(closed[closed["p"] < p])
    if not any(found):
        raise NotEnoughData(
            "needs an ideal customer profile: none is agreed, and too few deals had closed to learn one",
            way_out="Set definitions.ideal_customer",
        )
    return tuple(CustomerProfile(industries=tuple(dict.fromkeys(levels))) for levels in found)


def with_fit(known: Known, rows: Rows, rule: Callable[[CustomerProfile], nw.Expr]) -> Rows:
    """Rows with 0/1 ``fits``: whether each meets the profile of its period; without those of periods that have none.

    Parameters
    ----------
    rule
        From a profile to whether a row meets it.
    """
    day, nothing = nw.col(rows.day), nw.lit(None, dtype=nw.Int64)
    fits = nw.when(day.is_null()).then(nothing)
    profiles = ideal_profiles(known)
    for p in reversed(range(len(profiles))):
        if p and profiles[p] == profiles[p - 1]:
            continue
        met = nw.when(rule(profiles[p])).then(1).otherwise(0) if profiles[p].is_set else nothing
        fits = fits.when(day >= int(known.window.starts[p])).then(met)
    return rows.also(fits=fits.otherwise(nothing)).given("fits")


def _closed_by_level(known: Known) -> Iterator[pd.DataFrame]:
    """Closed and won deals by level and period of the close, for each kind of level that the data have."""
    if not known.has("opportunities", "closed_at"):
        return
    closed = known.with_period(known.opportunities.filter(nw.col("is_open") == 0), "closed_at_n")
    if known.has("opportunities", "segment"):
        yield _counted(closed.select("is_won", "p", level=nw.col("segment")))
    if known.has("opportunities", "account_id") and known.has("accounts", "industry"):
        accounts = known.frame("accounts").select("account_id", level=nw.col("industry"))
        yield _counted(closed.join(accounts, on="account_id", how="inner").select("is_won", "p", "level"))
    links = known.lead_links() if known.has("leads", "industry") else None
    if links is not None:
        leads = known.frame("leads").select("lead_id", level=nw.col("industry"))
        named = links.join(leads, left_on="linked_lead", right_on="lead_id", how="inner")
        named = named.select("opportunity_id", "level")
        yield _counted(closed.join(named, on="opportunity_id", how="inner").select("is_won", "p", "level"))


def _counted(closed: nw.LazyFrame) -> pd.DataFrame:
    there = closed.filter(~nw.col("level").is_null()).with_columns(rows=nw.lit(1))
    return collect(
        there.group_by("level", "p").agg(nw.col("rows").sum(), nw.col("is_won").sum()),
        {"level": "text", "p": "int", "rows": "int", "is_won": "int"},
    )


def _better(closed: pd.DataFrame) -> list[str]:
    """Levels with at least FEWEST closed deals whose win rate is above that of all."""
    if closed.empty:
        return []
    table = closed.groupby("level")[["rows", "is_won"]].sum()
    overall = table["is_won"].sum() / table["rows"].sum()
    good = table[(table["rows"] >= FEWEST) & (table["is_won"] > overall * table["rows"])]
    return sorted(good.index.str.lower())
