"""The measures and how they are found: a decorator, a parsed docstring, and the modules of this package.

A measure is a function of what is known on a day. It returns its parts by name, the headline first;
each part is a quantity of counts and sums. Its docstring is its definition::

    '''Won share of what was decided.

    Definition: ...
    Formula: ...
    Unit: share
    Needs: opportunities.closed_at; or orders.account_id, orders.amount
    Source: SALES-7, 30 KPIs for sales managers
    '''

``Needs`` lists what must be there; alternatives stand after "; or". To add a measure, write one such
function in a module of this package: catalogue, pages, documents, report, command and tests find it.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

from kpis.errors import NotEnoughData, TandemError
from kpis.measures.core.known import Known
from kpis.measures.core.quantity import Quantity

Kind = Literal["simple", "ratio", "mean", "median", "stock", "cohort", "cumulative", "derived", "assessment"]
Basis = Literal["stock", "flow", "cohort", "forecast", "assessment"]

SECTIONS = ("Definition", "Formula", "Unit", "Needs", "Source")

ARTICLES = {
    "IDC": "IDC customer creation scorecard, benchmarks for 2012-13",
    "SIX": "Six KPIs for sales and marketing alignment",
    "HEINZ": "Heinz: three defining measures of sales and marketing success",
    "SALES": "30 KPIs: 15 for sales managers",
    "MKTG": "30 KPIs: 15 for marketing managers",
    "FUNNEL": "MarketingProfs: 25 metrics by funnel stage",
}


class UnknownMeasure(TandemError):
    """A name that no measure has."""


@dataclass(frozen=True)
class Measure:
    """One measure: what it is called, how it is read, what it needs and the function that declares it.

    Parameters
    ----------
    ids
        Id in an article -> name the article gives it.
    kind
        How the headline comes about.
    better
        ``higher``, ``lower``, ``band`` or ``context``.
    needs
        Alternatives; each is the columns ``table.column`` that must hold values.
    """

    name: str
    ids: Mapping[str, str]
    kind: Kind
    basis: Basis
    better: str
    title: str
    definition: str
    formula: str
    unit: str
    needs: tuple[tuple[str, ...], ...]
    source: str
    function: Callable[[Known], dict[str, Quantity]]

    @property
    def module(self) -> str:
        """The family it belongs to."""
        return self.function.__module__.rsplit(".", 1)[-1]

    def check(self, known: Known) -> None:
        """Raise NotEnoughData with the first thing missing, unless one alternative is there in full."""
        problems = []
        for columns in self.needs:
            try:
                for column in columns:
                    known.dataset.need(*column.split("."))
            except NotEnoughData as error:
                problems.append(error)
            else:
                return
        raise problems[0]

    def declare(self, known: Known) -> dict[str, Quantity]:
        """Its parts, the headline first; declared once for each day, so that measures made of it share its scans."""
        if self.name not in known.declared:
            self.check(known)
            known.declared[self.name] = self.function(known)
        return known.declared[self.name]


_REGISTRY: dict[str, Measure] = {}


def measure(
    ids: Mapping[str, str], *, kind: Kind, basis: Basis, better: str
) -> Callable[[Callable[[Known], dict[str, Quantity]]], Callable[[Known], dict[str, Quantity]]]:
    """Register the function as the measure of that name; its docstring must have every section."""

    def register(function: Callable[[Known], dict[str, Quantity]]) -> Callable[[Known], dict[str, Quantity]]:
        text = sections(function)
        needs = tuple(
            tuple(column.strip() for column in way.split(",")) for way in re.split(r";\s*or\s+", text["Needs"])
        )
        _REGISTRY[function.__name__] = Measure(
            name=function.__name__,
            ids=dict(ids),
            kind=kind,
            basis=basis,
            better=better,
            title=inspect.getdoc(function).split("\n", 1)[0].rstrip("."),
            definition=text["Definition"],
            formula=text["Formula"],
            unit=text["Unit"],
            needs=needs,
            source=text["Source"],
            function=function,
        )
        return function

    return register


def sections(function: Callable[..., Any]) -> dict[str, str]:
    """The named sections of a measure's docstring; TypeError naming the one that is missing."""
    document = inspect.getdoc(function) or ""
    found = dict.fromkeys(SECTIONS, "")
    for match in re.finditer(r"^([A-Z][a-z]+): (.+?)(?=^[A-Z][a-z]+: |\Z)", document, re.MULTILINE | re.DOTALL):
        if match[1] in found:
            found[match[1]] = " ".join(match[2].split())
    lacking = [name for name, text in found.items() if not text]
    if lacking:
        raise TypeError(f"the docstring of {function.__module__}.{function.__name__} lacks {', '.join(lacking)}")
    return found


@cache
def measures() -> Mapping[str, Measure]:
    """Every measure by name: imports every module of this package once."""
    import kpis.measures as package

    for module in pkgutil.iter_modules(package.__path__):
        if not module.ispkg and module.name != "registry":
            importlib.import_module(f"{package.__name__}.{module.name}")
    return dict(sorted(_REGISTRY.items()))


def find(name: str) -> Measure:
    """The measure of that name or id (``win_rate`` or ``SALES-7``); UnknownMeasure with the nearest names."""
    import difflib

    known = measures()
    if name in known:
        return known[name]
    for one in known.values():
        if name.upper() in one.ids:
            return one
    names = [*known, *(i for one in known.values() for i in one.ids)]
    near = difflib.get_close_matches(name, names, n=3)
    hint = f"Did you mean {', '.join(near)}?" if near else "`python -m kpis catalogue` lists them"
    raise UnknownMeasure(f"There is no measure called '{name}'", place="--kpi", way_out=hint)


def part_of(known: Known, name: str, part: str = "") -> Quantity:
    """A part of another measure, the headline when none is named: for measures made of measures."""
    parts = find(name).declare(known)
    return parts[part] if part else next(iter(parts.values()))


def _order(identifier: str) -> tuple[int, tuple[int, ...]]:
    article, number = identifier.split("-")
    return list(ARTICLES).index(article), tuple(int(part) for part in number.split("."))


def catalogue() -> list[dict[str, Any]]:
    """One entry an id, in the order of the articles."""
    entries = [
        {
            "id": identifier,
            "measure": one.name,
            "name": name,
            "title": one.title,
            "definition": one.definition,
            "formula": one.formula,
            "unit": one.unit,
            "kind": one.kind,
            "basis": one.basis,
            "better": one.better,
            "needs": list(one.needs[0]),
            "or_needs": [list(way) for way in one.needs[1:]],
            "article": ARTICLES[identifier.split("-")[0]],
            "source": one.source,
            "family": one.module,
        }
        for one in measures().values()
        for identifier, name in one.ids.items()
    ]
    return sorted(entries, key=lambda entry: _order(entry["id"]))
