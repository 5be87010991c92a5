"""The same questions of one company to Tandem and to pandas as an analyst writes it; the answers are compared.

    python benchmarks/scale.py --make 1000000 FOLDER; python benchmarks/by_hand.py FOLDER [FOLDER ...]

Each side answers in a process of its own, every question twice: what it stores or sorts for the first answer is there
for the second. pandas takes whole columns at a time, with no loop over rows, and takes the rows at their word: that ids
are unique, states known and types right is what Tandem looks after when it reads, so reading is not the same work.
"""

from __future__ import annotations

import argparse
import pickle
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any

import narwhals.stable.v2 as nw
import numpy as np
import pandas as pd
from pyarrow import parquet

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.report import table
from kpis.dataset import Dataset
from kpis.engine import collect
from kpis.intake import read
from kpis.periods import Calendar, day_n
from kpis.pipeline.visits import PUSH_DAYS, keys, pushes, visits
from kpis.pipeline.waterfall import moves, waterfall

BACK, WEEKS = timedelta(days=91), 13
DAY = pd.Timedelta(days=1)
SIDES = ("tandem", "pandas")


@dataclass(frozen=True)
class Frames:
    """The company in pandas."""

    deals: pd.DataFrame
    history: pd.DataFrame

    @classmethod
    def read(cls, folder: Path) -> Frames:
        """From Parquet, with days as days."""
        names = ("opportunities", "opportunity_history")
        return cls(*(parquet.read_table(folder / f"{n}.parquet").to_pandas(date_as_object=False) for n in names))

    @cached_property
    def newest(self) -> pd.Timestamp:
        """The day of the data."""
        days = [*(self.deals[name].max() for name in ("created_at", "closed_at")), self.history["changed_at"].max()]
        return max(days)

    @cached_property
    def changes(self) -> pd.DataFrame:
        """The last change of each day, in order."""
        rows = self.history.sort_values(["opportunity_id", "changed_at"], kind="stable")
        return rows.drop_duplicates(["opportunity_id", "changed_at"], keep="last")

    @cached_property
    def stays(self) -> pd.DataFrame:
        """A row a visit: ``stage``, ``changed_at`` and ``left``, the day of the next or of the close."""
        rows = self.changes
        rows = rows[
            (rows["stage"] != rows["stage"].shift()) | (rows["opportunity_id"] != rows["opportunity_id"].shift())
        ]
        following = rows["changed_at"].shift(-1).where(rows["opportunity_id"] == rows["opportunity_id"].shift(-1))
        rows = rows.assign(following=following).merge(
            self.deals[["opportunity_id", "created_at", "closed_at"]], on="opportunity_id"
        )
        return rows.assign(left=rows[["following", "closed_at"]].min(axis=1))

    @cached_property
    def pushed(self) -> pd.DataFrame:
        """The changes that moved the expected close later, and by how many days."""
        rows = self.changes
        later = (rows["expected_close"] - rows["expected_close"].shift()) // DAY
        is_push = (rows["opportunity_id"] == rows["opportunity_id"].shift()) & (later >= PUSH_DAYS)
        return rows.assign(later=later)[is_push]

    def then(self, day: pd.Timestamp) -> pd.DataFrame:
        """The opportunities as they were at the end of a day."""
        deals = self.deals[self.deals["created_at"] <= day]
        if day >= self.newest:
            return deals
        last = self.changes[self.changes["changed_at"] <= day].drop_duplicates("opportunity_id", keep="last")
        known = deals[["opportunity_id", "account_id", "owner", "segment", "status", "closed_at"]].merge(
            last[["opportunity_id", "stage", "amount", "expected_close"]], on="opportunity_id", how="left"
        )
        return known.assign(status=known["status"].where(known["closed_at"] <= day, "open"))

    def moves(self, first: pd.Timestamp, last: pd.Timestamp) -> pd.DataFrame:
        """The opportunities open on either day or closed in between, as each day knew them, and their pushes."""
        before = self.then(first)[["opportunity_id", "status", "amount", "expected_close"]]
        rows = self.then(last).merge(before, on="opportunity_id", how="left", suffixes=("", "_before"))
        in_between = (rows["closed_at"] > first) & (rows["closed_at"] <= last)
        rows = rows[(rows["status_before"] == "open") | (rows["status"] == "open") | in_between]
        until = self.pushed[self.pushed["changed_at"] <= last]
        until = until.assign(recent=until["changed_at"] > first)
        summed = _grouped(
            until, ["opportunity_id"], pushes=("later", "size"), recent=("recent", "sum"), later=("later", "sum")
        )
        return rows.merge(summed, on="opportunity_id", how="left").sort_values("opportunity_id")


