"""What the numbers mean by their words: what was set and agreed, and what is only guessed."""

from __future__ import annotations

import calendar

import narwhals.stable.v2 as nw
import pandas as pd

from kpis.answers.answer import Answer
from kpis.answers.glossary import number
from kpis.answers.reconcile import DEPARTMENTS, LEAD_DAYS, NAMES, agreement, is_guessed, rule_of
from kpis.answers.words import percent
from kpis.dataset import Dataset
from kpis.engine import Type, collect
from kpis.intake import Intake
from kpis.intake.categories import spelling
from kpis.intake.reports import SAMPLES
from kpis.settings import Settings

GUESSED, DEFAULT, FILES, SET = "guessed", "default", "from the files", "set"
FLAGS = ("is_qualified", "is_won", "is_lost")
_STAGE: dict[str, Type] = {
    "stage": "text",
    "position": "int",
    **dict.fromkeys(FLAGS, "int"),
    "default_probability": "float",
}


def definitions_answer(found: Intake) -> Answer:
    """The definitions behind every number, with what each rests on.

    Tables: ``stages`` (position, stage, flags, default_probability, basis) and ``definitions`` (definition, value,
    basis). A basis is set, from the files, default or guessed; once the settings are agreed, it says by whom.
    """
    dataset, settings = found.dataset, found.dataset.settings
    agreed = settings.agreed
    stages, others = _stages(found), _others(dataset)
    bases = [*stages["basis"], *others["basis"]]
    open_ones = sum(basis.startswith((GUESSED, DEFAULT)) for basis in bases)
    sentence = agreement(settings)
    if agreed:
        stages, others = (table.assign(basis=f"agreed by {agreed.by}, {agreed.on}") for table in (stages, others))
    else:
        left = f"{open_ones} of {len(bases)} are guessed or left on their default"
        sentence = f"Nobody has agreed on these definitions yet; {left}."
    return Answer(
        question="What do our words mean?",
        sentence=sentence,
        numbers={"guessed": number("guessed", 0.0 if agreed else float(open_ones))},
        tables={"stages": stages, "definitions": others},
        notes=found.notes,
    )


def agreed_on(found: Intake) -> dict[str, object]:
    """The entries of the settings that fix everything shown, so that agreeing leaves nothing guessed."""
    settings, dataset = found.dataset.settings, found.dataset
    rules = {d: rule_of(dataset, d).model_dump(exclude_none=True) for d in DEPARTMENTS}
    shown = _stages(found).drop(columns="basis").to_dict("records")
    return {
        "grain": settings.grain,
        "fiscal_start": settings.fiscal_start,
        "confidence": settings.confidence,
        "stages": stage_entries(shown),
        "definitions": settings.definitions.model_dump(exclude_unset=True) | rules,
        **({"currency": dataset.currency} if dataset.currency else {}),
    }


def stage_entries(rows: list[dict[str, object]]) -> list[dict[str, object]]:
    """Rows of a table of stages as the settings hold them: in order of position, numbered from 1."""
    ordered = sorted(rows, key=lambda row: row["position"])
    names = ("stage", *FLAGS, "default_probability")
    return [
        {"position": n} | {name: row[name] for name in names if not pd.isna(row[name])}
        for n, row in enumerate(ordered, 1)
    ]


def _stages(found: Intake) -> pd.DataFrame:
    dataset = found.dataset
    if not dataset.has("stages", "stage"):
        return pd.DataFrame(columns=[*_STAGE, "basis"])
    frame = dataset.frame("stages", dataset.engine.cursor()).with_columns(
        **{name: nw.col(name).fill_null(0) for name in ("position", *FLAGS)}
    )
    table = collect(frame, _STAGE).sort_values("position", ignore_index=True)
    table[list(FLAGS)] = table[list(FLAGS)].astype(bool)
    return table.assign(basis=[_basis(found, stage) for stage in table["stage"]])


def _basis(found: Intake, stage: str) -> str:
    """What order and flags of a stage rest on: the settings, a table of stages as far as it tells, else a guess."""
    settings = found.dataset.settings
    if settings.stages:
        return SET if stage in {one.stage for one in settings.stages} else GUESSED
    tables = [file for file in found.files if file.table == "stages"]
    named = [value for file in tables for m in file.mapping if m.field == "stage" for value in file.samples[m.column]]
    if len(named) < SAMPLES and spelling(stage) not in {spelling(value) for value in named}:
        return GUESSED
    given = {m.field for file in tables for m in file.mapping}
    lacking = {
        "order": not given & {"position"},
        "qualified": not given & {"is_qualified"},
        "won and lost": not given & {"is_won", "is_lost", "is_closed"},
    }
    if all(lacking.values()):
        return GUESSED
    parts = [what for what, is_lacking in lacking.items() if is_lacking]
    return f"{GUESSED}: {', '.join(parts)}" if parts else FILES


def _others(dataset: Dataset) -> pd.DataFrame:
    settings: Settings = dataset.settings
    was_set = {name: SET if name in settings.model_fields_set else DEFAULT for name in Settings.model_fields}
    rows = [
        ("Period", settings.grain, was_set["grain"]),
        ("Fiscal year from", calendar.month_name[settings.fiscal_start], was_set["fiscal_start"]),
        (
            "Currency",
            dataset.currency or "not named",
            SET if settings.currency else FILES if dataset.currency else GUESSED,
        ),
        ("Enough pipeline means a chance of", percent(settings.confidence), was_set["confidence"]),
    ]
    for department in DEPARTMENTS:
        rule, basis = rule_of(dataset, department), GUESSED if is_guessed(dataset, department) else SET
        score = f", score from {rule.score_from:g}" if rule.score_from is not None else ""
        rows += [
            (
                f"{NAMES[department]}: qualified opportunity",
                "enters " + ", ".join(rule.stages) if rule.stages else "created",
                basis,
            ),
            (f"{NAMES[department]}: qualified lead", f"{LEAD_DAYS[str(rule.lead)]}{score}", basis),
        ]
    return pd.DataFrame(rows, columns=["definition", "value", "basis"])
