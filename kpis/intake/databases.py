"""A DuckDB file instead of exports: every table of it becomes a file of its own."""

from __future__ import annotations

from pathlib import Path

import duckdb

from kpis.errors import InputError
from kpis.intake import limits

_MAGIC = b"DUCK"


def is_database(path: Path) -> bool:
    """Whether a file is a DuckDB database, by its bytes."""
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return file.read(12)[8:] == _MAGIC


def tables(path: Path, scratch: Path) -> list[tuple[str, Path]]:
    """Name of every table and view of a database, and a Parquet file with its rows; the database is only read."""
    found = []
    connection = duckdb.connect()
    try:
        connection.execute(f"ATTACH '{str(path.resolve()).replace(chr(39), 2 * chr(39))}' AS source (READ_ONLY)")
        names = connection.execute(
            "SELECT schema_name, table_name FROM duckdb_tables() WHERE database_name = 'source' "
            "UNION ALL SELECT schema_name, view_name FROM duckdb_views() WHERE database_name = 'source' AND NOT internal "
            "ORDER BY 1, 2"
        ).fetchall()
        for schema, name in names[: limits.FILES]:
            target = scratch / f"d{len(list(scratch.iterdir()))}"
            quoted = ".".join('"' + part.replace('"', '""') + '"' for part in ("source", schema, name))
            connection.execute(f"COPY (SELECT * FROM {quoted}) TO '{target}' (FORMAT parquet)")
            found.append((name, target))
    except duckdb.Error as error:
        raise InputError(
            f"the database cannot be read ({str(error).splitlines()[0][:100]})",
            way_out="Close the program that has it open, or export its tables",
        ) from None
    finally:
        connection.close()
    return found
