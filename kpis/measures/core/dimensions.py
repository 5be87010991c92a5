"""How each table is broken down: its own column, or a column of a table it points to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import narwhals.stable.v2 as nw

from kpis.dataset import Dataset
from kpis.errors import NotEnoughData
from kpis.schema import TABLES

DIMENSIONS = ("segment", "region", "owner", "channel", "campaign", "source", "product")
"""Every measure can be asked for these; its rows decide which they have."""

NOT_GIVEN = "(not given)"


@dataclass(frozen=True)
class Via:
    """Reach a dimension by looking up ``key`` in another table."""

    key: str
    table: str
    match: str
    column: str


def _account(column: str) -> Via:
    return Via("account_id", "accounts", "account_id", column)


def _deal(column: str) -> Via:
    return Via("opportunity_id", "opportunities", "opportunity_id", column)


def _lead(column: str) -> Via:
    return Via("lead_id", "leads", "lead_id", column)


ROUTES: dict[str, dict[str, tuple[str | Via, ...]]] = {
    "opportunities": {
        "segment": ("segment", _account("industry")),
        "region": ("region", _account("region")),
        "owner": ("owner",),
        "channel": (_lead("channel"), Via("campaign_id", "campaigns", "campaign_id", "channel"), "source"),
        "campaign": ("campaign_id", _lead("campaign_id")),
        "source": ("source", _lead("source_group")),
        "product": ("product",),
        "team": ("team",),
        "type": ("type",),
    },
    "leads": {
        "segment": (_deal("segment"), "industry", _account("industry")),
        "region": (_account("region"), "country", _deal("region")),
        "owner": (_deal("owner"),),
        "channel": ("channel", Via("campaign_id", "campaigns", "campaign_id", "channel")),
        "campaign": ("campaign_id",),
        "source": ("source_group",),
        "product": (_deal("product"),),
    },
    "spend": {
        "channel": ("channel", Via("campaign_id", "campaigns", "campaign_id", "channel")),
        "campaign": ("campaign_id",),
    },
    "activities": {
        "owner": ("owner",),
        "segment": (_deal("segment"), _account("industry")),
        "region": (_deal("region"), _account("region")),
        "product": (_deal("product"),),
        "source": (_deal("source"), _lead("source_group")),
        "channel": (_lead("channel"),),
    },
    "emails": {"campaign": ("campaign_id",)},
    "web_sessions": {"channel": ("channel",)},
    "social": {"channel": ("network",)},
    "orders": {
        "product": ("product_id",),
        "segment": (Via("account_id", "customers", "account_id", "segment"), _account("industry")),
        "region": (_account("region"),),
    },
    "customers": {"segment": ("segment", _account("industry")), "region": (_account("region"),)},
    "nps": {
        "segment": (Via("account_id", "customers", "account_id", "segment"), _account("industry")),
        "region": (_account("region"),),
    },
    "content_events": {"owner": ("owner",), "campaign": (_lead("campaign_id"),), "channel": (_lead("channel"),)},
    "market": {"segment": ("segment",)},
}


def group_by_dimension(
    dataset: Dataset, source: Callable[[str], nw.LazyFrame], frame: nw.LazyFrame, table: str, dimension: str
) -> nw.LazyFrame:
    """Add the column ``group``: the value of ``dimension`` for each row of ``frame``, which stems from ``table``.

    ``source`` gives another table's frame. NotEnoughData when no route leads from the table to the dimension.
    """
    every = ROUTES.get(table, {}).get(dimension, ())
    # Rows that were made of a table have lost most of its columns: what they still name finds them again.
    key = TABLES[table].key if table in TABLES else ()
    named = len(key) == 1 and key[0] in frame.columns
    routes = [route for route in every if named or _column(route) in frame.columns]
    for route in routes:
        if not dataset.has(table, _column(route)):
            continue
        if isinstance(route, str):
            frame = _with_column(frame, source(table), key, route)
            return frame.with_columns(group=nw.col(route).fill_null(NOT_GIVEN))
        if dataset.has(route.table, route.match, route.column):
            frame = _with_column(frame, source(table), key, route.key)
            other = source(route.table).filter(~nw.col(route.match).is_null())
            other = other.select(looked_up=nw.col(route.match), group=nw.col(route.column))
            joined = frame.join(other, left_on=route.key, right_on="looked_up", how="left")
            return joined.with_columns(nw.col("group").fill_null(NOT_GIVEN))
    if not routes:
        raise NotEnoughData(f"{table} cannot be broken down by {dimension}", way_out="Choose another dimension")
    first = routes[0]
    column = (
        f"table {table}, column {first}" if isinstance(first, str) else f"table {first.table}, column {first.column}"
    )
    raise NotEnoughData(f"needs {column}", way_out=f"Add it to break down by {dimension}")


def _column(route: str | Via) -> str:
    """The column of its own table that a route starts from."""
    return route if isinstance(route, str) else route.key


def _with_column(frame: nw.LazyFrame, whole: nw.LazyFrame, key: tuple[str, ...], column: str) -> nw.LazyFrame:
    """The frame with a column of the table it was made of."""
    if column in frame.columns:
        return frame
    lookup = whole.select(looked_up_key=nw.col(key[0]), **{column: nw.col(column)})
    return frame.join(lookup, left_on=key[0], right_on="looked_up_key", how="left")
