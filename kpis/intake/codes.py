"""Codes become names, and what a lookup knows about them is carried into the opportunities.

The owner's number becomes the owner's name, his team and region; the product's its name and list price;
the account's its industry; the campaign's its type. A value that misses its key by case, spaces or
punctuation alone ("GTXPro", "GTX Pro") is matched and reported.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass

import pyarrow as pa

from kpis.engine import Embedded
from kpis.intake import fields
from kpis.intake.categories import spelling
from kpis.intake.tables import working


@dataclass(frozen=True)
class Link:
    """A column of codes, the lookup's key, what the code is called there, and what is carried along.

    Parameters
    ----------
    name
        The lookup's column of names: a value is matched by key, then by name, then by spelling.
    carried
        Lookup column -> opportunity field, filled where the opportunities bring nothing of their own.
    is_named
        Whether the name replaces the code; otherwise the key does.
    """

    column: str
    lookup: str
    key: str
    name: str
    carried: Mapping[str, str]
    is_named: bool = True


LINKS = (
    Link("stage", "stages", "stage_id", "stage", {}),
    Link("owner", "owners", "owner_id", "name", {"team": "team", "region": "region"}),
    Link("product", "products", "product_id", "name", {"list_price": "list_price"}),
    Link("campaign_id", "campaigns", "campaign_id", "name", {"type": "source", "channel": "source"}, is_named=False),
    Link("account_id", "accounts", "account_id", "name", {"industry": "segment", "region": "region"}, is_named=False),
    Link("lead_id", "leads", "lead_id", "", {"channel": "source", "industry": "segment"}, is_named=False),
)


def carried(tables: Collection[str]) -> set[str]:
    """The fields of opportunities that the lookups there are may fill."""
    return {target for link in LINKS if link.lookup in tables for target in link.carried.values()}


def resolve(engine: Embedded, tables: set[str]) -> list[tuple[int, str]]:
    """Replace codes in every table that holds them, carry attributes into opportunities; returns file and note."""
    notes = []
    for link in LINKS:
        if link.lookup not in tables:
            continue
        for table in sorted(tables):
            names = {c.name for c in fields.columns(table)}
            if link.column not in names or table == link.lookup:
                continue
            if table != "opportunities" and not link.is_named:
                continue
            notes += _resolve(engine, table, link)
    return notes


def _resolve(engine: Embedded, table: str, link: Link) -> list[tuple[int, str]]:
    name, lookup = working(table), working(link.lookup)
    values = [
        r[0]
        for r in engine.execute(
            f'SELECT DISTINCT "{link.column}" FROM {name} WHERE "{link.column}" IS NOT NULL'
        ).fetchall()
    ]
    called = f'"{link.name}"' if link.name else "NULL"
    known = engine.execute(
        f'SELECT "{link.key}", {called} FROM {lookup} WHERE "{link.key}" IS NOT NULL AND _why IS NULL AND NOT _merged'
    ).fetchall()
    if not values or not known:
        return []
    found, near = match(values, known)
    if not found:
        return []
    names = {key: label if link.is_named and label else key for key, label in known}
    table_of = pa.table(
        {
            "text": pa.array(list(found), pa.string()),
            "key": pa.array([found[v] for v in found], pa.string()),
            "label": pa.array([names[found[v]] for v in found], pa.string()),
        }
    )
    engine.register("_codes", table_of)
    notes = []
    if near:
        counts = engine.execute(
            f'SELECT _file, "{link.column}", count(*) FROM {name} WHERE "{link.column}" IN (SELECT unnest(?)) GROUP BY ALL ORDER BY ALL',
            [list(near)],
        ).fetchall()
        by_file: dict[int, list[str]] = defaultdict(list)
        for file, text, rows in counts:
            by_file[file].append(f"{text!r} is taken as {names[found[text]]!r} ({rows:,} row(s))")
        notes = [(file, f"{link.column}: {'; '.join(texts[:5])}") for file, texts in by_file.items()]
    if table == "opportunities":
        _carry(engine, link)
    engine.execute(
        f'UPDATE {name} SET "{link.column}" = c.label FROM _codes c WHERE {name}."{link.column}" = c.text AND c.label IS DISTINCT FROM c.text'
    )
    engine.execute("DROP TABLE _codes")
    return notes


def _carry(engine: Embedded, link: Link) -> None:
    """Fill fields of opportunities from the lookup, where the upload had no column for them."""
    name, lookup = working("opportunities"), working(link.lookup)
    for source, target in link.carried.items():
        if target != "list_price" and engine.execute(f'SELECT count("{target}") FROM {name}').fetchone()[0]:
            continue
        engine.execute(
            f'UPDATE {name} SET "{target}" = k."{source}" FROM _codes c JOIN {lookup} k ON k."{link.key}" = c.key AND k._why IS NULL AND NOT k._merged '
            f'WHERE {name}."{link.column}" = c.text AND k."{source}" IS NOT NULL'
        )


def match(values: list[str], known: list[tuple[str, str | None]]) -> tuple[dict[str, str], list[str]]:
    """Value -> key of the lookup: by key, by name, then by spelling; and the values matched by spelling only.

    A name or spelling that several keys share matches none.
    """
    keys = {key for key, _ in known}
    by_name = _only({label: key for key, label in known if label}, known)
    found = {value: value if value in keys else by_name[value] for value in values if value in keys or value in by_name}
    left = [value for value in values if value not in found]
    near = []
    # Spelling every key is the dear part, and most exports leave nothing to it.
    loose = _by_spelling(known) if left else {}
    for value in left:
        same = loose.get(spelling(value), set())
        if len(same) == 1:
            found[value] = next(iter(same))
            near.append(value)
    return found, near


def _by_spelling(known: list[tuple[str, str | None]]) -> dict[str, set[str]]:
    """Keys by the spelling of themselves and of their names."""
    loose: dict[str, set[str]] = defaultdict(set)
    for key, label in known:
        for text in (key, label):
            if text:
                loose[spelling(text)].add(key)
    return loose


def _only(by_name: dict[str, str], known: list[tuple[str, str | None]]) -> dict[str, str]:
    seen: dict[str, int] = defaultdict(int)
    for _, label in known:
        if label:
            seen[label] += 1
    return {label: key for label, key in by_name.items() if seen[label] == 1}