def visits_in_tandem(data: Dataset) -> pd.DataFrame:
    """Number of visits and days in them by stage, until the close, else until today."""
    cursor = data.engine.cursor()
    deals = data.frame("opportunities", cursor).join(keys(data, cursor), on="opportunity_id", how="inner")
    rows = visits(data, cursor).join(deals.select("opportunity_n", "closed_at_n"), on="opportunity_n", how="inner")
    today = nw.lit(day_n(data.as_of))
    rows = rows.with_columns(
        days=nw.min_horizontal("next_day", nw.col("closed_at_n").fill_null(today), today) - nw.col("entry")
    )
    found = rows.group_by("stage").agg(visits=nw.len(), days=nw.col("days").sum())
    return collect(found, {"stage": "text", "visits": "int", "days": "int"})


def visits_in_pandas(frames: Frames) -> pd.DataFrame:
    """As ``visits_in_tandem``."""
    days = (frames.stays["left"].fillna(frames.newest) - frames.stays["changed_at"]) // DAY
    return _grouped(frames.stays.assign(days=days), ["stage"], visits=("stage", "size"), days=("days", "sum"))


def past_in_tandem(data: Dataset) -> pd.DataFrame:
    """Number and amount by status and stage at the end of a past day."""
    cursor = data.engine.cursor()
    rows = data.known_at(data.newest - BACK).frame("opportunities", cursor)
    return _counted_and_summed(rows, "status", "stage")


def past_in_pandas(frames: Frames) -> pd.DataFrame:
    """As ``past_in_tandem``."""
    return _grouped(frames.then(frames.newest - BACK), ["status", "stage"], **_COUNTED)


def waterfalls_in_tandem(data: Dataset) -> pd.DataFrame:
    """The deals of each of the last weeks, and what they come to in the quarter that the week ends in."""
    rows = []
    for first, last in _weeks(data.newest):
        deals = moves(data, first, last)
        found = waterfall(deals, Calendar("quarter").at(last))
        rows.append({**_week(last, deals), "start": found.start, **found.totals, "end": found.end})
    return pd.DataFrame(rows)


def waterfalls_in_pandas(frames: Frames) -> pd.DataFrame:
    """As ``waterfalls_in_tandem``, by masks on the states of two days."""
    rows = []
    for first, last in _weeks(frames.newest.date()):
        deals = frames.moves(pd.Timestamp(first), pd.Timestamp(last))
        rows.append({**_week(last, deals), **_waterfall(deals, last)})
    return pd.DataFrame(rows)


def _weeks(newest: date) -> list[tuple[date, date]]:
    return [*pairwise(newest - timedelta(weeks=k) for k in range(WEEKS, -1, -1))]


def _week(last: date, deals: pd.DataFrame) -> dict[str, Any]:
    """What there is beside the steps: how many deals and pushes."""
    return {"week": last.isoformat(), "deals": len(deals), **deals[["pushes", "recent", "later"]].sum()}


def _waterfall(rows: pd.DataFrame, last: date) -> dict[str, float]:
    period = Calendar("quarter").at(last)
    begin, finish = pd.Timestamp(period.start), pd.Timestamp(period.end)
    close, close_before = rows["expected_close"], rows["expected_close_before"]
    held = (rows["status_before"] == "open") & close_before.between(begin, finish)
    stays = (rows["status"] == "open") & close.between(begin, finish)
    won, lost, absent = rows["status"] == "won", rows["status"] == "lost", rows["status_before"].isna()
    passes = ~held & won & rows["closed_at"].between(begin, finish)
    passes |= ~held & lost & absent & close.fillna(rows["closed_at"]).between(begin, finish)
    comes, goes, kept = ~held & (stays | passes), held & (rows["status"] == "open") & ~stays, held & (stays | won)
    a, b = rows["amount_before"].fillna(0.0), rows["amount"].fillna(0.0)
    return {
        "start": a[held].sum(),
        "new": b[comes & absent].sum(),
        "pulled_in": b[comes & ~absent].sum(),
        "increased": (b - a)[kept & (b > a)].sum(),
        "decreased": (a - b)[kept & (b < a)].sum(),
        "pushed_out": a[goes & (close > finish)].sum(),
        "won": b[(held | passes) & won].sum(),
        "lost": a[held & lost].sum() + b[passes & lost].sum(),
        "removed": a[goes & ~(close > finish)].sum(),
        "end": b[stays].sum(),
    }


