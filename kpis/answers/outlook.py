"""The outlook: model and projection with targets, the common ground of the three questions and of `forecast`."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import pandas as pd

from kpis.answers.funnel import Funnel, funnel
from kpis.answers.targets import targets_for
from kpis.answers.words import money, percent
from kpis.assumptions import Assumptions
from kpis.dataset import Dataset
from kpis.engine import NEVER
from kpis.forecast.backtest import MODEL, Record
from kpis.forecast.groups import Due
from kpis.forecast.levers import stage_rates
from kpis.forecast.model import Model
from kpis.forecast.projection import Projection, project
from kpis.forecast.required import ALL, Required, last_useful_days, required
from kpis.forecast.revenue import SHOCK
from kpis.periods import day_n, day_of

UNVERIFIED = (
    "{periods}: the range is not yet verified on your data. It rests on default shocks, because fewer than four past "
    "forecasts at this day of the period have had their windows end"
)


@dataclass(frozen=True)
class Landing:
    """One period's numbers, unrounded; None where ``reasons`` says why.

    Parameters
    ----------
    open_qualified
        Amount of open qualified deals: those expected to close in the period where expected closes are known,
        else all of them.
    coverage, required_coverage
        Open qualified amount, and the amount needed, over what is still to go to the target.
    required_pipeline, gap
        Open qualified amount that gives the wanted confidence, and what is missing of it.
    """

    label: str
    target: float | None
    won: float
    expected: float
    p10: float
    p50: float
    p90: float
    p_hit: float | None
    from_open: float
    from_new: float
    open_qualified: float
    coverage: float | None
    required_coverage: float | None
    required_pipeline: float | None
    gap: float | None
    need: Required | None
    mqls: float | None
    sqls: float | None
    spend: float | None


@dataclass(frozen=True)
class Outlook:
    """What every answer about the coming periods is made from."""

    dataset: Dataset
    model: Model
    projection: Projection
    record: Record | None
    landings: tuple[Landing, ...]
    funnel: Funnel
    warnings: tuple[str, ...]

    @cached_property
    def last_useful_days(self) -> dict[str, tuple[int | None, ...]]:
        """Segment -> last day of each period on which a new opportunity has half of its worth in time; first of all."""
        return last_useful_days(self.projection)

    @property
    def currency(self) -> str:
        """Currency of all money in it."""
        return self.dataset.currency

    def say(self, amount: float | None) -> str:
        """Money in words, in the dataset's currency."""
        return money(amount, self.currency)

    def under(self, assumptions: Assumptions) -> Outlook:
        """The outlook on the same model under other assumptions."""
        return outlook(self.dataset, self.model, assumptions, self.record, self.funnel)

    @property
    def method(self) -> str:
        """The method in one line; where a simple rule has earned the mean of a period, it is named."""
        kind = f"{len(self.model.stages)} stages" if len(self.model.stages) > 1 else "one stage, clock from creation"
        model = f"semi-Markov hazards ({kind}), new business, common shock"
        methods = self.record.methods if self.record else ()
        rules = [f"{x.label}: {m}" for x, m in zip(self.landings, methods, strict=False) if m != MODEL]
        return "; ".join([model, *rules])

    @property
    def verified(self) -> tuple[bool, ...]:
        """Whether each period's range rests on the company's own past forecasts."""
        return tuple(w.calibration.verified(w.index) for w in self.projection.windows)


def outlook(
    dataset: Dataset,
    model: Model,
    assumptions: Assumptions | None = None,
    record: Record | None = None,
    rates: Funnel | None = None,
) -> Outlook:
    """Project the model under the assumptions and set it against the targets.

    Parameters
    ----------
    dataset
        As known at the model's day.
    record
        The forecast's record on past periods, which calibrates it; without one the range is not verified.
    rates
        What stands behind an opportunity in leads and money; no lever changes it, so a page counts it once.
    """
    assumptions = assumptions or Assumptions()
    projection = project(model, assumptions, record.calibration if record else None)
    warnings = [*model.once(_data_notes)]
    unverified = [w.period.label for w in projection.windows if not w.calibration.verified(w.index)]
    if unverified:
        warnings.append(UNVERIFIED.format(periods=", ".join(unverified)))
    if record:
        used = zip(projection.windows, record.methods, record.why, strict=True)
        warnings += [f"{w.period.label}: a simple rule is used for the mean: {why}" for w, m, why in used if m != MODEL]
    given = assumptions.targets
    targets = targets_for(dataset, model.periods, given) if given else model.once(_agreed)
    rates = rates or funnel(dataset)
    warnings += rates.missing
    warnings += model.once(_due_notes)
    landings = tuple(
        _landing(projection, dataset, w, targets[w], model.due[w], rates, warnings) for w in range(len(targets))
    )
    return Outlook(dataset, model, projection, record, landings, rates, tuple(dict.fromkeys(warnings)))


