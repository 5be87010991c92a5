"""A/B tests: how many it takes, how long it runs, and what its result says."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy import optimize, stats

from kpis.errors import AssumptionError
from kpis.measures.core.intervals import Z, wilson

ALPHA = 0.05
POWER = 0.8
_POINTS = 4_000


@dataclass(frozen=True)
class Comparison:
    """What two samples of yes and no say about each other.

    Parameters
    ----------
    rate_a, rate_b
        Shares of yes.
    difference, low, high
        B − A with its 95 % interval (Newcombe's, from two Wilson intervals).
    p_value
        Fisher's exact test, two-sided.
    better
        Posterior probability that B's rate is higher than A's, both priors uniform.
    expected_lift
        Posterior mean of B ÷ A − 1, medians of both rates; None where A's median is 0.
    """

    rate_a: float
    rate_b: float
    difference: float
    low: float
    high: float
    p_value: float
    better: float
    expected_lift: float | None


def compare(yes_a: int, n_a: int, yes_b: int, n_b: int) -> Comparison:
    """Compare B with A.

    Raises
    ------
    AssumptionError
        Where a sample is empty or has more yes than members.
    """
    for name, yes, n in (("A", yes_a, n_a), ("B", yes_b, n_b)):
        if not 0 <= yes <= n or n < 1:
            raise AssumptionError(f"{name}: {yes} of {n} is no sample", way_out="Give 0 or more successes of 1 or more")
    p, q = yes_a / n_a, yes_b / n_b
    (low_a, low_b), (high_a, high_b) = (
        ends.tolist() for ends in wilson(np.array([yes_a, yes_b]), np.array([n_a, n_b]))
    )
    down = math.sqrt((q - low_b) ** 2 + (high_a - p) ** 2)
    up = math.sqrt((high_b - q) ** 2 + (p - low_a) ** 2)
    test = stats.fisher_exact([[yes_a, n_a - yes_a], [yes_b, n_b - yes_b]])
    median_a, median_b = (stats.beta.median(yes + 1, n - yes + 1) for yes, n in ((yes_a, n_a), (yes_b, n_b)))
    lift = float(median_b / median_a - 1) if median_a > 0 else None
    return Comparison(
        p, q, q - p, q - p - down, q - p + up, float(test.pvalue), probability_better(yes_a, n_a, yes_b, n_b), lift
    )


def probability_better(yes_a: int, n_a: int, yes_b: int, n_b: int) -> float:
    """P(B > A) of two independent Beta(yes + 1, no + 1) rates: the mean over A's quantiles of P(B > quantile)."""
    middle = (np.arange(_POINTS) + 0.5) / _POINTS
    rate = stats.beta.ppf(middle, yes_a + 1, n_a - yes_a + 1)
    return float(stats.beta.sf(rate, yes_b + 1, n_b - yes_b + 1).mean())


def sample_size(base: float, lift: float, *, power: float = POWER, alpha: float = ALPHA) -> int:
    """Members each variant needs to tell a relative ``lift`` of the rate ``base`` from nothing.

    n = (z₁₋α⸝₂ √(2 p̄ q̄) + z_power √(p₁q₁ + p₂q₂))² ÷ (p₂ − p₁)², two-sided (Fleiss 1981).

    Raises
    ------
    AssumptionError
        Where a rate is not between 0 and 1, or nothing is to be told apart.
    """
    other = base * (1 + lift)
    if not 0 < base < 1 or not 0 < other < 1 or lift == 0:
        raise AssumptionError(
            f"A rate of {base:g} with a lift of {lift:g} cannot be planned",
            way_out="Both rates must be between 0 and 1",
        )
    return math.ceil(_needed(base, other, power, alpha))


def _needed(base: float, other: float, power: float, alpha: float) -> float:
    mean = (base + other) / 2
    half = stats.norm.ppf(1 - alpha / 2) * math.sqrt(2 * mean * (1 - mean))
    half += stats.norm.ppf(power) * math.sqrt(base * (1 - base) + other * (1 - other))
    return (half / (other - base)) ** 2


def smallest_lift(base: float, n: int, *, power: float = POWER, alpha: float = ALPHA) -> float | None:
    """The smallest relative rise of ``base`` that ``n`` members a variant can tell; None where none can be told."""
    highest = (1 - 1e-9) / base - 1
    if not 0 < base < 1 or _needed(base, base * (1 + highest), power, alpha) > n:
        return None
    # Needs fall as the lift rises up to where the higher rate's own variance turns; the first crossing is wanted.
    return float(optimize.brentq(lambda lift: _needed(base, base * (1 + lift), power, alpha) - n, 1e-6, highest))


def days_needed(members: int, a_day: float) -> float:
    """Days until two variants have ``members`` each when ``a_day`` come in all."""
    if a_day <= 0:
        raise AssumptionError("Nobody comes by, so no test can be run", way_out="Give how many come a day")
    return 2 * members / a_day


def holm(p_values: np.ndarray) -> np.ndarray:
    """P-values corrected for having looked so often (Holm 1979): the chance of any false alarm stays below α."""
    p = np.asarray(p_values, dtype=float)
    order = np.argsort(p, kind="stable")
    stepped = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    corrected = np.empty(len(p))
    corrected[order] = np.minimum(stepped, 1.0)
    return corrected


def lift_of(yes: np.ndarray, n: np.ndarray, yes_other: np.ndarray, n_other: np.ndarray) -> tuple[np.ndarray, ...]:
    """Rate over the others' rate with its 95 % interval on the log scale (Katz 1978), half a yes added to zeros."""
    shift = np.where((yes == 0) | (yes_other == 0), 0.5, 0.0)
    a, b = yes + shift, yes_other + shift
    ratio = (a / (n + shift)) / (b / (n_other + shift))
    half = Z * np.sqrt(np.maximum(1 / a - 1 / (n + shift) + 1 / b - 1 / (n_other + shift), 0.0))
    return ratio, ratio * np.exp(-half), ratio * np.exp(half)
