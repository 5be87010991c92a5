"""What changed: a period's open pipeline between two days, deal by deal, and how often its deals are pushed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import narwhals.stable.v2 as nw
import numpy as np
import pandas as pd

from kpis.answers.answer import Answer
from kpis.answers.counts import HISTORY, counted
from kpis.answers.glossary import number
from kpis.answers.outlook import Outlook
from kpis.answers.render import records
from kpis.answers.words import count, money, plural
from kpis.dataset import Dataset
from kpis.engine import NEVER, collect
from kpis.errors import AssumptionError, NotEnoughData
from kpis.periods import Calendar, Period, day_n, day_of
from kpis.pipeline.stints import OPEN
from kpis.pipeline.visits import PUSH_DAYS
from kpis.pipeline.waterfall import KINDS, Waterfall, moves, moves_frame, waterfall

DAYS = 30
"""How far back the first day lies unless another is asked for."""

OFTEN = 2
"""A deal pushed so many times is a repeat offender."""

MOST_SAID = 4
"""The sentence names the largest kinds of change only."""

DIMENSIONS = ("owner", "stage", "segment")

SAID = {
    "new": ("New", "{} came in new"),
    "pulled in": ("Pulled in", "{} was pulled in"),
    "slipped in": ("Slipped in", "{} slipped in from earlier periods"),
    "dated": ("Close date set", "{} was given a close date in it"),
    "reopened": ("Reopened", "{} was reopened"),
    "increased": ("Increased", "deals grew by {}"),
    "decreased": ("Decreased", "deals shrank by {}"),
    "pushed out": ("Pushed out", "{} was pushed out"),
    "won": ("Won", "{} was won"),
    "lost": ("Lost", "{} was lost"),
    "pulled forward": ("Pulled forward", "{} was pulled forward"),
    "undated": ("Close date removed", "{} lost its close date"),
}
"""Each kind of change as a name and in a sentence."""


@dataclass(frozen=True)
class WhatChanged:
    """The question with its period and days, as a page asks it of an outlook; equal questions are answered once."""

    period: Period
    first: date
    last: date

    def __call__(self, found: Outlook) -> Answer:
        """The answer from the outlook's data; no lever touches it."""
        return what_changed(found.dataset, found.model.calendar, self.period, self.first, self.last)


def what_changed(dataset: Dataset, calendar: Calendar, period: Period, first: date, last: date) -> Answer:
    """What changed in a period's open pipeline between the ends of two days.

    Tables: ``steps`` (from the pipeline on the first day to that on the last), ``changes`` (a row a change of a
    deal), ``pushes_owner``, ``pushes_stage``, ``pushes_segment`` (pushes of the deals open on the last day),
    ``offenders`` (open deals pushed twice or more).

    Raises
    ------
    AssumptionError
        When the first day lies after the last.
    NotEnoughData
        When no deal was open between them.
    """
    last = min(last, dataset.as_of)
    if first > last:
        raise AssumptionError(f"{first} lies after {last}", way_out="Begin on an earlier day")
    rows = moves(dataset, first, last)
    if rows.empty:
        raise NotEnoughData(f"No deal was open between {first} and {last}", way_out="Choose other days")
    found = waterfall(rows, period)
    pipeline = rows[found.held]
    known = rows["pushes"].notna().any()
    twice = pipeline["pushes"] >= OFTEN
    before = calendar.at(period.start, -1)
    slippage, slipped = _slippage(dataset, period, last)
    slippage_before, slipped_before = _slippage(dataset, before, before.start + (last - period.start))
    values = {
        **{f"pipeline_{step}": value for step, value in _steps(found)},
        "slippage": slippage,
        "slippage_before": slippage_before,
        "pushed_twice": float(pipeline.loc[twice, "amount_to"].sum()) if known else None,
        "pushes_per_deal": float(pipeline["pushes"].mean()) if known and len(pipeline) else None,
    }
    words = {
        "period": period.label, "before": before.label, "first": _said(first), "last": _said(last),
        "often": count(int(twice.sum())), "pushes": count(pipeline["pushes"].sum()), "open": count(len(pipeline)),
        "slipped": slipped, "slipped_before": slipped_before,
    }  # fmt: skip
    words["deals"] = f"the open deals expected to close in {period.label}" if found.by_close else "all open deals"
    numbers = {term: number(term, value, **words) for term, value in values.items()}
    changes = _changes(rows, found.changes)
    steps = _step_table(found, words)
    return Answer(
        question="What changed?",
        sentence=_sentence(found, steps, (last - first).days, dataset.currency),
        numbers=numbers,
        tables={
            "steps": steps,
            "changes": changes,
            **{f"pushes_{by}": _pushes(rows, by) for by in DIMENSIONS},
            "offenders": _offenders(rows),
        },
        notes=tuple(_notes(dataset, rows, found, last)),
        counts={
            "moves": counted(
                dataset,
                "a deal open on either day, or closed in between, as each day knew it",
                HISTORY,
                lambda: moves_frame(dataset, first, last),
            )
        },
        document={
            "from": first.isoformat(),
            "to": last.isoformat(),
            "period": period.label,
            **dict(_steps(found)),
            "residual": found.residual,
            "currency": dataset.currency,
            "basis": "expected close in the period" if found.by_close else "all open deals",
            "deals": int(found.held.sum()),
            "numbers": {term: n.value for term, n in numbers.items()},
            "changes": records(changes[["opportunity_id", "change", "step", "before", "after"]]),
        },
    )


