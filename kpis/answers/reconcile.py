"""One count under two rules: what Sales and what Marketing call qualified, and the records on which they differ."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

import narwhals.stable.v2 as nw
import numpy as np
import pandas as pd

from kpis.answers.answer import Answer, Number
from kpis.answers.counts import HISTORY, counted
from kpis.answers.glossary import number
from kpis.answers.outlook import Outlook
from kpis.answers.words import plural
from kpis.dataset import Dataset
from kpis.definitions import QualifiedRule
from kpis.engine import Type, collect
from kpis.forecast.model import Model
from kpis.measures.core.known import Known
from kpis.measures.core.rows import Window
from kpis.periods import Calendar, Period, day_n, day_of
from kpis.settings import Settings

Department = Literal["sales", "marketing"]
DEPARTMENTS: tuple[Department, ...] = ("sales", "marketing")
NAMES = {"sales": "Sales", "marketing": "Marketing"}
LEAD_DAYS = {
    "mql_at": "is marketing qualified",
    "accepted_at": "is accepted by sales",
    "sql_at": "is sales qualified",
    "appointment_at": "has its first appointment",
}
"""What a lead does on each of the days on which it may count as qualified."""
KINDS = {"opportunity": "opportunities", "lead": "leads"}
_DAYS: dict[str, Type] = {"sales_day": "float", "marketing_day": "float"}
_DEAL: dict[str, Type] = {
    "opportunity_id": "text", "name": "text", "amount": "float", "stage": "text", "status": "text", **_DAYS
}  # fmt: skip
_LEAD: dict[str, Type] = {"lead_id": "text", "title": "text", "score": "float", **_DAYS}
_ROWS = ["record", "id", "name", "amount", "stage", "counted_by", "sales_day", "marketing_day", "why"]


def rule_of(dataset: Dataset, department: Department) -> QualifiedRule:
    """A department's rule, with a guess where it was left open.

    Sales is guessed to count the stages flagged qualified and sales qualified leads, Marketing every stage but the
    lost ones and marketing qualified leads.
    """
    rule: QualifiedRule = getattr(dataset.settings.definitions, department)
    guess: dict[str, object] = {}
    if not rule.stages and dataset.has("stages", "stage"):
        stages = dataset.frame("stages", dataset.engine.cursor()).with_columns(
            position=nw.col("position").fill_null(0),
            qualified=nw.col("is_qualified").fill_null(1),
            lost=nw.col("is_lost").fill_null(0),
        )
        table = collect(stages, {"stage": "text", "position": "int", "qualified": "int", "lost": "int"})
        table = table[(table["lost"] == 0) & ((table["qualified"] == 1) | (department == "marketing"))]
        guess["stages"] = tuple(table.sort_values("position")["stage"])
    if rule.lead is None:
        guess["lead"] = "sql_at" if department == "sales" else "mql_at"
    return rule.model_copy(update=guess)


def is_guessed(dataset: Dataset, department: Department) -> bool:
    """Whether a part of the department's rule was left open."""
    rule: QualifiedRule = getattr(dataset.settings.definitions, department)
    return not rule.stages or rule.lead is None


def agreement(settings: Settings) -> str:
    """``Agreed by Dana on 22 Nov 2026.``; empty where nobody has agreed."""
    agreed = settings.agreed
    return f"Agreed by {agreed.by} on {agreed.on:%d %b %Y}." if agreed else ""


def shared_definition(found: Outlook) -> Answer:
    """The definition in short: what counts as new and as qualified, who agreed on it, how far the rules are apart.

    The reconciler's answer for the outlook's day and calendar; no lever touches it.
    """
    return found.model.once(_in_short)


def _in_short(model: Model) -> Answer:
    count = reconciler(model.dataset, model.calendar)
    agreed = agreement(model.dataset.settings) or "Nobody has agreed on these rules yet."
    new = "New: an opportunity counts on the day it is created, whatever its stage and close date."
    return replace(
        count,
        question="What counts as new, and as qualified?",
        sentence=f"{agreed} {count.sentence}",
        notes=(new, *count.notes),
    )


