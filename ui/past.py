"""What the pages of measures look at: the data as known on the sidebar's day, and answers that are computed once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import streamlit as st

from kpis.answers.answer import Answer
from kpis.answers.outlook import Outlook
from kpis.answers.words import symbol
from kpis.dataset import Dataset
from kpis.errors import TandemError
from ui import cards, levers, state
from ui.cards import plain, small

KEPT = 60
"""Answers kept at a time: the pages of two or three days, and what was opened on them."""

_Said = TypeVar("_Said")


@dataclass(frozen=True)
class Past:
    """The data on the day and calendar of the sidebar, and the outlook as estimated where there is one."""

    dataset: Dataset
    key: state.Key
    outlook: Outlook | None

    @property
    def currency(self) -> str:
        """Code of the currency."""
        return self.dataset.currency

    @property
    def symbol(self) -> str:
        """What stands before an amount of money."""
        return symbol(self.dataset.currency)

    def answer(self, question: Callable[..., _Said], *arguments: Any, **named: Any) -> _Said:
        """What ``question`` says of the data, computed once a dataset, day and calendar."""
        keep = _shared if state.is_demo() else _own
        name = f"{question.__module__}.{question.__qualname__}"
        return keep(self.dataset, self.key, question, name, arguments, tuple(named.items()))


def look_back() -> Past:
    """Draw the sidebar, and give what the measures are taken of; no lever touches it."""
    view = levers.draw()
    known, calendar = levers.asked()
    chosen = {"grain": calendar.grain, "fiscal_start": calendar.fiscal_start}
    dataset = replace(known, settings=known.settings.model_copy(update=chosen))
    key = state.Key(dataset.fingerprint, dataset.as_of, calendar.grain, calendar.fiscal_start)
    return Past(dataset, key, None if isinstance(view, TandemError) else view.baseline.outlook)


def told(answer: Answer, *keys: str, currency: str = "") -> None:
    """An answer within a page: its sentence, how it came about, and the numbers of these keys."""
    st.header(plain(answer.sentence), anchor=False)
    st.markdown(small(plain(" ".join(answer.notes))))
    if keys:
        cards.numbers(answer, answer, keys, currency)


def or_missing(title: str, draws: Callable[..., None], *arguments: Any) -> None:
    """Draw, or say why the data cannot support it."""
    try:
        with st.spinner(f"{title}: computing"):
            draws(*arguments)
    except TandemError as error:
        cards.missing(title, f"{error.problem}. {error.way_out}." if error.way_out else error.problem)


def _answered(
    _dataset: Dataset,
    key: state.Key,  # noqa: ARG001 - kept by key, name and arguments
    _question: Callable[..., Any],
    name: str,  # noqa: ARG001
    arguments: tuple[Any, ...],
    named: tuple[tuple[str, Any], ...],
) -> Any:
    return _question(_dataset, *arguments, **dict(named))


_shared = st.cache_resource(max_entries=KEPT, show_spinner=False)(_answered)
_own = st.cache_resource(scope="session", max_entries=KEPT, show_spinner=False)(_answered)