def _said(day: date) -> str:
    return f"{day:%d %b %Y}"


def _steps(found: Waterfall) -> Iterator[tuple[str, float]]:
    """The waterfall's amounts in order, each without a sign."""
    yield "start", found.start
    yield from found.totals.items()
    yield "end", found.end


def _slippage(dataset: Dataset, period: Period, last: date) -> tuple[float | None, str]:
    """Share of the amount expected at a period's start that was pushed out of it by ``last``, and the two amounts."""
    eve = period.start - timedelta(days=1)
    if last <= eve:
        return None, ""
    found = waterfall(moves(dataset, eve, last), period)
    if not found.by_close or found.start <= 0:
        return None, ""
    pushed, began = found.totals["pushed_out"], found.start
    said = f"{money(pushed, dataset.currency)} pushed out / {money(began, dataset.currency)} expected when it began"
    return pushed / began, said


def _step_table(found: Waterfall, words: Mapping[str, str]) -> pd.DataFrame:
    """A row a bar of the chart, for kinds that have a deal.

    Columns: ``step``, ``kind``, ``deals``, ``amount`` (with its sign), and where the bar runs, ``low`` to ``high``.
    """
    changed = found.changes.assign(amount=found.changes["after"] - found.changes["before"])
    by_kind = changed.groupby("kind").agg(deals=("deal", "size"), amount=("amount", "sum"))
    kinds = [kind for kind in KINDS if kind in by_kind.index]
    table = pd.DataFrame(
        {
            "step": [words["first"], *(SAID[kind][0] for kind in kinds), words["last"]],
            "kind": ["start", *kinds, "end"],
            "deals": [int(found.held_before.sum()), *by_kind.loc[kinds, "deals"], int(found.held.sum())],
            "amount": [found.start, *by_kind.loc[kinds, "amount"], found.end],
        }
    )
    reached = table["amount"].cumsum()
    begun = (reached - table["amount"]).where(table["kind"] != "end", 0.0)
    ended = reached.where(table["kind"] != "end", found.end)
    return table.assign(low=np.minimum(begun, ended), high=np.maximum(begun, ended))


def _sentence(found: Waterfall, steps: pd.DataFrame, days: int, currency: str) -> str:
    """``The pipeline of 2026Q3 fell from $4.10 M to $3.60 M in 30 days: $1.10 M was pushed out and ...``."""
    whose = f"The pipeline of {found.period.label}" if found.by_close else "The open pipeline"
    start, end = money(found.start, currency), money(found.end, currency)
    if start == end:
        way = f"stayed at {end}"
    else:
        way = f"{'rose' if found.end > found.start else 'fell'} from {start} to {end}"
    first = f"{whose} {way} in {plural(days, 'day')}" if days else f"{whose} is {end}"
    kinds = steps[~steps["kind"].isin(["start", "end"]) & (steps["amount"] != 0)]
    largest = kinds.sort_values("amount", key=lambda s: -s.abs(), kind="stable").head(MOST_SAID)
    said = [SAID[x.kind][1].format(money(abs(x.amount), currency)) for x in largest.itertuples()]
    if not said:
        return f"{first}: nothing changed." if days else f"{first}: both days are the same."
    return f"{first}: {', '.join(said[:-1])}{' and ' if said[1:] else ''}{said[-1]}."


def _changes(rows: pd.DataFrame, changes: pd.DataFrame) -> pd.DataFrame:
    """One row a change of a deal, the largest first."""
    deal = rows.iloc[changes["deal"]].reset_index(drop=True)
    table = pd.DataFrame(
        {
            "opportunity_id": deal["opportunity_id"],
            **{name: deal[name].astype("object") for name in ("name", "account", "owner", "segment", "stage")},
            "change": [SAID[kind][0] for kind in changes["kind"]],
            "step": [KINDS[kind] for kind in changes["kind"]],
            "before": changes["before"],
            "after": changes["after"],
            "amount": changes["after"] - changes["before"],
            "close_before": _dates(deal["close_from"]),
            "close_after": _dates(deal["close_to"]),
            "closed": _dates(deal["closed"]),
        }
    )
    return table.sort_values("amount", key=lambda s: -s.abs(), kind="stable", ignore_index=True)


