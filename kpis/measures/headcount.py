"""People: how many carry a quota for each field marketer, and how many run operations."""

from __future__ import annotations

import narwhals.stable.v2 as nw
import numpy as np

from kpis.measures.core import intervals
from kpis.measures.core.composed import Derived, Ratio
from kpis.measures.core.formulas import quotient
from kpis.measures.core.grid import Grid
from kpis.measures.core.known import Known
from kpis.measures.core.quantity import Quantity
from kpis.measures.core.rows import Rows, Window
from kpis.measures.core.tables import is_one_of, shared
from kpis.measures.core.totals import Latest
from kpis.measures.registry import measure


@shared
def _fte(known: Known) -> Rows:
    """Headcount by month with the full-time equivalents of each kind of role."""
    fte = nw.col("fte").fill_null(0.0)
    either = is_one_of("department", ("sales", "marketing"))

    def people(condition: nw.Expr) -> nw.Expr:
        return nw.when(condition).then(fte).otherwise(nw.lit(0.0))

    return known.rows("headcount", "period").also(
        quota=people(nw.col("is_quota_bearing") == 1),
        field=people(nw.col("is_field_marketing") == 1),
        staff=people(either),
        operations=people(either & (nw.col("is_operations") == 1)),
    )


@measure({"IDC-4": "Quota-bearing headcount to field-marketing ratio"}, kind="stock", basis="stock", better="band")
def quota_to_field_marketing_ratio(known: Known) -> dict[str, Quantity]:
    """People who carry a quota for each field marketer.

    Definition: Full-time equivalents whose role carries a quota over those in field marketing, at the last month-end
        of the period.
    Formula: FTE[quota-bearing] ÷ FTE[field marketing] at period end
    Unit: ratio
    Needs: headcount.fte, headcount.is_quota_bearing, headcount.is_field_marketing
    Source: IDC-4, IDC customer creation scorecard, benchmark 32:1
    """
    quota, field = Latest(_fte(known), "quota"), Latest(_fte(known), "field")
    return {
        "quota_to_field_marketing": Ratio(quota, field, empty="nobody works in field marketing"),
        "quota_bearing_FTE": quota,
        "field_marketing_FTE": field,
    }


@measure({"IDC-6": "Operations staff percentage"}, kind="stock", basis="stock", better="band")
def operations_staff_share(known: Known) -> dict[str, Quantity]:
    """Share of sales and marketing staff that works in operations.

    Definition: Full-time equivalents in sales or marketing operations over all of sales and marketing, at the last
        month-end of the period.
    Formula: FTE[operations ∧ sales or marketing] ÷ FTE[sales or marketing]
    Unit: share
    Needs: headcount.fte, headcount.department, headcount.is_operations
    Source: IDC-6, IDC customer creation scorecard, benchmark 4.7 %; interval: Wilson (1927)
    """
    part, whole = Latest(_fte(known), "operations"), Latest(_fte(known), "staff")

    def share(part: Grid, whole: Grid, window: Window) -> Grid:  # noqa: ARG001
        value = quotient(part, whole, "nobody works in sales or marketing")
        low, high = intervals.wilson(part.value, whole.value)
        return Grid.of(value.groups, value.value, np.nan_to_num(whole.value), low=low, high=high, why=value.reason)

    return {"operations_share": Derived(share, (part, whole), "share"), "operations_FTE": part, "staff_FTE": whole}
