"""Light recalibration on the company's own past forecasts: of probabilities by raking, of ranges by PIT."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from kpis.forecast.margins import BANDS, CLOSES, split

STAGE_SHRINKAGE, BAND_SHRINKAGE, CLOSE_SHRINKAGE = 30.0, 30.0, 20.0
PASSES = 2
MIN_LANDMARKS = 4
"""With fewer matured past forecasts a window is left as it is."""

PERIODS_HALF_LIFE = 6.0
PSEUDO_ORIGINS = 15
CAP = 0.98
"""A deal's chances over all windows never sum to more."""


@dataclass(frozen=True)
class Landmark:
    """A past forecast beside what came of it.

    Parameters
    ----------
    day, ends
        As-of day, and the last day of each window.
    stage, margin
        (cells,) what open deals were counted by.
    expected, observed
        (cells, 3) sum of uncalibrated chances, and number of deals won, by window.
    pit
        (3,) where the actual revenue fell in the forecast distribution, 0 to 1.
    """

    day: int
    ends: tuple[int, ...]
    stage: np.ndarray
    margin: np.ndarray
    expected: np.ndarray
    observed: np.ndarray
    pit: np.ndarray


@dataclass(frozen=True)
class Calibration:
    """Factors on chances and the map of probability levels, by window.

    Parameters
    ----------
    stage, band, close
        (3, levels) factors; 1 where nothing was learned.
    levels, shares
        Per window, points of the map from the model's probability to the share of past outcomes at or
        below it; the identity where too few periods are known.
    periods
        (3,) matured past forecasts behind each window.
    scale
        (3,) factor on the revenue still to come: 1, or what brings its mean to that of a better simple rule.
    """

    stage: np.ndarray
    band: np.ndarray
    close: np.ndarray
    levels: tuple[np.ndarray, ...]
    shares: tuple[np.ndarray, ...]
    periods: tuple[int, ...]
    scale: tuple[float, ...] = (1.0, 1.0, 1.0)

    def verified(self, w: int) -> bool:
        """Whether the window's range rests on the company's own past forecasts."""
        return self.periods[w] >= MIN_LANDMARKS

    def factors(self, stage: np.ndarray, margin: np.ndarray) -> np.ndarray:
        """(3, n) factor on the chance of deals of these stages and margins."""
        band, close = split(margin)
        return self.stage[:, stage] * self.band[:, band] * self.close[:, close]

    def to_share(self, w: int, level: float) -> float:
        """Calibrated probability of what the model gives probability ``level``."""
        return float(np.interp(level, self.levels[w], self.shares[w]))

    def to_level(self, w: int, share: float) -> float:
        """The model's probability level at which the calibrated probability is ``share``."""
        return float(np.interp(share, self.shares[w], self.levels[w]))


def neutral(stages: int) -> Calibration:
    """A calibration that changes nothing."""
    ends = np.array([0.0, 1.0])
    ones = [np.ones((3, n)) for n in (stages, BANDS, CLOSES)]
    return Calibration(*ones, (ends,) * 3, (ends,) * 3, (0, 0, 0))


def calibrate(landmarks: Sequence[Landmark], today: int, stages: int) -> Calibration:
    """Learn from the landmarks whose windows ended by ``today``, oldest first.

    Chances: raking of observed over expected wins in two passes over stage, amount band and expected close x
    pushes, g = (sum O + k) / (sum E + k), older landmarks weighing 0.5^(periods ago / 6). Ranges: the shares
    are those of the landmarks' PIT values and 15 uniform pseudo-origins.
    """
    base = neutral(stages)
    factors = [base.stage.copy(), base.band.copy(), base.close.copy()]
    levels, shares, periods = [], [], []
    for w in range(3):
        ripe = [x for x in landmarks if x.ends[w] <= today]
        periods.append(len(ripe))
        if len(ripe) < MIN_LANDMARKS:
            levels.append(base.levels[w])
            shares.append(base.shares[w])
            continue
        found = _rake(ripe, w, stages)
        for kept, learned in zip(factors, found, strict=True):
            kept[w] = learned
        level, share = _pit_map(np.array([x.pit[w] for x in ripe if np.isfinite(x.pit[w])]))
        levels.append(level)
        shares.append(share)
    return Calibration(*factors, tuple(levels), tuple(shares), tuple(periods))


def _rake(ripe: Sequence[Landmark], w: int, stages: int) -> list[np.ndarray]:
    stage = np.concatenate([x.stage for x in ripe])
    band, close = split(np.concatenate([x.margin for x in ripe]))
    ago = np.repeat(np.arange(len(ripe))[::-1], [len(x.stage) for x in ripe])
    weight = 0.5 ** (ago / PERIODS_HALF_LIFE)
    expected = weight * np.concatenate([x.expected[:, w] for x in ripe])
    observed = weight * np.concatenate([x.observed[:, w] for x in ripe])
    axes = [
        (stage, stages, STAGE_SHRINKAGE),
        (band, BANDS, BAND_SHRINKAGE),
        (close, CLOSES, CLOSE_SHRINKAGE),
    ]
    factors = [np.ones(size) for _, size, _ in axes]
    for _ in range(PASSES):
        for factor, (code, size, k) in zip(factors, axes, strict=True):
            g = (np.bincount(code, observed, size) + k) / (np.bincount(code, expected, size) + k)
            if factor is factors[2]:
                # Level 0 means "no expected close known", which is no trait of a deal: it learns nothing.
                g[0] = 1.0
            np.multiply(factor, g, out=factor)
            expected = expected * g[code]
    return factors


def _pit_map(pit: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Points (level, share) of the distribution of PIT values and uniform pseudo-origins."""
    pseudo = (np.arange(PSEUDO_ORIGINS) + 0.5) / PSEUDO_ORIGINS
    # Levels closer than that are one: a slope between them would overflow.
    values = np.sort(np.round(np.append(pseudo, pit), 12))
    share = (np.arange(len(values)) + 0.5) / len(values)
    level, first = np.unique(values, return_index=True)
    # Ties share the middle of their steps, so that the map stays a function both ways.
    last = np.append(first[1:], len(values)) - 1
    inside = (level > 0) & (level < 1)
    middle = ((share[first] + share[last]) / 2)[inside]
    return np.concatenate([[0.0], level[inside], [1.0]]), np.concatenate([[0.0], middle, [1.0]])


def capped(p: np.ndarray) -> np.ndarray:
    """Scale chances (3, n) down where they sum to more than CAP."""
    total = p.sum(0)
    return p * np.minimum(1.0, CAP / np.maximum(total, CAP))
