"""The counts of the engine that forecast numbers rest on, each with the query that fetches it."""

from __future__ import annotations

from collections.abc import Callable

import narwhals.stable.v2 as nw

from kpis.answers.answer import Count
from kpis.dataset import Dataset
from kpis.errors import NotEnoughData
from kpis.pipeline.pacing import qualified_states
from kpis.pipeline.stints import deals_frame, visits_frame
from kpis.pipeline.visits import DERIVED

DEALS, VISITS, STATES = "deals", "visits", "states"


HISTORY = ("opportunities", "opportunity_history")


def counted(dataset: Dataset, says: str, tables: tuple[str, ...], frame: Callable[[], nw.LazyFrame]) -> Count:
    """A count by its frame; where the data lack something its query says what."""

    def query() -> str:
        try:
            return _with_stored(dataset, dataset.engine.text(frame().to_native()))
        except NotEnoughData as error:
            return f"-- Not with this data: {error.problem}"

    return Count(says, tables, query)


def counts(dataset: Dataset) -> dict[str, Count]:
    """What every forecast rests on, by the name that the glossary knows it by."""
    return {
        DEALS: counted(
            dataset, "a deal as known on the day: creation, close, outcome, amounts, expected close, pushes", HISTORY,
            lambda: deals_frame(dataset),
        ),
        VISITS: counted(
            dataset, "a visit of a stage: when it began, when it ended and in what", HISTORY, lambda: _visits(dataset)
        ),
        STATES: counted(
            dataset, "a state of a deal in a qualified stage: amount, expected close, from when to when", HISTORY,
            lambda: _states(dataset),
        ),
    }  # fmt: skip


def _visits(dataset: Dataset) -> nw.LazyFrame:
    dataset.need("opportunity_history", "stage")
    return visits_frame(dataset)


def _states(dataset: Dataset) -> nw.LazyFrame:
    dataset.need("opportunity_history", "stage", "amount", "expected_close")
    return qualified_states(dataset)


def _with_stored(dataset: Dataset, text: str) -> str:
    """The query after those of the derived tables that it reads, each of which is stored once a dataset."""
    cursor, text = dataset.engine.cursor(), f"{text};"
    for name, build in reversed(DERIVED.items()):
        if name in text:
            made = dataset.engine.text(build(cursor).to_native())
            text = f"-- {name}, made once of the whole history\n{made};\n\n{text}"
    return text
