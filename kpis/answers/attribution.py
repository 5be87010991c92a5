"""What marketing's touches are credited with, and what more or less spend would have evidence for."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from kpis.answers.answer import Answer
from kpis.answers.glossary import number
from kpis.answers.measures import SEED
from kpis.answers.render import records
from kpis.answers.words import money, percent, plural
from kpis.dataset import Dataset
from kpis.errors import NotEnoughData
from kpis.measures.core.attribution import HALF_LIFE, RULES, UNTOUCHED, credits_by_touch, touches, won
from kpis.measures.core.dimensions import NOT_GIVEN
from kpis.measures.core.evaluate import evaluate
from kpis.measures.core.response import FEWEST, Response, response
from kpis.measures.core.runs import run_by

GRID = 25
"""Points between the least and the most spend observed."""

MONTHS = 36


def attribution(dataset: Dataset, *, periods: int = 4) -> Answer:
    """Won revenue of the last ``periods`` periods credited to channels and campaigns by every rule, to the cent.

    Sourced and influenced revenue stand beside it and are not credits: sourced has one origin a deal, influenced
    counts a deal once for every influence.

    Tables: ``channels`` and ``campaigns`` (name, touched, one column a rule, in money; each adds up to the revenue),
    ``beside`` (revenue, sourced, influenced).

    Raises
    ------
    NotEnoughData
        Without won deals or touches.
    """
    run = run_by(dataset, "", periods)
    window = run.reducer.window.last(periods)
    deals = won(run.known, int(window.starts[0]), int(window.ends[-1]))
    if deals.empty:
        raise NotEnoughData("nothing was won in these periods", way_out="Choose more periods")
    credited = credits_by_touch(deals, touches(run.known))
    channels, campaigns = (_by(credited, name) for name in ("channel", "campaign"))
    revenue = float(credited[RULES[0]].sum()) / 100
    beside = _beside(dataset, periods)
    span = f"{window.periods[0].label} to {window.periods[-1].label}"
    numbers = {"revenue": number("credited_revenue", revenue, span=span)}
    numbers |= {name: number(name, value, why=reason) for name, (value, reason) in beside.items()}
    return Answer(
        question="Which channels and campaigns brought the revenue?",
        sentence=_sentence(channels, revenue, span, dataset.currency),
        numbers=numbers,
        tables={
            "channels": channels,
            "campaigns": campaigns,
            "beside": pd.DataFrame([{"what": k, "amount": v, "reason": r} for k, (v, r) in beside.items()]),
        },
        notes=(
            "Every rule shares out each deal's amount in full, so every column adds up to the revenue to the cent.",
            f"40/20/40: first, between, last. Time decay: half for every {HALF_LIFE:.0f} days before the latest touch.",
            "Sourced: the deal's lead came from marketing. Influenced: content was seen before the close.",
            "A deal can be both, so sourced and influenced are not added.",
        ),
        document={
            "as_of": dataset.as_of.isoformat(), "revenue": revenue,
            "channels": records(channels), "campaigns": records(campaigns),
            **{name: value for name, (value, _) in beside.items()},
        },
    )  # fmt: skip


BESIDE = ("marketing_sourced", "marketing_influenced")
"""Parts of won_revenue that stand beside the credits."""


def _by(credited: pd.DataFrame, column: str) -> pd.DataFrame:
    """Credits by channel or campaign in money, the largest under the linear rule first."""
    cents = credited.groupby(column)[list(RULES)].sum().reset_index(names="name")
    cents = cents.sort_values(["linear", "name"], ascending=[False, True], ignore_index=True)
    return cents.assign(touched=cents["name"] != UNTOUCHED, **{rule: cents[rule] / 100 for rule in RULES})


def _beside(dataset: Dataset, periods: int) -> dict[str, tuple[float | None, str]]:
    found = evaluate(dataset, ["won_revenue"], periods=periods, rng=np.random.default_rng(SEED))[0]
    beside: dict[str, tuple[float | None, str]] = {}
    for name in BESIDE:
        part = found.parts[name]
        beside[name] = (float(np.nansum(part.grid.value[0])), "") if part.has_value else (None, part.reason)
    return beside


def _sentence(channels: pd.DataFrame, revenue: float, span: str, currency: str) -> str:
    named = channels[channels["touched"] & (channels["name"] != NOT_GIVEN)]
    if named.empty or not revenue:
        return f"{money(revenue, currency)} was won in {span}, and no touch of it with a channel is recorded."
    leaders = {rule: named.loc[named[rule].idxmax(), "name"] for rule in RULES}
    first = leaders["linear"]
    shares = named.loc[named["name"] == first, list(RULES)].to_numpy()[0] / revenue
    agree = sum(name == first for name in leaders.values())
    where = "under every rule" if agree == len(RULES) else f"under {agree} of {len(RULES)} rules"
    alone = channels.loc[~channels["touched"], RULES[0]].sum() / revenue
    untouched = f" {percent(alone)} was won without a recorded touch." if alone else ""
    low, high = percent(shares.min()), percent(shares.max())
    credit = low if low == high else f"{low} to {high}, depending on the rule"
    return f"Of {money(revenue, currency)} won in {span}, {first} is credited most {where}: {credit}.{untouched}"


def spend_response(dataset: Dataset, *, spend: float | None = None) -> Answer:
    """What came of marketing spend month by month, within the range that was tried.

    Parameters
    ----------
    spend
        A month's spend to look up; outside of the range that was tried there is no evidence, and it says so.

    Notes
    -----
    Tables: ``months`` (month, outcome, spend, result), ``curve`` (outcome, spend, usual, low, high), ``outcomes``
    (outcome, elasticity, low, high, least, most, months).
    """
    monthly = replace(dataset, settings=dataset.settings.model_copy(update={"grain": "month"}))
    names = ("cost_per_lead", "cost_per_qualified_lead", "marketing_spend_to_sales")
    results = evaluate(monthly, names, periods=MONTHS, rng=np.random.default_rng(SEED))
    months, curves, fits = [], [], {}
    for result, outcome in zip(results, ("leads", "qualified leads", "revenue"), strict=True):
        if result.headline is None or not result.headline.has_value:
            continue
        paid = result.parts["marketing_spend" if "marketing_spend" in result.parts else "spend"].grid.value[0]
        each = result.headline.grid.value[0]
        brought = np.divide(paid, each, out=np.full(len(paid), np.nan), where=np.isfinite(each) & (each > 0))
        brought = np.where(result.whole, brought, np.nan)
        rows = pd.DataFrame(
            {"month": [p.start for p in result.periods], "outcome": outcome, "spend": paid, "result": brought}
        )
        months.append(rows.dropna())
        fit = response(paid, brought)
        if fit is not None:
            fits[outcome] = fit
            curves.append(_curve(outcome, fit))
    if not months:
        raise NotEnoughData("needs table spend, and leads or revenue", way_out="Upload spend by month as well")
    return Answer(
        question="What would more or less marketing spend bring?",
        sentence=_said(fits, spend, dataset.currency),
        numbers={f"elasticity of {name}": number("elasticity", fit.slope, outcome=name) for name, fit in fits.items()},
        tables={
            "months": pd.concat(months, ignore_index=True),
            "curve": pd.concat(curves, ignore_index=True) if curves else pd.DataFrame(),
            "outcomes": pd.DataFrame([_fitted(name, fit) for name, fit in fits.items()]),
        },
        notes=(
            "Months with more spend may have had more of something else: an association, not proof of a cause.",
            "Spend counts in the month it is booked, its leads in the month they came.",
        ),
        document={"outcomes": [_fitted(name, fit) for name, fit in fits.items()]},
    )


def _curve(outcome: str, fit: Response) -> pd.DataFrame:
    points = np.geomspace(fit.least, fit.most, GRID)
    points[0], points[-1] = fit.least, fit.most
    found = [(outcome, spend, *inside) for spend in points.tolist() if (inside := fit.at(spend)) is not None]
    return pd.DataFrame(found, columns=["outcome", "spend", "usual", "low", "high"])


def _fitted(name: str, fit: Response) -> dict[str, object]:
    return {
        "outcome": name, "elasticity": fit.slope, "low": fit.low, "high": fit.high,
        "least": fit.least, "most": fit.most, "months": fit.n,
    }  # fmt: skip


def _said(fits: dict[str, Response], spend: float | None, currency: str) -> str:
    if not fits:
        return f"There are fewer than {FEWEST} whole months with spend that differs: nothing can be said yet."
    name, fit = next(iter(fits.items()))
    tried = f"{money(fit.least, currency)} and {money(fit.most, currency)} a month"
    if spend is not None:
        inside = fit.at(spend)
        if inside is None:
            return f"No evidence at {money(spend, currency)}: months with spend between {tried} are all there is."
        usual, low, high = (f"{x:,.0f}" for x in inside)
        return f"Months with {money(spend, currency)} of spend usually brought {usual} {name} ({low} to {high})."
    if fit.low <= 0 <= fit.high:
        return f"Between {tried}, {name} did not clearly move with spend in {plural(fit.n, 'month')}."
    more, low, high = (1.1**slope - 1 for slope in (fit.slope, fit.low, fit.high))
    return (
        f"Between {tried}, 10 % more spend went with {percent(more, 1)} more {name} "
        f"({percent(low, 1)} to {percent(high, 1)}). Outside of that range there is no evidence."
    )
