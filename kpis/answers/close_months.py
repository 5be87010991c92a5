"""How new opportunities spread over the months of their expected close: as first set, and as set now."""

from __future__ import annotations

import numpy as np
import pandas as pd

from kpis.answers.answer import Answer
from kpis.answers.counts import HISTORY, counted
from kpis.answers.glossary import number
from kpis.answers.outlook import Outlook
from kpis.answers.words import count, percent
from kpis.engine import NEVER
from kpis.forecast.model import Model
from kpis.forecast.own_history import month_n
from kpis.periods import Calendar, day_n, day_of
from kpis.pipeline.closes import closes, closes_frame

MONTHS = 12
OFFSETS = 5
"""Months from creation to expected close that are told apart; the last takes all later ones."""

NO_HISTORY = "it takes a history of expected closes (table opportunity_history, column expected_close)"
NOTHING = "no opportunity of these months has an expected close that is known at this day"
_COLUMNS = ["month", "months_to_close", "opportunities", "amount"]


def close_months(found: Outlook) -> Answer:
    """Opportunities of the last twelve months by month of creation and months until their expected close.

    Both maps hold the same opportunities, so that they differ by what was moved; without a history of expected
    closes there is one map, of those with a close set now. What was created before the first recorded change is
    left out: its first record is not its first date. No lever touches this.

    Tables: ``spread_first``, ``spread`` (month, months_to_close, opportunities, amount). Number ``close_later``.
    """
    return found.model.once(_answer)


def _answer(model: Model) -> Answer:
    start = day_n(Calendar("month").at(day_of(model.today), 1 - MONTHS).start)
    since = max(start, model.stints.history_start)
    every = closes(model.dataset, since)
    has_first = bool((every["first"] < NEVER).any())
    rows = every[(every["last"] < NEVER) & ((every["first"] < NEVER) | (not has_first))]
    first, last = (month_n(rows[name].to_numpy()) for name in ("first", "last"))
    both = float(rows["n"].sum())
    later, earlier = (float(rows.loc[moved, "n"].sum()) for moved in (first < last, first > last))
    known = has_first and both > 0
    words = {"later": count(later), "both": count(both), "needs": NOTHING if has_first else NO_HISTORY}
    left_out = float(every["n"].sum()) - both
    lacking = f"{count(left_out)} opportunities created in the last twelve months have no expected close to compare"
    return Answer(
        question="When will they close?",
        sentence=_sentence(later, earlier, both, has_first=has_first),
        numbers={"close_later": number("close_later", later / both if known else None, **words)},
        tables={"spread_first": _spread(rows if has_first else rows[:0], "first"), "spread": _spread(rows, "last")},
        notes=(lacking,) if left_out else (),
        counts={
            "closes": counted(
                model.dataset,
                "a creation day and expected close, first recorded and last known, with its deals",
                HISTORY,
                lambda: closes_frame(model.dataset, since),
            )
        },
    )


def _sentence(later: float, earlier: float, both: float, *, has_first: bool) -> str:
    if not both:
        return f"n/a: {NOTHING}."
    if not has_first:
        return f"{count(both)} opportunities by the close that is set now; as first set: n/a, {NO_HISTORY}."
    moved = f"{percent(later / both)} are now set to close in a later month than first, {percent(earlier / both)}"
    return f"Of {count(both)} opportunities {moved} in an earlier one."


def _spread(rows: pd.DataFrame, close: str) -> pd.DataFrame:
    """Deals by month of creation and months until the close."""
    offset = np.clip(month_n(rows[close].to_numpy()) - month_n(rows["created"].to_numpy()), 0, OFFSETS - 1)
    label = np.array([f"{k}" if k < OFFSETS - 1 else f"{k} or more" for k in range(OFFSETS)], dtype=object)
    month = rows["created"].to_numpy().astype("datetime64[D]").astype("datetime64[M]")
    frame = pd.DataFrame({
        "month": month, "months_to_close": label[offset], "opportunities": rows["n"].to_numpy(),
        "amount": rows["amount"].to_numpy(),
    })  # fmt: skip
    return frame.groupby(_COLUMNS[:2], as_index=False).sum()[_COLUMNS]
