"""The sidebar: period, targets and levers, the same on every page and in the URL.

A page's body is one fragment that calls ``view()`` first. The levers are drawn by that fragment into the
sidebar, so moving one reruns the page's body and nothing else. Every widget is bound to the URL under its
own key; a value that is the default stays out of it.
"""

from __future__ import annotations

import calendar
from collections.abc import Iterable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import date
from itertools import groupby
from typing import Any

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

from kpis.answers.answer import Answer
from kpis.answers.board import Lever, to_assumptions
from kpis.answers.outlook import Outlook
from kpis.answers.words import money, symbol
from kpis.assumptions import Assumptions
from kpis.dataset import Dataset
from kpis.errors import TandemError
from kpis.forecast.levers import OutOfReach, within_reach
from kpis.periods import Calendar, Grain
from ui import state
from ui.cards import plain, problem, small

GRAINS: tuple[Grain, ...] = ("month", "quarter")
MONTHS = tuple(calendar.month_abbr)[1:]
FOLDED = {"close_rates": "Close rate by stage", "new_opportunities_by_source": "New opportunities by source"}
"""Levers with one slider for each stage or source, and what their fold is called."""

DEFAULTS = "lever defaults"


@dataclass(frozen=True)
class View:
    """What a page shows: the outlook under the levers, the same as estimated, the levers, and which differ."""

    outlook: Outlook
    baseline: state.Baseline
    board: tuple[Lever, ...]
    moved: tuple[str, ...]

    def answers(self, question: state.Question) -> tuple[Answer, Answer]:
        """The answer under the levers, and as estimated."""
        before = self.baseline.answer(question)
        return (before if self.outlook is self.baseline.outlook else question(self.outlook)), before

    @property
    def symbol(self) -> str:
        """What stands before an amount of money."""
        return symbol(self.outlook.currency)


def view() -> View:
    """Draw the levers; stop the page with the reason where the data support no forecast."""
    found = draw()
    if isinstance(found, TandemError):
        problem(found)
        st.stop()
    return found


def draw() -> View | TandemError:
    """Draw the levers into the sidebar, and give what they lead to or why there is no forecast."""
    dataset = state.dataset()
    with st.sidebar, _as_frame():
        grain, fiscal_start, as_of = _period(dataset)
    try:
        fit = state.fitted(dataset, as_of, grain, fiscal_start)
        with st.sidebar, _as_frame():
            targets = _targets(fit)
            chosen = _levers(fit)
        assumptions = to_assumptions(fit.board, chosen.values, targets=targets, deal_size_open=chosen.deal_size_open)
        baseline = state.baseline(fit, targets)
        shown = _shown(fit, assumptions) if assumptions.changed() else baseline.outlook
    except TandemError as error:
        return error
    return View(shown, baseline, fit.board, chosen.moved)


def _shown(fit: state.Fit, assumptions: Assumptions) -> Outlook:
    """The outlook; rates that two sliders put out of each other's reach are brought together, and that is said."""
    try:
        return fit.outlook(assumptions)
    except OutOfReach:
        model = fit.model
        nearest = within_reach(model.hazards, model.mix, assumptions, model.stages)
        moved = [lever for lever in fit.board if abs(lever.value_in(nearest) - lever.value_in(assumptions)) > 0.05]
        said = [f"{lever.label}: {lever.words(lever.value_in(nearest), fit.dataset.currency)}" for lever in moved]
        note = f"{'; '.join(said)} is as far as it goes with the other rates."
        with st.sidebar, _as_frame():
            st.markdown(small(f":material/warning: {plain(note)}", "orange"))
        return fit.outlook(nearest)


def asked() -> tuple[Dataset, Calendar]:
    """The data as known on the day of the sidebar, and its calendar, with or without a forecast; once it is drawn."""
    dataset, chosen = state.dataset(), st.session_state
    first_month = MONTHS.index(chosen["fiscal_start"]) + 1
    known = dataset.known_at(chosen["as_of"] or dataset.newest)
    return known, Calendar(chosen["grain"] or dataset.settings.grain, first_month)


def _as_frame() -> AbstractContextManager[None]:
    """Let widgets belong to the frame although a page draws them.

    A widget of the frame is the same one on every page. One of a page is another on the next page, and loses a
    value that came with a link if the page is left before anything is touched (Streamlit 1.67).
    """
    context = get_script_run_ctx()
    return context.run_with_active_hash(context.pages_manager.main_script_hash) if context else nullcontext()


def _period(dataset: Dataset) -> tuple[Grain, int, date]:
    """Grain, first month of the fiscal year, as-of date."""
    settings = dataset.settings
    settle("grain", settings.grain)
    grain = st.segmented_control(
        "Period", GRAINS, default=settings.grain, required=True, format_func=str.capitalize, key="grain",
        bind="query-params", width="stretch",
    )  # fmt: skip
    left, right = st.columns([2, 3])
    first = settings.fiscal_start - 1
    settle("fiscal_start", MONTHS[first])
    month = left.selectbox(
        "Year from", MONTHS, first, key="fiscal_start", bind="query-params", help="First month of the fiscal year."
    )
    settle("as_of", dataset.newest)
    as_of = right.date_input(
        "As of", dataset.newest, max_value=dataset.newest, key="as_of", bind="query-params",
        format="YYYY-MM-DD", help="The end of this day: nothing that happened later is used.",
    )  # fmt: skip
    return grain or settings.grain, MONTHS.index(month) + 1, as_of or dataset.newest


