"""A grid: one number a group and period, with its n, its interval and the reason where it is missing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np


@dataclass(frozen=True)
class Grid:
    """Values of one quantity; every array has shape (groups, periods) and NaN where nothing can be told.

    Parameters
    ----------
    groups
        Labels of the breakdown; ``("",)`` when there is none.
    value, low, high
        The number and its 95 % interval (NaN where it has none).
    n
        How many records it rests on.
    reason
        Why a value is missing, in words; empty where it is there.
    extra
        Further arrays shown beside it, such as ``raw`` and ``matured`` of a cohort.
    """

    groups: tuple[str, ...]
    value: np.ndarray
    n: np.ndarray
    low: np.ndarray
    high: np.ndarray
    reason: np.ndarray
    extra: Mapping[str, np.ndarray] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        groups: tuple[str, ...],
        value: np.ndarray,
        n: np.ndarray,
        *,
        low: np.ndarray | None = None,
        high: np.ndarray | None = None,
        why: str | np.ndarray = "",
        extra: Mapping[str, np.ndarray] | None = None,
    ) -> Grid:
        """A grid whose missing values are explained by ``why``."""
        value = np.asarray(value, dtype=float)
        missing = ~np.isfinite(value)
        nothing = np.full(value.shape, np.nan)
        low = nothing if low is None else np.where(missing, np.nan, low)
        high = nothing if high is None else np.where(missing, np.nan, high)
        reason = np.where(missing, why, "").astype(object)
        value = np.where(missing, np.nan, value)
        return cls(groups, value, np.asarray(n, dtype=float), low, high, reason, dict(extra or {}))

    @property
    def shape(self) -> tuple[int, int]:
        """Number of groups and of periods."""
        return self.value.shape

    def on(self, groups: tuple[str, ...], *, absent: float = np.nan) -> Grid:
        """The same grid laid out on ``groups``; a group it does not have gets ``absent`` and n = 0.

        A grid without a breakdown is repeated for every group.
        """
        if groups == self.groups:
            return self
        if self.groups == ("",):
            where = np.zeros(len(groups), dtype=int)
        else:
            position = {name: k for k, name in enumerate(self.groups)}
            where = np.array([position.get(name, -1) for name in groups], dtype=int)

        def spread(array: np.ndarray, fill: float | str) -> np.ndarray:
            padded = np.concatenate([array, np.full((1, array.shape[1]), fill, dtype=array.dtype)])
            return padded[where]

        return replace(
            self,
            groups=groups,
            value=spread(self.value, absent),
            n=spread(self.n, 0.0),
            low=spread(self.low, np.nan),
            high=spread(self.high, np.nan),
            reason=spread(self.reason, "no record in this group"),
            extra={name: spread(array, np.nan) for name, array in self.extra.items()},
        )

    def per_period(self, change: Callable[[np.ndarray], np.ndarray]) -> Grid:
        """Apply ``change`` (a move along the periods) to every array."""
        arrays = {name: change(getattr(self, name)) for name in ("value", "n", "low", "high", "reason")}
        return replace(self, **arrays, extra={name: change(array) for name, array in self.extra.items()})

    def scaled(self, factor: float) -> Grid:
        """The same in another unit."""
        return replace(self, value=self.value * factor, low=self.low * factor, high=self.high * factor)

    def earlier(self, periods: int) -> Grid:
        """At each period the value of ``periods`` earlier; unknown before the first."""

        def shift(array: np.ndarray) -> np.ndarray:
            fill: float | str = "" if array.dtype == object else np.nan
            moved = np.full(array.shape, fill, dtype=array.dtype)
            if periods < array.shape[1]:
                moved[:, periods:] = array[:, : array.shape[1] - periods]
            return moved

        shifted = self.per_period(shift)
        unexplained = np.isnan(shifted.value) & (shifted.reason == "")
        reason = np.where(unexplained, "no earlier period to compare with", shifted.reason).astype(object)
        return replace(shifted, reason=reason)


def union(*grids: Grid) -> tuple[str, ...]:
    """Groups of all the grids, sorted; one without a breakdown adds none."""
    names = {name for grid in grids if grid.groups != ("",) for name in grid.groups}
    return tuple(sorted(names)) if names else ("",)


def first_reason(*grids: Grid) -> np.ndarray:
    """Cell by cell, the first reason given by any of the grids, which share their groups."""
    reason = np.full(grids[0].shape, "", dtype=object)
    for grid in grids:
        reason = np.where(reason == "", grid.reason, reason)
    return reason
