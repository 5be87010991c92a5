"""Long work beside the page: it runs in a thread of the session's own, and the page asks how far it is."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor

import streamlit as st

from kpis.dataset import Dataset
from kpis.forecast.backtest import Origin, backtest
from kpis.periods import Calendar
from ui.state import Key

KEPT = 4


class Job:
    """A running or finished backtest: how many forecasts are done, of how many."""

    def __init__(self, dataset: Dataset, calendar: Calendar) -> None:
        self.done, self.total = 0, 0
        pool = ThreadPoolExecutor(1, "backtest")
        self.future: Future[list[Origin]] = pool.submit(backtest, dataset, calendar, progress=self._tell)
        pool.shutdown(wait=False)

    def _tell(self, done: int, total: int) -> None:
        self.done, self.total = done, total


def track_record(dataset: Dataset, calendar: Calendar) -> Job:
    """The backtest of the data as of its day; begun at the first call, found again by later ones."""
    return _job(dataset, calendar, Key(dataset.fingerprint, dataset.as_of, calendar.grain, calendar.fiscal_start))


@st.cache_resource(scope="session", max_entries=KEPT, show_spinner=False)
def _job(_dataset: Dataset, _calendar: Calendar, key: Key) -> Job:  # noqa: ARG001 - kept by key
    return Job(_dataset, _calendar)


@st.fragment(run_every=1.0)
def progress(job: Job) -> None:
    """A bar that follows the job, and one rerun of the page when it is done."""
    if job.future.done():
        st.rerun()
    text = f"Making past forecasts again: {job.done} of {job.total}" if job.total else "Reading the past"
    st.progress(job.done / job.total if job.total else 0.0, text)
