"""Which deals the outcome depends on: the few whose results decide, and what losing the biggest would do."""

from __future__ import annotations

import numpy as np
import pandas as pd

from kpis.answers.answer import Answer
from kpis.answers.outlook import Outlook
from kpis.answers.words import percent
from kpis.forecast.pivotal import Pivotal, p_hit_if, pivotal

EVEN = 0.5
"""The chance to hit that counts as making it: better than even."""

SMALL = 0.05
"""Where no deal moves the chance to hit by more, none of them decides."""

COLUMNS = ["opportunity_id", "name", "amount", "p_0", "p_hit_won", "p_hit_lost"]
_COUNTS = ("none", "one", "two", "three")


def dependence(found: Outlook) -> Answer:
    """The named deals that the current period hangs on.

    Table ``depends_on``: a row a deal with its last known amount, its chance, and the chance to reach the target if it
    is won or lost. ``document`` has the same, what is needed of them, and the chance without the biggest deal.
    """
    projection, current = found.projection, found.landings[0]
    question = "Which deals does it depend on?"
    empty = {"depends_on": pd.DataFrame(columns=COLUMNS)}
    if current.target is None or current.p_hit is None:
        return Answer(question, f"Set a target for {current.label} to see which deals it depends on.", tables=empty)
    decisive = pivotal(projection, current.target)
    if decisive is None:
        why = "the target is met" if current.won >= current.target else "none has a chance of 1 in 10 in it"
        return Answer(question, f"No deal decides {current.label}: {why}.", tables=empty)
    amounts = found.model.open_amount
    biggest = int(np.argmax(amounts))
    _, without = p_hit_if(projection, current.target, biggest)
    name, amount = deal_names(found, np.array([biggest]))[0], found.say(amounts[biggest])
    lost = f"Without the biggest deal ({name}, {amount}): {percent(without)} instead of {percent(current.p_hit)}."
    return Answer(
        question=question,
        sentence=f"{_needed(found, decisive)} {lost}",
        tables={"depends_on": _table(found, decisive)},
        document={
            "needed": decisive.needed(EVEN),
            "p_hit_by_count": decisive.p_hit_by_count.tolist(),
            "without_biggest": {
                "opportunity_id": _ids(found, np.array([biggest]))[0], "amount": float(amounts[biggest]),
                "p_hit": without, "instead_of": current.p_hit,
            },
        },
    )  # fmt: skip


def _needed(found: Outlook, decisive: Pivotal) -> str:
    """``An even chance takes two of these three: ...``."""
    size, by_count = len(decisive.deals), decisive.p_hit_by_count
    swing = float((decisive.p_won - decisive.p_lost).max())
    label = found.landings[0].label
    if swing < SMALL:
        return f"No single deal decides {label}: none moves the chance to reach the target by {percent(SMALL)}."
    if size == 1:
        return f"{label} depends on one deal: {percent(by_count[1])} if it is won, {percent(by_count[0])} if not."
    these = f"these {_COUNTS[size]}"
    span = f"{percent(by_count[-1])} with all of them, {percent(by_count[0])} with none"
    needed = decisive.needed(EVEN)
    if needed is None:
        return f"Not even all of {these} make {label} likely: {span}."
    if needed == 0:
        return f"{label} is likely without any of {these}: {span}."
    each = "all" if needed == size else _COUNTS[needed]
    return f"{label} needs {each} of {these} for better than an even chance: {span}."


def _ids(found: Outlook, deals: np.ndarray) -> list[str]:
    return list(found.model.open_ids[deals])


def deal_names(found: Outlook, deals: np.ndarray) -> list[str]:
    """What the deals are called; their ids where they have no name."""
    ids = _ids(found, deals)
    names = found.model.labels["name"].reindex(ids)
    return [name if isinstance(name, str) and name else key for key, name in zip(ids, names, strict=True)]


def _table(found: Outlook, decisive: Pivotal) -> pd.DataFrame:
    deals, projection = decisive.deals, found.projection
    return pd.DataFrame({
        "opportunity_id": _ids(found, deals),
        "name": deal_names(found, deals),
        "amount": found.model.open_amount[deals],
        "p_0": projection.deal_p[deals, 0],
        "p_hit_won": decisive.p_won,
        "p_hit_lost": decisive.p_lost,
    })[COLUMNS]  # fmt: skip
