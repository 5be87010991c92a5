"""What is known on a day: the tables behind the measures and the rows that several of them share."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any

import narwhals.stable.v2 as nw
import numpy as np
import pandas as pd

from kpis.dataset import Dataset
from kpis.definitions import Definitions
from kpis.engine import NEVER, collect
from kpis.errors import NotEnoughData
from kpis.measures.core.forecast_view import ForecastView
from kpis.measures.core.rows import Rows, Window
from kpis.periods import Period, day_n
from kpis.schema import TABLES

COMPANY = ("company", "total", "all", "")
"""Scopes of a target that mean the whole company."""

SLIM = (
    "opportunity_id",
    "account_id",
    "owner",
    "team",
    "region",
    "segment",
    "product",
    "type",
    "source",
    "campaign_id",
    "lead_id",
    "stage",
    "forecast_category",
    "amount",
    "created_at_n",
    "expected_close_n",
    "closed_at_n",
    "qualified_day",
    "is_won",
    "is_lost",
    "is_open",
)

ADDITIVE_TARGETS = ("bookings", "new_opps", "mqls", "revenue")
"""Metrics whose monthly targets add up to the quarter's; others are averaged."""


def is_one_of(column: str, values: tuple[str, ...]) -> nw.Expr:
    """Whether the text, without case and outer blanks, is one of ``values``; unknown when null."""
    return nw.col(column).str.strip_chars().str.to_lowercase().is_in([value.lower() for value in values])


def with_outcome_days(deals: nw.LazyFrame) -> nw.LazyFrame:
    """Add the whole days ``won_day`` and ``lost_day``, null where it did not happen."""
    closed = nw.col("closed_at_n")
    return deals.with_columns(
        won_day=nw.when(nw.col("is_won") == 1).then(closed), lost_day=nw.when(nw.col("is_lost") == 1).then(closed)
    )


