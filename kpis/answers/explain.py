"""Why a deal has the chance it has, in plain words, and why the sum differs from the CRM's own percentages."""

from __future__ import annotations

import numpy as np
import pandas as pd

from kpis.answers.outlook import Outlook
from kpis.answers.words import percent
from kpis.forecast.backtest import crm_probability
from kpis.forecast.margins import split
from kpis.forecast.rates import eventual_by_age
from kpis.pipeline.stints import ONE_STAGE

NOTABLE = 1.15
"""A factor nearer to 1 than this (either way) is not worth a word."""


def reasons(found: Outlook) -> list[str]:
    """What moved each open deal's chance to win this period, strongest first.

    Odds factors: hazard ratio for moving on over that for losing, per covariate; the recalibration by expected
    close and pushes counts as one.
    """
    model, hazards = found.model, found.model.hazards
    held = model.open_deals
    factors: list[tuple[str, list[str], np.ndarray]] = []
    for covariate, (forward, losing) in zip(hazards.covariates, hazards.ratios, strict=True):
        code = covariate.code[held.row]
        odds = (forward / losing)[code]
        factors.append((covariate.name, [covariate.labels[c] for c in code], odds))
    closes = found.projection.windows[0].calibration.close[0][split(held.margin)[1]]
    pushes = model.stints.deals["pushes"].to_numpy()[held.row]
    factors.append(("expected close and pushes", [f"pushed {n} times" for n in pushes], closes))
    stage = [model.stages[s] if len(model.stages) > 1 else ONE_STAGE for s in held.stage]
    words = []
    for k in range(len(held.row)):
        ranked = sorted(factors, key=lambda f: -abs(np.log(f[2][k])))
        notable = [f for f in ranked if max(f[2][k], 1 / f[2][k]) >= NOTABLE]
        moved = [f"{name} {labels[k]}: odds x {odds[k]:.2f}" for name, labels, odds in notable]
        where = f"{stage[k]} for {held.age[k]} days"
        words.append("; ".join([where, *moved]))
    return words


def against_crm(found: Outlook) -> pd.DataFrame:
    """Open amount x chance to win in the end, by stage: the CRM's own percentage beside the model's.

    One row a stage with ``deals``, ``amount``, ``crm`` and ``model`` (money), ``crm_share`` and ``model_share``;
    ``crm`` is NaN where the CRM gives no percentage.
    """
    model = found.model
    held = model.open_deals
    chance = eventual_by_age(found.projection.rates)
    eventual = chance[held.deal_class, held.stage, found.projection.rates.age(held.age)]
    own = crm_probability(found.dataset, model)
    deals = model.stints.deals.iloc[held.row]
    known = deals["stage"].astype("object").where(deals["stage"].notna(), ONE_STAGE)
    frame = pd.DataFrame(
        {
            "stage": known.to_numpy(),
            "amount": held.amount,
            "crm": held.amount * own,
            "model": held.amount * eventual,
        }
    )
    grouped = frame.groupby("stage", sort=False)
    table = grouped.agg(
        deals=("amount", "size"),
        amount=("amount", "sum"),
        crm=("crm", lambda s: s.sum(min_count=1)),
        model=("model", "sum"),
    ).reset_index()
    total = table["amount"].where(table["amount"] > 0)
    return table.assign(crm_share=table["crm"] / total, model_share=table["model"] / total)


def crm_sentence(found: Outlook, table: pd.DataFrame) -> str:
    """By how much the CRM's percentages promise more, or less, than the company's own past."""
    if table.empty or table["crm"].isna().all():
        return "The CRM gives no percentage for its stages, so there is nothing to compare with."
    crm, model = float(table["crm"].sum()), float(table["model"].sum())
    if model <= 0:
        return f"The CRM's percentages promise {found.say(crm)} of the open deals; your past gives them no chance."
    more = "more" if crm > model else "less"
    return (
        f"The CRM's own percentages promise {found.say(crm)} of today's open deals in the end, "
        f"{percent(abs(crm / model - 1))} {more} than the {found.say(model)} that deals like them have brought."
    )