def _dates(days: pd.Series) -> list[date | None]:
    return [None if day >= NEVER else day_of(day) for day in days]


def _pushes(rows: pd.DataFrame, by: str) -> pd.DataFrame:
    """Open deals by one dimension: how many were pushed between the days, and how many twice or more ever."""
    held = rows[(rows["outcome_to"] == OPEN) & rows["pushes"].notna()]
    twice = held["pushes"] >= OFTEN
    held = held.assign(
        name=held[by].astype("object").fillna("(none)"),
        recently=(held["recent"] > 0).where(held["recent"].notna()).astype(float),
        twice=twice,
        twice_amount=held["amount_to"].where(twice, 0.0),
    )
    table = held.groupby("name").agg(
        deals=("opportunity_id", "size"),
        amount=("amount_to", "sum"),
        pushed_recently=("recently", lambda s: s.sum(min_count=1)),
        per_deal=("pushes", "mean"),
        pushed_twice=("twice", "sum"),
        twice_amount=("twice_amount", "sum"),
    )
    table = table.sort_values("twice_amount", ascending=False, kind="stable").reset_index()
    return table.rename(columns={"name": by})


def _offenders(rows: pd.DataFrame) -> pd.DataFrame:
    """Open deals pushed twice or more, the most often pushed first."""
    held = rows[(rows["outcome_to"] == OPEN) & (rows["pushes"] >= OFTEN)]
    held = held.sort_values(["pushes", "amount_to"], ascending=False, kind="stable").reset_index(drop=True)
    names = {name: held[name].astype("object") for name in ("name", "account", "owner", "segment", "stage")}
    return pd.DataFrame(
        {
            "opportunity_id": held["opportunity_id"],
            **names,
            "amount": held["amount_to"],
            "pushes": held["pushes"],
            "pushed_recently": held["recent"],
            "days_later": held["later"],
            "expected_close": _dates(held["close_to"]),
        }
    )


def _notes(dataset: Dataset, rows: pd.DataFrame, found: Waterfall, last: date) -> Iterator[str]:
    """How the steps are cut, and which deals they leave out."""
    currency, period = dataset.currency, found.period
    yield (
        "Start + new + moved in + increased - decreased - pushed out - won - lost - removed = end; what is left over "
        f"is {found.residual!r}"
    )
    yield (
        "A deal counts where it stands at the end of each of the two days: it comes in at its amount on the last day "
        "and leaves at its amount on the first. A won deal first changes to the amount it was won at. A deal that came "
        "in and was won between the days, or was created and lost between them, counts in both steps"
    )
    yield f"A push moves an expected close at least {PUSH_DAYS} days later"
    if not found.by_close:
        yield (
            "No expected close of an open deal is known on one of the days: all open deals count, whichever period "
            "they may close in, and none can be seen to move in or out"
        )
    still_open, close = (rows["outcome_to"] == OPEN).to_numpy(), rows["close_to"].to_numpy()
    overdue = still_open & (close < day_n(last)) & found.by_close
    for which, where in (
        (overdue & found.held, f"still in the pipeline of {period.label}"),
        (overdue & (close < day_n(period.start)), f"which lies before {period.label}: not in its pipeline"),
    ):
        if which.any():
            deals = plural(which.sum(), "open deal")
            yield f"{deals} ({money(rows.loc[which, 'amount_to'].sum(), currency)}) past their expected close, {where}"
    unpriced = still_open & (rows["amount_to"] == 0).to_numpy()
    if unpriced.any():
        yield f"{plural(unpriced.sum(), 'open deal')} without an amount: counted as 0"
    if not dataset.has("opportunity_history", "amount"):
        yield "Amounts of past days are not recorded: a deal has one amount until it closes"
    yield from _undated(dataset, last)


def _undated(dataset: Dataset, last: date) -> Iterator[str]:
    """Open deals without a creation date, which no past day can place."""
    frame = dataset.known_at(last).frame("opportunities", dataset.engine.cursor())
    open_then = frame.filter(nw.col("created_at_n").is_null(), nw.col("closed_at_n").is_null())
    summed = open_then.select(deals=nw.len(), amount=nw.col("amount").sum())
    row: Any = collect(summed, {"deals": "int", "amount": "float"}).fillna(0.0).iloc[0]
    if row.deals:
        held = f"{plural(row.deals, 'open deal')} without a creation date ({money(row.amount, dataset.currency)})"
        yield f"{held}: left out until they close, since nothing tells on which days they were there"
