"""What a session works on: the demo company or its own upload, and the models fitted to it.

The demo company is read and fitted once a process, since every visitor may see it. An upload and its models
stay in their session. A fitted model is kept by fingerprint, as-of date and calendar, never by a table; a
projection is cheap and is made anew whenever a lever moves.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path
from typing import NamedTuple

import streamlit as st

from kpis.answers.answer import Answer
from kpis.answers.board import Lever, lever_board
from kpis.answers.funnel import Funnel, funnel
from kpis.answers.masking import masked
from kpis.answers.outlook import Outlook, outlook
from kpis.answers.targets import targets_for
from kpis.assumptions import Assumptions
from kpis.dataset import Dataset
from kpis.forecast.backtest import Record, record
from kpis.forecast.model import Model, fit
from kpis.forecast.own_history import Estimate, bookings
from kpis.intake import Intake, read
from kpis.periods import Calendar, Grain
from ui import room

DEMO = "Demo company"
SAMPLE = Path(__file__).resolve().parent.parent / "sample_data"
UPLOAD = "upload"
MEETING, MASK = "meeting", "mask"
"""Keys of the two switches of the frame, and their names in the address."""
Question = Callable[[Outlook], Answer]
KEPT = 6
"""Models kept at a time: a few as-of dates, in months and in quarters."""


class Key(NamedTuple):
    """What a model is kept by; nothing less tells two of them apart."""

    fingerprint: str
    as_of: date
    grain: Grain
    fiscal_start: int


@dataclass(frozen=True)
class Fit:
    """All that is known before a lever moves: model, record, targets and past bookings, the levers they support."""

    key: Key
    dataset: Dataset
    model: Model
    record: Record
    rates: Funnel
    targets: tuple[float | None, ...]
    board: tuple[Lever, ...]
    bookings: Estimate

    def outlook(self, assumptions: Assumptions) -> Outlook:
        """The outlook under the assumptions."""
        return outlook(self.dataset, self.model, assumptions, self.record, self.rates)


def intake() -> Intake:
    """What was read: the session's upload, else the demo company."""
    return st.session_state.get(UPLOAD) or _demo(_stamp(SAMPLE))


def dataset() -> Dataset:
    """What the pages of the meeting are about: what was read, without its names where the session masks them."""
    found = intake().dataset
    if not names_masked():
        return found
    return (_shared_masked if is_demo() else _own_masked)(found, found.fingerprint)


def names_masked() -> bool:
    """Whether the session hides who is who."""
    return bool(st.session_state.get(MASK))


def in_meeting() -> bool:
    """Whether the session shows its pages to a meeting; before its switch is drawn the link tells."""
    return bool(st.session_state.get(MEETING, st.query_params.get(MEETING) == "true"))


def demo_files() -> list[Path]:
    """The files of the demo company."""
    return sorted(SAMPLE.glob("*.csv"))


def is_demo() -> bool:
    """Whether the session works on the demo company."""
    return UPLOAD not in st.session_state


def use(upload: Intake | None) -> None:
    """Work on an upload, or on the demo company again (None).

    The models of an earlier upload are forgotten with it, and its memory is free once nothing works on it any
    more: a model may still read from its engine, so nobody closes that.
    """
    st.session_state.pop(UPLOAD, None)
    room.give_back_soon()
    _own.clear()
    _own_masked.clear()
    _baseline.clear()
    if upload is not None:
        st.session_state[UPLOAD] = upload


def fitted(dataset: Dataset, as_of: date, grain: Grain, fiscal_start: int) -> Fit:
    """The model as of a day, with its record; raises NotEnoughData where the data cannot support one."""
    learn = _shared if is_demo() else _own
    return learn(dataset, Key(dataset.fingerprint, as_of, grain, fiscal_start))


@dataclass(frozen=True)
class Baseline:
    """The outlook with no lever moved, which every scenario is compared with; an answer of it is given once."""

    outlook: Outlook
    _answers: dict[Question, Answer] = field(default_factory=dict)

    def answer(self, question: Question) -> Answer:
        """The answer to a question as estimated."""
        if question not in self._answers:
            self._answers[question] = question(self.outlook)
        return self._answers[question]


def baseline(fit: Fit, targets: tuple[float | None, ...]) -> Baseline:
    """What is expected as estimated, against these targets."""
    return _baseline(fit, fit.key, targets)


@st.cache_resource(max_entries=1, show_spinner="Opening the demo company")
def _demo(stamp: float) -> Intake:  # noqa: ARG001 - kept by stamp
    """The demo company as its files were at ``stamp``."""
    found = read(demo_files())
    return replace(found, dataset=replace(found.dataset, name=DEMO))


def _stamp(folder: Path) -> float:
    """When a file of the folder was last written."""
    return max((path.stat().st_mtime for path in folder.glob("*.csv")), default=0.0)


def _learn(_dataset: Dataset, key: Key) -> Fit:
    known = _dataset.known_at(key.as_of)
    model = fit(known, Calendar(key.grain, key.fiscal_start))
    targets = targets_for(known, model.periods)
    return Fit(
        key, known, model, record(known, model), funnel(known), targets, lever_board(model), bookings(model),
    )  # fmt: skip


def _masked(_dataset: Dataset, fingerprint: str) -> Dataset:  # noqa: ARG001 - kept by fingerprint
    return masked(_dataset)


_shared_masked = st.cache_resource(max_entries=1, show_spinner="Masking names")(_masked)
_own_masked = st.cache_resource(scope="session", max_entries=1, show_spinner="Masking names")(_masked)

_LEARNING = "Learning from your own past forecasts"
_shared = st.cache_resource(max_entries=KEPT, show_spinner=_LEARNING)(_learn)
_own = st.cache_resource(scope="session", max_entries=KEPT, show_spinner=_LEARNING)(_learn)


@st.cache_resource(scope="session", max_entries=KEPT, show_spinner=False)
def _baseline(_fit: Fit, key: Key, targets: tuple[float | None, ...]) -> Baseline:  # noqa: ARG001 - kept by key
    return Baseline(_fit.outlook(Assumptions(targets=targets)))
