"""Tables that describe the codes of another table: found by their keys, joined along any chain.

A file that is no table of its own (industries, territories, campaign types) is a lookup when one of its
columns identifies its rows and holds the values of a column of another file under the same name, or
distinctive values under any name.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from kpis.engine import Embedded
from kpis.intake import fields, mapping
from kpis.intake.formats import Format
from kpis.intake.mapping import Mapped
from kpis.intake.profile import Profile
from kpis.intake.raw import RawTable, drop, hold

COVERED = 0.9
"""The share of a column's different values that a key must hold to be what the column refers to."""


@dataclass(frozen=True)
class Recognised:
    """A raw table and what it is; ``table`` is empty while it is not known.

    Parameters
    ----------
    into
        For a lookup: number of the file whose rows took its values.
    fixed
        Column number -> (field, why) that nothing may change.
    derived
        True for rows made from another table's columns: no file, so no report.
    """

    raw: RawTable
    table: str
    mapped: tuple[Mapped, ...] = ()
    form: Format | None = None
    into: int | None = None
    reason: str = ""
    fixed: tuple[tuple[int, tuple[str, str]], ...] = ()
    derived: bool = False

    @property
    def profiles(self) -> list[Profile]:
        """What the sampled values of its columns look like."""
        return self.raw.profiles


def attach(engine: Embedded, files: list[Recognised], values: Values) -> list[Recognised]:
    """Join every lookup into the table it describes, lookups of lookups first; the rest stays as it is."""
    files = list(files)
    for _ in range(len(files)):
        found = _next_lookup(files, values)
        if found is None:
            break
        child, key, parent, column = found
        files[parent], files[child] = _join(engine, files[parent], files[child], parent, column, key)
    return files


def _next_lookup(files: Sequence[Recognised], values: Values) -> tuple[int, int, int, int] | None:
    """Lookup, its key column, the file it describes and that file's column; a lookup that describes a lookup comes first."""
    pairs = []
    for c, child in enumerate(files):
        if child.table or child.reason or child.into is not None:
            continue
        for p, parent in enumerate(files):
            if (
                p == c
                or parent.reason
                or parent.into is not None
                or (not parent.table and parent.raw.rows < child.raw.rows)
            ):
                continue
            link = _link(child, parent, values)
            if link:
                pairs.append((bool(parent.table), c, link[0], p, link[1]))
    pairs.sort()
    return pairs[0][1:] if pairs else None


def _link(child: Recognised, parent: Recognised, values: Values) -> tuple[int, int] | None:
    """A key of ``child`` and the column of ``parent`` that it holds the values of."""
    for k, header in enumerate(child.raw.header):
        if not values.is_key(child.raw, k):
            continue
        for n, other in enumerate(parent.raw.header):
            same = fields.key(header) == fields.key(other)
            if (same or values.distinctive(parent.raw, n)) and values.covered(parent.raw, n, child.raw, k) >= COVERED:
                return k, n
    return None


def _join(
    engine: Embedded, parent: Recognised, child: Recognised, number: int, column: int, key: int
) -> tuple[Recognised, Recognised]:
    """``parent`` with the columns of ``child`` beside its own, and ``child`` marked as merged into it."""
    width = len(parent.raw.header)
    taken = [n for n in range(len(child.raw.header)) if n != key]
    relation = f"{parent.raw.relation}j"
    added = ", ".join(f"k.c{n} AS c{width + i}" for i, n in enumerate(taken))
    own = ", ".join(f"p.c{n}" for n in range(width))
    hold(child.raw, engine.execute(f"SELECT count(*) FROM {child.raw.relation}").fetchall()[0][0])
    engine.execute(
        f"CREATE TABLE {relation} AS SELECT p._line, p._why, {own}{', ' + added if added else ''} FROM {parent.raw.relation} p "
        f"LEFT JOIN (SELECT * FROM {child.raw.relation} WHERE _why IS NULL QUALIFY row_number() OVER (PARTITION BY c{key} ORDER BY _line) = 1) k ON p.c{column} = k.c{key} ORDER BY p._line"
    )
    drop(engine, parent.raw)
    header = parent.raw.header + tuple(child.raw.header[n] for n in taken)
    index = {
        row[key]: row
        for row in engine.execute(
            f"SELECT {', '.join(f'c{n}' for n in range(len(child.raw.header)))} FROM {child.raw.relation}"
        ).fetchall()
    }
    empty = (None,) * len(child.raw.header)
    sample = tuple(row + tuple(index.get(row[column], empty)[n] for n in taken) for row in parent.raw.sample)
    raw = replace(parent.raw, relation=relation, types=(), header=header, sample=sample)
    wide = replace(parent, raw=raw)
    if parent.table:
        wide = replace(wide, mapped=tuple(remap(wide, fill_only=width)))
    used = {m.column: m for m in wide.mapped[width:]}
    seen = []
    for n, name in enumerate(child.raw.header):
        if n == key:
            seen.append(Mapped(name, None, 1.0, f"the key: joins {parent.raw.header[column]!r} of {parent.raw.label}"))
        else:
            hit = used.get(name)
            seen.append(hit if hit and hit.field else Mapped(name, None, 0.0, "no field of the table it is joined to"))
    return wide, replace(child, table=parent.table, into=number, mapped=tuple(seen))


def remap(file: Recognised, fill_only: int) -> list[Mapped]:
    """Map the columns from ``fill_only`` on to the fields that the earlier columns leave free."""
    fixed = {n: (m.field, m.why) for n, m in enumerate(file.mapped) if m.field}
    fresh = mapping.assign(file.raw.header, file.profiles, file.raw.values, file.table, fixed)
    return [*file.mapped, *fresh[fill_only:]]


