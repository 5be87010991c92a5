"""What would it take, and what matters most: one or two levers moved from where they stand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.optimize import brentq

from kpis.answers.answer import Answer
from kpis.answers.board import Lever, set_to
from kpis.answers.outlook import Outlook
from kpis.answers.words import percent, signed
from kpis.assumptions import Assumptions
from kpis.errors import AssumptionError, NotEnoughData
from kpis.forecast.projection import Window, project

STEPS = 5
"""Values of each lever in the map of two."""

PRECISION = 0.25
"""Part of a slider's step to which a lever's goal is sought."""


@dataclass(frozen=True)
class Variation:
    """An outlook whose levers are moved one or two at a time, all others as they stand.

    Parameters
    ----------
    board
        The levers the model supports.
    w
        The period that is looked at: 0 the current one.
    """

    found: Outlook
    board: Sequence[Lever]
    w: int

    @property
    def landing_target(self) -> float:
        """The target of the period.

        Raises
        ------
        NotEnoughData
            When there is none.
        """
        target = self.found.landings[self.w].target
        if target is None:
            label = self.found.landings[self.w].label
            raise NotEnoughData(f"{label} has no target", way_out="Set one in the sidebar to see what reaches it")
        return target

    def p_hit(self, assumptions: Assumptions) -> float:
        """Chance to reach the period's target."""
        return self._window(assumptions).p_hit(self.landing_target)

    def expected(self, assumptions: Assumptions) -> float:
        """Expected landing of the period."""
        return self._window(assumptions).expected

    def _window(self, assumptions: Assumptions) -> Window:
        return project(self.found.model, assumptions, self.found.projection.calibration).windows[self.w]


def goal_seek(variation: Variation, chance: float) -> Answer:
    """For each lever the value that alone makes the target as likely as wanted, all others as they stand.

    Table ``goals``: a row a lever with what it is now, what it would have to be, and where that lies in its own past.
    """
    found, base = variation.found, variation.found.projection.assumptions
    now = variation.p_hit(base)
    rows = [_goal(variation, lever, chance, now) for lever in variation.board]
    table = pd.DataFrame(rows)
    label = found.landings[variation.w].label
    wanted = f"{percent(chance)} likely to reach {found.say(variation.landing_target)} in {label}"
    reached = table[table["value"].notna()]
    if reached.empty:
        sentence = f"No single lever makes it {wanted}: it takes several, or another target."
    else:
        inside = reached[reached["inside"]]
        best = (inside if len(inside) else reached).iloc[0]
        usual = "within its own range" if len(inside) else "outside the range it has had"
        sentence = f"It is {wanted} with {best['lever'].lower()} at {best['said']}, {usual}."
    return Answer(
        question=f"What would make {label} {percent(chance)} likely?",
        sentence=sentence,
        tables={"goals": table},
        notes=("Each lever is moved alone, all others as they stand in the sidebar.",),
    )


def _goal(variation: Variation, lever: Lever, chance: float, now: float) -> dict[str, object]:
    """The nearest value of a lever at which the target has the chance; else how far the lever alone can bring it."""
    currency = variation.found.currency
    base = variation.found.projection.assumptions
    row: dict[str, object] = {
        "lever": lever.label, "standing": lever.words(lever.value_in(base), currency),
        "past": lever.span(currency), "value": None, "said": "", "inside": False, "verdict": "",
    }  # fmt: skip

    def short(value: float) -> float:
        return variation.p_hit(set_to(base, lever, value)) - chance

    tried: dict[float, float] = {}
    for bound in (lever.minimum, lever.maximum):
        try:
            tried[bound] = short(bound)
        except AssumptionError:
            # The other levers, as they stand, leave this end out of reach.
            continue
        if (tried[bound] > 0) != (now > chance):
            low, high = sorted((lever.value_in(base), bound))
            value = brentq(short, low, high, xtol=PRECISION * lever.step)
            inside = not lever.outside(value)
            verdict = "within the range it has had" if inside else "outside the range it has had"
            return {**row, "value": value, "said": lever.words(value, currency), "inside": inside, "verdict": verdict}
    if not tried:
        return {**row, "verdict": "it cannot be moved with the others as they stand"}
    ends = max(tried, key=tried.__getitem__) if now < chance else min(tried, key=tried.__getitem__)
    best = "at most" if now < chance else "still"
    return {**row, "verdict": f"{best} {percent(tried[ends] + chance)}, at {lever.words(ends, currency)}"}


