"""The investment scorecard: eight measures beside dated benchmarks, and the company's own questionnaires."""

from __future__ import annotations

import tomllib
from pathlib import Path

import narwhals.stable.v2 as nw
import numpy as np
import pandas as pd

from kpis import measures
from kpis.answers.answer import Answer, Number
from kpis.answers.measures import SEED, latest, spoken
from kpis.answers.render import records
from kpis.answers.words import plural
from kpis.dataset import Dataset
from kpis.definitions import Benchmark
from kpis.engine import collect
from kpis.errors import AssumptionError
from kpis.measures.core.benchmarks import benchmarks, place
from kpis.measures.core.evaluate import Result, evaluate
from kpis.measures.registry import catalogue

QUESTIONNAIRES = ("sales_enablement", "lead_management")
RATINGS = (1, 5)


def scorecard(dataset: Dataset, *, periods: int = 8) -> Answer:
    """The eight measures of the investment scorecard, each with its benchmark's band where the two compare.

    Table ``scorecard``: id, measure, title, period, value, unit, low, high, place (below, within, above, or why they
    do not compare), dated, source; ``said`` and ``band`` are value and benchmark in words.
    """
    names = {entry["measure"]: entry["id"] for entry in catalogue() if entry["id"].startswith("IDC-")}
    found = evaluate(dataset, names, periods=periods, rng=np.random.default_rng(SEED), parts=False)
    bands = benchmarks(dataset.settings.definitions)
    rows = [_row(names[one.measure.name], one, bands.get(one.measure.name), dataset.currency) for one in found]
    table = pd.DataFrame(rows)
    compared = table[table["place"].isin(["below", "within", "above"])]
    inside = int((compared["place"] == "within").sum())
    dated = ", ".join(sorted(set(compared["dated"])))
    return Answer(
        question="How do we invest, compared with others?",
        sentence=(
            f"{inside} of {plural(len(compared), 'measure')} lie within their benchmark of {dated}."
            if len(compared)
            else "No measure can be compared with a benchmark."
        ),
        numbers={
            row["measure"]: Number(
                row["title"], None if np.isnan(row["value"]) else row["value"], row["unit"], "", row["reason"]
            )
            for row in rows
        },
        tables={"scorecard": table},
        notes=(
            "Benchmarks are what others reported, at the date given; settings replace them (definitions.benchmarks).",
            "One figure counts as met within a tenth of it. Above or below is neither good nor bad by itself.",
        ),
        document={"scorecard": records(table)},
    )


def _row(identifier: str, one: Result, band: Benchmark | None, currency: str) -> dict[str, object]:
    part = one.headline
    k = latest(one)
    unit = part.unit if part is not None else one.measure.unit
    value = float(part.grid.value[0, k]) if k is not None else np.nan
    return {
        "id": identifier,
        "measure": one.measure.name,
        "title": one.measure.title,
        "period": one.periods[k].label if k is not None else "",
        "value": value,
        "unit": unit,
        "said": spoken(value, unit, currency),
        "band": _band(band, unit, currency),
        "low": band.low if band else np.nan,
        "high": band.high if band else np.nan,
        "place": _place(value, band, currency),
        "dated": band.dated if band else "",
        "source": band.source if band else "",
        "reason": "" if k is not None else one.status,
    }


def _band(band: Benchmark | None, unit: str, currency: str) -> str:
    """The benchmark in words, in its own currency."""
    if band is None:
        return ""
    ends = dict.fromkeys(spoken(end, unit, band.currency or currency) for end in (band.low, band.high))
    return " to ".join(ends)


def _place(value: float, band: Benchmark | None, currency: str) -> str:
    if np.isnan(value):
        return "no value"
    if band is None:
        return "no benchmark"
    if band.currency and band.currency != currency:
        return f"the benchmark is in {band.currency}"
    return band.note or place(value, band)


def questionnaire(dataset: Dataset, name: str) -> pd.DataFrame:
    """The items of a questionnaire with their latest ratings: item, weight, rating, assessor, assessed_on.

    What the company has rated; without that the items to begin with, unrated.

    Raises
    ------
    AssumptionError
        For a name that is no questionnaire.
    """
    if name not in QUESTIONNAIRES:
        raise AssumptionError(f"There is no questionnaire '{name}'", way_out=f"Known: {', '.join(QUESTIONNAIRES)}")
    rated = _rated(dataset, name) if dataset.has("scorecards", "scorecard", "item", "rating") else pd.DataFrame()
    if len(rated):
        return rated
    path = Path(measures.__file__).parent / "questionnaires.toml"
    items = tomllib.loads(path.read_text(encoding="utf-8"))[name]
    return pd.DataFrame(
        {
            "item": list(items),
            "weight": [float(w) for w in items.values()],
            "rating": np.nan,
            "assessor": "",
            "assessed_on": None,
        }
    )


def _rated(dataset: Dataset, name: str) -> pd.DataFrame:
    frame = dataset.frame("scorecards", dataset.engine.cursor())
    same = nw.col("scorecard").str.to_lowercase().str.replace_all(" ", "_", literal=True) == name
    columns = {"item": "text", "weight": "float", "rating": "float", "assessor": "text", "assessed_on_n": "float"}
    table = collect(frame.filter(same & ~nw.col("rating").is_null()), columns)
    table = table.sort_values(["assessed_on_n", "item", "assessor"], na_position="first", ignore_index=True)
    latest = table.groupby("item")["assessed_on_n"].transform("max")
    table = table[(table["assessed_on_n"] == latest) | latest.isna()]
    day = pd.to_datetime(table["assessed_on_n"], unit="D").dt.date
    return (
        table.assign(assessed_on=day, weight=table["weight"].fillna(1.0))
        .drop(columns="assessed_on_n")
        .reset_index(drop=True)
    )


def index(rated: pd.DataFrame) -> float | None:
    """100 × Σ weight (rating − 1)/4 ÷ Σ weight over the rated items; None where none is.

    Raises
    ------
    AssumptionError
        For a rating outside of 1 to 5, or a negative weight.
    """
    there = rated[rated["rating"].notna()]
    if there.empty or there["weight"].sum() == 0:
        return None
    if not there["rating"].between(*RATINGS).all() or (there["weight"] < 0).any():
        raise AssumptionError("A rating is from 1 to 5, and a weight is not negative", way_out="Correct the entry")
    return float(100 * (there["weight"] * (there["rating"] - 1) / 4).sum() / there["weight"].sum())


def own_index(rated: pd.DataFrame, name: str) -> Answer:
    """The score that the ratings of a questionnaire give."""
    try:
        score = index(rated)
    except AssumptionError as error:
        return Answer("What is our own score?", f"{error.problem}: {error.way_out}.")
    label, there = name.replace("_", " ").capitalize(), int(rated["rating"].notna().sum())
    said = "nothing is rated yet." if score is None else f"{score:.1f} of 100, from {plural(there, 'rating')}."
    return Answer(
        question="What is our own score?",
        sentence=f"{label} questionnaire: {said}",
        numbers={"score": Number(label, score, "index", "100 x sum of weight (rating - 1)/4 over sum of weight.")},
        notes=("The company's own scorecard, not IDC's index, whose formula is proprietary.",),
    )
