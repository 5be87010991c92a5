"""How long a fit and a slider take at 10,000, 100,000 and 1,000,000 opportunities."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import date

import numpy as np
import pandas as pd

from benchmarks.crm import as_dataset
from benchmarks.simulator import live
from benchmarks.truth import draw_truth
from kpis.assumptions import Assumptions
from kpis.forecast.model import fit
from kpis.forecast.projection import project

SIZES = (10_000, 100_000)
LEVERS = {
    "slider: new opportunities": Assumptions(new_opportunities=1.2),
    "slider: cycle": Assumptions(sales_cycle=1.2),
    "slider: close rate": Assumptions(close_rate=1.1),
}


def timing(sizes: tuple[int, ...] = SIZES) -> pd.DataFrame:
    """Seconds of a fit (best of three, of one for the largest) and milliseconds of a projection (median of nine)."""
    rows = []
    for size in sizes:
        rng = np.random.default_rng([size, 3])
        data = as_dataset(live(draw_truth(rng, last=date(2025, 12, 31), years=4.0, opportunities=size), rng))
        model, seconds = _time(lambda data=data: fit(data), 3 if size <= 100_000 else 1)
        row = {"opportunities": f"{size:,}", "fit, s": f"{min(seconds):.2f}"}
        for name, levers in {"projection": Assumptions(), **LEVERS}.items():
            _, seconds = _time(lambda levers=levers, model=model: project(model, levers), 9)
            row[f"{name}, ms"] = f"{1000 * float(np.median(seconds)):.0f}"
        rows.append(row)
    return pd.DataFrame(rows)


def _time(call: Callable[[], object], times: int) -> tuple[object, list[float]]:
    seconds, result = [], None
    for _ in range(times):
        began = time.perf_counter()
        result = call()
        seconds.append(time.perf_counter() - began)
    return result, seconds