def tornado(variation: Variation) -> Answer:
    """What each lever would do to the period's expected landing over the range it has had in the past.

    Table ``swings``: a row a lever and end of its range, with the change of the expected landing; the widest first.
    """
    found, base = variation.found, variation.found.projection.assumptions
    now = variation.expected(base)
    rows, without = [], []
    for lever in variation.board:
        if lever.own.low is None or lever.own.high is None:
            without.append(lever.label)
            continue
        for end, value in (("low", lever.own.low), ("high", lever.own.high)):
            held = float(np.clip(value * lever.scale, lever.minimum, lever.maximum))
            change = variation.expected(set_to(base, lever, held)) - now
            rows.append(
                {"lever": lever.label, "end": end, "value": lever.words(held, found.currency), "change": change}
            )
    table = pd.DataFrame(rows, columns=["lever", "end", "value", "change"])
    label = found.landings[variation.w].label
    if table.empty:
        raise NotEnoughData("No lever has a range of its own yet", way_out="It takes four past periods")
    swing = table.groupby("lever")["change"].agg(lambda x: x.max() - x.min()).sort_values(ascending=False)
    table = table.assign(swing=table["lever"].map(swing)).sort_values("swing", ascending=False, kind="stable")
    widest = swing.index[0]
    ends = table[table["lever"] == widest].set_index("end")["change"]
    return Answer(
        question=f"What moves {label} most?",
        sentence=f"{widest} moves the landing of {label} most: between {signed(ends.min(), found.currency)} and "
        f"{signed(ends.max(), found.currency)} over the range it has had.",
        tables={"swings": table.reset_index(drop=True)},
        notes=(
            "Each lever is moved alone to the 10 % and 90 % points of its own past periods.",
            *([f"Too few past periods for a range: {', '.join(without)}"] if without else []),
        ),
    )


def two_levers(variation: Variation, across: Lever, down: Lever) -> Answer:
    """Chance to reach the target over the ranges of two levers.

    Table ``map``: a row a pair of values.
    """
    found, base = variation.found, variation.found.projection.assumptions
    rows = []
    for x in _values(across):
        for y in _values(down):
            try:
                p = variation.p_hit(set_to(set_to(base, across, x), down, y))
            except AssumptionError:
                p = None
            rows.append(
                {"x": x, "y": y, "across": across.words(x, found.currency), "down": down.words(y, found.currency),
                 "p_hit": p}
            )  # fmt: skip
    table = pd.DataFrame(rows)
    best = table.loc[table["p_hit"].astype(float).idxmax()]
    label = found.landings[variation.w].label
    return Answer(
        question=f"{across.label} and {down.label.lower()} together?",
        sentence=f"At best {percent(best['p_hit'])} likely to reach {found.say(variation.landing_target)} in {label}, "
        f"with {best['across']} and {best['down']}.",
        tables={"map": table},
        notes=("Where a pair has no value, the close rate cannot be reached with the others as they stand.",),
    )


def _values(lever: Lever) -> np.ndarray:
    """Values over the lever's own range, or a third around its estimate, on its steps."""
    low, high = lever.own.low, lever.own.high
    if low is None or high is None:
        low, high = lever.own.value * 0.7, lever.own.value * 1.3
    ends = np.clip(np.array([min(low, lever.own.value), max(high, lever.own.value)]) * lever.scale,
                   lever.minimum, lever.maximum)  # fmt: skip
    return np.unique(np.round(np.linspace(*ends, STEPS) / lever.step) * lever.step)