def _landing(
    projection: Projection,
    dataset: Dataset,
    w: int,
    target: float | None,
    due: Due,
    rates: Funnel,
    warnings: list[str],
) -> Landing:
    window = projection.windows[w]
    label = window.period.label
    amount = due.amount
    p_hit = coverage = required_coverage = pipeline = gap = None
    need: Required | None = None
    if target is None:
        warnings.append(
            f"{label}: no target, so no chance to hit it, no coverage and no required pipeline; set one to see them"
        )
    else:
        p_hit = window.p_hit(target)
        need = required(projection, w, target, dataset.settings.confidence, SHOCK[w], due.counted)
        to_go = target - window.won
        if to_go <= 0:
            warnings.append(f"{label}: the target is met, so there is nothing left to cover")
        else:
            coverage = amount / to_go
        if need.times is not None and amount > 0:
            pipeline = need.times * amount
            gap = max(0.0, pipeline - amount)
            required_coverage = pipeline / to_go if to_go > 0 else None
        elif amount <= 0:
            warnings.append(f"{label}: no open qualified pipeline is due in it, so the required pipeline is unknown")
        warnings += [f"{label}: {reason}" for reason in need.reasons]
    extra = need.opportunities if need else None
    return Landing(
        label=label,
        target=target,
        won=window.won,
        expected=window.expected,
        p10=window.quantile(0.1),
        p50=window.quantile(0.5),
        p90=window.quantile(0.9),
        p_hit=p_hit,
        from_open=window.from_open,
        from_new=window.from_new,
        open_qualified=amount,
        coverage=coverage,
        required_coverage=required_coverage,
        required_pipeline=pipeline,
        gap=gap,
        need=need,
        mqls=_times(extra, rates.mqls_per_opportunity),
        sqls=_times(extra, rates.sqls_per_opportunity),
        spend=_times(extra, rates.spend_per_opportunity),
    )


def in_words(found: Outlook, landing: Landing) -> dict[str, str]:
    """A period's name and amounts, for the texts of its numbers."""
    amounts = (
        "target", "won", "expected", "p10", "p50", "p90", "from_open", "from_new", "open_qualified", "required_pipeline"
    )  # fmt: skip
    said = {name: found.say(getattr(landing, name)) for name in amounts}
    return {
        "period": landing.label,
        "confidence": percent(found.dataset.settings.confidence),
        "why": _why_not_required(landing),
        **said,
    }


def _why_not_required(landing: Landing) -> str:
    """Why a landing has no coverage or no required pipeline, where it has none."""
    if landing.target is None:
        return "no target is set"
    if landing.won >= landing.target:
        return "the target is met"
    if landing.open_qualified <= 0:
        return "no open qualified deal is due in it"
    return "no realistic amount of open deals would do"


def _times(a: float | None, b: float | None) -> float | None:
    return None if a is None or b is None else a * b


def _due_notes(model: Model) -> list[str]:
    """Which open deals count for no period, or for each."""
    close = model.expected_close
    if not (close < NEVER).any():
        return ["No expected close of an open deal is known at this day: each period is compared with all open deals"]
    overdue = int((model.qualified & (close < day_n(model.periods[0].start)) & (model.open_amount > 0)).sum())
    if not overdue:
        return []
    return [f"{overdue:,} open qualified deals have an expected close before this period: they cover no period"]


