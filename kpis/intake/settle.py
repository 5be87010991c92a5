"""Values that a cast alone does not give are written into the typed rows; rows that cannot stand without one are set aside."""

from __future__ import annotations

from collections.abc import Sequence

from kpis.engine import Engine
from kpis.intake import fields
from kpis.intake.clean import Cleaned
from kpis.intake.raw import quote
from kpis.intake.readings import DATES, NUMBERS, TIMED, Reading
from kpis.intake.tables import reject, working
from kpis.schema import DUCKDB_TYPE


def settle(engine: Engine, table: str, files: Sequence[Cleaned]) -> None:
    """Finish the rows of the working table of ``table``."""
    for cleaned in files:
        _settle(engine, table, cleaned)
    for text in {reading.text for cleaned in files for reading in cleaned.readings if reading.dictionary}:
        engine.execute(f'ALTER TABLE {working(table)} DROP COLUMN "{text}"')


def _settle(engine: Engine, table: str, cleaned: Cleaned) -> None:
    """Finish the rows of one file, column by column."""
    mine = f"_file = {cleaned.number}"
    for reading in cleaned.readings:
        name = reading.column.name
        if reading.dictionary:
            _look_up(engine, table, cleaned, reading)
        if reading.column.required:
            reject(engine, table, f'{mine} AND "{name}" IS NULL', quote(f"{cleaned.headers[name]} is empty"))
        if name == "is_deleted":
            reject(engine, table, f"{mine} AND is_deleted = 1", "'deleted in the source system'")
    for name, other in cleaned.same.items():
        engine.execute(f'UPDATE {working(table)} SET "{name}" = "{other}" WHERE {mine}')


def _look_up(engine: Engine, table: str, cleaned: Cleaned, reading: Reading) -> None:
    """Write the values of the dictionary; a text that it cannot read costs the row where the field is essential."""
    column, text = reading.column, f'"{reading.text}"'
    moment = ", _at = d.moment" if column.name == TIMED.get(table) else ""
    engine.execute(
        f'UPDATE {working(table)} SET "{column.name}" = TRY_CAST(d.value AS {DUCKDB_TYPE[column.kind]}){moment} '
        f"FROM {reading.dictionary} d WHERE _file = {cleaned.number} AND {text} = d.text"
    )
    unread = f"_file = {cleaned.number} AND {text} IN (SELECT text FROM {reading.dictionary} WHERE is_unread)"
    what = "date" if column.kind in DATES else "number" if column.kind in NUMBERS else "yes or no"
    if column.name == "close_date":
        engine.execute(f"UPDATE {working(table)} SET _bad_close = {text} WHERE {unread}")
    elif _essential(table, column.name):
        before, after = quote(f"{cleaned.headers[column.name]}: '"), quote(f"' is no {what}")
        reject(engine, table, unread, f"{before} || left({text}, 60) || {after}")
    else:
        count, line, first = engine.execute(
            f"SELECT count(*), min(_line), min({text}) FROM {working(table)} WHERE {unread} AND _why IS NULL"
        ).fetchone()
        if count:
            cleaned.warnings.append(
                f"{column.name}: {count} value(s) are no {what} and were left empty, such as {first[:60]!r} (first in line {line})"
            )
    engine.execute(f"DROP TABLE {reading.dictionary}")


def _essential(table: str, name: str) -> bool:
    """Whether a row is set aside when this field cannot be read."""
    spec = fields.TABLES[table]
    dated = ("created_at", "closed_at", "won_at", "lost_at") if table == "opportunities" else (spec.dated_by,)
    return name in dated or any(c.name == name and c.required for c in spec.columns)
