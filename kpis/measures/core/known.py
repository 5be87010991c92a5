"""What is known on a day of opportunities and of leads: the rows that most measures start from."""

from __future__ import annotations

from functools import cached_property

import narwhals.stable.v2 as nw

from kpis.measures.core.rows import Rows
from kpis.measures.core.tables import Tables, earliest, is_one_of

SLIM = (
    "opportunity_id",
    "stage",
    "amount",
    "created_at_n",
    "expected_close_n",
    "closed_at_n",
    "qualified_day",
    "flagged",
    "is_won",
    "is_lost",
    "is_open",
)


def with_outcome_days(deals: nw.LazyFrame) -> nw.LazyFrame:
    """Add the whole days ``won_day`` and ``lost_day``, null where it did not happen."""
    closed = nw.col("closed_at_n")
    return deals.with_columns(
        won_day=nw.when(nw.col("is_won") == 1).then(closed), lost_day=nw.when(nw.col("is_lost") == 1).then(closed)
    )


class Known(Tables):
    """The tables of a day with what several measures derive from opportunities and leads."""

    # Opportunities ---------------------------------------------------------------------------------------

    @cached_property
    def opportunities(self) -> nw.LazyFrame:
        """Opportunities: ``qualified_day`` and 0/1 ``is_won``, ``is_lost``, ``is_open``, ``no_decision``, ``flagged``.

        A deal is ``flagged`` while the stage it is in counts as qualified: what the open qualified pipeline is made of.
        """
        status = nw.col("status")
        decided_nothing = is_one_of("lost_reason", self.definitions.no_decision) & (status == "lost")
        flags = {"is_won": status == "won", "is_lost": status == "lost", "is_open": status == "open"}
        columns = {name: nw.when(met).then(1).otherwise(0) for name, met in flags.items()}
        deals = self.frame("opportunities").with_columns(
            **columns, no_decision=nw.when(decided_nothing).then(1).otherwise(0)
        )
        return self.kept(self._flagged(self.with_qualified_day(deals), self.qualified_stages))

    def deals(self, day: str) -> Rows:
        """Opportunities on one of their dates."""
        key = ("opportunities+", day)
        if key not in self._rows:
            self.need("opportunities", day)
            self._rows[key] = Rows(self.opportunities, "opportunities", f"{day}_n")
        return self._rows[key]

    @property
    def slim(self) -> nw.LazyFrame:
        """Opportunities with what measures of their visits, states and meetings use; the rest is found by their id."""
        return self.opportunities.select(*SLIM)

    @cached_property
    def won(self) -> Rows:
        """Won opportunities on the day they closed."""
        return self.deals("closed_at").where(nw.col("is_won") == 1)

    @cached_property
    def qualified_stages(self) -> nw.LazyFrame | None:
        """Names of the stages flagged qualified; None where no stages are known."""
        if not self.has("stages", "stage"):
            return None
        flagged = (nw.col("is_qualified").fill_null(1) == 1) & (nw.col("is_lost").fill_null(0) == 0)
        stages = self.frame("stages").filter(flagged & ~nw.col("stage").is_null())
        return stages.select(stage=nw.col("stage"), flagged=nw.lit(1)).unique(["stage"])

    def with_qualified_day(self, deals: nw.LazyFrame, stages: nw.LazyFrame | None = None) -> nw.LazyFrame:
        """Add ``qualified_day``: the whole day a deal first qualified, null if it never did.

        The first entry into a stage flagged qualified; a deal won without one qualified by being won. Without
        any stage history of a deal: its recorded ``qualified_at``; without that the day of creation, if it
        is closed or its stage is flagged (all are, where no stages are known).

        Parameters
        ----------
        stages
            The flagged stages in the form of ``qualified_stages``, where another rule than the shared one is asked.
        """
        stages = self.qualified_stages if stages is None else stages
        deals = self._flagged(deals, stages)
        passed = (nw.col("is_open") == 0) | (nw.col("flagged") == 1)
        if self.has("opportunities", "qualified_at"):
            day = nw.col("qualified_at_n")
        else:
            # A closed deal without a creation date qualified by the day it closed; an open one cannot be placed.
            day = nw.when(passed).then(nw.coalesce(nw.col("created_at_n"), nw.col("closed_at_n")))
        if self.dataset.has_history and stages is not None:
            history = self.frame("opportunity_history").join(stages, on="stage", how="left")
            history = history.with_columns(entered=nw.when(nw.col("flagged") == 1).then(nw.col("changed_at_n")))
            first = history.group_by("opportunity_id").agg(
                first_seen=nw.col("changed_at_n").min(), entered=nw.col("entered").min()
            )
            deals = deals.join(first, on="opportunity_id", how="left")
            won_on = nw.when(nw.col("is_won") == 1).then(nw.col("closed_at_n"))
            recorded = nw.coalesce(nw.col("entered"), won_on)
            day = nw.when(nw.col("first_seen").is_null()).then(day).otherwise(recorded)
            return deals.with_columns(qualified_day=day).drop("flagged", "first_seen", "entered")
        return deals.with_columns(qualified_day=day).drop("flagged")

    def _flagged(self, deals: nw.LazyFrame, stages: nw.LazyFrame | None) -> nw.LazyFrame:
        """Add 0/1 ``flagged``: whether the stage a deal is in is one of ``stages``; all are, where none are known."""
        if stages is None or not self.has("opportunities", "stage"):
            return deals.with_columns(flagged=nw.lit(1))
        return deals.join(stages, on="stage", how="left").with_columns(nw.col("flagged").fill_null(0))

    @cached_property
    def qualified(self) -> nw.LazyFrame:
        """Opportunities that ever qualified, with ``qualified_day``."""
        return self.opportunities.filter(~nw.col("qualified_day").is_null())

    @cached_property
    def qualified_deals(self) -> Rows:
        """Opportunities on the day they first qualified, with ``won_day`` and ``lost_day``."""
        return Rows(with_outcome_days(self.qualified), "opportunities", "qualified_day")

    # Leads -----------------------------------------------------------------------------------------------

    @cached_property
    def lead_outcomes(self) -> nw.LazyFrame:
        """Leads with what became of their opportunities, null while it has not happened.

        ``deal_day`` first opportunity created, ``won_day`` first win, ``lost_day`` the last loss once none is
        open and none was won, ``won_amount`` Σ won; ``dropped_day`` disqualified or archived, ``gone_day`` dropped
        or lost, whichever came first; 0/1 ``is_mql`` and ``is_digital`` (came in by a digital channel).
        """
        digital = is_one_of("channel", self.definitions.digital_channels)
        leads = self.frame("leads").with_columns(
            dropped_day=earliest("disqualified_at_n", "archived_at_n"),
            is_mql=nw.when(~nw.col("mql_at_n").is_null()).then(1).otherwise(0),
            is_digital=nw.when(digital).then(1).otherwise(0),
        )
        linked = self.lead_links()
        if linked is None:
            empty = nw.lit(None, dtype=nw.Int64)
            return leads.with_columns(
                deal_day=empty, won_day=empty, lost_day=empty, gone_day=nw.col("dropped_day"), won_amount=nw.lit(0.0)
            )
        deals = self.opportunities.join(linked, on="opportunity_id", how="inner", suffix="_of_lead")
        # Open and lost keep no won day: minimum and maximum pass over nulls.
        deals = deals.with_columns(
            won_on=nw.when(nw.col("is_won") == 1).then(nw.col("closed_at_n")),
            lost_on=nw.when(nw.col("is_lost") == 1).then(nw.col("closed_at_n")),
            won_money=nw.when(nw.col("is_won") == 1).then(nw.col("amount")).otherwise(nw.lit(0.0)),
        )
        outcome = deals.group_by("linked_lead").agg(
            deal_day=nw.col("created_at_n").min(),
            won_day=nw.col("won_on").min(),
            lost_last=nw.col("lost_on").max(),
            open_deals=nw.col("is_open").sum(),
            won_amount=nw.col("won_money").sum(),
        )
        joined = leads.join(outcome, left_on="lead_id", right_on="linked_lead", how="left")
        all_lost = nw.col("won_day").is_null() & (nw.col("open_deals").fill_null(0) == 0)
        joined = joined.with_columns(
            lost_day=nw.when(all_lost).then(nw.col("lost_last")), won_amount=nw.col("won_amount").fill_null(0.0)
        )
        return self.kept(joined.with_columns(gone_day=earliest("dropped_day", "lost_day")))

    def lead_links(self) -> nw.LazyFrame | None:
        """Pairs opportunity_id, linked_lead, from whichever side names the other; None when neither does."""
        if self.has("opportunities", "lead_id"):
            deals = self.frame("opportunities").filter(~nw.col("lead_id").is_null())
            return deals.select("opportunity_id", linked_lead=nw.col("lead_id"))
        if self.has("opportunities", "opportunity_id") and self.has("leads", "opportunity_id"):
            leads = self.frame("leads").filter(~nw.col("opportunity_id").is_null())
            return leads.select("opportunity_id", linked_lead=nw.col("lead_id"))
        return None

    def need_lead_links(self) -> None:
        """Raise NotEnoughData unless leads and opportunities can be joined."""
        if self.lead_links() is None:
            self.need("opportunities", "lead_id")

    @cached_property
    def won_with_lead(self) -> Rows:
        """Won opportunities with their lead's ``lead_created``, ``lead_group``, ``lead_channel``, ``lead_asset``."""
        self.need_lead_links()
        leads = self.frame("leads").select(
            "lead_id",
            lead_created=nw.col("created_at_n"),
            lead_group=nw.col("source_group"),
            lead_channel=nw.col("channel"),
            lead_asset=nw.col("asset_id"),
        )
        links = self.lead_links().join(leads, left_on="linked_lead", right_on="lead_id", how="inner")
        # One origin a deal: a second lead that names the same opportunity must not double its money.
        first = links.group_by("opportunity_id").agg(nw.col("linked_lead").min())
        links = links.join(first, on=["opportunity_id", "linked_lead"], how="inner")
        return Rows(
            self.kept(self.won.frame.join(links, on="opportunity_id", how="left")), "opportunities", "closed_at_n"
        )

    def leads(self, day: str) -> Rows:
        """Leads on one of their dates, with what became of their opportunities."""
        key = ("leads+", day)
        if key not in self._rows:
            self.need("leads", day)
            self._rows[key] = Rows(self.lead_outcomes, "leads", f"{day}_n")
        return self._rows[key]
