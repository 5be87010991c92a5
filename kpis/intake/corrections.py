"""A person's corrections of the mapping, in the form in which the settings keep them and apply them next time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from kpis.errors import AssumptionError
from kpis.intake import fields, mapping
from kpis.intake.accounting import FileReport
from kpis.intake.mapping import Mapped
from kpis.intake.profile import profile


def as_mapped(files: Sequence[FileReport]) -> dict[str, dict[str, str]]:
    """How the files were mapped: file -> column -> ``table.field``, empty where a column was not used.

    It has the form of ``Settings.mapping``: edit it and put it into the settings. Lookups are left out: they
    are no table of their own.
    """
    return {file.file: named(file.table, chosen(file)) for file in files if file.table and not file.joined}


def chosen(file: FileReport) -> dict[str, str]:
    """Column -> field of the file's table, empty where it is not used.

    A column that serves two fields is named by intake's own field for both.
    """
    result: dict[str, str] = {}
    for m in file.mapping:
        result[m.column] = "close_date" if m.column in result and m.field else _field(m)
    return result


def _field(m: Mapped) -> str:
    """The field; a column that became rows of another table (``table.field``) is used without being named."""
    return m.field if m.field and "." not in m.field else ""


def named(table: str, columns: Mapping[str, str]) -> dict[str, str]:
    """Column -> ``table.field``: an entry of ``Settings.mapping``."""
    return {column: f"{table}.{field}" if field else "" for column, field in columns.items()}


def proposed(file: FileReport, table: str) -> list[Mapped]:
    """What the columns would be taken for if the file were ``table``, judged by the samples of the report."""
    headers = list(file.samples)
    values = list(file.samples.values())
    return mapping.assign(headers, [profile(v) for v in values], values.__getitem__, table, {})


def correction(file: FileReport, table: str, columns: Mapping[str, str]) -> dict[str, str]:
    """The entry of ``Settings.mapping`` that makes of the file what a person said.

    Parameters
    ----------
    table
        The table it is; empty to leave the file out.
    columns
        Column -> field, empty where it is not used.

    Raises
    ------
    AssumptionError
        When a field is chosen twice, or the table cannot do without one that is not chosen.
    """
    if not table:
        return dict.fromkeys(file.samples, "")
    taken: dict[str, str] = {}
    for column, field in columns.items():
        if field and field in taken:
            raise AssumptionError(
                f"{taken[field]!r} and {column!r} are both taken for {field}",
                place=file.file,
                way_out="Choose another field for one of them, or do not use it",
            )
        taken[field] = column
    lacking = mapping.missing(table, [Mapped(column, field, 1.0, "") for field, column in taken.items() if field])
    if lacking:
        raise AssumptionError(
            f"{table} cannot do without {', '.join(lacking)}",
            place=file.file,
            way_out="Say which column holds it, or choose another table",
        )
    return named(table, columns)


def tables() -> dict[str, str]:
    """Every table a file can be, and what one row of it is."""
    return {name: table.grain for name, table in fields.TABLES.items()}


def choices(table: str) -> dict[str, str]:
    """Every field a column of this table can be, and what it means."""
    return {column.name: column.meaning for column in fields.columns(table)}
