"""The true parameters of the demo company: everything its pipeline is drawn from.

The semantic, in the convention of the forecast (a day grid; "as of t" is the end of day t)::

    P(exit to c on day t+1 | in stage s for u whole days at the end of day t) = h[s][c][bin(u)] * weekday[t+1] * f

    f = HR_forward * calendar["won"][phase(t+1)] * shock[quarter(t+1)]    c = Closed Won
    f = HR_lost * calendar["lost"][phase(t+1)]                            c = Closed Lost
    f = HR_forward                                                        c a later stage
    f = 1                                                                 c an earlier stage

and where the sum over c exceeds 0.98, all are scaled down to it. A deal is in its first stage for 0 days at
the end of the day it is created; a stage that is entered again starts at 0 days again. ``bin(u)`` is the last
of ``age_edges`` that is at most u; ``phase`` is 3 x month of the quarter (0, 1, 2) + part of the month
(0 first 7 days, 1 middle, 2 last 7 days).

    HR_forward = segment * region * type * source * owner * (a / reference)^elasticity * exp(slope * (score - centre))

each factor from ``hazard_ratios["forward"]``, and HR_lost alike from ``hazard_ratios["lost"]``; a is the amount
at creation, with a / reference kept inside ``clip``; the owner is the one of the day; a deal without a lead has
no score and the factor 1. All of it stands in columns of the exported tables.

Apart from that process: a share of new deals (``new_deals.instant``) is won on the day of creation; of the forward
moves, won included, ``revision.share`` multiply the amount by a lognormal factor; the deals of a seller who leaves
go to a colleague of the team. New deals arrive as a Poisson process; the past has exactly as many as were asked for.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from kpis.demo.calendar import Days, quarter_label
from kpis.demo.owners import Owners
from kpis.periods import day_of

STAGES = ("Prospecting", "Discovery", "Evaluation", "Proposal", "Negotiation")
WON, LOST = len(STAGES), len(STAGES) + 1
STATES = (*STAGES, "Closed Won", "Closed Lost")
PROBABILITY = (0.10, 0.25, 0.50, 0.70, 0.90, 1.0, 0.0)
"""The CRM's default probability of each state: set once by somebody, and too high."""

AGE_EDGES = np.array([0, 2, 4, 7, 11, 15, 20, 26, 33, 42, 53, 67, 85, 107, 135, 170, 220, 290, 400])
OLDEST = int(AGE_EDGES[-1])
AGE_BIN = np.searchsorted(AGE_EDGES, np.arange(OLDEST + 1), side="right") - 1
"""Age bin of each number of days in stage up to OLDEST."""

CAP = 0.98

SEGMENTS = ("SMB", "Mid-market", "Enterprise")
TYPES = ("new", "expansion", "renewal", "winback")
REGIONS = ("Americas", "EMEA", "APAC")
SOURCES = (
    "Organic search", "Paid search", "Paid social", "Webinar", "Event", "Email", "Partner", "Outbound",
    "Referral", "Account management",
)  # fmt: skip

# Stage -> next state: strength, time scale in days, shape of its hazard (see `_hazard`).
_PROCESS = {
    "Prospecting": {"Discovery": (0.60, 15, 1.7), "Evaluation": (0.04, 20, 1.5), "Closed Lost": (0.57, 34, 1.4)},
    "Discovery": {
        "Prospecting": (0.03, 22, 1.3), "Evaluation": (0.62, 18, 1.8), "Proposal": (0.05, 22, 1.6),
        "Closed Lost": (0.52, 36, 1.4),
    },
    "Evaluation": {
        "Discovery": (0.05, 24, 1.4), "Proposal": (0.62, 22, 1.9), "Negotiation": (0.04, 26, 1.7),
        "Closed Won": (0.015, 30, 1.8), "Closed Lost": (0.48, 38, 1.5),
    },
    "Proposal": {
        "Evaluation": (0.07, 22, 1.4), "Negotiation": (0.58, 18, 1.8), "Closed Won": (0.12, 24, 1.8),
        "Closed Lost": (0.48, 34, 1.5),
    },
    "Negotiation": {"Proposal": (0.09, 18, 1.4), "Closed Won": (0.85, 19, 2.0), "Closed Lost": (0.41, 32, 1.6)},
}  # fmt: skip

