"""The sellers: their team, skill, care for the CRM, and when they joined and left."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from kpis.demo.calendar import NEVER
from kpis.periods import day_of

TEAMS = ("Americas East", "Americas West", "EMEA", "APAC")
TEAM_REGION = np.array([0, 0, 1, 2])
TEAM_SHARE = np.array([0.28, 0.24, 0.31, 0.17])
SKILL_SD = 0.20
DEALS_A_YEAR = 60
"""Opportunities that a seller is given a year: sets how many sellers there are."""
TENURE_DAYS = 1_300
_MOST = 400

_GIVEN = (
    "Aisha Amara Anders Andrea Anil Astrid Beatriz Ben Carla Carmen Chen Chloe Claire Daniel David Diego "
    "Elena Elif Emma Erik Fatima Felix Grace Hana Hugo Ines Isabel Ivan Jack James Jana Jin Joana Jonas Julia "
    "Karim Kate Kenji Lars Laura Leila Leo Lina Lucas Lucy Maja Marco Maria Mark Mateo Maya Mei Mia Nadia "
    "Nina Noah Nora Oliver Olga Omar Oscar Paula Pedro Petra Priya Rafael Rosa Ruth Sam Sara Simon Sofia "
    "Tariq Thomas Tom Vera Victor Yara Yuki Zoe"
).split()
_FAMILY = (
    "Adler Ahmed Alvarez Baker Bauer Becker Bell Bianchi Brandt Carter Chan Costa Dubois Evans Ferrari "
    "Fischer Fox Garcia Gomez Gray Gruber Haas Hall Hansen Hill Ito Jensen Keller Khan Kim Klein Kovacs Kumar "
    "Lang Larsen Lee Lopez Martin Meyer Mills Moreau Mori Murphy Nagy Nguyen Novak Olsen Park Patel Perez "
    "Quinn Reed Rossi Ruiz Santos Sato Schmidt Shah Silva Singh Stone Suzuki Tanaka Tran Turner Vargas Vogel "
    "Walker Wang Weber West Wolf Wong Young Zhang"
).split()


@dataclass(frozen=True)
class Owners:
    """The sellers as arrays of equal length.

    Parameters
    ----------
    forward, lost
        Hazard ratios: a good seller's deals move on sooner and are lost less often.
    care
        Chance a working day that an overdue close date is put right.
    joined, left
        First day and the day from which the deals go to somebody else.
    """

    names: tuple[str, ...]
    team: np.ndarray
    forward: np.ndarray
    lost: np.ndarray
    care: np.ndarray
    joined: np.ndarray
    left: np.ndarray

    @classmethod
    def drawn(cls, *, opportunities: int, first: int, last: int, rng: np.random.Generator) -> Owners:
        """Fill the positions that the number of opportunities asks for, each with one seller after another."""
        years = max((last - first) / 365.25, 0.25)
        positions = int(np.clip(opportunities / years / DEALS_A_YEAR, 4, _MOST * 0.7))
        # One position of each team is filled by the same person throughout: no team is ever empty.
        spare = np.repeat(np.arange(len(TEAMS)), np.maximum(np.round(TEAM_SHARE * positions).astype(int) - 1, 0))
        team, joined, left = [], [], []
        for place, of_team in enumerate([*range(len(TEAMS)), *spare.tolist()]):
            start = first - 1
            if place >= len(TEAMS):
                # A third of the positions came with growth.
                start += int(rng.integers(0, last - first + 1)) if rng.random() < 1 / 3 else 0
            while start < last:
                stays = place < len(TEAMS)
                end = NEVER if stays else start + 120 + int(rng.exponential(TENURE_DAYS))
                team.append(of_team)
                joined.append(start)
                left.append(end if end <= last else NEVER)
                start = end + int(rng.integers(0, 45))
        count = len(team)
        skill = rng.normal(0, SKILL_SD, count)
        names = rng.permutation(len(_GIVEN) * len(_FAMILY))[:count]
        return cls(
            tuple(f"{_GIVEN[n % len(_GIVEN)]} {_FAMILY[n // len(_GIVEN)]}" for n in names.tolist()),
            np.array(team),
            np.exp(skill),
            np.exp(-0.5 * skill + rng.normal(0, 0.06, count)),
            np.clip(np.exp(rng.normal(np.log(0.08), 0.7, count)), 0.02, 0.5),
            np.array(joined),
            np.array(left),
        )

    def __len__(self) -> int:
        return len(self.names)

    def pick(self, team: np.ndarray, day: np.ndarray | int, rng: np.random.Generator) -> np.ndarray:
        """A seller for each deal: anyone of its team who is there on its day, with equal chances."""
        day = np.broadcast_to(day, team.shape)
        chosen = np.zeros(len(team), dtype=np.int64)
        for of_team in np.unique(team):
            deals = np.flatnonzero(team == of_team)
            sellers = np.flatnonzero(self.team == of_team)
            there = (self.joined[sellers] <= day[deals, None]) & (day[deals, None] < self.left[sellers])
            rank = np.floor(rng.random(len(deals)) * there.sum(axis=1))
            chosen[deals] = sellers[np.argmax(np.cumsum(there, axis=1) > rank[:, None], axis=1)]
        return chosen

    def as_json(self) -> list[dict[str, Any]]:
        """A row a seller: name, team, joined, left (null while there)."""
        return [
            {
                "name": name,
                "team": TEAMS[self.team[i]],
                "joined": day_of(self.joined[i]).isoformat(),
                "left": None if self.left[i] >= NEVER else day_of(self.left[i]).isoformat(),
            }
            for i, name in enumerate(self.names)
        ]
