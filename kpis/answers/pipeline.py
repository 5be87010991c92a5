"""Will we make this period: the current period's pipeline health, Heinz's first measure."""

from __future__ import annotations

import numpy as np
import pandas as pd

from kpis.answers.answer import Answer
from kpis.answers.glossary import number
from kpis.answers.outlook import Outlook, document, headline, open_amounts, parts_table, qualified
from kpis.answers.words import percent, plural
from kpis.engine import NEVER
from kpis.periods import day_of
from kpis.pipeline.stints import ONE_STAGE

QUANTILES = np.round(np.arange(0.01, 1.0, 0.01), 2)
AGE_BANDS = ((0, 30), (31, 60), (61, 90), (91, 180), (181, NEVER))


def pipeline_health(found: Outlook) -> Answer:
    """Landing of the current period against its target, and what it is made of.

    Tables: ``parts`` (period, part, amount), ``distribution`` (amount, chance of at least that), ``stages`` and
    ``ages`` (deals, amount, expected this period), ``deals`` (one row an open deal).
    """
    landing = found.landings[0]
    deals = deal_table(found)
    confidence = percent(found.dataset.settings.confidence)
    terms = ("p_hit", "expected", "won", "from_open", "from_new", "coverage", "required_coverage", "gap")
    numbers = {term: number(term, getattr(landing, term), confidence=confidence) for term in terms}
    return Answer(
        question="Will we make this period?",
        sentence=headline(found),
        numbers=numbers,
        tables={
            "parts": parts_table(found),
            "distribution": _distribution(found),
            "stages": _composition(deals, "stage"),
            "ages": _composition(deals, "age_band"),
            "deals": deals,
        },
        notes=found.warnings,
        document=document(found),
    )


def _distribution(found: Outlook, w: int = 0) -> pd.DataFrame:
    """Landing amounts and the chance to reach at least each of them."""
    window = found.projection.windows[w]
    return pd.DataFrame({"amount": [window.quantile(q) for q in QUANTILES], "chance": 1 - QUANTILES})


def deal_table(found: Outlook) -> pd.DataFrame:
    """One row an open deal: where it stands, what it is worth and how likely each period wins it."""
    model = found.model
    held = model.open_deals
    deals = model.stints.deals.iloc[held.row].reset_index(drop=True)
    labels = model.labels.reindex(deals["opportunity_id"]).reset_index()
    stage = np.array(model.stages)[held.stage] if len(held.row) else np.array([], dtype=str)
    known = stage if len(model.stages) > 1 else deals["stage"].astype("str").where(deals["stage"].notna(), ONE_STAGE)
    age = model.today - deals["created"].to_numpy()
    close = deals["expected_close"].to_numpy()
    p = found.projection.deal_p
    table = pd.DataFrame(
        {
            "opportunity_id": deals["opportunity_id"],
            "name": labels["name"],
            "account": labels["account_id"],
            "owner": deals["owner"].astype("str"),
            "segment": deals["segment"].astype("str"),
            "stage": known,
            "days_in_stage": held.age,
            "age_days": age,
            "age_band": [_age_band(a) for a in age],
            "qualified": qualified(model),
            "amount": open_amounts(model),
            "amount_if_won": held.amount,
            "expected_close": [None if c >= NEVER else day_of(c) for c in close],
            **{f"p_{w}": p[:, w] for w in range(p.shape[1])},
            "expected": held.amount * p[:, 0] * found.projection.windows[0].scale,
        }
    )
    return table.sort_values(["expected", "opportunity_id"], ascending=[False, True], ignore_index=True)


def _age_band(days: int) -> str:
    for low, high in AGE_BANDS:
        if low <= days <= high:
            return f"over {low - 1} days" if high == NEVER else f"{low} to {high} days"
    return f"{days} days"


def _composition(deals: pd.DataFrame, by: str) -> pd.DataFrame:
    """Open deals by one dimension: count, amount, expected this period."""
    grouped = deals.groupby(by, sort=False, dropna=False)
    table = grouped.agg(
        deals=("opportunity_id", "size"), amount=("amount", "sum"), expected=("expected", "sum")
    ).reset_index()
    if by == "age_band":
        order = {_age_band(low): k for k, (low, _) in enumerate(AGE_BANDS)}
        table = table.sort_values(by, key=lambda s: s.map(order))
    return table.reset_index(drop=True)


def in_short(found: Outlook) -> str:
    """What the forecast rests on, for under the headline."""
    deals = found.model.stints.deals
    won = int((deals["outcome"] == 1).sum())
    open_now = plural(len(found.model.open_deals.row), "open deal")
    return f"From {open_now} and {plural(won, 'won deal')} known on {day_of(found.model.today):%d %b %Y}."
