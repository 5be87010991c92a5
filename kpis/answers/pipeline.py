"""Will we make this period: the current period's pipeline health, Heinz's first measure."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from kpis.answers.answer import Answer
from kpis.answers.counts import counts
from kpis.answers.glossary import number
from kpis.answers.outlook import Outlook, document, headline, in_words, parts_table
from kpis.answers.words import plural
from kpis.engine import NEVER
from kpis.forecast.model import Model
from kpis.periods import day_of
from kpis.pipeline.stints import ONE_STAGE

UNKNOWN = "(none)"
QUANTILES = np.round(np.arange(0.01, 1.0, 0.01), 2)
COMPOSITIONS = {"stage": "stage", "age": "age_band", "pushes": "pushed", "segment": "segment"}
"""What the open pipeline is broken down by: name of the table, and the column of the deals it counts."""

DEAL_COLUMNS = (
    "opportunity_id", "name", "account", "owner", "segment", "stage", "days_in_stage", "age_days", "age_band", "pushes",
    "pushed", "qualified", "amount", "amount_if_won", "expected_close", "p_0", "p_1", "p_2", "expected", "flags",
    "blocker",
)  # fmt: skip

PUSHED = ("never pushed", "pushed once", "pushed twice or more")
AGE_BANDS = ((0, 30), (31, 60), (61, 90), (91, 180), (181, NEVER))


def pipeline_health(found: Outlook) -> Answer:
    """Landing of the current period against its target, and what it is made of.

    Tables: ``parts`` (period, part, amount), ``distribution`` (amount, chance of at least that), one a dimension of
    `COMPOSITIONS` (deals, amount, expected this period), ``deals`` (one row an open deal).
    """
    landing = found.landings[0]
    deals = deal_table(found)
    words = in_words(found, landing)
    terms = ("p_hit", "expected", "won", "from_open", "from_new", "coverage", "required_coverage", "gap")
    numbers = {term: number(term, getattr(landing, term), **words) for term in terms}
    return Answer(
        question="Will we make this period?",
        sentence=headline(found),
        numbers=numbers,
        tables={
            "parts": parts_table(found),
            "distribution": _distribution(found),
            **{name: _composition(found, column) for name, column in COMPOSITIONS.items()},
            "deals": deals,
        },
        notes=found.warnings,
        counts=counts(found.model.dataset),
        document=document(found),
    )


def _distribution(found: Outlook, w: int = 0) -> pd.DataFrame:
    """Landing amounts and the chance to reach at least each of them."""
    window = found.projection.windows[w]
    return pd.DataFrame({"amount": [window.quantile(q) for q in QUANTILES], "chance": 1 - QUANTILES})


def expected_now(found: Outlook) -> np.ndarray:
    """(open deals,) what the forecast counts on from each in the current period: amount if won x chance."""
    projection = found.projection
    return projection.deal_amount * projection.deal_p[:, 0] * projection.windows[0].scale


def stage_names(model: Model) -> np.ndarray:
    """(open deals,) the stage each is in; the CRM's own where no history tells stages apart."""
    held = model.open_deals
    if len(model.stages) > 1:
        return np.array(model.stages, dtype=object)[held.stage]
    stage = model.stints.deals["stage"].iloc[held.row]
    return stage.astype("object").where(stage.notna(), ONE_STAGE).to_numpy()


def deal_table(found: Outlook) -> pd.DataFrame:
    """One row an open deal: where it stands, what it is worth, how likely each period wins it, what flags it has."""
    known, order = found.model.once(_known_deals)
    p = found.projection.deal_p[order]
    expected = expected_now(found)[order]
    said = {"amount_if_won": found.projection.deal_amount[order], "expected": expected}
    table = known.assign(**said, **{f"p_{w}": p[:, w] for w in range(p.shape[1])})
    return table[list(DEAL_COLUMNS)].iloc[np.argsort(-expected, kind="stable")].reset_index(drop=True)


def _known_deals(model: Model) -> tuple[pd.DataFrame, np.ndarray]:
    """What no lever changes of the table of deals, by their ids; and the place of each row among the open deals."""
    held = model.open_deals
    deals = model.stints.deals.iloc[held.row].reset_index(drop=True)
    labels = model.labels.reindex(deals["opportunity_id"]).reset_index()
    age = model.today - deals["created"].to_numpy()
    pushes = deals["pushes"].to_numpy()
    table = pd.DataFrame(
        {
            "opportunity_id": deals["opportunity_id"],
            "name": labels["name"],
            "account": labels["account_id"],
            "owner": deals["owner"].astype("str"),
            "segment": deals["segment"].astype("str").where(deals["segment"].notna(), UNKNOWN),
            "stage": stage_names(model),
            "days_in_stage": held.age,
            "age_days": age,
            "age_band": [_age_band(a) for a in age],
            "pushes": pushes,
            "pushed": np.array(PUSHED)[np.minimum(pushes, len(PUSHED) - 1)],
            "qualified": model.qualified,
            "amount": model.open_amount,
            "expected_close": [None if c >= NEVER else day_of(c) for c in deals["expected_close"].to_numpy()],
            "flags": [", ".join(model.flags.of(k)) for k in range(len(held.row))],
            "blocker": pd.array(model.flags.blockers(), "str"),
        }
    )
    table = table.sort_values("opportunity_id")
    return table.reset_index(drop=True), table.index.to_numpy()


def _age_band(days: int) -> str:
    for low, high in AGE_BANDS:
        if low <= days <= high:
            return f"over {low - 1} days" if high == NEVER else f"{low} to {high} days"
    return f"{days} days"


def _composition(found: Outlook, by: str) -> pd.DataFrame:
    """Open deals by one dimension: count, amount, expected this period; in the order that the dimension has."""
    table, group = found.model.once(_groups)[by]
    return table.assign(expected=np.bincount(group, expected_now(found), len(table)))


def _groups(model: Model) -> dict[str, tuple[pd.DataFrame, np.ndarray]]:
    """For each dimension: its groups of open deals with count and amount, and the group of each open deal."""
    deals, order = model.once(_known_deals)
    orders = {"stage": model.process, "age_band": [_age_band(low) for low, _ in AGE_BANDS], "pushed": PUSHED}
    found = {}
    for by in COMPOSITIONS.values():
        grouped = deals.groupby(by, sort=False, dropna=False)
        table = grouped.agg(deals=("opportunity_id", "size"), amount=("amount", "sum")).reset_index()
        if by in orders:
            table = in_order(table, by, orders[by])
        else:
            table = table.sort_values(["amount", by], ascending=[False, True], ignore_index=True)
        group = np.empty(len(deals), dtype=np.int64)
        group[order] = pd.Index(table[by]).get_indexer(deals[by])
        found[by] = (table, group)
    return found


def in_order(table: pd.DataFrame, by: str, order: Sequence[str]) -> pd.DataFrame:
    """The rows by the place of their name in ``order``; names that are not in it come last."""
    rank = {name: k for k, name in enumerate(order)}
    return table.sort_values(by, key=lambda s: s.map(rank).fillna(len(rank)), kind="stable", ignore_index=True)


def in_short(found: Outlook) -> str:
    """What the forecast rests on, for under the headline."""
    deals = found.model.stints.deals
    won = int((deals["outcome"] == 1).sum())
    open_now = plural(len(found.model.open_deals.row), "open deal")
    return f"From {open_now} and {plural(won, 'won deal')} known on {day_of(found.model.today):%d %b %Y}."
