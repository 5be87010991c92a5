"""Columns to fields: names scored by aliases and likeness, checked against the values, matched one to one."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from rapidfuzz import fuzz, process
from scipy.optimize import linear_sum_assignment

from kpis.intake import fields
from kpis.intake.profile import Profile, fits
from kpis.intake.words import plain

ENOUGH = 0.6
"""The least score at which a column is mapped."""
SURE = 0.75
"""The least score for a field that a table cannot do without."""
_LIKE = 88.0
"""The least likeness of spelling, of 100, that counts as a name."""
_NEEDED = 0.1
"""A required field outweighs another that a column would name as well."""


@dataclass(frozen=True)
class Mapped:
    """A column of a file and the field it becomes; ``field`` is None when it is not used."""

    column: str
    field: str | None
    confidence: float
    why: str


@cache
def _names(table: str) -> dict[str, list[tuple[str, float, str]]]:
    """Key of a header -> the fields it names, with how well and why."""
    names: dict[str, list[tuple[str, float, str]]] = {}
    for column in fields.columns(table):
        names.setdefault(fields.key(column.name), []).append((column.name, 1.0, "the same name"))
        for rank, alias in enumerate(column.aliases):
            score = 0.99 - 0.002 * min(rank, 20)
            found = names.setdefault(fields.key(alias), [])
            if column.name not in [name for name, _, _ in found]:
                found.append((column.name, score, f"known as {alias!r}"))
    return names


@cache
def _spellings(table: str) -> tuple[list[str], list[str]]:
    """Every name of a table's fields with its words in order of the alphabet, and the field each belongs to."""
    pairs = [
        (" ".join(sorted(fields.words(name))), c.name) for c in fields.columns(table) for name in (c.name, *c.aliases)
    ]
    return [text for text, _ in pairs], [name for _, name in pairs]


def candidates(header: str, table: str) -> dict[str, tuple[float, str]]:
    """Field -> how well a header names it, 0 to 1, and why; by name, by name without unit or the table's own word, by spelling."""
    names = _names(table)
    whole, _, part = header.partition(":")
    forms = [(fields.key(header), 1.0), (fields.bare(header), 0.98), (_without_own(header, table), 0.91)]
    forms += [(fields.key(whole), 0.93), (fields.key(part), 0.92)] if part.strip() else []
    for form, worth in forms:
        if form in names:
            return {name: (score * worth, why) for name, score, why in names[form]}
    texts, owners = _spellings(table)
    found: dict[str, tuple[float, str]] = {}
    for _, likeness, n in process.extract(
        " ".join(sorted(fields.words(header))), texts, scorer=fuzz.ratio, score_cutoff=_LIKE, limit=5
    ):
        score = 0.9 * likeness / 100
        if score > found.get(owners[n], (0.0, ""))[0]:
            found[owners[n]] = (score, f"spelt like {texts[n]!r}")
    return found


def _without_own(header: str, table: str) -> str:
    own = fields.OWN_WORDS.get(table, set())
    return "".join(word for word in fields.words(header) if word not in own)


def assign(
    headers: Sequence[str],
    profiles: Sequence[Profile],
    samples: Callable[[int], Sequence[str | None]],
    table: str,
    fixed: Mapping[int, tuple[str, str]],
    taken: frozenset[str] = frozenset(),
) -> list[Mapped]:
    """The best one-to-one match of columns with the fields of ``table``.

    Parameters
    ----------
    fixed
        Column number -> (field, why): decided by the format or by the person; not weighed again.
    taken
        Fields that are not to be used.
    """
    decided = {field for field, _ in fixed.values()} | taken
    columns = {c.name: (j, c) for j, c in enumerate(c for c in fields.columns(table) if c.name not in decided)}
    free = [n for n in range(len(headers)) if n not in fixed]
    score = np.zeros((len(free), len(columns)))
    why: dict[tuple[int, int], str] = {}
    key = fields.TABLES[table].key
    for i, n in enumerate(free):
        for name, (named, reason) in candidates(headers[n], table).items():
            if name not in columns:
                continue
            j, column = columns[name]
            value, doubt = fits(profiles[n], column, (name,) == key)
            if (table, name) in fields.VALUES and not _has_words(samples(n), fields.VALUES[table, name]):
                value, doubt = 0.2, "its values are other words"
            score[i, j] = named * value
            why[i, j] = f"{reason}; {doubt}" if doubt else reason
    chosen = {n: Mapped(headers[n], field, 1.0, reason) for n, (field, reason) in fixed.items()}
    if why:
        needed = np.array([_NEEDED if c.required else 0.0 for _, c in columns.values()])
        for i, j in zip(*linear_sum_assignment(-np.where(score >= ENOUGH, score + needed, 0)), strict=True):
            if score[i, j] >= ENOUGH:
                name = next(name for name, (at, _) in columns.items() if at == j)
                chosen[free[i]] = Mapped(headers[free[i]], name, round(float(score[i, j]), 3), why[i, j])
    return [
        chosen.get(n) or Mapped(h, None, 0.0, "no field of this table" if profiles[n].filled else "no values in it")
        for n, h in enumerate(headers)
    ]


def _has_words(values: Sequence[str | None], expected: frozenset[str]) -> bool:
    found = [plain(v) for v in values if v]
    return not found or sum(v in expected for v in found) >= 0.5 * len(found)


def possible(headers: Sequence[str], table: str) -> bool:
    """Whether any header names each required field of a table; an opportunity's id may be made up."""
    named = {name for header in headers for name in candidates(header, table)}
    required = {c.name for c in fields.TABLES[table].columns if c.required}
    return required <= named or (table == "opportunities" and bool(named & {"stage", "status"}))


def named(headers: Sequence[str], table: str) -> list[Mapped]:
    """What each column would be taken for by its name alone."""
    found = []
    for header in headers:
        field, (score, why) = max(
            candidates(header, table).items(),
            key=lambda one: one[1][0],
            default=(None, (0.0, "no field of this table")),
        )
        found.append(Mapped(header, field, score, why))
    return found


def missing(table: str, mapped: Sequence[Mapped], given: Collection[str] = ()) -> list[str]:
    """What a table cannot do without and neither the columns nor ``given`` bring: required fields, or any substance.

    Opportunities without an id are told apart by account, name and creation, when they have those.
    """
    sure = {m.field for m in mapped if m.field and m.confidence >= SURE} | set(given)
    lacking = [c.name for c in fields.TABLES[table].columns if c.required and c.name not in sure]
    if table == "opportunities" and {"name", "account_name", "account_id"} & sure and {"stage", "status"} & sure:
        lacking = [name for name in lacking if name != "opportunity_id"]
    groups = [group for group in fields.SUBSTANCE.get(table, ()) if not sure & set(group)]
    return lacking + [" or ".join(group[:3]) for group in groups]


def weight(table: str, mapped: Sequence[Mapped], stem: str) -> float:
    """How much speaks for a table: the sum of its columns' scores, and the file's name."""
    named = fields.key(stem)
    names = {fields.key(n) for n in (table, *fields.TABLES[table].aliases)}
    bonus = (
        1.5 if named in names or named + "s" in names else 0.75 if any(n in named for n in names if len(n) > 4) else 0.0
    )
    return sum(m.confidence for m in mapped if m.field) + bonus