_FORWARD = {
    "segment": (1.12, 1.0, 0.84),
    "region": (1.0, 0.94, 0.88),
    "type": (1.0, 1.25, 1.85, 0.85),
    "source": (1.05, 1.0, 0.80, 1.0, 1.08, 0.92, 1.15, 0.85, 1.25, 1.1),
}
_LOST = {
    "segment": (1.15, 1.0, 0.85),
    "region": (1.0, 1.04, 1.0),
    "type": (1.0, 0.7, 0.27, 1.15),
    "source": (1.0, 1.0, 1.2, 1.0, 0.95, 1.05, 0.9, 1.1, 0.85, 0.9),
}
REFERENCE, CLIP, CENTRE = 20_000.0, 20.0, 55.0
ELASTICITY = {"forward": -0.075, "lost": 0.035}
SCORE_SLOPE = {"forward": 0.011, "lost": -0.009}

# First 7 days, middle and last 7 days of the first, second and third month of a quarter.
_CALENDAR = {
    "won": np.array([0.45, 0.70, 1.20, 0.60, 0.80, 1.35, 0.70, 1.05, 2.60]),
    "lost": np.array([2.10, 1.00, 0.80, 1.35, 0.90, 0.85, 1.15, 0.80, 0.75]),
}
_PHASE_DAYS = np.array([7, 16.4, 7] * 3)

WEEKDAY = np.array([1.25, 1.35, 1.40, 1.45, 1.35, 0.12, 0.08])
"""Factor of every exit by day of the week, Monday first."""

SHOCK_CV = 0.15

SEASON = np.array([1.02, 1.08, 1.12, 1.04, 1.06, 1.00, 0.84, 0.74, 1.12, 1.14, 1.08, 0.76])
ARRIVAL_WEEKDAY = np.array([1.30, 1.40, 1.35, 1.30, 1.15, 0.28, 0.22])
WEEK_CV = 0.22
"""Coefficient of variation of a week's arrivals beyond Poisson."""

REVISION = {"share": 0.30, "mean_log": -0.05, "sd_log": 0.16}
"""Of each forward move (won included): share that revises the amount, by a lognormal factor."""

SHOCKS_AHEAD = 84
"""Quarters for which a shock is drawn; what is drawn after the end is not used."""


