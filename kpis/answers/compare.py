"""Scenarios side by side, and what each changed assumption is worth in the difference."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from kpis.answers.answer import Answer
from kpis.answers.counts import counts
from kpis.answers.glossary import number
from kpis.answers.outlook import Outlook, document
from kpis.answers.outlook import number as finite
from kpis.answers.words import signed
from kpis.assumptions import Assumptions
from kpis.errors import AssumptionError
from kpis.forecast.levers import OutOfReach, within_reach
from kpis.forecast.projection import project
from kpis.forecast.shapley import shapley
from kpis.scenarios import assembled, pieces

MEASURE = "expected, three periods"
MOST_SCENARIOS = 4
MOST_CHANGES = 8
"""Beyond so many, the rates by stage (or source) count as one change: every set of changes is forecast once."""

HOW_SHARED = (
    "Each changed assumption's share of the difference is its Shapley value: what it adds on average over all orders "
    "in which the assumptions could be changed. The shares add up to the difference."
)

Change = tuple[str, tuple[tuple[str, str], ...]]
"""What a changed assumption is called, and the pieces of a scenario it sets."""


def compare(scenarios: Sequence[Outlook], names: Sequence[str] = ()) -> Answer:
    """Two to four outlooks on the same model, side by side, each bridged from the first.

    Without ``names`` the scenarios bear those of their assumptions.

    Tables: ``periods`` (a row a scenario and period), ``bridge`` (a row a scenario and changed assumption, with its
    Shapley share of the difference in expected landing over the three periods).
    """
    if not 2 <= len(scenarios) <= MOST_SCENARIOS:
        raise AssumptionError(
            f"{len(scenarios)} scenarios cannot be compared", place="scenarios", way_out="Give two to four"
        )
    first = scenarios[0]
    bridges = [_bridge(first, other) for other in scenarios[1:]]
    names = list(names) or _names(scenarios)
    totals = [sum(x.expected for x in found.landings) for found in scenarios]
    rows = [
        {"scenario": name, "assumption": assumption, "share": share}
        for name, bridge in zip(names[1:], bridges, strict=True)
        for assumption, share in bridge
    ]
    documents = [_scenario(name, found) for name, found in zip(names, scenarios, strict=True)]
    shares = [{"assumption": assumption, "share": share} for assumption, share in bridges[0]]
    return Answer(
        question="What if?",
        sentence=" ".join(_sentence(first, names, totals, k, bridges[k - 1]) for k in range(1, len(scenarios))),
        numbers={
            f"expected_three {k}": number(
                "expected_three", total, scenario=name, parts=" + ".join(first.say(x.expected) for x in found.landings)
            )
            for k, (name, found, total) in enumerate(zip(names, scenarios, totals, strict=True))
        },
        tables={
            "periods": _periods(names, scenarios),
            "bridge": pd.DataFrame(rows, columns=["scenario", "assumption", "share"]),
        },
        notes=(
            HOW_SHARED,
            *dict.fromkeys(note for found in scenarios for note in found.warnings),
        ),
        counts=counts(first.model.dataset),
        document={
            "currency": first.currency,
            "scenarios": documents,
            "bridge": {"measure": MEASURE, "difference": totals[1] - totals[0], "shares": shares},
        },
    )


def _names(scenarios: Sequence[Outlook]) -> list[str]:
    """The scenarios' names, told apart where two bear the same."""
    names: list[str] = []
    for found in scenarios:
        name, n = found.projection.assumptions.name, 2
        while name in names:
            name, n = f"{found.projection.assumptions.name} ({n})", n + 1
        names.append(name)
    return names


def _scenario(name: str, found: Outlook) -> dict[str, Any]:
    whole = document(found)
    return {"name": name, "assumptions": {**whole["assumptions"], "name": name}, "periods": whole["periods"]}


def _bridge(first: Outlook, other: Outlook) -> list[tuple[str, float]]:
    """Each changed assumption's share of the difference, the largest first."""
    before, after = pieces(first.projection.assumptions), pieces(other.projection.assumptions)
    changes = _changes(before, after)
    model = first.model

    def expected(mixed: Assumptions) -> float:
        return sum(window.expected for window in project(model, mixed, first.projection.calibration).windows)

    def worth(made: frozenset[int]) -> float:
        parts = dict(before)
        for i in made:
            for piece in changes[i][1]:
                parts.pop(piece, None)
                if piece in after:
                    parts[piece] = after[piece]
        mixed = assembled(parts)
        try:
            return expected(mixed)
        except OutOfReach:
            # Close rates of two scenarios need not go together: the nearest that do stand for this set of changes.
            return expected(within_reach(model.hazards, model.mix, mixed, model.stages))

    shares = zip((label for label, _ in changes), shapley(len(changes), worth), strict=True)
    return sorted(shares, key=lambda x: -abs(x[1]))


def _changes(before: dict[tuple[str, str], object], after: dict[tuple[str, str], object]) -> list[Change]:
    """What differs, a change a piece; fields with a value by name are one change where there are too many."""
    titles = {field: info.title or field for field, info in Assumptions.model_fields.items()}
    differing = [piece for piece in {**before, **after} if before.get(piece) != after.get(piece)]
    if len(differing) <= MOST_CHANGES:
        return [(f"{titles[field]}, {name}" if name else titles[field], ((field, name),)) for field, name in differing]
    by_field: dict[str, list[tuple[str, str]]] = {}
    for piece in differing:
        by_field.setdefault(piece[0], []).append(piece)
    return [(titles[field], tuple(parts)) for field, parts in by_field.items()]


def _sentence(first: Outlook, names: list[str], totals: list[float], k: int, bridge: list[tuple[str, float]]) -> str:
    difference = totals[k] - totals[0]
    if not bridge:
        return f"{names[k]}: the same assumptions as {names[0]}."
    way = "more" if difference >= 0 else "less"
    said = f"{names[k]}: {first.say(abs(difference))} {way} than {names[0]} is expected over three periods"
    label, share = bridge[0]
    most = f", most of it from {label.lower()} ({signed(share, first.currency)})" if len(bridge) > 1 else ""
    return f"{said}{most}."


def _periods(names: list[str], scenarios: Sequence[Outlook]) -> pd.DataFrame:
    rows = [
        {
            "scenario": name,
            "period": x.label,
            "target": x.target,
            "expected": x.expected,
            "p10": x.p10,
            "p50": x.p50,
            "p90": x.p90,
            "p_hit": x.p_hit,
            "required_pipeline": finite(x.required_pipeline),
            "gap": finite(x.gap),
        }
        for name, found in zip(names, scenarios, strict=True)
        for x in found.landings
    ]
    return pd.DataFrame(rows)
