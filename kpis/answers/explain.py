"""Why a deal has the chance it has, in plain words, and why the sum differs from the CRM's own percentages."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from kpis.answers.answer import Answer
from kpis.answers.glossary import number
from kpis.answers.outlook import Outlook
from kpis.answers.pipeline import in_order, stage_names
from kpis.answers.words import percent, plural, signed
from kpis.assumptions import Conversion
from kpis.engine import NEVER
from kpis.errors import AssumptionError
from kpis.forecast.backtest import crm_probability
from kpis.forecast.calibration import capped
from kpis.forecast.levers import Mix, apply
from kpis.forecast.margins import split
from kpis.forecast.model import Model
from kpis.forecast.pivotal import p_hit_if
from kpis.forecast.rates import eventual_by_age
from kpis.forecast.recursion import value
from kpis.periods import day_of

NEARBY = 0.1
"""Log hazard ratio at which the effect of a ratio is measured."""

NOTABLE = 0.005
"""An effect below half a point is not worth a word."""


NOTHING = 1e-12
"""What rounding leaves of an effect that is none."""


@dataclass(frozen=True)
class Effects:
    """What the chances of some open deals are made of.

    Parameters
    ----------
    names
        What moves them; the first is the chance of any deal on its first day in the stage.
    points
        (names, deals, 3) share that each adds in each window; over the names they sum to the deal's chance.
    """

    names: tuple[str, ...]
    points: np.ndarray


def effects(found: Outlook, deals: np.ndarray) -> Effects:
    """Divide the chance of each of these open deals (by position): stage, days in it, each trait, the record.

    From a deal with hazard ratios of 1 on its first day in the stage, to the same at the deal's age, to the deal's
    class, to its recalibrated chance. The step to the class is shared out among the traits by first order: log
    forward ratio x dp/dlog forward + log lost ratio x dp/dlog lost, and what that leaves over (classes hold like
    deals, and large ratios bend the line) in proportion to their size, so that the parts sum exactly.
    """
    projection, hazards = found.projection, found.model.hazards
    held = found.model.open_deals.some(deals)
    middle, ahead, behind = found.model.under(projection.assumptions.conversion, _nearby)
    age = projection.rates.age(held.age)
    first_day, today = middle[:, held.stage, 0], middle[:, held.stage, age]
    forward, losing = ((at[:, held.stage, age] - today) / NEARBY for at in (ahead, behind))
    traits = np.stack([
        np.log(f[c.code[held.row]]) * forward + np.log(lost[c.code[held.row]]) * losing
        for c, (f, lost) in zip(hazards.covariates, hazards.ratios, strict=True)
    ])  # fmt: skip
    raw = projection.p_raw(held).T
    left = raw - today - traits.sum(0)
    size = np.abs(traits).sum(0)
    share = np.divide(np.abs(traits), size, out=np.zeros_like(traits), where=size > 0)
    share[0] += size == 0
    traits += share * left

    band, close = split(held.margin)
    learned = projection.calibration
    of_stage = raw * (learned.stage[:, held.stage] - 1)
    of_band = (raw + of_stage) * (learned.band[:, band] - 1)
    of_close = (raw + of_stage + of_band) * (learned.close[:, close] - 1)
    traits[0] += of_band
    recalibrated = raw + of_stage + of_band + of_close
    # A deal's chances over the periods are held to a sum below 1: of what its expected close adds.
    of_close += capped(recalibrated) - recalibrated
    slipped = projection.deal_p[deals].T - capped(recalibrated)
    points = np.stack([first_day, today - first_day, *traits, of_close, of_stage, slipped])
    names = ("stage", "days in stage", *(c.name for c in hazards.covariates), "expected close", "record", "slippage")
    return Effects(names, points.transpose(0, 2, 1))


def _nearby(model: Model, conversion: Conversion) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(3, stages, ages) chances of a deal with ratios of 1, with more forward, and with more lost exits."""
    hazards = model.hazards
    more = np.exp(NEARBY)
    wider = replace(
        hazards,
        forward=np.append(hazards.forward, [1.0, more, 1.0]),
        losing=np.append(hazards.losing, [1.0, 1.0, more]),
    )
    # Nobody is in the added classes, so the levers move the hazards by as much as in the forecast itself.
    nobody = np.zeros((3, len(model.stages)))
    mix = Mix(np.vstack([model.mix.entering, nobody]), np.vstack([model.mix.created, nobody]))
    r = apply(wider, mix, conversion.alone(), model.stages)
    added = replace(r, won=r.won[-3:], lost=r.lost[-3:], forward=r.forward[-3:])
    now = value(added, model.today, model.ends, model.calendar).now
    return now[:, 0], now[:, 1], now[:, 2]