@dataclass(frozen=True)
class Truth:
    """One company's true parameters.

    Parameters
    ----------
    hazards
        h[stage, next state, age bin], shape (5, 7, 19), per day.
    calendar
        Factor by phase, shape (9,), for ``won`` and ``lost``.
    level
        Opportunities created on an average day at the start, before growth.
    growth
        Growth of arrivals, as a log rate per year.
    shock
        Factor on won hazards in each quarter from the one of ``first`` on.
    owners
        The sellers: skill, team, tenure.
    """

    seed: int
    first: int
    last: int
    hazards: np.ndarray
    calendar: dict[str, np.ndarray]
    level: float
    growth: float
    shock: np.ndarray
    owners: Owners

    @classmethod
    def drawn(cls, *, opportunities: int, seed: int, first: int, last: int, rng: np.random.Generator) -> Truth:
        """Draw a company: the parameters above, each varied a little, so that companies differ."""
        hazards = np.zeros((len(STAGES), len(STATES), len(AGE_EDGES)))
        for stage, exits in _PROCESS.items():
            for state, (strength, scale, shape) in exits.items():
                vary = np.exp(rng.normal(0, 0.06, 2))
                hazards[STAGES.index(stage), STATES.index(state)] = _hazard(strength * vary[0], scale * vary[1], shape)
        calendar = {}
        for cause, factors in _CALENDAR.items():
            varied = factors * np.exp(rng.normal(0, 0.05, 9))
            calendar[cause] = varied / np.average(varied, weights=_PHASE_DAYS)
        growth = rng.normal(0.16, 0.05)
        shock = draw_shock(rng, SHOCKS_AHEAD)
        days = Days(first, last)
        everyday = arrival_shape(days, np.arange(first, last + 1), first, growth)
        owners = Owners.drawn(opportunities=opportunities, first=first, last=last, rng=rng)
        return cls(seed, first, last, hazards, calendar, opportunities / everyday.sum(), growth, shock, owners)

    def ratios(self, deals: dict[str, np.ndarray], which: str) -> np.ndarray:
        """Hazard ratio of each deal without its owner's part; ``deals`` has the codes of its dimensions."""
        table = _FORWARD if which == "forward" else _LOST
        ratio = np.ones(len(deals["amount"]))
        for dimension, factors in table.items():
            ratio *= np.array(factors)[deals[dimension]]
        ratio *= np.clip(deals["amount"] / REFERENCE, 1 / CLIP, CLIP) ** ELASTICITY[which]
        return ratio * np.exp(SCORE_SLOPE[which] * np.where(deals["score"] >= 0, deals["score"] - CENTRE, 0.0))

    def as_json(self) -> dict[str, Any]:
        """Everything an oracle needs, with labels instead of codes, for ``truth.json``."""
        start, end = Days(self.first, self.last)["quarter", np.array([self.first, self.last])].tolist()
        labels = {"segment": SEGMENTS, "region": REGIONS, "type": TYPES, "source": SOURCES}
        ratios = {}
        for which, table, owner in (("forward", _FORWARD, self.owners.forward), ("lost", _LOST, self.owners.lost)):
            ratios[which] = {d: dict(zip(labels[d], factors, strict=True)) for d, factors in table.items()}
            ratios[which]["owner"] = dict(zip(self.owners.names, owner.tolist(), strict=True))
            ratios[which]["amount"] = {
                "reference": REFERENCE,
                "clip": [1 / CLIP, CLIP],
                "elasticity": ELASTICITY[which],
            }
            ratios[which]["score"] = {"centre": CENTRE, "slope": SCORE_SLOPE[which]}
        return {
            "semantic": __doc__,
            "seed": self.seed,
            "start": day_of(self.first).isoformat(),
            "end": day_of(self.last).isoformat(),
            "stages": list(STAGES),
            "age_edges": AGE_EDGES.tolist(),
            "hazards": {
                stage: {
                    state: self.hazards[s, c].tolist() for c, state in enumerate(STATES) if self.hazards[s, c].any()
                }
                for s, stage in enumerate(STAGES)
            },
            "cap": CAP,
            "hazard_ratios": ratios,
            "calendar": {cause: factors.tolist() for cause, factors in self.calendar.items()},
            "weekday": WEEKDAY.tolist(),
            "shock": {
                "cv": SHOCK_CV,
                "realised": {quarter_label(q): float(self.shock[q - start]) for q in range(start, end + 1)},
            },
            "arrivals": {
                "level": self.level,
                "growth": self.growth,
                "season": SEASON.tolist(),
                "weekday": ARRIVAL_WEEKDAY.tolist(),
                "week_cv": WEEK_CV,
                "formula": "level * exp(growth * years since start) * season[month] * weekday * gamma noise of week",
            },
            "revision": REVISION,
            "owners": self.owners.as_json(),
        }


def draw_shock(rng: np.random.Generator, size: int | tuple[int, ...]) -> np.ndarray:
    """Lognormal factors of mean 1 and coefficient of variation SHOCK_CV."""
    sd = np.sqrt(np.log1p(SHOCK_CV**2))
    return np.exp(rng.normal(-(sd**2) / 2, sd, size))


def arrival_shape(days: Days, day: np.ndarray, first: int, growth: float) -> np.ndarray:
    """Expected arrivals of each day as a multiple of the level."""
    trend = np.exp(growth * (day - first) / 365.25)
    return trend * SEASON[days["month", day]] * ARRIVAL_WEEKDAY[days["weekday", day]]


def _hazard(strength: float, scale: float, shape: float) -> np.ndarray:
    """A hazard that rises, then falls (log-logistic), at the middle of each age bin.

    h(u) = strength * shape * x^(shape-1) / (scale * (1 + x^shape)),  x = (u + 1/2) / scale
    """
    upper = np.append(AGE_EDGES[1:], AGE_EDGES[-1] + 200)
    x = (AGE_EDGES + upper) / 2 / scale
    return strength * shape * x ** (shape - 1) / (scale * (1 + x**shape))
