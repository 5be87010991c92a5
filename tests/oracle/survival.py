"""Cumulative incidence of competing exits, in textbook form (Aalen & Johansen 1978)."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction


def aalen_johansen(time: Sequence[int], cause: Sequence[int], causes: int, last: int) -> list[list[Fraction]]:
    """Share that has left by each cause at the end of day 0, 1, ..., last.

    Parameters
    ----------
    time
        Day of the exit or of the censoring, from 1.
    cause
        0, 1, ... or -1 where censored; a censored subject is at risk on its last day.
    """
    survival = Fraction(1)
    incidence = [[Fraction(0)] * (last + 1) for _ in range(causes)]
    for day in range(1, last + 1):
        at_risk = sum(t >= day for t in time)
        events = [sum(t == day and c == k for t, c in zip(time, cause, strict=True)) for k in range(causes)]
        for k in range(causes):
            step = survival * Fraction(events[k], at_risk) if at_risk else Fraction(0)
            incidence[k][day] = incidence[k][day - 1] + step
        if at_risk:
            survival *= 1 - Fraction(sum(events), at_risk)
    return incidence