def reconciler(dataset: Dataset, calendar: Calendar) -> Answer:
    """Qualified opportunities and leads of the last and the current period, under both rules.

    An opportunity is counted in the period of the day it first met the rule's stages
    (``Known.with_qualified_day``), a lead in the period of the day the rule names. Tables: ``counts`` (kind, period,
    sales, marketing, both, only_sales, only_marketing) and ``differences``: a row a record that the two rules do not
    count in the same period, with its days and why.
    """
    periods = (calendar.at(dataset.as_of, -1), calendar.at(dataset.as_of))
    known = Known(dataset, Window(periods, 2, dataset.as_of))
    rules = {department: rule_of(dataset, department) for department in DEPARTMENTS}
    found = {"opportunity": _opportunities(known, rules), "lead": _leads(known, rules)}
    needs = {"opportunity": "" if dataset.has("opportunities") else "opportunities", "lead": _lacking(dataset, rules)}
    placed = {kind: _placed(rows, periods) for kind, rows in found.items()}
    counts = pd.concat([_counts(kind, rows, periods) for kind, rows in placed.items()], ignore_index=True)
    differences = pd.concat([_differences(kind, placed[kind], rules) for kind in KINDS], ignore_index=True)
    return Answer(
        question="Do Sales and Marketing count the same?",
        sentence=_sentence(counts, differences, periods),
        numbers={
            f"{KINDS[kind]}_{department}": _number(counts, kind, department, periods[1], needs[kind])
            for kind in KINDS
            for department in DEPARTMENTS
        },
        tables={"counts": counts, "differences": differences},
        counts={
            "opportunities": counted(
                dataset,
                "an opportunity that met a rule, with the day it met each",
                HISTORY,
                lambda: _opportunities_frame(known, rules),
            ),
            "leads": counted(
                dataset,
                "a lead that met a rule, with the day it met each",
                ("leads",),
                lambda: _leads_frame(known, rules),
            ),
        },
        notes=tuple(
            f"{NAMES[d]}{' (guessed)' if is_guessed(dataset, d) else ''}: {_said(rules[d])}" for d in DEPARTMENTS
        ),
    )


def _opportunities(known: Known, rules: dict[Department, QualifiedRule]) -> pd.DataFrame:
    """Opportunities that met a rule since the last period began, with the day they met each."""
    if not known.has("opportunities"):
        return pd.DataFrame(columns=["id", *list(_DEAL)[1:]])
    return collect(_opportunities_frame(known, rules), _DEAL).rename(columns={"opportunity_id": "id"})


def _opportunities_frame(known: Known, rules: dict[Department, QualifiedRule]) -> nw.LazyFrame:
    deals = known.opportunities.drop("qualified_day")
    for department, rule in rules.items():
        stages = None
        if rule.stages:
            named = known.frame("stages").filter(nw.col("stage").is_in(list(rule.stages)))
            stages = named.select(stage=nw.col("stage"), flagged=nw.lit(1)).unique(["stage"])
        deals = known.with_qualified_day(deals, stages).rename({"qualified_day": f"{department}_day"})
    return _lately(deals, known).select(*_DEAL)


def _leads(known: Known, rules: dict[Department, QualifiedRule]) -> pd.DataFrame:
    """Leads that met a rule since the last period began, with the day they met each."""
    if _lacking(known.dataset, rules):
        return pd.DataFrame(columns=["id", "name", *list(_LEAD)[2:]])
    rows = collect(_leads_frame(known, rules), _LEAD)
    return rows.rename(columns={"lead_id": "id", "title": "name"})


def _leads_frame(known: Known, rules: dict[Department, QualifiedRule]) -> nw.LazyFrame:
    leads = known.frame("leads")
    for department, rule in rules.items():
        met = ~nw.col(f"{rule.lead}_n").is_null()
        if rule.score_from is not None:
            met &= (nw.col("score") >= rule.score_from).fill_null(False)
        leads = leads.with_columns(nw.when(met).then(nw.col(f"{rule.lead}_n")).alias(f"{department}_day"))
    return _lately(leads, known).select(*_LEAD)


def _lacking(dataset: Dataset, rules: dict[Department, QualifiedRule]) -> str:
    """What the leads lack to be counted under both rules: a rule without its day would seem to count nothing."""
    days = [str(rule.lead) for rule in rules.values() if not dataset.has("leads", str(rule.lead))]
    return f"leads, column {days[0]}" if days else ""


def _lately(frame: nw.LazyFrame, known: Known) -> nw.LazyFrame:
    start = int(known.window.starts[0])
    return frame.filter(
        (nw.col("sales_day") >= start).fill_null(False) | (nw.col("marketing_day") >= start).fill_null(False)
    )


