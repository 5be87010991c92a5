"""Typed files of one table become one table: union, duplicates, and the stored form."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

from kpis.engine import Engine
from kpis.intake import fields
from kpis.intake.clean import Cleaned
from kpis.intake.raw import drop, quote
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


_SET = {
    "opportunities": frozenset(
        "opportunity_id account_id status created_at expected_close closed_at amount amount_basis stage".split()
    ),
    "opportunity_history": frozenset("stage amount expected_close forecast_category probability owner".split()),
}
"""Columns that rules write, whatever the files bring."""
_FRAME = {
    "_file": "INTEGER",
    "_line": "INTEGER",
    "_why": "VARCHAR",
    "_merged": "BOOLEAN",
    "_at": "TIMESTAMP",
    "_bad_close": "VARCHAR",
}


def unite(engine: Engine, table: str, files: Sequence[Cleaned], also: Collection[str] = ()) -> None:
    """One working table of the rows of all files: ``_file``, ``_line``, why a row is set aside, whether it is merged, its moment.

    Columns that no file brings and no rule writes (``also`` names more that one does) cost nothing: they are
    computed as null when read.
    """
    brought = {name for cleaned in files for name in cleaned.values}
    _create(engine, table, brought | _SET.get(table, frozenset()) | set(also))
    name = working(table)
    for cleaned in files:
        values = {"_file": str(cleaned.number), "_line": "r._line", "_merged": "false"} | cleaned.values
        selected = ", ".join(f'{sql} AS "{column}"' for column, sql in values.items())
        # A join would mix up the rows, whose order is that of the file; of a long IN one is made, unless:
        engine.execute("SET disabled_optimizers = 'in_clause'")
        engine.execute(f"INSERT INTO {name} BY NAME SELECT {selected} FROM {cleaned.source}")
        engine.execute("RESET disabled_optimizers")
        drop(engine, cleaned.raw)


def blank(engine: Engine, table: str) -> None:
    """An empty working table."""
    _create(engine, table, {c.name for c in fields.working_columns(table)} | set(_FRAME))


def _create(engine: Engine, table: str, real: Collection[str]) -> None:
    columns = dict.fromkeys(real, "VARCHAR") | _FRAME
    columns |= {c.name: DUCKDB_TYPE[c.kind] for c in fields.working_columns(table)}
    kept = set(real) | {"_file", "_line", "_why", "_merged"} | ({"_at"} if table == "opportunity_history" else set())
    engine.execute(
        f"CREATE TABLE {working(table)} ({', '.join(_defined(n, kind, n in kept) for n, kind in columns.items())})"
    )


def _defined(name: str, kind: str, is_real: bool) -> str:
    """SQL for a column, or for one that is null on every row and takes no room."""
    return f'"{name}" {kind}' + ("" if is_real else f" GENERATED ALWAYS AS (NULL::{kind}) VIRTUAL")


def real(engine: Engine, table: str) -> frozenset[str]:
    """The columns of a working table that are stored and can be written."""
    rows = engine.execute(f"SELECT name FROM pragma_table_info('{working(table)}')").fetchall()
    sql = engine.execute(f"SELECT sql FROM duckdb_tables() WHERE table_name = '{working(table)}'").fetchone()[0]
    computed = set(re.findall(r'"?(\w+)"? \w+ GENERATED', sql))
    return frozenset(row[0] for row in rows) - computed


def merge_duplicates(engine: Engine, table: str) -> None:
    """Set aside rows that come again: equal ones are merged; of different ones with one key the newest stays.

    The newest is the one changed last, else the one further down; the others are rejected with the line of
    the row that stays. Equal rows of a table without a key are merged unless they may be two events.
    """
    name, spec = working(table), fields.TABLES[table]
    stored = real(engine, table)
    content = [c.name for c in fields.columns(table) if c.name in stored]
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


def store(engine: Engine, table: str, seq: str = "") -> None:
    """Write the accepted rows as the canonical table, day companions beside the dates.

    Columns without any value take no room. ``seq`` is SQL for the column of that name.
    """
    spec = fields.TABLES[table]
    # a table needs one column that is stored, even when nothing is in it
    filled_in = (
        {spec.names[0]}
        | _filled_in(engine, working(table), spec.names, "WHERE _why IS NULL AND NOT _merged")
        | ({"seq"} if seq else set())
    )
    shape, values = [], {}
    for column in spec.columns:
        shape.append(_defined(column.name, DUCKDB_TYPE[column.kind], column.name in filled_in))
        values[column.name] = seq if column.name == "seq" and seq else f'"{column.name}"'
        if column.name in spec.dates:
            shape.append(_defined(f"{column.name}_n", "INTEGER", column.name in filled_in))
            values[f"{column.name}_n"] = f"CAST(\"{column.name}\" - DATE '1970-01-01' AS INTEGER)"
    engine.execute(f'CREATE TABLE "{table}" ({", ".join(shape)})')
    selected = {n: sql for n, sql in values.items() if n in filled_in or n.removesuffix("_n") in filled_in}
    if selected:
        engine.execute(
            f'INSERT INTO "{table}" BY NAME SELECT {", ".join(f"{sql} AS {_listed([n])}" for n, sql in selected.items())} '
            f"FROM {working(table)} WHERE _why IS NULL AND NOT _merged"
        )


def slim(engine: Engine, table: str) -> None:
    """Keep of a working table only what became of each row, once its values are stored."""
    engine.execute(f"CREATE TABLE _slim AS SELECT _file, _line, _why, _merged FROM {working(table)}")
    engine.execute(f"DROP TABLE {working(table)}")
    engine.execute(f"ALTER TABLE _slim RENAME TO {working(table)}")


def filled(engine: Engine, table: str) -> frozenset[str]:
    """The columns of a stored table that hold a value."""
    return _filled_in(engine, f'"{table}"', fields.TABLES[table].names)


def _filled_in(engine: Engine, name: str, columns: Sequence[str], where: str = "") -> frozenset[str]:
    counts = engine.execute(
        f"SELECT {', '.join(f'count({_listed([c])})' for c in columns)} FROM {name} {where}"
    ).fetchone()
    return frozenset(c for c, n in zip(columns, counts, strict=True) if n)


def reject(engine: Engine, table: str, where: str, reason: str) -> None:
    """Set aside the accepted rows for which SQL ``where`` holds, with SQL ``reason``."""
    engine.execute(f"UPDATE {working(table)} SET _why = {reason} WHERE _why IS NULL AND NOT _merged AND ({where})")


def _listed(names: Sequence[str]) -> str:
    return ", ".join(f'"{n}"' for n in names)
