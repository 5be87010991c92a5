"""What sellers do: activities for each win, time with customers, meetings that move deals on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import narwhals.stable.v2 as nw
import numpy as np
from scipy import stats

from kpis.measures.core.composed import Derived, Ratio
from kpis.measures.core.formulas import working_days
from kpis.measures.core.grid import Grid, first_reason
from kpis.measures.core.known import Known
from kpis.measures.core.quantity import Quantity, attempt
from kpis.measures.core.rows import Reducer, Rows, Scan, Window
from kpis.measures.core.samples import Mean, Median, Share
from kpis.measures.core.states import visits
from kpis.measures.core.tables import is_one_of
from kpis.measures.core.totals import Count, Ledger, Months
from kpis.measures.leads import is_meeting
from kpis.measures.registry import measure


@measure({"SALES-12": "Activity per rep vs wins per rep"}, kind="ratio", basis="flow", better="lower")
def activity_per_win(known: Known) -> dict[str, Quantity]:
    """Activities for each win.

    Definition: Activities logged in the period for each opportunity won in it; activities and wins of each seller,
        their ratio, and the rank correlation between the two over the sellers (do the busier ones win more?). Names
        are personal data: show them only to those who may see them.
    Formula: A ÷ W, "no wins" where W = 0; by seller A_r, W_r, A_r ÷ W_r; Spearman's rank correlation of A_r and W_r
    Unit: ratio
    Needs: activities.occurred_at, opportunities.closed_at
    Source: SALES-12, 30 KPIs for sales managers
    """
    done, won = known.rows("activities", "occurred_at"), known.won
    return {
        "activities_per_win": Ratio(Count(done), Count(won), empty="no wins", exact_counts=True),
        "by_seller": attempt(lambda: _by_seller(known, done, won)),
        "activities_by_seller": attempt(lambda: Count(_owned(known, done))),
        "wins_by_seller": attempt(lambda: Count(_won_by(known))),
        "rank_correlation": attempt(lambda: _ranks(known, done)),
    }


def _owned(known: Known, rows: Rows) -> Rows:
    known.need("activities", "owner")
    return rows.by("owner")


def _won_by(known: Known) -> Rows:
    known.need("opportunities", "owner")
    return known.won.by("owner")


def _by_seller(known: Known, done: Rows, won: Rows) -> Quantity:  # noqa: ARG001
    return Ratio(Count(_owned(known, done)), Count(_won_by(known)), empty="no wins", exact_counts=True)


def _ranks(known: Known, done: Rows) -> Quantity:
    return RankCorrelation(_owned(known, done), _won_by(known))


@dataclass(frozen=True, eq=False)
class RankCorrelation(Quantity):
    """Spearman's rank correlation over sellers of activities and wins; interval by Fisher's z.

    Variance (1 + r²/2)/(n − 3): Bonett and Wright (2000).
    """

    first: Rows
    second: Rows
    unit: str = "ratio"
    note: str = "sellers with an activity or a win in the period"

    def rows(self) -> None:
        """None of its own: it is taken over sellers."""

    def scans(self) -> Iterator[Scan]:
        """Both counts by seller."""
        yield Scan(self.first, ("rows",))
        yield Scan(self.second, ("rows",))

    def grid(self, reducer: Reducer) -> Grid:
        """The correlation in each period with at least four sellers."""
        reduced = [reducer.run(scan) for scan in self.scans()]
        names = sorted({name for one in reduced for name in one.groups})
        counts = []
        for one in reduced:
            table = np.zeros((len(names), one.periods))
            table[[names.index(name) for name in one.groups]] = one.sum("rows")
            counts.append(table)
        periods = reduced[0].periods
        value, low, high, n = (np.full((1, periods), np.nan) for _ in range(4))
        for p in range(periods):
            there = (counts[0][:, p] > 0) | (counts[1][:, p] > 0)
            x, y = counts[0][there, p], counts[1][there, p]
            n[0, p] = there.sum()
            if there.sum() >= 4 and np.ptp(x) > 0 and np.ptp(y) > 0:
                r = float(stats.spearmanr(x, y).statistic)
                value[0, p] = r
                spread = np.sqrt((1 + r * r / 2) / (there.sum() - 3)) * stats.norm.ppf(0.975)
                z = np.arctanh(np.clip(r, -0.999999, 0.999999))
                low[0, p], high[0, p] = np.tanh(z - spread), np.tanh(z + spread)
        return Grid.of(("",), value, n, low=low, high=high, why="needs four sellers who differ")


@measure({"FUNNEL-2.3": "Time spent with prospects/customers"}, kind="ratio", basis="flow", better="higher")
def selling_time(known: Known) -> dict[str, Quantity]:
    """Share of sellers' working time spent with prospects and customers.

    Definition: Hours of the activities of the period in which a prospect or customer took part, over the working
        hours of the sellers: full-time equivalents that carry a quota (all of sales where that is not recorded) times
        working days times hours a day; the face-to-face part apart, and hours per seller and week.
    Formula: Σ duration[with prospect or customer] ÷ (seller FTE × working hours in P); hours ÷ FTE ÷ weeks
    Unit: share
    Needs: activities.occurred_at, activities.duration_minutes, headcount.fte, headcount.department
    Source: FUNNEL-2.3, MarketingProfs: 25 metrics by funnel stage
    """
    outside = known.rows("activities", "occurred_at")
    if known.has("activities", "is_external"):
        outside = outside.where(nw.col("is_external") == 1)
    hours = nw.col("duration_minutes") * nw.lit(1 / 60)
    outside = outside.also(hours=hours, face=nw.when(nw.col("is_face_to_face") == 1).then(hours).otherwise(nw.lit(0.0)))
    people = known.rows("headcount", "period").where(is_one_of("department", ("sales",)))
    if known.has("headcount", "is_quota_bearing"):
        people = people.where(nw.col("is_quota_bearing") == 1)
    fte, ends = Ledger(people, "fte", "count"), Months(people)
    per_day = known.definitions.hours_per_day

    def part(hours: Grid, fte: Grid, ends: Grid, window: Window) -> Grid:
        return _over(hours, fte, ends, working_days(window) * per_day)

    def weekly(hours: Grid, fte: Grid, ends: Grid, window: Window) -> Grid:
        return _over(hours, fte, ends, working_days(window) / 5)

    spent = Ledger(outside, "hours", "hours")
    return {
        "selling_time": Derived(part, (spent, fte, ends), "share"),
        "face_to_face": attempt(lambda: _face(known, outside, fte, ends, part)),
        "hours_per_seller_and_week": Derived(weekly, (spent, fte, ends), "hours"),
    }


def _face(known: Known, outside: Rows, fte: Quantity, ends: Quantity, part) -> Quantity:  # noqa: ANN001 - a formula
    known.need("activities", "is_face_to_face")
    return Derived(part, (Ledger(outside, "face", "hours"), fte, ends), "share")


def _over(hours: Grid, fte: Grid, ends: Grid, capacity: np.ndarray) -> Grid:
    """Hours ÷ (mean FTE × capacity of one)."""
    average = np.divide(fte.value, ends.value, out=np.full(fte.shape, np.nan), where=ends.value > 0)
    below = average * capacity
    value = np.divide(hours.value, below, out=np.full(hours.shape, np.nan), where=np.isfinite(below) & (below > 0))
    reason = first_reason(hours, fte)
    return Grid.of(hours.groups, value, hours.n, why=np.where(reason == "", "nobody sold in this period", reason))


@measure({"FUNNEL-2.4": "Share of valuable calls/meetings"}, kind="ratio", basis="flow", better="higher")
def valuable_meeting_share(known: Known) -> dict[str, Quantity]:
    """Share of calls and meetings that moved a deal on.

    Definition: Of the calls and meetings of the period, those flagged as valuable, or after which the opportunity
        moved to a later stage within the agreed days (14). Recent ones may still turn out valuable.
    Formula: valuable = flagged ∨ stage of the linked opportunity advanced ≤ 14 days after; # valuable ÷ # calls and
        meetings
    Unit: share
    Needs: activities.occurred_at, activities.type, activities.is_valuable; or activities.occurred_at,
        activities.type, activities.opportunity_id, opportunities.opportunity_id, opportunity_history.stage,
        stages.position
    Source: FUNNEL-2.4, MarketingProfs: 25 metrics by funnel stage
    """
    talks = known.rows("activities", "occurred_at").where(
        is_meeting() | is_one_of("type", ("call", "phone call", "phone"))
    )
    linked = known.has("activities", "opportunity_id") and known.has("opportunity_history", "stage")
    if not (linked and known.has("stages", "position")):
        return {"valuable_share": Share(talks.flag(valuable=nw.col("is_valuable") == 1), "valuable", empty=NO_TALKS)}
    rows = _with_advance(known, talks)
    rows = rows.flag(valuable=(nw.col("is_valuable").fill_null(0) == 1) | (nw.col("advanced") == 1))
    return {
        "valuable_share": Share(rows, "valuable", empty=NO_TALKS),
        "followed_by_an_advance": Share(rows, "advanced", empty=NO_TALKS),
    }


NO_TALKS = "there was no call or meeting in this period"


def _with_advance(known: Known, talks: Rows) -> Rows:
    """Add 0/1 ``advanced``: the deal reached a later stage within the agreed days after."""
    positions = (
        known.frame("stages")
        .select(visit_stage=nw.col("stage"), place=nw.col("position"))
        .unique(["visit_stage"], keep="any")
    )
    entered = visits(known).frame.select("opportunity_id", "visit_stage", "entry_day", "seq")
    entered = entered.join(positions, on="visit_stage", how="inner")
    entered = entered.with_columns(was=nw.col("place").shift(1).over("opportunity_id", order_by="seq"))
    moves = entered.filter(nw.col("place") > nw.col("was")).select("opportunity_id", advance_n=nw.col("entry_day"))
    if known.has("opportunities", "closed_at"):
        # Winning is the last advance, whether or not the history has a row for it.
        won = known.won.frame.select("opportunity_id", advance_n=nw.col("closed_at_n"))
        moves = nw.concat([moves, won])
    within = known.definitions.advance_within_days
    days = talks.frame.filter(~nw.col("opportunity_id").is_null()).select("opportunity_id", "occurred_at_n")
    days = days.unique(["opportunity_id", "occurred_at_n"])
    hits = days.join(moves, on="opportunity_id", how="inner")
    after = nw.col("advance_n") - nw.col("occurred_at_n")
    hits = hits.filter((after >= 0) & (after <= within)).select("opportunity_id", "occurred_at_n", hit=nw.lit(1))
    hits = hits.unique(["opportunity_id", "occurred_at_n"])
    joined = talks.frame.join(hits, on=["opportunity_id", "occurred_at_n"], how="left")
    return Rows(joined, talks.table, talks.day).flag(advanced=nw.col("hit") == 1)


@measure({"FUNNEL-3.3": "Number of meetings to close"}, kind="median", basis="flow", better="lower")
def meetings_to_close(known: Known) -> dict[str, Quantity]:
    """Meetings held before a deal was won.

    Definition: Meetings linked to the opportunity up to its close, of the deals won in the period; median, and the
        mean beside it; of the lost deals apart. Deals without a meeting count 0.
    Formula: median and mean # meetings up to the close over won in P
    Unit: count
    Needs: activities.opportunity_id, activities.type, activities.occurred_at, opportunities.closed_at
    Source: FUNNEL-3.3, MarketingProfs: 25 metrics by funnel stage
    """
    known.need("opportunities", "closed_at")
    closed = Rows(known.slim, "opportunities", "closed_at_n").where(nw.col("is_open") == 0)
    met = known.frame("activities").filter(is_meeting() & ~nw.col("opportunity_id").is_null())
    met = met.select("opportunity_id", met_n=nw.col("occurred_at_n"))
    ends = closed.frame.select("opportunity_id", close_n=nw.col("closed_at_n"))
    before = (
        met.join(ends, on="opportunity_id", how="inner")
        .filter(nw.col("met_n") <= nw.col("close_n"))
        .with_columns(one=nw.lit(1))
    )
    counted = before.group_by("opportunity_id").agg(meetings=nw.col("one").sum())
    joined = closed.frame.join(counted, on="opportunity_id", how="left")
    rows = Rows(known.kept(joined.with_columns(nw.col("meetings").fill_null(0))), closed.table, closed.day)
    won, lost = rows.where(nw.col("is_won") == 1), rows.where(nw.col("is_lost") == 1)
    return {
        "median": Median(won, "meetings", "count", "nothing was won in this period"),
        "mean": Mean(won, "meetings", "count", "nothing was won in this period"),
        "mean_of_lost": Mean(lost, "meetings", "count", "nothing was lost in this period"),
    }
