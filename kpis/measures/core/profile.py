"""The ideal customer: the agreed profile, or one learned from deals that closed before the periods shown."""

from __future__ import annotations

import narwhals.stable.v2 as nw

from kpis.definitions import CustomerProfile
from kpis.engine import collect
from kpis.errors import NotEnoughData
from kpis.measures.core.known import Known

FEWEST = 10
"""A level needs this many closed deals before its win rate is believed."""


def ideal_profile(known: Known) -> CustomerProfile:
    """The agreed profile; else the levels that won more often than all deals together.

    Levels are the lead's industry where leads are linked to deals, the deal's segment and its account's
    industry. They are learned from deals closed before the first period shown; where that gives none, from
    those closed before the current one.

    Raises
    ------
    NotEnoughData
        When no profile is agreed and none can be learned.
    """
    agreed = known.definitions.ideal_customer
    if agreed.is_set:
        return agreed
    learned = known.once("ideal profile", lambda: _learned(known))
    if not learned.is_set:
        raise NotEnoughData(
            "needs an ideal customer profile: none is agreed, and too few deals had closed to learn one",
            way_out="Set definitions.ideal_customer",
        )
    return learned


def _learned(known: Known) -> CustomerProfile:
    if not known.has("opportunities", "closed_at"):
        return CustomerProfile()
    starts = known.window.starts
    for start in (int(starts[-known.window.shown]), int(starts[-1])):
        found = _levels(known, known.opportunities.filter((nw.col("is_open") == 0) & (nw.col("closed_at_n") < start)))
        if found:
            return CustomerProfile(industries=tuple(dict.fromkeys(found)))
    return CustomerProfile()


def _levels(known: Known, closed: nw.LazyFrame) -> list[str]:
    found: list[str] = []
    if known.has("opportunities", "segment"):
        found += _better(closed.select("is_won", level=nw.col("segment")))
    if known.has("opportunities", "account_id") and known.has("accounts", "industry"):
        accounts = known.frame("accounts").select("account_id", level=nw.col("industry"))
        found += _better(closed.join(accounts, on="account_id", how="inner").select("is_won", "level"))
    links = known.lead_links() if known.has("leads", "industry") else None
    if links is not None:
        leads = known.frame("leads").select("lead_id", level=nw.col("industry"))
        named = links.join(leads, left_on="linked_lead", right_on="lead_id", how="inner")
        named = named.select("opportunity_id", "level")
        found += _better(closed.join(named, on="opportunity_id", how="inner").select("is_won", "level"))
    return found


def _better(closed: nw.LazyFrame) -> list[str]:
    """Levels with at least FEWEST closed deals whose win rate is above that of all."""
    counted = closed.filter(~nw.col("level").is_null()).with_columns(rows=nw.lit(1))
    table = collect(
        counted.group_by("level").agg(nw.col("rows").sum(), nw.col("is_won").sum()),
        {"level": "text", "rows": "int", "is_won": "int"},
    )
    if table.empty:
        return []
    overall = table["is_won"].sum() / table["rows"].sum()
    good = table[(table["rows"] >= FEWEST) & (table["is_won"] > overall * table["rows"])]
    return sorted(good["level"].str.lower())