def explain_deal(found: Outlook, opportunity_id: str) -> Answer:
    """One deal's chance in each period, what moved it, and what it is worth to the target.

    Table ``effects``: a row a reason in words, with its points (as shares) in each period, ``p_0`` to ``p_2``; the
    columns sum to the deal's chances.

    Raises
    ------
    AssumptionError
        When there is no such open deal.
    """
    model, projection = found.model, found.projection
    if opportunity_id not in model.open_ids:
        raise AssumptionError(
            f"There is no open deal '{opportunity_id}'", place="deal", way_out="Choose one of the open deals"
        )
    k = model.open_ids.get_loc(opportunity_id)
    rows = reasons(found, np.array([k]))[0]
    current, chance = found.landings[0], projection.deal_p[k]
    if_won, if_lost = p_hit_if(projection, current.target, k) if current.target is not None else (None, None)
    periods = [f"{percent(p)} in {x.label}" for p, x in zip(chance, found.landings, strict=True)]
    moved = sorted(rows[1:], key=lambda row: -abs(row["p_0"]))
    notable = [f"{row['reason']}: {_points(row['p_0'])}" for row in moved if abs(row["p_0"]) >= NOTABLE][:3]
    why = f" Most of all: {'; '.join(notable)}." if notable else ""
    return Answer(
        question=f"Why {percent(chance[0])}?",
        sentence=f"Likely to be won: {', '.join(periods)}.{why}{_worth(found, if_won, if_lost)}",
        numbers={
            "p_hit_won": number("p_hit_won", if_won, period=current.label),
            "p_hit_lost": number("p_hit_lost", if_lost, period=current.label),
        },
        tables={"effects": pd.DataFrame(rows)},
    )


def _worth(found: Outlook, if_won: float | None, if_lost: float | None) -> str:
    label = found.landings[0].label
    if if_won is None:
        return ""
    return f" {label} is {percent(if_won)} likely to reach its target if it is won, {percent(if_lost)} if it is lost."


def reasons(found: Outlook, deals: np.ndarray) -> list[list[dict[str, Any]]]:
    """For each of these open deals (by position): each ``reason`` in words with its part of the chance in each period.

    The first row is any deal on its first day in the stage; what does not move the deal's chance is left out. The
    parts are ``p_0`` to ``p_2``.
    """
    model, parts = found.model, effects(found, deals)
    return [_reasons(model, parts, held, j) for j, held in enumerate(deals)]


def _reasons(model: Model, parts: Effects, deal: int, at: int) -> list[dict[str, Any]]:
    """The reasons of one deal; ``at`` is its place in ``parts``."""
    held, row = model.open_deals, model.open_deals.row[deal]
    where = "the pipeline" if len(model.stages) == 1 else model.stages[held.stage[deal]]
    close, pushes = (model.stints.deals[name].to_numpy()[row] for name in ("expected_close", "pushes"))
    said = {
        "stage": f"Any deal on its first day in {where}",
        "days in stage": f"{plural(int(held.age[deal]), 'day')} in {where}",
        **{c.name: _trait(c.name, c.labels[c.code[row]]) for c in model.hazards.covariates},
        "expected close": _expected(close, pushes),
        "record": f"What came of earlier forecasts of deals in {where}",
        "slippage": "The slippage that is assumed",
    }
    return [
        {"reason": said[name], **{f"p_{w}": float(share) for w, share in enumerate(points[at])}}
        for j, (name, points) in enumerate(zip(parts.names, parts.points, strict=True))
        if not j or np.any(np.abs(points[at]) > NOTHING)
    ]


def _expected(close: int, pushes: int) -> str:
    if close >= NEVER:
        return "No expected close is set"
    times = ("never pushed", "pushed once", "pushed twice")
    said = times[pushes] if pushes < len(times) else f"pushed {pushes} times"
    return f"Expected to close on {day_of(close):%d %b %Y}, {said}"


