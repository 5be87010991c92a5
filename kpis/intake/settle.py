"""Values that a cast alone does not give are written into the typed rows; rows that cannot stand without one are set aside."""

from __future__ import annotations

from collections.abc import Sequence

from kpis.engine import Embedded
from kpis.intake import fields
from kpis.intake.casts import DATES, NUMBERS
from kpis.intake.clean import Cleaned
from kpis.intake.raw import quote
from kpis.intake.readings import TIMED, Reading, Style
from kpis.intake.tables import reject, working
from kpis.schema import DUCKDB_TYPE
from kpis.settings import Settings


def settle(engine: Embedded, table: str, files: Sequence[Cleaned], settings: Settings) -> None:
    """Finish the rows of the working table of ``table``."""
    for cleaned in files:
        _settle(engine, table, cleaned, settings)
    kept = {r.texts for cleaned in files for r in cleaned.readings if r.keeps_texts}
    kept |= {"_odd" for cleaned in files if "_odd" in cleaned.values}
    for column in kept:
        engine.execute(f'ALTER TABLE {working(table)} DROP COLUMN "{column}"')


def _settle(engine: Embedded, table: str, cleaned: Cleaned, settings: Settings) -> None:
    """Finish the rows of one file, column by column."""
    mine = f"_file = {cleaned.number}"
    style = Style(engine, f"{working(table)} WHERE {mine} AND _why IS NULL", cleaned.raw, cleaned.form, settings)
    dictionaries = style.dictionaries(cleaned.readings)
    cleaned.codes |= style.codes
    cleaned.warnings += style.warnings
    cleaned.questions += style.questions
    for reading in cleaned.readings:
        name = reading.name
        if reading in style.to_scale:
            engine.execute(f'UPDATE {working(table)} SET "{name}" = "{name}" / 100 WHERE {mine}')
        if reading in dictionaries:
            _look_up(engine, table, cleaned, reading, dictionaries[reading])
        if reading.column.required:
            reject(engine, table, f'{mine} AND "{name}" IS NULL', quote(f"{reading.header} is empty"))
        if name == "is_deleted":
            reject(engine, table, f"{mine} AND is_deleted = 1", "'deleted in the source system'")
    for name, other in cleaned.same.items():
        engine.execute(f'UPDATE {working(table)} SET "{name}" = "{other}" WHERE {mine}')


def _look_up(engine: Embedded, table: str, cleaned: Cleaned, reading: Reading, dictionary: str) -> None:
    """Write the values of the dictionary; a text that it cannot read costs the row where the field is essential."""
    column, text, name, mine = reading.column, reading.text, working(table), f"_file = {cleaned.number}"
    is_moment = column.name == TIMED.get(table)
    engine.execute(
        f'UPDATE {name} SET "{column.name}" = TRY_CAST(d.value AS {DUCKDB_TYPE[column.kind]}){", _at = d.moment" if is_moment else ""} '
        f"FROM {dictionary} d WHERE {mine} AND {text} = d.text"
    )
    if is_moment:
        has_times = f"EXISTS (SELECT 1 FROM {dictionary} WHERE seconds IS NOT NULL)"
        engine.execute(
            f'UPDATE {name} SET _at = "{column.name}"::TIMESTAMP WHERE {mine} AND _at IS NULL AND {has_times}'
        )
    unread = f"{mine} AND {text} IN (SELECT text FROM {dictionary} WHERE is_unread)"
    what = "date" if column.kind in DATES else "number" if column.kind in NUMBERS else "yes or no"
    if column.name == "close_date":
        engine.execute(f"UPDATE {name} SET _bad_close = {text} WHERE {unread}")
    elif _essential(table, column.name):
        before, after = quote(f"{reading.header}: '"), quote(f"' is no {what}")
        reject(engine, table, unread, f"{before} || left({text}, 60) || {after}")
    else:
        count, line, first = engine.execute(
            f"SELECT count(*), min(_line), min({text}) FROM {name} WHERE {unread} AND _why IS NULL"
        ).fetchone()
        if count:
            cleaned.warnings.append(
                f"{column.name}: {count} value(s) are no {what} and were left empty, such as {first[:60]!r} (first in line {line})"
            )
    engine.execute(f"DROP TABLE {dictionary}")


def _essential(table: str, name: str) -> bool:
    """Whether a row is set aside when this field cannot be read."""
    spec = fields.TABLES[table]
    dated = ("created_at", "closed_at", "won_at", "lost_at") if table == "opportunities" else (spec.dated_by,)
    return name in dated or any(c.name == name and c.required for c in spec.columns)
