"""Defects of the data, each with the rows and the money it touches."""

from __future__ import annotations

from collections.abc import Mapping

from kpis.engine import Engine
from kpis.intake.accounting import Defect
from kpis.intake.tables import working

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
        "_stage_says IN ('won', 'lost', 'closed') AND status <> _stage_says AND NOT (_stage_says = 'closed' AND status <> 'open')",
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


def find(engine: Engine, present: Mapping[str, frozenset[str]], newest: object) -> list[Defect]:
    """Every defect of the opportunities that touches at least one row, the costliest first."""
    if "opportunities" not in present:
        return []
    name = working("opportunities")
    have = present["opportunities"]
    found: dict[str, tuple[int, float]] = {}
    for label, where, needs in _CHECKS:
        if not set(needs) <= have | ({"amount"} if "amount" in needs and "list_price" in have else set()):
            continue
        found[label] = _count(engine, name, f"_why IS NULL AND NOT _merged AND ({where.format(newest=newest)})")
    for label, pattern in _REJECTED:
        rows, amount = _count(engine, name, f"_why LIKE '{pattern}'")
        found[label] = (found.get(label, (0, 0.0))[0] + rows, found.get(label, (0, 0.0))[1] + amount)
    merged = _count(engine, name, "_merged")
    found["exact duplicate, merged"] = merged
    defects = [Defect(label, rows, amount) for label, (rows, amount) in found.items() if rows]
    return sorted(defects, key=lambda d: (-abs(d.amount), -d.rows, d.defect))


def _count(engine: Engine, name: str, where: str) -> tuple[int, float]:
    rows, amount = engine.execute(f"SELECT count(*), coalesce(sum(amount), 0) FROM {name} WHERE {where}").fetchone()
    return rows, float(amount)
