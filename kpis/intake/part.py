"""The rows of kept data that a person may see: chosen while they are loaded, so that no other is ever in the engine.

A deal is seen where it has one of the values of the scope. What is recorded about deals comes with them. What is
recorded about companies comes where every deal of the company is seen. Everything else (leads, spend, traffic, staff,
money received) belongs to no part, so it is left out, and a measure that needs it says so.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from kpis.engine import Embedded
from kpis.errors import NotEnoughData
from kpis.intake import tables
from kpis.intake.raw import quote
from kpis.store.scope import Scope

_WAY_OUT = "Ask an owner of the workspace which rows you should see"
_WHOLE = "_whole_accounts"
_ALL = "true"
_OF_A_DEAL = "opportunity_id IN (SELECT opportunity_id FROM opportunities)"
_OF_A_COMPANY = f"account_id IN (SELECT account_id FROM {_WHOLE})"
_BESIDE_DEALS = {
    **dict.fromkeys(("opportunity_history", "activities", "content_events"), _OF_A_DEAL),
    **dict.fromkeys(("customers", "orders", "subscriptions", "nps", "wallet"), _OF_A_COMPANY),
    "accounts": "account_id IN (SELECT account_id FROM opportunities)",
    "owners": "name IN (SELECT owner FROM opportunities)",
    **dict.fromkeys(("stages", "products"), _ALL),
}
"""Which rows of a table come with the deals that are seen; of a table without an entry, none."""


def conditions(engine: Embedded, scope: Scope, sources: Mapping[str, str], columns: Collection[str]) -> dict[str, str]:
    """SQL conditions for the rows to load, by table, in the order in which the tables must be loaded.

    Parameters
    ----------
    sources
        SQL that gives all rows of each table.
    columns
        Those that the kept opportunities have.

    Raises
    ------
    NotEnoughData
        When the data cannot tell the rows of the scope apart.
    """
    if not scope:
        return dict.fromkeys(sources, _ALL)
    if scope.column not in columns:
        raise NotEnoughData(f"You see {scope.words} only, and these data have no {scope.column}", way_out=_WAY_OUT)
    deals = f'"{scope.column}" IN ({", ".join(map(quote, scope.values))})'
    account = "account_id" if "account_id" in columns else "NULL"
    engine.execute(
        f"CREATE TABLE {_WHOLE} AS SELECT {account} AS account_id FROM {sources['opportunities']} "
        f"GROUP BY 1 HAVING bool_and(coalesce({deals}, false))"
    )
    # The targets of several values need not add up to those of their part.
    targets = f"scope = {quote(scope.values[0])}" if len(scope.values) == 1 else "false"
    found = {"opportunities": deals, **_BESIDE_DEALS, "targets": targets}
    return {table: where for table, where in found.items() if table in sources}


def settled(engine: Embedded, scope: Scope, loaded: Collection[str]) -> dict[str, frozenset[str]]:
    """The columns that hold a value in the rows that were loaded, by table.

    Raises
    ------
    NotEnoughData
        When no deal is seen.
    """
    engine.execute(f"DROP TABLE {_WHOLE}")
    if "targets" in loaded:
        # Within the part its target is the company's.
        engine.execute("UPDATE targets SET scope = 'company'")
    filled = {table: tables.filled(engine, table) for table in loaded}
    if not filled["opportunities"]:
        raise NotEnoughData(f"You see {scope.words} only, and no deal of these data is of it", way_out=_WAY_OUT)
    return {table: columns for table, columns in filled.items() if columns}