def _trait(name: str, label: str) -> str:
    if label == "(none)":
        return f"No {name} known"
    return f"Amount at creation: {label}" if name == "amount" else f"{name.capitalize()} {label}"


def _points(share: float) -> str:
    return f"{100 * share:+.0f} points"


def against_crm(found: Outlook) -> pd.DataFrame:
    """Open amount x chance to win in the end, by stage: the CRM's own percentage beside the model's.

    One row a stage in the order of the process, with ``deals``, ``amount``, ``crm`` and ``model`` (money),
    ``crm_share`` and ``model_share``; ``crm`` is NaN where the CRM gives no percentage.
    """
    model = found.model
    amount = model.open_amount
    frame = pd.DataFrame({
        "stage": stage_names(model),
        "amount": amount,
        "crm": amount * crm_probability(found.dataset, model),
        "model": amount * _eventual(found),
    })  # fmt: skip
    table = frame.groupby("stage", sort=False).agg(
        deals=("amount", "size"),
        amount=("amount", "sum"),
        crm=("crm", lambda s: s.sum(min_count=1)),
        model=("model", "sum"),
    )
    total = table["amount"].where(table["amount"] > 0)
    table = table.assign(crm_share=table["crm"] / total, model_share=table["model"] / total).reset_index()
    return in_order(table, "stage", found.model.process)


def _eventual(found: Outlook) -> np.ndarray:
    """Chance of each open deal to be won in the end, whenever that is."""
    r, held = found.projection.rates, found.model.open_deals
    return eventual_by_age(r)[held.deal_class, held.stage, r.age(held.age)]


def crm_bridge(found: Outlook) -> Answer:
    """From what the CRM's percentages and dates promise of open deals this period to what this forecast expects.

    Tables: ``bridge`` (step, amount; the first and the last row are the two totals, the others what lies between,
    which sums exactly) and ``stages`` (the CRM's percentage beside what deals like these have come to).
    """
    model, projection = found.model, found.projection
    label, scale = found.landings[0].label, projection.windows[0].scale
    amount = model.open_amount
    close = model.stints.deals["expected_close"].to_numpy()[model.open_deals.row]
    promised = crm_probability(found.dataset, model)
    stages = against_crm(found)
    if not (np.isfinite(promised) & (close < NEVER)).any():
        why = "The CRM gives no percentage and date of its open deals, so there is nothing to compare with."
        return Answer("Why not the CRM's percentages?", why, tables={"stages": stages})
    due, in_time = close <= model.ends[0], projection.deal_p_raw[:, 0]
    levels = {
        "CRM percentages and dates": float((amount * np.nan_to_num(promised))[due].sum()),
        "Your own close rates": float((amount * _eventual(found))[due].sum()),
        "Won, but later": float((amount * in_time)[due].sum()),
        "Due later, won now": float(amount @ in_time),
        "Earlier forecasts taught": float(amount @ projection.deal_p[:, 0]),
        "Amounts at the close": float(projection.deal_amount @ projection.deal_p[:, 0]),
        "A better simple rule": projection.windows[0].from_open,
    }
    names, totals = list(levels), list(levels.values())
    steps = [(name, b - a) for name, a, b in zip(names[1:], totals[:-1], totals[1:], strict=True)]
    if scale == 1:
        # Without a rule the last step holds the rounding of sums in another order.
        steps[-2] = (steps[-2][0], steps[-2][1] + steps[-1][1])
        steps.pop()
    table = pd.DataFrame([(names[0], totals[0]), *steps, ("This forecast", totals[-1])], columns=["step", "amount"])
    more = "more" if totals[0] > totals[-1] else "less"
    widest = max(steps, key=lambda step: abs(step[1]))
    return Answer(
        question="Why not the CRM's percentages?",
        sentence=f"The CRM's percentages and dates promise {found.say(totals[0])} of open deals in {label}, "
        f"{found.say(abs(totals[0] - totals[-1]))} {more} than the {found.say(totals[-1])} expected here; "
        f"the largest step: {widest[0].lower()} ({signed(widest[1], found.currency)}).",
        tables={"bridge": table, "stages": stages},
    )
