"""What was booked as spent, and by whom."""

from __future__ import annotations

import narwhals.stable.v2 as nw

from kpis.measures.core.known import Known
from kpis.measures.core.rows import Rows
from kpis.measures.core.tables import is_one_of, shared


@shared
def booked(known: Known) -> Rows:
    """Spend by month with 0/1 columns ``by_sales``, ``by_marketing`` and money columns of each.

    Marketing that another department paid counts as marketing where the definitions say so. A table
    without departments is taken as marketing's.
    """
    rows = known.rows("spend", "period")
    if not known.has("spend", "department"):
        rows = rows.flag(by_sales=nw.lit(False), by_marketing=nw.lit(True))
    else:
        shadow = nw.col("is_shadow").fill_null(0) == 1
        marketing, sales = is_one_of("department", ("marketing",)), is_one_of("department", ("sales",))
        if known.definitions.shadow_is_marketing:
            rows = rows.flag(by_sales=sales & ~shadow, by_marketing=marketing | shadow)
        else:
            rows = rows.flag(by_sales=sales, by_marketing=marketing)
    money = nw.col("amount").fill_null(0.0)
    rows = rows.also(
        sales=nw.when(nw.col("by_sales") == 1).then(money).otherwise(nw.lit(0.0)),
        marketing=nw.when(nw.col("by_marketing") == 1).then(money).otherwise(nw.lit(0.0)),
        both=nw.when((nw.col("by_sales") == 1) | (nw.col("by_marketing") == 1)).then(money).otherwise(nw.lit(0.0)),
    )
    return Rows(known.kept(rows.frame), rows.table, rows.day)
