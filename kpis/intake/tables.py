"""Typed files of one table become one table: union, duplicates, and the stored form."""

from __future__ import annotations

from collections.abc import Sequence

from kpis.engine import Engine
from kpis.intake import fields
from kpis.intake.clean import Cleaned
from kpis.intake.raw import quote
from kpis.schema import DUCKDB_TYPE

EVENTS = frozenset(
    {
        "nps",
        "page_views",
        "content_events",
        "activities",
        "orders",
        "subscriptions",
        "web_sessions",
        "leads",
        "contacts",
    }
)
"""Tables in which two equal rows without a key may be two things that happened."""


def working(table: str) -> str:
    """Name of the table that holds every row of all its files while they are worked on."""
    return f"_all_{table}"


def unite(engine: Engine, table: str, files: Sequence[Cleaned]) -> None:
    """One working table of the typed tables of all its files."""
    first, *rest = files
    engine.execute(f"ALTER TABLE {first.relation} RENAME TO {working(table)}")
    for cleaned in rest:
        engine.execute(f"INSERT INTO {working(table)} SELECT * FROM {cleaned.relation}")
        engine.execute(f"DROP TABLE {cleaned.relation}")


def blank(engine: Engine, table: str) -> None:
    """An empty working table."""
    cells = [f'NULL::{DUCKDB_TYPE[c.kind]} AS "{c.name}"' for c in fields.working_columns(table)]
    shape = "NULL::INTEGER AS _file, NULL::INTEGER AS _line, NULL::VARCHAR AS _why, false AS _merged, NULL::TIMESTAMP AS _at, NULL::VARCHAR AS _bad_close"
    engine.execute(f"CREATE TABLE {working(table)} AS SELECT {shape}, {', '.join(cells)} LIMIT 0")


def merge_duplicates(engine: Engine, table: str) -> None:
    """Set aside rows that come again: equal ones are merged; of different ones with one key the newest stays.

    The newest is the one changed last, else the one further down; the others are rejected with the line of
    the row that stays. Equal rows of a table without a key are merged unless they may be two events.
    """
    name, spec = working(table), fields.TABLES[table]
    content = [c.name for c in fields.columns(table)]
    key = [k for k in spec.key if k != "pipeline"]
    if not key or not engine.execute(f"SELECT count({_listed(key[:1])}) FROM {name}").fetchone()[0]:
        if table in EVENTS:
            return
        key = content
    nothing = " AND ".join(f'"{k}" IS NOT NULL' for k in key) if key is not content else "true"
    together = f"hash({_listed(content)})" if key is content else _listed(key)
    groups = together if key is content else f"({together})"
    several = (
        f"SELECT {groups} FROM {name} WHERE _why IS NULL AND NOT _merged AND {nothing} GROUP BY ALL HAVING count(*) > 1"
    )
    if engine.execute(f"{several} LIMIT 1").fetchone() is None:
        return
    engine.execute(
        f"""
        CREATE TABLE _again AS
        SELECT _file, _line, row_number() OVER newest AS _rank, {_listed(key[:1])} AS _key,
               hash({_listed(content)}) = first_value(hash({_listed(content)})) OVER newest AS _same,
               first_value(_line) OVER newest AS _kept, first_value(_file) OVER newest AS _kept_file, first_value(_at) OVER newest > _at AS _newer
        FROM {name} WHERE _why IS NULL AND NOT _merged AND {nothing}
          AND {groups} IN ({several})
        WINDOW newest AS (PARTITION BY {together} ORDER BY _at DESC NULLS LAST, _file DESC, _line DESC)
        """
    )
    engine.execute(
        f"UPDATE {name} SET _merged = true FROM _again a WHERE {name}._file = a._file AND {name}._line = a._line AND a._rank > 1 AND a._same"
    )
    engine.execute(
        f"""
        UPDATE {name} SET _why = {quote(spec.key[-1] if spec.key else "row")} || ' ' || a._key || ' comes again '
          || CASE WHEN a._kept_file = a._file THEN 'in line ' || a._kept ELSE 'in line ' || a._kept || ' of another file' END
          || CASE WHEN a._newer THEN ', which was changed later' ELSE ', further down' END || '; that row is kept'
        FROM _again a WHERE {name}._file = a._file AND {name}._line = a._line AND a._rank > 1 AND NOT a._same
        """
    )
    engine.execute("DROP TABLE _again")


def store(engine: Engine, table: str, order: str = "") -> frozenset[str]:
    """Write the accepted rows as the canonical table, day companions beside the dates; returns the columns that hold a value."""
    spec = fields.TABLES[table]
    selected = []
    for column in spec.columns:
        selected.append(f'CAST("{column.name}" AS {DUCKDB_TYPE[column.kind]}) AS "{column.name}"')
        if column.name in spec.dates:
            selected.append(f'CAST("{column.name}" - DATE \'1970-01-01\' AS INTEGER) AS "{column.name}_n"')
    engine.execute(
        f'CREATE TABLE "{table}" AS SELECT {", ".join(selected)} FROM {working(table)} WHERE _why IS NULL AND NOT _merged {order}'
    )
    return filled(engine, table)


def filled(engine: Engine, table: str) -> frozenset[str]:
    """The columns of a stored table that hold a value."""
    names = fields.TABLES[table].names
    counts = engine.execute(f'SELECT {", ".join(f"count({_listed([n])})" for n in names)} FROM "{table}"').fetchone()
    return frozenset(c for c, n in zip(names, counts, strict=True) if n)


def reject(engine: Engine, table: str, where: str, reason: str) -> None:
    """Set aside the accepted rows for which SQL ``where`` holds, with SQL ``reason``."""
    engine.execute(f"UPDATE {working(table)} SET _why = {reason} WHERE _why IS NULL AND NOT _merged AND ({where})")


def _listed(names: Sequence[str]) -> str:
    return ", ".join(f'"{n}"' for n in names)