def cohorts_in_tandem(data: Dataset) -> pd.DataFrame:
    """By month of creation: opportunities, those that closed, those won."""
    rows = data.frame("opportunities", data.engine.cursor())
    rows = rows.select(
        month=_month(),
        closed=nw.when(nw.col("status") == "open").then(0).otherwise(1),
        won=nw.when(nw.col("status") == "won").then(1).otherwise(0),
    )
    found = rows.group_by("month").agg(number=nw.len(), closed=nw.col("closed").sum(), won=nw.col("won").sum())
    return collect(found, dict.fromkeys(("month", "number", "closed", "won"), "int"))


def cohorts_in_pandas(frames: Frames) -> pd.DataFrame:
    """As ``cohorts_in_tandem``."""
    status, created = frames.deals["status"], frames.deals["created_at"]
    rows = pd.DataFrame({"month": _month_of(created), "closed": status != "open", "won": status == "won"})
    return _grouped(rows, ["month"], number=("won", "size"), closed=("closed", "sum"), won=("won", "sum"))


def reached_in_tandem(data: Dataset) -> pd.DataFrame:
    """By month of creation and stage: the opportunities that have reached it."""
    cursor = data.engine.cursor()
    deals = data.frame("opportunities", cursor).join(keys(data, cursor), on="opportunity_id", how="inner")
    rows = visits(data, cursor).join(deals.select("opportunity_n", month=_month()), on="opportunity_n", how="inner")
    once = rows.group_by("opportunity_n", "stage").agg(month=nw.col("month").min())
    found = once.group_by("month", "stage").agg(reached=nw.len())
    return collect(found, {"month": "int", "stage": "text", "reached": "int"})


def reached_in_pandas(frames: Frames) -> pd.DataFrame:
    """As ``reached_in_tandem``."""
    once = frames.stays.drop_duplicates(["opportunity_id", "stage"])
    return _grouped(once.assign(month=_month_of(once["created_at"])), ["month", "stage"], reached=("stage", "size"))


def pipeline_in_tandem(data: Dataset) -> pd.DataFrame:
    """Number and amount of the open opportunities by stage."""
    rows = data.frame("opportunities", data.engine.cursor()).filter(nw.col("status") == "open")
    return _counted_and_summed(rows, "stage")


def pipeline_in_pandas(frames: Frames) -> pd.DataFrame:
    """As ``pipeline_in_tandem``."""
    return _grouped(frames.deals[frames.deals["status"] == "open"], ["stage"], **_COUNTED)


def pushes_in_tandem(data: Dataset) -> pd.DataFrame:
    """Pushes of the expected close, and the days they moved it, by owner."""
    cursor = data.engine.cursor()
    owners = data.frame("opportunities", cursor).select("opportunity_id", "owner")
    rows = pushes(data, cursor).join(owners, on="opportunity_id", how="inner")
    found = rows.group_by("owner").agg(pushes=nw.col("pushed").sum(), later=nw.col("later").sum())
    return collect(found, {"owner": "text", "pushes": "int", "later": "int"})


def pushes_in_pandas(frames: Frames) -> pd.DataFrame:
    """As ``pushes_in_tandem``."""
    moved = frames.pushed.merge(frames.deals[["opportunity_id", "owner"]], on="opportunity_id")
    return _grouped(moved, ["owner"], pushes=("later", "size"), later=("later", "sum"))


_COUNTED = {"number": ("amount", "size"), "amount": ("amount", "sum")}


def _counted_and_summed(rows: nw.LazyFrame, *by: str) -> pd.DataFrame:
    found = rows.group_by(*by).agg(number=nw.len(), amount=nw.col("amount").sum())
    return collect(found, {**dict.fromkeys(by, "text"), "number": "int", "amount": "float"})


def _grouped(rows: pd.DataFrame, by: list[str], **found: tuple[str, str]) -> pd.DataFrame:
    return rows.groupby(by, as_index=False).agg(**found)


