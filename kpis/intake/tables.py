"""Typed files of one table become one table: union, duplicates, and the stored form."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

import numpy as np
import pyarrow as pa

from kpis.engine import Embedded
from kpis.intake import fields
from kpis.intake.clean import Cleaned
from kpis.intake.raw import drop, hold, quote
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


def kept(table: str) -> str:
    """Name of the table that tells how many rows of each file were accepted."""
    return f"_kept_{table}"


def aside(table: str) -> str:
    """Name of the table that holds what became of all other rows."""
    return f"_aside_{table}"


ACCEPTED = "_why IS NULL AND NOT _merged"
_SET = {
    "opportunities": frozenset(
        "opportunity_id account_id status created_at expected_close closed_at amount amount_basis stage".split()
    ),
    "opportunity_history": frozenset("stage amount expected_close forecast_category probability owner seq".split()),
}
"""Columns that rules write, whatever the files bring."""
_FRAME = {
    "_file": "INTEGER",
    "_line": "INTEGER",
    "_why": "VARCHAR",
    "_merged": "BOOLEAN",
    "_at": "TIMESTAMP",
    "_bad_close": "VARCHAR",
    "_odd": "VARCHAR[]",
}


def create_working(engine: Embedded, table: str, files: Sequence[Cleaned], also: Collection[str] = ()) -> None:
    """The working table of some files, still without rows: ``_file``, ``_line``, why a row is set aside, whether it is merged, its moment.

    Columns that no file brings and no rule writes (``also`` names more that one does) cost nothing: they are
    computed as null when read.
    """
    brought = {name for cleaned in files for name in cleaned.values}
    _create(engine, table, brought | _SET.get(table, frozenset()) | set(also))


def append(engine: Embedded, table: str, cleaned: Cleaned) -> None:
    """Store the typed rows of a file in the working table, in their order; its raw rows are forgotten."""
    raw, name = cleaned.raw, working(table)
    [(begin,)] = engine.execute(f"SELECT count(*) FROM {name}").fetchall()
    values = {"_file": str(cleaned.number), "_merged": "false"} | cleaned.values
    values |= {} if raw.is_view else {"_line": "r._line"}
    selected = ", ".join(f'{sql} AS "{column}"' for column, sql in values.items())
    # A join would mix up the rows, and of a long IN one is made; a cast that is handed down to the reader of a CSV
    # does not try, it fails.
    engine.execute("SET disabled_optimizers = 'in_clause,type_pushdown'")
    [(rows,)] = engine.execute(f"INSERT INTO {name} BY NAME SELECT {selected} FROM {cleaned.source}").fetchall()
    engine.execute("RESET disabled_optimizers")
    hold(raw, rows)
    if raw.is_view:
        engine.execute(f"UPDATE {name} SET _line = rowid - {begin - raw.first_line} WHERE rowid >= {begin}")
    drop(engine, raw)


def blank(engine: Embedded, table: str) -> None:
    """An empty working table."""
    _create(engine, table, {c.name for c in fields.working_columns(table)} | set(_FRAME))


def _create(engine: Embedded, table: str, real: Collection[str]) -> None:
    columns = dict.fromkeys(real, "VARCHAR") | _FRAME
    columns |= {c.name: DUCKDB_TYPE[c.kind] for c in fields.INTAKE_ONLY.get(table, ())}
    stored = set(real) | {"_file", "_line", "_why", "_merged"} | ({"_at"} if table == "opportunity_history" else set())
    shape = _shape(table, stored)
    shape += [_defined(n, kind, n in stored) for n, kind in columns.items() if n not in fields.TABLES[table].names]
    engine.execute(f"CREATE TABLE {working(table)} ({', '.join(shape)})")


def _defined(name: str, kind: str, is_real: bool) -> str:
    """SQL for a column, or for one that is null on every row and takes no room."""
    return f'"{name}" {kind}' + ("" if is_real else f" GENERATED ALWAYS AS (NULL::{kind}) VIRTUAL")


def real(engine: Embedded, table: str) -> frozenset[str]:
    """The columns of a working table that are stored and can be written."""
    sql = engine.execute(f"SELECT sql FROM duckdb_tables() WHERE table_name = '{working(table)}'").fetchone()[0]
    computed = set(re.findall(r'"?(\w+)"? \w+ GENERATED', sql))
    return frozenset(column_names(engine, working(table))) - computed


def column_names(engine: Embedded, name: str) -> list[str]:
    """The columns of a table of the engine."""
    return [row[0] for row in engine.execute(f"SELECT name FROM pragma_table_info('{name}')").fetchall()]


def merge_duplicates(engine: Embedded, table: str) -> None:
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
    rows, place = f"{name} WHERE {ACCEPTED} AND {nothing}", f"hash({_listed(key)})"
    again = _repeated(engine, f"SELECT {place} AS place FROM {rows}")
    if not len(again):
        return
    engine.register("_places", pa.table({"place": again}))
    same = f"hash({_listed(content)})"
    engine.execute(
        f"""
        CREATE TABLE _again AS
        SELECT rowid AS _row, row_number() OVER newest AS _rank, {_listed(key[:1])} AS _key, {same} = first_value({same}) OVER newest AS _same,
               first_value(_line) OVER newest AS _kept, first_value(_file) OVER newest AS _kept_file, first_value(_at) OVER newest > _at AS _newer
        FROM {rows} AND {place} IN (SELECT place FROM _places)
        WINDOW newest AS (PARTITION BY {place if key is content else _listed(key)} ORDER BY _at DESC NULLS LAST, _file DESC, _line DESC)
        """
    )
    others = f"FROM _again a WHERE {name}.rowid = a._row AND a._rank > 1"
    engine.execute(f"UPDATE {name} SET _merged = true {others} AND a._same")
    engine.execute(
        f"""
        UPDATE {name} SET _why = {quote(spec.key[-1] if spec.key else "row")} || ' ' || a._key || ' comes again '
          || CASE WHEN a._kept_file = _file THEN 'in line ' || a._kept ELSE 'in line ' || a._kept || ' of another file' END
          || CASE WHEN a._newer THEN ', which was changed later' ELSE ', further down' END || '; that row is kept'
        {others} AND NOT a._same
        """
    )
    engine.execute("DROP TABLE _again")
    engine.execute("DROP TABLE _places")


def _repeated(engine: Embedded, query: str) -> np.ndarray:
    """The whole numbers that a query gives more than once; sorting them takes a fraction of grouping them."""
    [places] = engine.execute(query).fetchnumpy().values()
    places.sort()
    return np.unique(places[1:][places[1:] == places[:-1]])


def account(engine: Embedded, table: str) -> None:
    """Write down what became of the rows: how many of each file are accepted, and which others are set aside or merged."""
    name = working(table)
    told = ["_file", "_line", "_why", "_merged", *sorted({"amount", "_older"} & {*column_names(engine, name)})]
    engine.execute(
        f"CREATE TABLE {kept(table)} AS SELECT _file, count(*) AS rows FROM {name} WHERE {ACCEPTED} GROUP BY 1"
    )
    engine.execute(f"CREATE TABLE {aside(table)} AS SELECT {', '.join(told)} FROM {name} WHERE NOT ({ACCEPTED})")


def store(engine: Embedded, table: str) -> None:
    """Make the working table the canonical one: only accepted rows, only columns of the dictionary.

    That is done where it is, so that the rows are in memory once; they are copied when most of them go (all but the
    newest of many exports), since the room of what is deleted is not given back.
    """
    account(engine, table)
    name, spec = working(table), fields.TABLES[table]
    counts = f"SELECT coalesce(sum(rows), 0), (SELECT count(*) FROM {aside(table)}) FROM {kept(table)}"
    [(accepted, others)] = engine.execute(counts).fetchall()
    if others > accepted:
        filled = real(engine, table) & {*spec.names}
        create(engine, table, filled)
        listed = _listed(sorted(filled))
        engine.execute(f'INSERT INTO "{table}" ({listed}) SELECT {listed} FROM {name} WHERE {ACCEPTED}')
        engine.execute(f"DROP TABLE {name}")
        return
    engine.execute(f"DELETE FROM {name} WHERE NOT ({ACCEPTED})")
    own = {*spec.names, *(f"{column}_n" for column in spec.dates)}
    for column in column_names(engine, name):
        if column not in own:
            engine.execute(f'ALTER TABLE {name} DROP COLUMN "{column}"')
    engine.execute(f'ALTER TABLE {name} RENAME TO "{table}"')


def create(engine: Embedded, table: str, filled: Collection[str]) -> None:
    """The canonical table without rows; only the columns named take room."""
    engine.execute(f'CREATE TABLE "{table}" ({", ".join(_shape(table, filled))})')


def _shape(table: str, real: Collection[str]) -> list[str]:
    """SQL for the columns of the dictionary; day companions beside the dates, computed from them."""
    spec, shape = fields.TABLES[table], []
    for column in spec.columns:
        shape.append(_defined(column.name, DUCKDB_TYPE[column.kind], column.name in real))
        if column.name in spec.dates:
            day = f"CAST(\"{column.name}\" - DATE '1970-01-01' AS INTEGER)" if column.name in real else "NULL::INTEGER"
            shape.append(f'"{column.name}_n" INTEGER GENERATED ALWAYS AS ({day}) VIRTUAL')
    return shape


def filled(engine: Embedded, table: str) -> frozenset[str]:
    """The columns of a stored table that hold a value."""
    return _filled_in(engine, f'"{table}"', fields.TABLES[table].names)


def _filled_in(engine: Embedded, name: str, columns: Sequence[str], where: str = "") -> frozenset[str]:
    counts = engine.execute(
        f"SELECT {', '.join(f'count({_listed([c])})' for c in columns)} FROM {name} {where}"
    ).fetchone()
    return frozenset(c for c, n in zip(columns, counts, strict=True) if n)


def reject(engine: Embedded, table: str, where: str, reason: str) -> None:
    """Set aside the accepted rows for which SQL ``where`` holds, with SQL ``reason``."""
    engine.execute(f"UPDATE {working(table)} SET _why = {reason} WHERE _why IS NULL AND NOT _merged AND ({where})")


def _listed(names: Sequence[str]) -> str:
    return ", ".join(f'"{n}"' for n in names)
