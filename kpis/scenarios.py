"""Scenario files: a flat JSON object of levers, which gives the same forecast on anybody's machine."""

from __future__ import annotations

import json

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