def _month() -> nw.Expr:
    return nw.col("created_at").dt.year().cast(nw.Int64) * 12 + nw.col("created_at").dt.month().cast(nw.Int64)


def _month_of(days: pd.Series) -> pd.Series:
    return days.dt.year * 12 + days.dt.month


QUESTIONS: dict[str, tuple[Callable[[Dataset], pd.DataFrame], Callable[[Frames], pd.DataFrame]]] = {
    "visits of stages": (visits_in_tandem, visits_in_pandas),
    f"state {BACK.days} days ago": (past_in_tandem, past_in_pandas),
    f"waterfalls of {WEEKS} weeks": (waterfalls_in_tandem, waterfalls_in_pandas),
    "won by month of creation": (cohorts_in_tandem, cohorts_in_pandas),
    "stages reached by month of creation": (reached_in_tandem, reached_in_pandas),
    "pipeline by stage": (pipeline_in_tandem, pipeline_in_pandas),
    "pushes by owner": (pushes_in_tandem, pushes_in_pandas),
}
"""What both sides answer."""


def answered(folder: Path, side: str) -> tuple[dict[str, tuple[float, float]], dict[str, pd.DataFrame]]:
    """One side: the seconds of each question the first and the second time, and the answers in one order."""
    begun = time.perf_counter()
    source: Any = read([str(folder)]).dataset if side == "tandem" else Frames.read(folder)
    took, answers = {"read": (time.perf_counter() - begun,) * 2}, {}
    for question, asked in QUESTIONS.items():
        seconds = []
        for _ in range(2):
            begun = time.perf_counter()
            found = asked[SIDES.index(side)](source)
            seconds.append(time.perf_counter() - begun)
        took[question] = (seconds[0], seconds[1])
        answers[question] = found.sort_values([*found.columns], ignore_index=True)
    return took, answers


def compared(tandem: dict[str, pd.DataFrame], pandas: dict[str, pd.DataFrame]) -> int:
    """How many numbers are equal on both sides: all, or it fails."""
    for question, left in tandem.items():
        pd.testing.assert_frame_equal(left, pandas[question], check_dtype=False, rtol=1e-9, atol=1e-6, obj=question)
    return sum(answer.select_dtypes(np.number).size for answer in tandem.values())


def questions(folder: Path) -> tuple[dict[str, dict[str, tuple[float, float]]], int]:
    """Side -> question -> seconds the first and the second time, in fresh processes; and how many numbers are equal."""
    seconds, answers = {}, {}
    with tempfile.TemporaryDirectory(prefix="tandem-by-hand-") as place:
        for side in SIDES:
            target = Path(place) / side
            subprocess.run([sys.executable, __file__, "--one", side, str(target), str(folder)], check=True)  # noqa: S603 - itself
            seconds[side], answers[side] = pickle.loads(target.read_bytes())  # noqa: S301 - its own
    return seconds, compared(answers["tandem"], answers["pandas"])


def rows_of(seconds: dict[str, dict[str, tuple[float, float]]]) -> pd.DataFrame:
    """A row a question, and all of them together."""
    whole = {
        side: {**took, "all questions": tuple(sum(took[q][k] for q in QUESTIONS) for k in range(2))}
        for side, took in seconds.items()
    }
    rows = []
    for question in whole["tandem"]:
        (first, again), (by_hand, by_hand_again) = (whole[side][question] for side in SIDES)
        row = {"question": question, "Tandem, s": first, "again": again, "pandas, s": by_hand, "again ": by_hand_again}
        factors = {"pandas / Tandem": by_hand / first, "again  ": by_hand_again / again}
        rows.append({name: v if isinstance(v, str) else f"{v:.2f}" for name, v in {**row, **factors}.items()})
    return pd.DataFrame(rows)


def main() -> None:
    """Ask every folder, or answer for one side."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("folders", type=Path, nargs="+")
    options.add_argument("--one", nargs=2, metavar=("SIDE", "TARGET"), help=argparse.SUPPRESS)
    asked = options.parse_args()
    if asked.one:
        Path(asked.one[1]).write_bytes(pickle.dumps(answered(asked.folders[0], asked.one[0])))
        return
    for folder in asked.folders:
        seconds, equal = questions(folder)
        print(f"{folder}: {equal:,} numbers are equal on both sides.\n\n{table(rows_of(seconds))}\n")


if __name__ == "__main__":
    main()