class Known:
    """The tables of ``dataset`` at the end of its as-of day, and rows made of them.

    Every frame comes from one cursor. Frames and rows are made once, so that measures that ask the same
    rows share one query.

    Parameters
    ----------
    window
        The periods asked for.
    forecast
        What the forecast says as of this day; None where nobody computed it.
    keep
        Store the frames that most measures start from, rather than ask for them in every query.
    """

    def __init__(
        self, dataset: Dataset, window: Window, forecast: ForecastView | None = None, *, keep: bool = False
    ) -> None:
        self.dataset = dataset
        self.window = window
        self.forecast = forecast
        self.cursor = dataset.engine.cursor()
        self.today = day_n(dataset.as_of)
        self._keep = keep
        self.declared: dict[str, dict[str, Any]] = {}
        self._shared: dict[str, Any] = {}
        self._frames: dict[str, nw.LazyFrame] = {}
        self._rows: dict[tuple[str, str], Rows] = {}

    def once(self, name: str, make: Callable[[], Any]) -> Any:
        """What ``make`` gives, made once for this day: so that several quantities share the same rows."""
        if name not in self._shared:
            self._shared[name] = make()
        return self._shared[name]

    @property
    def definitions(self) -> Definitions:
        """The agreed definitions."""
        return self.dataset.settings.definitions

    def has(self, table: str, *columns: str) -> bool:
        """Whether the table is there and each named column holds a value."""
        return self.dataset.has(table, *columns)

    def need(self, table: str, *columns: str) -> None:
        """Raise NotEnoughData unless ``has``."""
        self.dataset.need(table, *columns)

    def kept(self, frame: nw.LazyFrame) -> nw.LazyFrame:
        """The frame, stored once where many numbers are wanted."""
        return self.cursor.keep(frame) if self._keep else frame

    def frame(self, table: str) -> nw.LazyFrame:
        """The table as known on the day; where many numbers are wanted, without what no measure reads."""
        if table not in self._frames:
            frame = self.dataset.frame(table, self.cursor)
            # Day arithmetic is done on the companions; the dates themselves only make every query longer.
            self._frames[table] = frame.drop(*TABLES[table].dates) if self._keep else frame
        return self._frames[table]

    def rows(self, table: str, day: str) -> Rows:
        """Rows of a table on one of its dates."""
        if (table, day) not in self._rows:
            self.need(table, day)
            self._rows[table, day] = Rows(self.frame(table), table, f"{day}_n")
        return self._rows[table, day]

    # Opportunities ---------------------------------------------------------------------------------------

    @cached_property
    def opportunities(self) -> nw.LazyFrame:
        """Opportunities with 0/1 ``is_won``, ``is_lost``, ``is_open``, ``no_decision``, and ``qualified_day``."""
        status = nw.col("status")
        decided_nothing = is_one_of("lost_reason", self.definitions.no_decision) & (status == "lost")
        flags = {"is_won": status == "won", "is_lost": status == "lost", "is_open": status == "open"}
        columns = {name: nw.when(met).then(1).otherwise(0) for name, met in flags.items()}
        deals = self.frame("opportunities").with_columns(
            **columns, no_decision=nw.when(decided_nothing).then(1).otherwise(0)
        )
        return self.kept(self._with_qualified_day(deals))

    def deals(self, day: str) -> Rows:
        """Opportunities on one of their dates."""
        key = ("opportunities+", day)
        if key not in self._rows:
            self.need("opportunities", day)
            self._rows[key] = Rows(self.opportunities, "opportunities", f"{day}_n")
        return self._rows[key]

    @property
    def slim(self) -> nw.LazyFrame:
        """Opportunities with the columns that measures of their visits, states and meetings use."""
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

    def _with_qualified_day(self, deals: nw.LazyFrame) -> nw.LazyFrame:
        """Add ``qualified_day``: the whole day a deal first qualified, null if it never did.

        The first entry into a stage flagged qualified; a deal won without one qualified by being won. Without
        any stage history of a deal: its recorded ``qualified_at``; without that the day of creation, if it
        is closed or its stage is flagged (all are, where no stages are known).
        """
        stages = self.qualified_stages
        if stages is None or not self.has("opportunities", "stage"):
            deals = deals.with_columns(flagged=nw.lit(1))
        else:
            deals = deals.join(stages, on="stage", how="left")
        passed = (nw.col("is_open") == 0) | (nw.col("flagged").fill_null(0) == 1)
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

    @cached_property
    def qualified(self) -> nw.LazyFrame:
        """Opportunities that ever qualified, with ``qualified_day``."""
        return self.opportunities.filter(~nw.col("qualified_day").is_null())

    @cached_property
    def qualified_deals(self) -> Rows:
        """Opportunities on the day they first qualified, with ``won_day`` and ``lost_day``."""
        return Rows(with_outcome_days(self.qualified), "opportunities", "qualified_day")

    @cached_property
    def visits(self) -> Rows:
        """Visits of open stages: ``visit_stage``, ``entry_day``, ``exit_day`` (null while in it), with their deal."""
        self.need("opportunity_history", "opportunity_id", "changed_at", "stage")
        history = self.frame("opportunity_history").filter(~nw.col("stage").is_null())
        history = history.select("opportunity_id", "seq", visit_stage=nw.col("stage"), entry_day=nw.col("changed_at_n"))
        history = history.with_columns(before=nw.col("visit_stage").shift(1).over("opportunity_id", order_by="seq"))
        moved = nw.col("before").is_null() | (nw.col("before") != nw.col("visit_stage"))
        history = history.with_columns(moved=nw.when(moved).then(1).otherwise(0)).filter(nw.col("moved") == 1)
        history = history.with_columns(next_day=nw.col("entry_day").shift(-1).over("opportunity_id", order_by="seq"))
        visits = self._open_stages_only(history).join(self.slim, on="opportunity_id", how="inner")
        exit_day = nw.coalesce(nw.col("next_day"), nw.col("closed_at_n"))
        return Rows(self.kept(visits.with_columns(exit_day=exit_day)), "opportunities", "entry_day", over="visit_stage")

    @cached_property
    def stage_entries(self) -> Rows:
        """First entry of each deal into each open stage, with ``won_day`` and ``lost_day``."""
        self.need("opportunity_history", "opportunity_id", "changed_at", "stage")
        history = self.frame("opportunity_history").filter(~nw.col("stage").is_null())
        first = history.group_by("opportunity_id", "stage").agg(entry_day=nw.col("changed_at_n").min())
        first = self._open_stages_only(first.select("opportunity_id", "entry_day", visit_stage=nw.col("stage")))
        entries = with_outcome_days(first.join(self.slim, on="opportunity_id", how="inner"))
        return Rows(entries, "opportunities", "entry_day", over="visit_stage")

    def _open_stages_only(self, frame: nw.LazyFrame) -> nw.LazyFrame:
        """Without the stages that mean won or lost."""
        if not self.has("stages", "stage"):
            return frame
        closing = (nw.col("is_won").fill_null(0) == 1) | (nw.col("is_lost").fill_null(0) == 1)
        closed = (
            self.frame("stages")
            .filter(closing)
            .select(visit_stage=nw.col("stage"), closing=nw.lit(1))
            .unique(["visit_stage"])
        )
        return frame.join(closed, on="visit_stage", how="left").filter(nw.col("closing").is_null())

    @cached_property
    def states(self) -> nw.LazyFrame:
        """Every state of every qualified deal, in force from ``from_day`` until before ``until_day``.

        ``state_stage``, ``state_amount`` and ``state_close`` (expected close, whole day) are as recorded then.
        Without history there is one state a deal, the present one, from today on.
        """
        deals = self.slim.filter(~nw.col("qualified_day").is_null())
        if not self.dataset.has_history:
            return deals.with_columns(
                from_day=nw.lit(self.today),
                until_day=nw.lit(NEVER),
                state_stage=nw.col("stage"),
                state_amount=nw.col("amount"),
                state_close=nw.col("expected_close_n"),
            )
        history = self.frame("opportunity_history").select(
            "opportunity_id",
            "seq",
            from_day=nw.col("changed_at_n"),
            then_stage=nw.col("stage"),
            then_amount=nw.col("amount"),
            then_close=nw.col("expected_close_n"),
        )
        history = history.with_columns(until_day=nw.col("from_day").shift(-1).over("opportunity_id", order_by="seq"))
        # A state that ended before the first period asked for is in force on no day that is looked at.
        first = int(self.window.starts[0])
        history = history.filter(nw.col("until_day").is_null() | (nw.col("until_day") > first))
        states = deals.join(history, on="opportunity_id", how="left")
        created = nw.col("created_at_n").fill_null(self.today)
        states = states.with_columns(
            from_day=nw.col("from_day").fill_null(created),
            until_day=nw.col("until_day").fill_null(NEVER),
            state_stage=nw.coalesce(nw.col("then_stage"), nw.col("stage")),
            state_amount=nw.coalesce(nw.col("then_amount"), nw.col("amount")),
            state_close=nw.coalesce(nw.col("then_close"), nw.col("expected_close_n")),
        )
        return self.kept(states)

    @cached_property
    def states_from(self) -> int:
        """First whole day whose pipeline is known: of the first recorded change, or today without history."""
        if not self.dataset.has_history:
            return self.today
        frame = self.frame("opportunity_history").select(one=nw.lit(1), first=nw.col("changed_at_n")).group_by("one")
        found = collect(frame.agg(nw.col("first").min()), {"first": "float"})["first"]
        return int(found.iloc[0]) if len(found) and np.isfinite(found.iloc[0]) else self.today

    # Leads -----------------------------------------------------------------------------------------------

    @cached_property
    def lead_outcomes(self) -> nw.LazyFrame:
        """Leads with what became of their opportunities, null while it has not happened.

        ``deal_day`` first opportunity created, ``won_day`` first win, ``lost_day`` the last loss once none is
        open and none was won, ``won_amount`` Σ won.
        """
        leads = self.frame("leads")
        linked = self.lead_links()
        if linked is None:
            empty = nw.lit(None, dtype=nw.Int64)
            return leads.with_columns(deal_day=empty, won_day=empty, lost_day=empty, won_amount=nw.lit(0.0))
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
        return self.kept(joined)

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

    # Spend -----------------------------------------------------------------------------------------------

    @cached_property
    def booked(self) -> Rows:
        """Spend by month with 0/1 columns ``by_sales``, ``by_marketing`` and money columns of each.

        Marketing that another department paid counts as marketing where the definitions say so. A table
        without departments is taken as marketing's.
        """
        rows = self.rows("spend", "period")
        if not self.has("spend", "department"):
            rows = rows.flag(by_sales=nw.lit(False), by_marketing=nw.lit(True))
        else:
            shadow = nw.col("is_shadow").fill_null(0) == 1
            marketing, sales = is_one_of("department", ("marketing",)), is_one_of("department", ("sales",))
            if self.definitions.shadow_is_marketing:
                rows = rows.flag(by_sales=sales & ~shadow, by_marketing=marketing | shadow)
            else:
                rows = rows.flag(by_sales=sales, by_marketing=marketing)
        money = nw.col("amount").fill_null(0.0)
        rows = rows.also(
            sales=nw.when(nw.col("by_sales") == 1).then(money).otherwise(nw.lit(0.0)),
            marketing=nw.when(nw.col("by_marketing") == 1).then(money).otherwise(nw.lit(0.0)),
            both=nw.when((nw.col("by_sales") == 1) | (nw.col("by_marketing") == 1)).then(money).otherwise(nw.lit(0.0)),
        )
        return Rows(self.kept(rows.frame), rows.table, rows.day)

    # Targets ---------------------------------------------------------------------------------------------

    @cached_property
    def targets(self) -> pd.DataFrame:
        """The company's targets: ``day`` (first of the month or quarter), ``metric``, ``value``."""
        if not self.has("targets", "period", "metric", "value"):
            return pd.DataFrame({"day": [], "metric": [], "value": []})
        frame = self.frame("targets")
        whole = nw.col("scope").is_null() | is_one_of("scope", COMPANY)
        known = ~nw.col("period_n").is_null() & ~nw.col("metric").is_null() & ~nw.col("value").is_null()
        frame = frame.filter(whole & known).select(
            "value", day=nw.col("period_n"), metric=nw.col("metric").str.to_lowercase()
        )
        return collect(frame, {"day": "int", "metric": "text", "value": "float"})

    def target(self, metric: str, period: Period) -> float | None:
        """The target of a metric in a period; None where none is set, or only for a longer span than the period."""
        if metric == "bookings" and period.label in self.dataset.settings.targets:
            return self.dataset.settings.targets[period.label]
        mine = self.targets[self.targets["metric"] == metric]
        days = np.sort(mine["day"].unique())
        if len(days) > 1 and np.diff(days).min() > period.days + 3:
            return None
        inside = mine[(mine["day"] >= day_n(period.start)) & (mine["day"] <= day_n(period.end))]
        if inside.empty:
            return None
        adds_up = metric in ADDITIVE_TARGETS
        return float(inside["value"].sum() if adds_up else inside["value"].mean())

    def need_targets_by(self, dimension: str) -> None:
        """Raise NotEnoughData: targets are the company's."""
        raise NotEnoughData(f"targets are the company's and cannot be broken down by {dimension}")