def choose_keys(files: list[Recognised], values: Values) -> list[Recognised]:
    """Where a table has several columns that could be its key, take the one the other files refer to."""
    files = list(files)
    for c, file in enumerate(files):
        spec = fields.TABLES.get(file.table)
        if not spec or len(spec.key) != 1 or file.into is not None or file.fixed:
            continue
        current = next((n for n, m in enumerate(file.mapped) if m.field == spec.key[0]), None)
        best = _best_key(c, current, files, values)
        if best is None or best == current:
            continue
        key, reason = spec.key[0], "the values that other files refer to"
        freed = [
            replace(m, field=None, confidence=0.0, why="another column is the key") if m.field == key else m
            for m in file.mapped
        ]
        freed[best] = Mapped(file.raw.header[best], key, 0.95, reason)
        files[c] = replace(file, mapped=tuple(freed))
    return files


def _best_key(c: int, current: int | None, files: Sequence[Recognised], values: Values) -> int | None:
    """The column of file ``c`` that covers most of what other files point at it with."""
    file = files[c]
    spec = fields.TABLES[file.table]
    pointing = [
        (f.raw, n) for i, f in enumerate(files) if i != c and f.table and f.into is None and f.table != file.table
        for n, m in enumerate(f.mapped) if m.field and _points_at(f.table, m.field) == file.table
    ]  # fmt: skip
    if not pointing:
        return current
    if current is not None:
        called = {fields.key(raw.header[at]) for raw, at in pointing}
        if fields.key(file.raw.header[current]) in called or any(
            values.covered(raw, at, file.raw, current) >= COVERED for raw, at in pointing
        ):
            return current
    scores = {}
    for n, header in enumerate(file.raw.header):
        if not values.is_key(file.raw, n):
            continue
        covered = max(
            values.covered(raw, at, file.raw, n)
            * (
                1.0
                if fields.key(header) == fields.key(raw.header[at]) or n == current or values.distinctive(raw, at)
                else 0.4
            )
            for raw, at in pointing
        )
        scores[n] = covered + (0.05 if n == current else 0.0)
    if not scores:
        return current
    best = max(scores, key=lambda n: scores[n])
    is_name = file.mapped[best].field not in (None, *spec.key)
    return best if scores[best] >= 0.5 and not is_name else current


def _points_at(table: str, field: str) -> str | None:
    """The table whose key a field holds."""
    if field == "owner":
        return "owners"
    if table == "opportunities" and field == "product":
        return "products"
    return {
        "account_id": "accounts",
        "product_id": "products",
        "campaign_id": "campaigns",
        "lead_id": "leads",
        "opportunity_id": "opportunities",
    }.get(field)


class Values:
    """The different values of columns, looked at by samples first, then by all of them in the engine; nothing twice."""

    def __init__(self, engine: Embedded) -> None:
        self._engine = engine
        self._counts: dict[tuple[str, int], tuple[int, int]] = {}
        self._shares: dict[tuple[str, int, str, int], float] = {}
        self._samples: dict[tuple[str, int], tuple[frozenset[str], bool, bool]] = {}

    def _sampled(self, raw: RawTable, n: int) -> tuple[frozenset[str], bool, bool]:
        """Sampled values, whether they could be a key, whether they can hardly agree with others by chance."""
        place = (raw.relation, n)
        if place not in self._samples:
            filled = [v for v in raw.values(n) if v is not None]
            different = frozenset(filled)
            texts = [v for v in different if len(v) > 3 and not v.replace(".", "").replace("-", "").isdigit()]
            could = bool(filled) and len(different) >= 0.95 * len(filled) >= 0.9 * len(raw.sample)
            self._samples[place] = different, could, len(texts) >= max(3, 0.9 * len(different))
        return self._samples[place]

    def is_key(self, raw: RawTable, n: int) -> bool:
        """Whether the values of a column differ from row to row (a few that repeat are forgiven)."""
        if not self._sampled(raw, n)[1]:
            return False
        place = (raw.relation, n)
        if place not in self._counts:
            query = f"SELECT count(DISTINCT c{n}), count(c{n}) FROM {raw.relation} WHERE _why IS NULL"
            [self._counts[place]] = self._engine.execute(query).fetchall()
        different, filled = self._counts[place]
        return different >= 0.98 * filled and filled >= 0.98 * raw.rows

    def distinctive(self, raw: RawTable, n: int) -> bool:
        """Whether values can hardly agree by chance: at least three different texts, hardly any a number."""
        return self._sampled(raw, n)[2]

    def covered(self, raw: RawTable, n: int, other: RawTable, k: int) -> float:
        """The share of a column's different values that a key holds."""
        sampled = self._sampled(raw, n)[0]
        if not sampled or raw.relation == other.relation:
            return 0.0
        place = (raw.relation, n, other.relation, k)
        if place not in self._shares:
            quick = self._held("SELECT unnest($1) AS value", other, k, [list(sampled)])
            whole = f"SELECT DISTINCT c{n} AS value FROM {raw.relation} WHERE c{n} IS NOT NULL AND _why IS NULL"
            is_plain = quick < 0.5 * COVERED or quick > 0.5 + 0.5 * COVERED
            self._shares[place] = quick if is_plain else self._held(whole, other, k)
        return self._shares[place]

    def _held(self, values: str, other: RawTable, k: int, parameters: list[list[str]] | None = None) -> float:
        """The share of some values that a column holds."""
        held = f"SELECT c{k} FROM {other.relation} WHERE c{k} IS NOT NULL AND _why IS NULL"
        query = f"SELECT count(*) FILTER (value IN ({held})) / count(*) FROM ({values})"
        [(share,)] = self._engine.execute(query, parameters).fetchall()
        return share or 0.0