def _placed(rows: pd.DataFrame, periods: Sequence[Period]) -> pd.DataFrame:
    """The rows with the number of the period in which each rule counts them: -1 before the first, NaN nowhere."""
    starts = [day_n(period.start) for period in periods]
    return rows.assign(
        **{
            f"{d}_period": np.where(
                rows[f"{d}_day"].notna(),
                np.searchsorted(starts, rows[f"{d}_day"].to_numpy(float), side="right") - 1,
                np.nan,
            )
            for d in DEPARTMENTS
        }
    )


def _counts(kind: str, rows: pd.DataFrame, periods: Sequence[Period]) -> pd.DataFrame:
    table = []
    for n, period in enumerate(periods):
        sales, marketing = (rows[f"{d}_period"] == n for d in DEPARTMENTS)
        both = int((sales & marketing).sum())
        table.append((KINDS[kind], period.label, int(sales.sum()), int(marketing.sum()), both))
    frame = pd.DataFrame(table, columns=["kind", "period", "sales", "marketing", "both"])
    return frame.assign(only_sales=frame["sales"] - frame["both"], only_marketing=frame["marketing"] - frame["both"])


def _differences(kind: str, rows: pd.DataFrame, rules: dict[Department, QualifiedRule]) -> pd.DataFrame:
    """The records that are not counted in the same period under both rules, with why."""
    same = rows["sales_period"] == rows["marketing_period"]
    rows = rows[~same].sort_values(["marketing_day", "sales_day", "id"], ignore_index=True)
    never = {d: rows[f"{d}_day"].isna() for d in DEPARTMENTS}
    by = np.select([never["sales"], never["marketing"]], ["Marketing only", "Sales only"], "both, in different periods")
    days = {f"{d}_day": [None if np.isnan(day) else day_of(day) for day in rows[f"{d}_day"]] for d in DEPARTMENTS}
    why = [_why(kind, row, rules) for row in rows.to_dict("records")]
    return rows.assign(record=kind, counted_by=by, why=why, **days).reindex(columns=_ROWS)


def _why(kind: str, row: dict[str, object], rules: dict[Department, QualifiedRule]) -> str:
    """Why the rules differ on a record: what the one that does not count it lacks, else the two days."""
    for department, rule in rules.items():
        if not np.isnan(row[f"{department}_day"]):
            continue
        not_counted = f"{NAMES[department]} does not count it"
        if kind == "opportunity":
            now = f"it is in {row['stage']}" if row["status"] == "open" else f"it was {row['status']}"
            return f"{not_counted}: it entered none of its stages ({now})"
        if rule.score_from is not None and not row["score"] >= rule.score_from:
            score = (
                "it has no score"
                if np.isnan(row["score"])
                else f"its score {row['score']:g} is below {rule.score_from:g}"
            )
            return f"{not_counted}: {score}"
        return f"{not_counted}: nothing says that it {LEAD_DAYS[str(rule.lead)]}"
    days = sorted((row[f"{d}_day"], NAMES[d]) for d in DEPARTMENTS)
    return ", then ".join(f"{name} on {day_of(day):%d %b %Y}" for day, name in days)


def _number(counts: pd.DataFrame, kind: str, department: Department, period: Period, needs: str) -> Number:
    row = counts[(counts["kind"] == KINDS[kind]) & (counts["period"] == period.label)].iloc[0]
    value = None if needs else float(row[department])
    return number(f"{KINDS[kind]}_by", value, department=NAMES[department], period=period.label, needs=needs)


def _sentence(counts: pd.DataFrame, differences: pd.DataFrame, periods: Sequence[Period]) -> str:
    now = counts[counts["period"] == periods[1].label].set_index("kind").loc["opportunities"]
    by_sales = plural(now["sales"], "qualified opportunity", "qualified opportunities")
    said = f"In {periods[1].label} so far, Sales counts {by_sales} and Marketing {now['marketing']:,}"
    if differences.empty:
        return f"{said}; both rules count every record of the last two periods alike."
    split = differences["record"].value_counts()
    parts = [plural(split[k], k, KINDS[k]) for k in KINDS if k in split]
    return f"{said}; over {periods[0].label} and {periods[1].label} they differ on {' and '.join(parts)}."


def _said(rule: QualifiedRule) -> str:
    stages = f"once it enters {', '.join(rule.stages)}" if rule.stages else "once it is created"
    score = f" if its score is at least {rule.score_from:g}" if rule.score_from is not None else ""
    return f"an opportunity counts {stages}; a lead counts once it {LEAD_DAYS[str(rule.lead)]}{score}."
