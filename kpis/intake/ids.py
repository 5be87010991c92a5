"""Salesforce writes an id with 15 characters in reports and 18 in exports: the same record under one name."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence

from kpis.engine import Embedded
from kpis.intake import fields
from kpis.intake.tables import real, working

_SHORT, _LONG = "[a-zA-Z0-9]{15}", "[a-zA-Z0-9]{18}"
_SHARED = {("owners", "owner_id"): "owner"}


def shorten(engine: Embedded, tables: Sequence[str]) -> None:
    """Cut the 18-character ids of a kind to 15 where a column of the same kind elsewhere has 15 (they are case-sensitive)."""
    places: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for table in tables:
        for column in fields.working_columns(table):
            if column.kind == "id" or column.name == "owner":
                places[_SHARED.get((table, column.name), column.name)].append((table, column.name))
    for where in places.values():
        if len(where) < 2:
            continue
        each = " UNION ALL ".join(
            f'SELECT {n} AS n, count(*) FILTER (regexp_full_match("{c}", \'{_SHORT}\')) AS short, count(*) FILTER (regexp_full_match("{c}", \'{_LONG}\')) AS long, count("{c}") AS filled FROM (SELECT "{c}" FROM {working(t)} LIMIT 1000)'
            for n, (t, c) in enumerate(where)
        )
        rows = engine.execute(each).fetchall()
        if not any(short and short == filled for _, short, _, filled in rows):
            continue
        for n, _, long, filled in rows:
            if long and long == filled:
                table, column = where[n]
                engine.execute(
                    f'UPDATE {working(table)} SET "{column}" = left("{column}", 15) WHERE "{column}" IS NOT NULL'
                )


def keep_kind(engine: Embedded, tables: Collection[str]) -> None:
    """Salesforce's one column for anything (WhatId, WhoId) keeps only the ids of opportunities and of leads."""
    if "activities" not in tables:
        return
    stored = real(engine, "activities")
    for column, prefix in (("opportunity_id", "006"), ("lead_id", "00Q")):
        if column not in stored:
            continue
        other = f"regexp_full_match({column}, '(00[1-9A-Z]|500|701|800)[a-zA-Z0-9]{{12}}([a-zA-Z0-9]{{3}})?') AND NOT starts_with({column}, '{prefix}')"
        engine.execute(f"UPDATE {working('activities')} SET {column} = NULL WHERE {column} IS NOT NULL AND {other}")
