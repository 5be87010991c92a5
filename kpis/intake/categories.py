"""Spellings of one category become one: "proposal", " Proposal" and "PROPOSAL" are the same stage."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence

import pyarrow as pa

from kpis.engine import Embedded
from kpis.intake import fields
from kpis.intake.tables import working
from kpis.intake.words import NULLS

_BETWEEN_LETTERS = re.compile(r"(?<=[^\W\d_])[\s_\-]+(?=[^\W\d_])")
_SHARED = {("owners", "name"): "owner", ("products", "name"): "product"}
_MOST = 50_000


def spelling(text: str) -> str:
    """What two spellings of one category share: letters without case, and nothing between words."""
    return _BETWEEN_LETTERS.sub("", " ".join(unicodedata.normalize("NFKC", text).casefold().split()))


def unify(counts: Mapping[str, int]) -> dict[str, str]:
    """Spelling -> the spelling to use instead: the most frequent of those that are one category."""
    groups: dict[str, list[str]] = defaultdict(list)
    for text in counts:
        groups[spelling(text)].append(text)
    result = {}
    for same in groups.values():
        if len(same) > 1:
            best = max(same, key=lambda t: (counts[t], t == t.strip(), t[:1].isupper(), not t.isupper(), t))
            result |= {t: best for t in same if t != best}
    return result


def unify_tables(engine: Embedded, tables: Sequence[str]) -> list[tuple[int, str]]:
    """Unify every category column, the same way in all tables that share it; returns file and what was changed."""
    found: dict[str, Counter[str]] = defaultdict(Counter)
    places: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for table in tables:
        columns = [c.name for c in fields.columns(table) if c.kind == "category" or (table, c.name) in _SHARED]
        for column in columns:
            places[_SHARED.get((table, column), column)].append((table, column))
        if columns:
            each = " UNION ALL ".join(
                f'SELECT \'{c}\' AS name, "{c}" AS text FROM {working(table)} WHERE "{c}" IS NOT NULL' for c in columns
            )
            for column, text, rows in engine.execute(
                f"SELECT name, text, count(*) FROM ({each}) GROUP BY ALL ORDER BY ALL"
            ).fetchall():
                found[_SHARED.get((table, column), column)][text] += rows
    notes = []
    for domain, counts in found.items():
        instead: dict[str, str | None] = {t: None for t in counts if t.lower() in NULLS}
        if len(counts) <= _MOST:
            instead |= unify({t: n for t, n in counts.items() if t not in instead})
        if instead:
            notes += _replace(engine, domain, places[domain], instead)
    return notes


def _replace(
    engine: Embedded, domain: str, where: Iterable[tuple[str, str]], instead: Mapping[str, str | None]
) -> list[tuple[int, str]]:
    engine.register(
        "_instead",
        pa.table({"text": pa.array(list(instead), pa.string()), "use": pa.array(list(instead.values()), pa.string())}),
    )
    notes = []
    for table, column in where:
        rows = engine.execute(
            f'SELECT _file, "{column}", use, count(*) FROM {working(table)} JOIN _instead ON "{column}" = text WHERE _why IS NULL AND NOT _merged GROUP BY ALL ORDER BY ALL'
        ).fetchall()
        grouped: dict[tuple[int, str], list[str]] = defaultdict(list)
        for file, text, use, count in rows:
            if use is None:
                continue
            grouped[file, use].append(f"{text!r} ({count} row(s))")
        notes += [(file, f"{domain}: {', '.join(texts[:5])} read as {use!r}") for (file, use), texts in grouped.items()]
        if rows:
            engine.execute(f'UPDATE {working(table)} SET "{column}" = use FROM _instead WHERE "{column}" = text')
    engine.execute("DROP TABLE _instead")
    return notes
