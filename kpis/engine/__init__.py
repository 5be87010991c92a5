"""The engine: where the tables of a dataset are, behind narwhals. It counts, sums, takes minima and maxima.

Rules that keep every engine's numbers equal (each comes from a measured wrong result):
only ``narwhals.stable.v2``; day arithmetic on the whole-number companions; ``agg`` takes lengths, sums,
minima, maxima and counts of plain columns; no ratio, rounding or quantile in here; one cursor a call;
no null in the least or greatest of several columns; one ``collect`` that casts to a declared schema.

The embedded DuckDB is the default. Spark (``kpis.engine.spark``) and SQL warehouses (``kpis.engine.warehouse``) are
imported where they are asked for: they are extras.
"""

from kpis.engine.base import NEVER, REMEMBERED, Cursor, Engine, Kept, Remote, Type, collect
from kpis.engine.embedded import Embedded

__all__ = ["NEVER", "REMEMBERED", "Cursor", "Embedded", "Engine", "Kept", "Remote", "Type", "collect"]
