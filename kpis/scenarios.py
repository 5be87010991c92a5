"""Scenario files: a flat JSON object of levers, which gives the same forecast on anybody's machine."""

from __future__ import annotations

import json
from dataclasses import dataclass

from kpis.assumptions import Assumptions
from kpis.errors import AssumptionError


def read_scenario(text: str | bytes, place: str = "scenario") -> Assumptions:
    """The assumptions in a scenario file; a lever that is not in it stays as estimated.

    Raises
    ------
    AssumptionError
        When it is no JSON object, or a lever is unknown or impossible; the lever is named.
    """
    try:
        values = json.loads(text)
    except ValueError as error:
        raise AssumptionError(f"The scenario is not JSON: {error}", place=place) from None
    if not isinstance(values, dict):
        raise AssumptionError("A scenario is one object of levers", place=place, way_out='Such as {"deal_size": 1.1}')
    return Assumptions.checked(values)


def write_scenario(assumptions: Assumptions) -> str:
    """The scenario file of the assumptions: its name, the levers that were moved, the targets that were set."""
    values = {"name": assumptions.name, **assumptions.changed()}
    if assumptions.targets:
        values["targets"] = list(assumptions.targets)
    return json.dumps(values, ensure_ascii=False, indent=1) + "\n"


def pieces(assumptions: Assumptions) -> dict[tuple[str, str], object]:
    """Each lever by field and, for rates by stage or source, by its name: what two scenarios can differ in."""
    found: dict[tuple[str, str], object] = {}
    for field, value in assumptions.changed().items():
        if isinstance(value, dict):
            found |= {(field, name): one for name, one in value.items()}
        else:
            found[field, ""] = value
    return found


def assembled(parts: dict[tuple[str, str], object], **others: object) -> Assumptions:
    """The assumptions with these pieces; the inverse of ``pieces``."""
    values: dict[str, object] = dict(others)
    for (field, name), value in parts.items():
        values[field] = {**values.get(field, {}), name: value} if name else value  # type: ignore[dict-item]
    return Assumptions.checked(values)


@dataclass(frozen=True)
class Clash:
    """A lever that two people set to different values; None where one of them put it back on the estimate."""

    field: str
    part: str
    mine: object
    theirs: object


def merge(
    base: Assumptions, mine: Assumptions, theirs: Assumptions, *, prefer_mine: bool = True
) -> tuple[Assumptions, tuple[Clash, ...]]:
    """Two edits of one scenario in one: each lever as the side that changed it has it, and those that both changed.

    Parameters
    ----------
    base
        What both began from.
    prefer_mine
        Whose value a lever gets that both changed.

    Examples
    --------
    >>> both, clashes = merge(Assumptions(), Assumptions(deal_size=1.1), Assumptions(slippage=0.2))
    >>> both.changed(), clashes
    ({'deal_size': 1.1, 'slippage': 0.2}, ())
    """
    was, my, their = (_edited(scenario) for scenario in (base, mine, theirs))
    parts, clashes = {}, []
    for key in dict.fromkeys((*was, *their, *my)):
        before, here, there = (side.get(key) for side in (was, my, their))
        changed_here, changed_there = here != before, there != before
        if changed_here and changed_there and here != there:
            clashes.append(Clash(*key, here, there))
        value = here if changed_here and (prefer_mine or not changed_there) else there
        if value is not None:
            parts[key] = value
    return assembled(parts, name=mine.name), tuple(clashes)


def _edited(scenario: Assumptions) -> dict[tuple[str, str], object]:
    """The pieces, with the targets as one of them."""
    return pieces(scenario) | ({("targets", ""): scenario.targets} if scenario.targets else {})
