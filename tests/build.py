"""Build a Dataset from hand-written rows, with the guarantees intake gives, without intake."""

from __future__ import annotations

from datetime import date
from typing import Any

import pandas as pd

from kpis.dataset import Dataset
from kpis.engine import Embedded
from kpis.periods import day_of
from kpis.schema import DUCKDB_TYPE, TABLES
from kpis.settings import Settings


def dataset(
    tables: dict[str, list[dict[str, Any]] | pd.DataFrame],
    *,
    settings: Settings | None = None,
    newest: date | None = None,
    **fields: Any,
) -> Dataset:
    """A dataset of the given rows; absent columns are null, day companions and ``seq`` are added.

    ``newest`` defaults to the newest creation, close or change.
    """
    engine = Embedded()
    present: dict[str, frozenset[str]] = {}
    for name, rows in tables.items():
        spec = TABLES[name]
        frame = pd.DataFrame(rows).reindex(columns=list(spec.names))
        if name == "opportunities":
            status = frame["closed_at"].notna().map({True: "won", False: "open"})
            frame["status"] = frame["status"].where(frame["status"].notna(), status)
            given = frame["amount"].notna().map({True: "given", False: "missing"})
            frame["amount_basis"] = frame["amount_basis"].where(frame["amount_basis"].notna(), given)
        if name == "opportunity_history" and frame["seq"].isna().all():
            frame["seq"] = range(1, len(frame) + 1)
        if name == "opportunity_history":
            state = [c for c in spec.names if c not in ("opportunity_id", "changed_at", "seq")]
            frame = frame.sort_values("seq")
            frame[state] = frame.groupby("opportunity_id", sort=False)[state].ffill()
        present[name] = frozenset(c for c in spec.names if frame[c].notna().any())
        for column in frame.columns[frame.isna().all()]:
            frame[column] = None
        engine.register("_raw", frame)
        selected = []
        for column in spec.columns:
            cast = f'CAST("{column.name}" AS {DUCKDB_TYPE[column.kind]})'
            selected.append(f'{cast} AS "{column.name}"')
            if column.name in spec.dates:
                selected.append(f"CAST({cast} - DATE '1970-01-01' AS INTEGER) AS \"{column.name}_n\"")
        engine.execute(f'CREATE TABLE "{name}" AS SELECT {", ".join(selected)} FROM _raw')
        engine.execute("DROP TABLE _raw")
    if newest is None:
        queries = [
            f"SELECT max({column}_n) FROM {table}"
            for table, columns in {
                "opportunities": ("created_at", "closed_at"),
                "opportunity_history": ("changed_at",),
            }.items()
            if table in tables
            for column in columns
        ]
        found = [value for query in queries if (value := engine.execute(query).fetchone()[0]) is not None]
        newest = day_of(max(found))
    return Dataset(
        engine=engine,
        fingerprint="built by hand",
        name="hand-made",
        newest=newest,
        as_of=fields.pop("as_of", newest),
        present=present,
        settings=settings or Settings(),
        **fields,
    )
