"""Benchmarks beside the measures: published ones from ``benchmarks.toml``, replaced by those of the settings."""

from __future__ import annotations

import tomllib
from functools import cache
from pathlib import Path

from kpis.definitions import Benchmark, Definitions

NEAR = 0.1
"""One figure counts as met within a tenth of it."""


@cache
def published() -> dict[str, Benchmark]:
    """The published benchmarks by measure."""
    path = Path(__file__).parents[1] / "benchmarks.toml"
    return {name: Benchmark(**entry) for name, entry in tomllib.loads(path.read_text(encoding="utf-8")).items()}


def benchmarks(definitions: Definitions) -> dict[str, Benchmark]:
    """The benchmark of each measure that has one."""
    return {**published(), **definitions.benchmarks}


def place(value: float, band: Benchmark) -> str:
    """Where a value lies: ``below``, ``within`` or ``above``; beside one figure, within a tenth of it."""
    slack = NEAR * abs(band.low) if band.low == band.high else 0.0
    if value < band.low - slack:
        return "below"
    return "above" if value > band.high + slack else "within"
