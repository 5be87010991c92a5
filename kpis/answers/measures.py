"""The measures as answers: the document of ``measure``, tidy tables, the catalogue and the queries."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from kpis.answers.answer import Answer, Number
from kpis.answers.outlook import Outlook
from kpis.answers.render import say
from kpis.answers.words import count, percent
from kpis.dataset import Dataset
from kpis.measures.core.behind import queries, rows_behind
from kpis.measures.core.evaluate import Part, Result, evaluate
from kpis.measures.core.forecast_view import ForecastView, PeriodView
from kpis.measures.registry import ARTICLES, catalogue, find, measures

__all__ = ["catalogue", "find", "forecast_view", "markdown", "measure", "measures", "rows_behind", "sql"]

SEED = 20_260_814
"""Seeds the bootstraps when no generator is given: the same question gets the same interval."""


def forecast_view(outlook: Outlook) -> ForecastView:
    """What the measures show of an outlook: HEINZ-1 and -2, and the value of the funnel."""
    periods = tuple(
        PeriodView(
            label=one.label,
            expected=one.expected,
            p10=one.p10,
            p50=one.p50,
            p90=one.p90,
            p_hit=one.p_hit,
            from_open=one.from_open,
            required_pipeline=one.required_pipeline,
            required_coverage=one.required_coverage,
            gap=one.gap,
        )
        for one in outlook.landings
    )
    return ForecastView(periods, funnel_value=sum(one.from_open for one in outlook.landings))


def measure(
    dataset: Dataset,
    names: Iterable[str] | None = None,
    *,
    by: str = "",
    periods: int = 8,
    rng: np.random.Generator | None = None,
    outlook: Outlook | None = None,
) -> Answer:
    """Values of measures by period (and by a dimension), with the document of ``python -m kpis measure``.

    Parameters
    ----------
    names
        Measures or ids (``win_rate``, ``SALES-7``); all when None.
    outlook
        Where it is given, the measures of today's pipeline show what the forecast adds.

    Raises
    ------
    UnknownMeasure
        For a name that no measure has.
    """
    view = forecast_view(outlook) if outlook is not None else None
    results = evaluate(dataset, names, by=by, periods=periods, rng=rng or np.random.default_rng(SEED), forecast=view)
    with_value = [one for one in results if one.headline is not None and one.headline.has_value]
    lacking = [f"{one.measure.name}: {one.status}" for one in results if one not in with_value]
    return Answer(
        question="What do the measures say?",
        sentence=f"{len(with_value)} of {len(results)} measures have a value on this data.",
        numbers={one.measure.name: _number(one) for one in results},
        tables={one.measure.name: one.table() for one in with_value},
        notes=tuple(lacking),
        document=document(dataset, results),
    )


def spoken(value: float, unit: str, currency: str) -> str:
    """A value in words, with its unit.

    Shares have one decimal, since measures are told apart by less than a point, and so have counts a working day.
    """
    if unit == "share":
        return percent(value, 1)
    if unit.startswith("count "):
        return count(value, 1)
    return say(Number("", value if math.isfinite(value) else None, unit.split(" ", maxsplit=1)[0]), currency)


def signed(change: float, unit: str, currency: str) -> str:
    """A change in words, with its sign; of shares in points."""
    if unit == "share":
        return f"{100 * change:+z.1f} points"
    return ("+" if change > 0 else "") + spoken(change, unit, currency)


def groups_of(part: Part) -> str:
    """What the groups of a part are, in words; empty without groups."""
    return part.over.removesuffix("_id").replace("_", " ")


def latest(one: Result) -> int | None:
    """Number of the latest whole period in which the headline has a value; of a running one where no whole one has.

    A running period has not all of its revenue and spend yet, so it is not what a measure is judged by.
    """
    if one.headline is None:
        return None
    known = np.flatnonzero(np.isfinite(one.headline.grid.value).any(axis=0))
    whole = known[one.whole[known]]
    return int((whole if len(whole) else known)[-1]) if len(known) else None


def _number(one: Result) -> Number:
    """The latest value of a headline that is not broken down."""
    meaning = f"{one.measure.definition} {one.measure.formula}"
    if one.headline is None or not one.headline.has_value:
        return Number(one.measure.title, None, one.measure.unit, meaning, one.status)
    grid = one.headline.grid
    known = np.flatnonzero(np.isfinite(grid.value[0]))
    if grid.groups != ("",) or not len(known):
        return Number(one.measure.title, None, one.headline.unit, meaning, f"shown by {one.headline.over}")
    return Number(one.measure.title, float(grid.value[0, known[-1]]), one.headline.unit, meaning)


def document(dataset: Dataset, results: Iterable[Result]) -> dict[str, Any]:
    """The JSON document: every part of every measure by period and group; what is missing is null, with its reason."""
    return {
        "as_of": dataset.as_of.isoformat(),
        "grain": dataset.settings.grain,
        "currency": dataset.currency,
        "measures": [_entry(one) for one in results],
    }


def _entry(one: Result) -> dict[str, Any]:
    headline = one.headline
    return {
        "measure": one.measure.name,
        "ids": list(one.measure.ids),
        "title": one.measure.title,
        "status": one.status,
        "kind": one.measure.kind,
        "unit": headline.unit if headline else one.measure.unit,
        "basis": one.measure.basis,
        "better": one.measure.better,
        "note": headline.note if headline else "",
        "values": _values(one, headline) if headline else [],
        "parts": [
            {
                "part": part.name,
                "unit": part.unit,
                "note": part.note,
                "reason": part.reason,
                "values": _values(one, part),
            }
            for part in one.parts.values()
        ],
    }


def _values(one: Result, part: Part) -> list[dict[str, Any]]:
    grid = part.grid
    return [
        {
            "period": period.label,
            "value": _plain(grid.value[g, p]),
            "low": _plain(grid.low[g, p]),
            "high": _plain(grid.high[g, p]),
            "n": _plain(grid.n[g, p]),
            "by": {part.over: group} if part.over else {},
            "change": _plain(part.change[g, p]),
            "whole": bool(one.whole[p]),
            "reason": str(grid.reason[g, p]),
            **{name: _plain(array[g, p]) for name, array in grid.extra.items()},
        }
        for g, group in enumerate(grid.groups)
        for p, period in enumerate(one.periods)
    ]


def _plain(value: float) -> float | int | None:
    """A number of JSON: null where it is not known, whole where it is."""
    if not math.isfinite(value):
        return None
    return int(value) if float(value).is_integer() else float(value)


def sql(dataset: Dataset, name: str, dialect: str = "duckdb", *, by: str = "", periods: int = 8) -> str:
    """The queries behind a measure, a comment with part and formula before each.

    The engine counts and sums; the formula is taken over what the query returns.

    Raises
    ------
    AssumptionError
        For a dialect there is no engine for.
    """
    dataset, one = replace(dataset, engine=dataset.engine.worded(dialect)), find(name)
    texts = [f"-- {one.name} ({', '.join(one.ids)}): {one.formula}"]
    seen: set[str] = set()
    for part, found in queries(dataset, name, by=by, periods=periods).items():
        for text in found:
            again = " (the same query as above)" if text in seen else ""
            texts.append(f"-- {part.replace('_', ' ')}{again}" + ("" if again else f"\n{text};"))
            seen.add(text)
    return "\n\n".join(texts)


def markdown() -> str:
    """``docs/kpis.md``: the catalogue by article, printed from the functions."""
    lines = [
        "# The 72 KPIs",
        "",
        "Printed from the docstrings of `kpis/measures` by `python -m kpis.answers.measures`;",
        "a test fails when this file is stale.",
        "72 ids, 68 measures: a measure that several articles name is computed once.",
    ]
    entries = catalogue()
    for article, title in ARTICLES.items():
        lines += ["", f"## {title}"]
        for entry in entries:
            if entry["id"].split("-")[0] != article:
                continue
            ways = [entry["needs"], *entry["or_needs"]]
            lines += [
                "",
                f"### {entry['id']} · {entry['name']} · `{entry['measure']}`",
                "",
                f"{entry['title']}. {entry['definition']}",
                "",
                f"* Formula: {entry['formula']}",
                "* " + " · ".join(f"{name}: {entry[name.lower()]}" for name in ("Unit", "Kind", "Basis", "Better")),
                "* Needs: " + "; or ".join(", ".join(f"`{column}`" for column in way) for way in ways),
                f"* Source: {entry['source']}",
            ]
    return "\n".join(lines) + "\n"


def tidy(results: Iterable[Result]) -> pd.DataFrame:
    """All parts of all measures in one table: measure, part, period, group, value, low, high, n, reason."""
    frames = [one.table().assign(measure=one.measure.name) for one in results if one.parts]
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame()


if __name__ == "__main__":
    from pathlib import Path

    Path(__file__).resolve().parents[2].joinpath("docs", "kpis.md").write_text(markdown(), encoding="utf-8")
