"""The distribution of won revenue by COS series, against other ways to compute the same.

    python benchmarks/revenue.py [--write]

Portfolios of independent deals (lognormal amounts of cv about 2, win chances about 0.25, 10 % revision noise), 30 to
1,000,000 of them. The reference inverts the exact characteristic function, deal kind by deal kind, on 2^16 points. An
error is the largest of those at the 10 %, 50 % and 90 % points, in standard deviations.
"""

from __future__ import annotations

import argparse
import logging
import math
import sys
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.special import ndtri

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.report import table, write
from kpis.forecast.revenue import (
    SHOCK,
    Arrivals,
    amount_bin,
    cells,
    distribution,
    shock_sigma,
)  # fmt: skip

SIZES = (30, 100, 1_000, 10_000, 100_000, 1_000_000)
KINDS = 2_000
LEVELS = np.array([0.1, 0.5, 0.9])
DRAWS = 5_000
STEPS_A_SD = 50
"""How fine the money grid of an FFT is."""

NOISE = 0.10
NEW = Arrivals(np.zeros(1), np.ones(1), np.zeros(1))
"""No deals still to be created: the peers have no word for them."""


@dataclass(frozen=True)
class Portfolio:
    """Deals as columns; ``times`` deals of each of the kinds (p, amount) make up the rows ``every_p``, ``every``."""

    p: np.ndarray
    amount: np.ndarray
    times: int

    @property
    def size(self) -> int:
        """Number of deals."""
        return len(self.p) * self.times

    @property
    def rows(self) -> tuple[np.ndarray, np.ndarray]:
        """Chance and amount of each deal."""
        return np.tile(self.p, self.times), np.tile(self.amount, self.times)

    @property
    def mean(self) -> float:
        """Of the sum."""
        return float((self.p * self.amount).sum() * self.times)

    @property
    def sd(self) -> float:
        """Of the sum."""
        second = self.p * self.amount**2 * (1 + NOISE**2)
        return float(np.sqrt((second - (self.p * self.amount) ** 2).sum() * self.times))