def _targets(fit: state.Fit) -> tuple[float | None, ...]:
    """A target for each period; one typed target holds for the later periods that have none."""
    st.markdown("**Targets**", help="Bookings to reach in each period. Leave one empty to use the one above it.")
    currency = fit.dataset.currency
    targets: list[float | None] = []
    typed, above = None, ""
    for period, known in zip(fit.model.periods, fit.targets, strict=True):
        key = f"target_{period.label}"
        settle(key, known)
        left, right = st.columns([2, 3], vertical_alignment="center")
        value = right.number_input(
            f"Target {period.label}", min_value=0.0, value=known, step=_step(known or typed), format="%.0f", key=key,
            bind="query-params", label_visibility="collapsed", placeholder=f"as {above}" if typed else "no target",
        )  # fmt: skip
        if value is not None and value != known:
            typed, above = value, period.label
        targets.append(value if value is not None else typed)
        left.markdown(plain(period.label) + f"  \n:gray[{plain(money(targets[-1], currency))}]")
    won = fit.bookings
    if won.low is not None and won.high is not None:
        typed = [t for t, known in zip(targets, fit.targets, strict=True) if t is not None and t != known]
        history = f"{won.periods} past periods brought {money(won.low, currency)} to {money(won.high, currency)}"
        _past(history, outside=any(not won.low <= t <= won.high for t in typed))
    return tuple(targets)


@dataclass(frozen=True)
class _Chosen:
    """Slider values by lever key, whether the deal size holds for open deals too, and the labels of what was moved."""

    values: dict[str, float]
    deal_size_open: bool
    moved: tuple[str, ...]


def _levers(fit: state.Fit) -> _Chosen:
    """The sliders in their fixed order, each with its estimate and the range it has had."""
    st.markdown("**Levers**", help="What you may assume differently from what your history says.")
    back = st.container()
    currency, values = fit.dataset.currency, {}
    for field, levers in groupby(fit.board, lambda lever: lever.field):
        with st.expander(FOLDED[field]) if field in FOLDED else nullcontext():
            values |= {lever.key: _slider(lever, currency) for lever in levers}
        if field == "deal_size":
            both = Assumptions.model_fields["deal_size_open"]
            settle("deal_size_open", default=False)
            st.toggle("Also for open deals", key="deal_size_open", bind="query-params", help=both.description)
    deal_size_open = bool(st.session_state.get("deal_size_open"))
    moved = [lever.label for lever in fit.board if values[lever.key] != lever.estimate]
    moved += ["Deal size also for open deals"] if deal_size_open else []
    back.button(
        "Back to the estimates", on_click=reset, args=((*values, "deal_size_open"),), disabled=not moved,
        type="tertiary", icon=":material/undo:", key="reset",
    )  # fmt: skip
    return _Chosen(values, deal_size_open, tuple(moved))


def _slider(lever: Lever, currency: str) -> float:
    """One slider in the user's unit; below it the estimate and its own history, marked when left."""
    # Whole steps keep whole numbers in the address.
    number, digits = (int, "%,d") if lever.step >= 1 else (float, "%.1f")
    low, high, step, estimate = (number(v) for v in (lever.minimum, lever.maximum, lever.step, lever.estimate))
    settle(lever.key, estimate, low, high)
    form = {"days": f"{digits} days", "per month": f"{digits} a month", "money": symbol(currency) + digits}
    value = st.slider(
        plain(lever.label),
        low,
        high,
        estimate,
        step,
        format=form.get(lever.unit, f"{digits} %%"),
        key=lever.key,
        bind="query-params",
        help=lever.help,
    )
    _past(lever.history(currency), outside=lever.outside(value))
    return value


def _past(history: str, *, outside: bool) -> None:
    """What a lever has been in the past, marked when it is set out of that range."""
    said = f":material/warning: outside its own range: {plain(history)}" if outside else plain(history)
    st.markdown(small(said, "orange" if outside else "gray"))


def _step(target: float | None) -> float:
    """About a hundredth of a target, as a round number."""
    return 10.0 ** max(len(f"{target:.0f}") - 3, 0) if target else 1000.0


def settle(key: str, default: Any, low: Any = None, high: Any = None) -> None:
    """Let a widget that stands on its default follow when the default moves, and stay inside new bounds.

    Estimates depend on the data, the day and the calendar. Without this a slider that nobody touched would keep
    the estimate of another day and count as moved.
    """
    defaults = st.session_state.setdefault(DEFAULTS, {})
    before = defaults.get(key)
    defaults[key] = default
    if key not in st.session_state or before == default:
        return
    value = st.session_state[key]
    if value == before:
        st.session_state[key] = default
    elif low is not None:
        st.session_state[key] = min(max(value, low), high)


def reset(keys: Iterable[str] = ()) -> None:
    """Put levers back on their defaults, all of them when none is named; before they are drawn, as in a callback."""
    defaults = st.session_state.get(DEFAULTS, {})
    for key in keys or defaults:
        if key in st.session_state:
            st.session_state[key] = defaults[key]


def show(board: Iterable[Lever], assumptions: Assumptions) -> None:
    """Put the sliders where a scenario has them; before they are drawn, as in a callback. Targets stay."""
    reset()
    for lever in board:
        steps = round(lever.value_in(assumptions) / lever.step)
        value = min(max(round(steps * lever.step, 1), lever.minimum), lever.maximum)
        st.session_state[lever.key] = int(value) if lever.step >= 1 else value
    st.session_state["deal_size_open"] = assumptions.deal_size_open
