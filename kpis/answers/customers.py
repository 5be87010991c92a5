"""Customers: how much hangs on few of them, what one is worth, and on which assumptions."""

from __future__ import annotations

import narwhals.stable.v2 as nw
import numpy as np
import pandas as pd

from kpis.answers.answer import Answer
from kpis.answers.glossary import number
from kpis.answers.measures import SEED, latest
from kpis.answers.render import records, say
from kpis.answers.words import count, money, percent, plural
from kpis.dataset import Dataset
from kpis.engine import collect
from kpis.errors import NotEnoughData
from kpis.measures.core.evaluate import evaluate
from kpis.measures.core.known import Known
from kpis.measures.core.runs import window_of
from kpis.measures.products import TOP, purchased, top_fifth

SHOWN = 20


def concentration(dataset: Dataset, *, periods: int = 4, lost: int = 1) -> Answer:
    """Revenue by customer over the last ``periods`` periods, and what is left without the ``lost`` largest.

    Tables: ``customers`` (the largest SHOWN: rank, account_id, revenue, share, cumulative) and ``pareto`` (customers,
    revenue: shares of both, cumulated from the largest), ``what_if`` (what, before, after, and both in words).

    Raises
    ------
    NotEnoughData
        Without sales to named customers.
    """
    known = Known(dataset, window_of(dataset, periods))
    rows = purchased(known)
    first, last = int(known.window.starts[-periods]), known.today
    inside = rows.frame.filter((nw.col(rows.day) >= first) & (nw.col(rows.day) <= last) & (nw.col("amount") > 0))
    sums = inside.filter(~nw.col("account_id").is_null()).group_by("account_id").agg(nw.col("amount").sum())
    table = collect(sums, {"account_id": "text", "amount": "float"})
    if len(table) <= lost:
        raise NotEnoughData(
            "nothing was sold to more customers than that in these periods", way_out="Choose more periods"
        )
    table = table.sort_values(["amount", "account_id"], ascending=[False, True], ignore_index=True)
    revenue = table["amount"].to_numpy()
    total, top = float(revenue.sum()), float(top_fifth(revenue)[0])
    after = revenue[lost:]
    what_if = pd.DataFrame(
        {
            "what": ["revenue", "customers", "share of the top fifth", "share of the largest", "HHI"],
            "before": [total, len(revenue), top, revenue[0] / total, _hhi(revenue)],
            "after": [after.sum(), len(after), top_fifth(after)[0], after[0] / after.sum(), _hhi(after)],
        }
    )
    for when in ("before", "after"):
        what_if[f"{when}_said"] = _words(what_if[when], dataset.currency)
    gone = float(revenue[:lost].sum())
    replaced = gone / float(np.median(after))
    who = table["account_id"][0] if lost == 1 else f"the {lost} largest customers"
    return Answer(
        question="How much hangs on few customers?",
        sentence=(
            f"The largest {percent(TOP)} of {plural(len(revenue), 'customer')} bring {percent(top)} of the revenue. "
            f"Without {who}, {money(gone, dataset.currency)} ({percent(gone / total)}) would be gone: as much as "
            f"{plural(np.ceil(replaced), 'median customer')} bring."
        ),
        numbers={
            "top_fifth": number("top_fifth", top),
            "at_risk": number("revenue_at_risk", gone),
            "HHI": number("concentration", _hhi(revenue)),
        },
        tables={
            "customers": _largest(table, total),
            "pareto": pd.DataFrame(
                {"customers": np.arange(1, len(revenue) + 1) / len(revenue), "revenue": revenue.cumsum() / total}
            ),
            "what_if": what_if,
        },
        notes=("Revenue of named customers only. What is left assumes that nothing takes its place.",),
        document={
            "revenue": total, "at_risk": gone, "top_fifth_share": top, "HHI": _hhi(revenue),
            "what_if": records(what_if),
        },
    )  # fmt: skip


def _words(values: pd.Series, currency: str) -> list[str]:
    """The values of the table ``what_if`` in its order."""
    revenue, customers, fifth, largest, hhi = values
    return [money(revenue, currency), count(customers), percent(fifth, 1), percent(largest, 1), f"{hhi:.3f}"]


def _hhi(revenue: np.ndarray) -> float:
    return float(((revenue / revenue.sum()) ** 2).sum())


def _largest(table: pd.DataFrame, total: float) -> pd.DataFrame:
    top = table.head(SHOWN).rename(columns={"amount": "revenue"})
    share = top["revenue"] / total
    return top.assign(rank=range(1, len(top) + 1), share=share, cumulative=share.cumsum())


WORTH = ("lifetime_value", "revenue_per_customer_and_year", "margin", "retention_a_year")
"""Parts of the measure: the value and what it is made of."""


def lifetime_value(dataset: Dataset, *, periods: int = 8) -> Answer:
    """What a customer is worth, with every assumption beside it.

    Table ``assumptions``: what, said (the value in words), value, unit, source.

    Formula: CLV = ARPA · margin ÷ (1 − retention + discount).

    Raises
    ------
    NotEnoughData
        Where no period has a lifetime value.
    """
    found = evaluate(dataset, ["customer_depth_and_lifetime_value"], periods=periods, rng=np.random.default_rng(SEED))[
        0
    ]
    headline = found.headline
    if headline is None or not headline.has_value:
        raise NotEnoughData(found.status if headline is None else headline.reason)
    k = latest(found)
    label = found.periods[k].label
    numbers = {}
    for name in WORTH:
        part = found.parts[name]
        value = float(part.grid.value[0, k]) if np.isfinite(part.grid.value[0, k]) else None
        numbers[name] = number(name, value, note=part.note or "as recorded", why=str(part.grid.reason[0, k]))
    numbers["discount"] = number("discount_rate", dataset.settings.definitions.discount_rate)
    assumptions = pd.DataFrame(
        [
            {
                "what": n.label,
                "said": say(n, dataset.currency),
                "value": n.value,
                "unit": n.unit,
                "source": n.reason or n.help,
            }
            for n in numbers.values()
        ]
    )
    worth, note = numbers["lifetime_value"].value, headline.note
    return Answer(
        question="What is a customer worth?",
        sentence=(
            f"A customer is worth {money(worth, dataset.currency)} as of {label}, {note}: "
            f"{money(numbers['revenue_per_customer_and_year'].value, dataset.currency)} a year, of whom "
            f"{percent(numbers['retention_a_year'].value)} stay a year."
        ),
        numbers=numbers,
        tables={"assumptions": assumptions},
        notes=("Retention and revenue are taken to stay as they are; a year's retention comes from one period's.",),
        document={name: one.value for name, one in numbers.items()} | {"period": label},
    )