def _data_notes(model: Model) -> list[str]:
    """What a reader must know about the data behind the numbers."""
    dataset, notes = model.dataset, []
    if not dataset.has_history:
        more = "a second dated export or the history table adds the stages"
        notes.append(f"No stage history, so one stage with a clock from creation: {more}")
    n, amount = model.stints.undated
    if n:
        notes.append(
            f"{n:,} open opportunities have no creation date ({money(amount, dataset.currency)}): they are left out of "
            "the open deals, since the rate of new opportunities already counts them once they start"
        )
    stood_in = model.amounts.stood_in[model.open_deals.row]
    if stood_in.any():
        instead = "the list price or the mean won amount of their product stands in"
        notes.append(f"{int(stood_in.sum()):,} open deals have no amount: {instead}")
    deals = model.stints.deals
    priced = (deals["amount_basis"] == "list price").to_numpy()[model.open_deals.row]
    if priced.any():
        notes.append(f"{int(priced.sum()):,} open deals carry their product's list price as amount")
    bursts = model.creation.bursts
    if bursts:
        notes.append(
            f"{bursts} weeks had more than three times the usual number of new opportunities, as an import does: "
            "they count as three times"
        )
    if int((deals["outcome"] == 1).sum()) < 100:
        notes.append("Fewer than 100 wins: only the amount band tells deals apart")
    return notes


def parts_table(found: Outlook) -> pd.DataFrame:
    """Where each period's expected landing comes from: a row a period and part, with target and range beside it."""
    parts = (("won", "won"), ("open", "from_open"), ("not yet created", "from_new"))
    rows = [
        {
            "period": x.label,
            "part": part,
            "amount": getattr(x, field),
            "target": x.target,
            "p10": x.p10,
            "p50": x.p50,
            "p90": x.p90,
        }
        for x in found.landings
        for part, field in parts
    ]
    return pd.DataFrame(rows)


def number(value: float | None) -> float | None:
    """A finite float or None: what JSON can hold."""
    return float(value) if value is not None and math.isfinite(value) else None


def _agreed(model: Model) -> tuple[float | None, ...]:
    """The targets in the data and the settings: no lever changes them, so none reads them again."""
    return targets_for(model.dataset, model.periods)


def document(found: Outlook) -> dict[str, Any]:
    """The `forecast` document of the headless interface."""
    assumptions = found.projection.assumptions
    after = stage_rates(found.projection.rates, found.model.mix)
    return {
        "as_of": day_of(found.model.today).isoformat(),
        "grain": found.model.calendar.grain,
        "currency": found.currency,
        "method": found.method,
        "verified": all(found.verified),
        "periods": [_period(found, w) for w in range(len(found.landings))],
        "assumptions": {
            **assumptions.model_dump(exclude={"targets", "close_rates"}),
            "close_rates": {name: number(rate) for name, rate in zip(found.model.stages, after, strict=True)},
            "targets": [landing.target for landing in found.landings],
        },
        "warnings": list(found.warnings),
    }


def _period(found: Outlook, w: int) -> dict[str, Any]:
    landing, window = found.landings[w], found.projection.windows[w]
    need = landing.need
    keys = (
        "label", "target", "won", "expected", "p10", "p50", "p90", "p_hit", "from_open", "from_new", "open_qualified",
        "coverage", "required_coverage", "required_pipeline", "gap",
    )  # fmt: skip
    values: dict[str, Any] = {key: getattr(landing, key) for key in keys}
    last = need.last_useful if need else None
    by_segment = {name: days[w] for name, days in found.last_useful_days.items() if name != ALL}
    return {
        **values,
        "verified": found.verified[w],
        "method": found.record.methods[w] if found.record else MODEL,
        "start": window.period.start.isoformat(),
        "end": window.period.end.isoformat(),
        "needed": {
            "opportunities": number(need.opportunities) if need else None,
            "sqls": number(landing.sqls),
            "mqls": number(landing.mqls),
            "spend": number(landing.spend),
            "last_useful_creation_date": _iso(last),
            "last_useful_creation_dates": {name: _iso(day) for name, day in by_segment.items()},
        },
    }


def _iso(day: int | None) -> str | None:
    return None if day is None else day_of(day).isoformat()


def headline(found: Outlook, w: int = 0) -> str:
    """``62 % likely to reach $4.00 M in 2026Q3; most likely between $3.60 M and $4.30 M``."""
    landing = found.landings[w]
    span = f"most likely between {found.say(landing.p10)} and {found.say(landing.p90)}"
    if landing.target is None:
        return f"{landing.label} will land {span}; set a target to see how likely it is to be reached."
    if landing.won >= landing.target:
        met = f"The target of {found.say(landing.target)} for {landing.label} is met with {found.say(landing.won)}"
        return f"{met}; {span} in the end."
    return f"{percent(landing.p_hit)} likely to reach {found.say(landing.target)} in {landing.label}; {span}."