def portfolio(size: int, rng: np.random.Generator) -> Portfolio:
    """Lognormal amounts (log sd 1.27), chances from a beta distribution (1.5, 4.5)."""
    kinds = min(size, KINDS)
    amount = np.round(20_000 * np.exp(rng.normal(0, 1.27, kinds)), -1) + 10
    return Portfolio(rng.beta(1.5, 4.5, kinds), amount, size // kinds)


def cos(deals: Portfolio, shock: float) -> np.ndarray:
    """Ours, from the rows: gathered into cells, then inverted."""
    p, amount = deals.rows
    gathered = cells(p, np.ones(len(p)), amount, amount**2, amount_bin(amount), NOISE)
    found = distribution(gathered, NEW, shock)
    return np.array([found.quantile(q) for q in LEVELS])


def monte_carlo(deals: Portfolio, rng: np.random.Generator) -> np.ndarray:
    """5,000 draws of every deal."""
    p, amount = (x.astype(np.float32) for x in deals.rows)
    total = np.empty(DRAWS)
    some = max(1, 4_000_000 // len(p))
    for k in range(0, DRAWS, some):
        won = rng.random((min(some, DRAWS - k), len(p)), dtype=np.float32) < p
        squares = won @ (amount**2)
        total[k : k + some] = won @ amount + NOISE * np.sqrt(squares) * rng.standard_normal(len(won))
    return np.quantile(np.maximum(total, 0), LEVELS)


def fft_grid(deals: Portfolio) -> np.ndarray:
    """The usual grid: each amount split over the two nearest of 4,096 or more steps, chances to 1/200, one FFT."""
    p, amount = deals.rows
    top = deals.mean + 10 * deals.sd
    grid = max(4_096, 2 ** math.ceil(math.log2(top / deals.sd * STEPS_A_SD)))
    step = top / grid
    _, kind = np.unique(
        np.floor(amount / step).astype(np.int64) * 1_000 + np.round(p * 200).astype(np.int64), return_inverse=True
    )
    times = np.bincount(kind)
    cell_of, wins = np.floor(amount / step), np.bincount(kind, p)
    chance, cell = wins / times, np.bincount(kind, cell_of) / times
    part = np.bincount(kind, p * (amount / step - cell_of)) / np.maximum(wins, 1e-300)
    theta = -2 * np.pi * np.arange(grid // 2 + 1) / grid
    log_phi = np.zeros(len(theta), dtype=complex)
    for k in range(0, len(times), 500):
        now = slice(k, k + 500)
        one = np.exp(1j * theta)[:, None]
        wave = np.exp(1j * np.outer(theta, cell[now])) * (1 - part[now] + part[now] * one)
        log_phi += np.log1p(chance[now] * (wave - 1)) @ times[now]
    cumulated = np.cumsum(np.fft.irfft(np.exp(log_phi), grid))
    return step * np.searchsorted(cumulated, LEVELS).astype(float)


def aggregate_package(deals: Portfolio) -> np.ndarray:
    """The package `aggregate`: a portfolio of one Bernoulli unit a deal up to 300, a compound Poisson beyond."""
    from aggregate import build

    if deals.size <= 300:
        p, amount = deals.rows
        units = [
            f"\tagg D{k} dfreq [0 1] [{1 - a:.9f} {a:.9f}] dsev [{b:.0f}]"
            for k, (a, b) in enumerate(zip(p, amount, strict=True))
        ]
        found = build("port P\n" + "\n".join(units), update=False)
    else:
        wins = deals.p * deals.times
        share = " ".join(f"{x:.12f}" for x in wins / wins.sum())
        worth = " ".join(f"{x:.0f}" for x in deals.amount)
        found = build(f"agg D {wins.sum():.6f} claims dsev [{worth}] [{share}] poisson", update=False)
    log2 = 16
    step = 2.0 ** np.ceil(np.log2((deals.mean + 10 * deals.sd) / 2**log2))
    found.update(log2=log2, bs=step, **({"add_exa": False} if deals.size <= 300 else {}))
    return np.array([float(found.q(q)) for q in LEVELS])


def reference(deals: Portfolio) -> Callable[[float], np.ndarray]:
    """Quantiles from the exact characteristic function on 2^16 points; the argument is the common shock."""
    points = 2**16
    lo, hi = min(0.0, deals.mean - 12 * deals.sd), deals.mean + 14 * deals.sd + deals.amount.max()
    step = (hi - lo) / points
    theta = 2 * np.pi * np.arange(points // 2 + 1) / (points * step)
    log_phi = np.zeros(len(theta), dtype=complex)
    for k in range(len(deals.p)):
        wave = np.exp(1j * theta * deals.amount[k] - (theta * deals.amount[k] * NOISE) ** 2 / 2) - 1
        log_phi += deals.times * np.log1p(deals.p[k] * wave)
    # Negative part of the grid first, so that noise below 0 does not wrap around.
    mass = np.fft.irfft(np.exp(np.conj(log_phi) + 1j * theta * lo), points)
    cumulated = np.maximum.accumulate(np.cumsum(mass))
    # The mass of a point lies in the middle of its cell.
    grid = lo + step * (np.arange(points) + 0.5)

    def quantiles(shock: float) -> np.ndarray:
        if shock == 0:
            return np.maximum(np.interp(LEVELS, cumulated, grid), 0)
        sigma = shock_sigma(shock)
        factor = np.exp(sigma * ndtri((np.arange(4_000) + 0.5) / 4_000) - sigma**2 / 2)
        values = np.linspace(0, hi * np.exp(2 * sigma), 8_000)
        mixed = np.mean([np.interp(values / m, grid, cumulated, left=0, right=1) for m in factor], axis=0)
        return np.interp(LEVELS, mixed, values)

    return quantiles


def compare(size: int, seed: int) -> list[dict[str, str]]:
    """Error and time of every method on one portfolio: a row a method."""
    deals = portfolio(size, np.random.default_rng([seed, size]))
    exact = reference(deals)
    rows = []
    methods: dict[str, tuple[Callable[[], np.ndarray], float, int]] = {
        "COS series": (lambda: cos(deals, 0.0), 0.0, 9),
        "COS series with common shock": (lambda: cos(deals, SHOCK[1]), SHOCK[1], 9),
        "FFT on a money grid": (lambda: fft_grid(deals), 0.0, 3),
        f"Monte Carlo, {DRAWS:,} draws": (lambda: monte_carlo(deals, np.random.default_rng(seed)), 0.0, 1),
    }
    # Beyond that the package's grid is coarser than a deal.
    if size <= 10_000:
        methods["aggregate"] = (lambda: aggregate_package(deals), 0.0, 1)
    for name, (call, shock, times) in methods.items():
        try:
            error, seconds = _timed(call, times)
        except ImportError:
            rows.append({"deals": f"{size:,}", "method": name, "error, sd": "not installed", "ms": ""})
            continue
        sd = float(np.sqrt(deals.sd**2 * (1 + shock**2) + (shock * deals.mean) ** 2))
        off = float(np.abs(error - exact(shock)).max() / sd)
        rows.append({"deals": f"{size:,}", "method": name, "error, sd": f"{off:.4f}", "ms": f"{1000 * seconds:.3g}"})
    return rows


def _timed(call: Callable[[], np.ndarray], times: int) -> tuple[np.ndarray, float]:
    seconds = []
    for _ in range(times):
        began = time.perf_counter()
        found = call()
        seconds.append(time.perf_counter() - began)
    return found, float(np.median(seconds))


def main() -> None:
    """Run, print, and write where asked to."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--largest", type=int, default=SIZES[-1])
    parser.add_argument("--date", default=date.today().isoformat(), help="date to print")  # noqa: DTZ011
    parser.add_argument("--write", action="store_true", help="put the table into benchmarks/README.md")
    options = parser.parse_args()
    logging.disable(logging.WARNING)
    warnings.simplefilter("ignore")
    rows = [row for size in SIZES if size <= options.largest for row in compare(size, options.seed)]
    text = f"Run on {options.date}, seed {options.seed}, one process.\n\n{table(pd.DataFrame(rows))}"
    print(text)
    if options.write:
        write("revenue", text)


if __name__ == "__main__":
    main()
