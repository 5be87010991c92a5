"""One growth figure over several measures."""

from __future__ import annotations

import numpy as np

from kpis.errors import NotEnoughData
from kpis.measures.core.composed import Derived, Stacked
from kpis.measures.core.formulas import NOT_OVER
from kpis.measures.core.grid import Grid
from kpis.measures.core.known import Known
from kpis.measures.core.quantity import Quantity
from kpis.measures.core.rows import Window
from kpis.measures.registry import find, measure

LIMIT = 1.0
"""A change beyond ±100 % counts as that: a tiny base must not decide the whole."""


@measure({"MKTG-6": "Combined growth %"}, kind="derived", basis="flow", better="higher")
def combined_growth(known: Known) -> dict[str, Quantity]:
    """How the chosen measures grew together against the period before.

    Definition: The weighted mean of the relative change of each chosen measure (the settings list them and their
        weights) against the period before, turned round where lower is better and held within ±100 %. Measures
        without a value are left out; totals of an unfinished period too. Within ±2 % of zero it is flat.
    Formula: Σ wᵢ dᵢ (xᵢ ÷ xᵢ,prev − 1) ÷ Σ wᵢ, dᵢ = −1 where lower is better
    Unit: share
    Needs: opportunities.closed_at, opportunities.amount; or leads.mql_at; or spend.amount, leads.created_at; or
        web_sessions.started_at, web_sessions.pages_viewed; or emails.sent_at, emails.unique_opens,
        emails.unique_clicks; or social.date, social.impressions; or orders.ordered_at, orders.amount; or
        spend.amount, spend.leads; or spend.conversions, spend.conversion_value
    Source: MKTG-6, 30 KPIs for marketing managers
    """
    chosen: dict[str, Quantity] = {}
    weights: list[float] = []
    for name, weight in known.definitions.growth_weights.items():
        one = find(name)
        try:
            quantity = next(iter(one.declare(known).values()))
        except NotEnoughData:
            continue
        chosen[name.replace("_", " ")] = _change(quantity, -1.0 if one.better == "lower" else 1.0)
        weights.append(weight)
    if not chosen:
        raise NotEnoughData(
            "needs data for one of the measures in the combined growth", way_out="See definitions.growth_weights"
        )
    each = np.array(weights)

    def mean(*inputs: Grid | Window) -> Grid:
        grids = inputs[:-1]
        changes = np.array([grid.value for grid in grids])
        seen = np.isfinite(changes)
        weight = np.where(seen, each[:, None, None], 0.0)
        total = weight.sum(axis=0)
        value = np.divide(
            (weight * np.where(seen, changes, 0.0)).sum(axis=0),
            total,
            out=np.full(total.shape, np.nan),
            where=total > 0,
        )
        return Grid.of(
            grids[0].groups, value, seen.sum(axis=0), why="no chosen measure can be compared with the period before"
        )

    flat = known.definitions.flat_band
    return {
        "combined_growth": Accounted(mean, tuple(chosen.values()), "share", f"flat within ±{flat:.0%}"),
        "contributions": Stacked(chosen, "share", "measure"),
    }


class Accounted(Derived):
    """A formula over measures: its n is how many there are, which is no sample size."""

    @property
    def sampled(self) -> bool:
        """No sample."""
        return False


def _change(quantity: Quantity, direction: float) -> Quantity:
    """Signed relative change against the period before, within ±LIMIT; n/a for a total whose period is not over."""

    def formula(grid: Grid, window: Window) -> Grid:
        before = grid.earlier(1)
        change = (
            np.divide(
                grid.value,
                before.value,
                out=np.full(grid.shape, np.nan),
                where=np.isfinite(before.value) & (before.value > 0),
            )
            - 1
        )
        unfinished = np.broadcast_to(~window.whole & quantity.additive, grid.shape)
        value = np.where(unfinished, np.nan, direction * np.clip(change, -LIMIT, LIMIT))
        why = np.where(unfinished, NOT_OVER, "no earlier value above 0 to compare with")
        return Grid.of(grid.groups, value, grid.n, why=why)

    return Derived(formula, (quantity,), "share")
