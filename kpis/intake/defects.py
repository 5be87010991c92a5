"""Defects of the data, each with the money it touches and the rows behind it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from fnmatch import fnmatchcase
from operator import add

import narwhals.stable.v2 as nw
import pandas as pd

from kpis.dataset import Dataset
from kpis.engine import Embedded, Type, collect
from kpis.intake.accounting import Defect, FileReport
from kpis.intake.raw import quote
from kpis.intake.tables import aside, column_names
from kpis.intake.words import outcome

_OPEN = "status = 'open'"
_CHECKS = (
    ("open deal without an amount", f"{_OPEN} AND amount_basis = 'missing'", ("amount", "stage")),
    ("open deal whose amount is its product's list price", f"{_OPEN} AND amount_basis = 'list price'", ("list_price",)),
    ("open deal past its expected close date", f"{_OPEN} AND expected_close < DATE '{{newest}}'", ("expected_close",)),
    ("open deal without an expected close date", f"{_OPEN} AND expected_close IS NULL", ("expected_close",)),
    ("open deal without a created date", f"{_OPEN} AND created_at IS NULL", ("created_at",)),
    ("closed deal without a created date", "status <> 'open' AND created_at IS NULL", ("created_at",)),
    ("open deal without an owner", f"{_OPEN} AND owner IS NULL", ("owner",)),
    ("open deal without a next step", f"{_OPEN} AND next_step IS NULL", ("next_step",)),
    ("open deal without a logged activity", f"{_OPEN} AND last_activity_at IS NULL", ("last_activity_at",)),
    ("won deal without an amount", "status = 'won' AND amount IS NULL", ()),
    ("negative amount", "amount < 0", ("amount",)),
    (
        "status and stage in conflict",
        f"(status <> 'won' AND stage IN (SELECT stage FROM stages WHERE is_won = 1)) OR (status <> 'lost' AND stage IN (SELECT stage FROM stages WHERE is_lost = 1)) OR ({_OPEN} AND stage IN ({{closing}}))",
        ("stage",),
    ),
    (
        "expected close date before it was created",
        f"{_OPEN} AND expected_close < created_at",
        ("expected_close", "created_at"),
    ),
)
_REJECTED = (
    ("closed before it was created", "%before it was created%"),
    ("closed without a close date", "%without the day it closed%"),
    ("duplicate id", "% comes again %"),
    ("date that cannot be read or cannot be right", "%is no date%"),
    ("date that cannot be read or cannot be right", "%typing error%"),
    ("row without an id", "% is empty"),
)


MERGED = "exact duplicate, merged"
_SHOWN: dict[str, Type] = {
    "opportunity_id": "text",
    "name": "text",
    "owner": "text",
    "stage": "text",
    "status": "text",
    "amount": "float",
    "created_at": "text",
    "expected_close": "text",
    "closed_at": "text",
}
"""What is shown of an opportunity with a defect."""


def find(engine: Embedded, present: Mapping[str, frozenset[str]], newest: date) -> list[Defect]:
    """Every defect of the opportunities that touches at least one row, the costliest first."""
    if "opportunities" not in present:
        return []
    have = present["opportunities"]
    names = [row[0] for row in engine.execute("SELECT stage FROM stages").fetchall()]
    checks = {
        label: _condition(label, names, newest)
        for label, _, needs in _CHECKS
        if set(needs) <= have | ({"amount"} if "amount" in needs and "list_price" in have else set())
    }
    found = _counts(engine, "opportunities", checks)
    patterns = {pattern: f"_why LIKE '{pattern}'" for _, pattern in _REJECTED}
    twice = "_merged AND _older IS NULL" if "_older" in column_names(engine, aside("opportunities")) else "_merged"
    kept_out = _counts(engine, aside("opportunities"), {**patterns, MERGED: twice})
    for label, pattern in (*_REJECTED, (MERGED, MERGED)):
        found[label] = tuple(map(add, found.get(label, (0, 0.0)), kept_out[pattern]))
    defects = [Defect(label, rows, amount) for label, (rows, amount) in found.items() if rows]
    return sorted(defects, key=lambda d: (-abs(d.amount), -d.rows, d.defect))


def rows_behind(dataset: Dataset, files: Sequence[FileReport], defect: str) -> pd.DataFrame:
    """The rows of one defect, as ``find`` counts them: opportunities, or where it kept them out, file, line and reason.

    Exact duplicates have none: the row they equal is in the data.
    """
    patterns = [pattern.replace("%", "*") for label, pattern in _REJECTED if label == defect]
    if patterns or defect == MERGED:
        rows = [
            (file.file, reject.line, reject.reason)
            for file in files
            if file.table == "opportunities"
            for reject in file.rejects
            if any(fnmatchcase(reject.reason, pattern) for pattern in patterns)
        ]
        return pd.DataFrame(rows, columns=["file", "line", "reason"])
    cursor = dataset.engine.cursor()
    names = collect(cursor.frame("stages"), {"stage": "text"})["stage"]
    opportunities = cursor.frame("opportunities").to_native()
    found = nw.from_native(opportunities.filter(_condition(defect, list(names), dataset.newest)))
    return collect(found, _SHOWN).sort_values("amount", ascending=False, ignore_index=True)


def _condition(defect: str, stages: Sequence[str], newest: date) -> str:
    """SQL: which of the stored opportunities have the defect."""
    where = next(where for label, where, _ in _CHECKS if label == defect)
    closing = ", ".join(quote(stage) for stage in stages if outcome(stage) == "closed") or "NULL"
    return where.format(newest=newest, closing=closing)


def _counts(engine: Embedded, name: str, conditions: Mapping[str, str]) -> dict[str, tuple[int, float]]:
    """Rows for which each condition holds, and their money: all in one look at the table."""
    if not conditions:
        return {}
    asked = [f"count(*) FILTER ({c}), coalesce(sum(amount) FILTER ({c}), 0)" for c in conditions.values()]
    [counts] = engine.execute(f"SELECT {', '.join(asked)} FROM {name}").fetchall()
    return {label: (counts[2 * n], float(counts[2 * n + 1])) for n, label in enumerate(conditions)}
