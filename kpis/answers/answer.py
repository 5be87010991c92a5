"""What one question of the meeting gets: the sentence, the numbers, the tables, the notes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pandas as pd


@dataclass(frozen=True)
class Number:
    """A number with what it takes to read it.

    Parameters
    ----------
    label
        What it is called on screen.
    value
        Unrounded; None when it cannot be computed, and then ``reason`` says why.
    unit
        ``money``, ``share``, ``days``, ``count`` (shown whole), ``ratio``, ``per day``, ``per deal`` or ``per month``.
    help
        Definition and formula, shown where the word is unclear.
    working
        The formula with the values of this answer put in.
    rows
        Key of the answer's table that holds the rows behind the number.
    counts
        Keys of the answer's counts that it rests on.
    """

    label: str
    value: float | None
    unit: str
    help: str = ""
    reason: str = ""
    working: str = ""
    rows: str = ""
    counts: tuple[str, ...] = ()


@dataclass(frozen=True)
class Count:
    """What the engine hands over; all that comes after it is arithmetic.

    Parameters
    ----------
    says
        What a row of it is.
    tables
        The tables it is read from.
    query
        Words the query, as the engine runs it.
    """

    says: str
    tables: tuple[str, ...]
    query: Callable[[], str]


@dataclass(frozen=True)
class Answer:
    """An answer: page, report and command render it and compute nothing.

    Parameters
    ----------
    question
        As the meeting asks it.
    sentence
        The answer in words, with the figures that matter.
    numbers
        By key, in the order of display.
    tables
        Tidy tables by key: what charts are drawn from and what is downloaded.
    notes
        How the numbers came about, and what was left out and why.
    counts
        By key: what its numbers rest on.
    document
        What the headless command prints as JSON.
    """

    question: str
    sentence: str
    numbers: Mapping[str, Number] = field(default_factory=dict)
    tables: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    counts: Mapping[str, Count] = field(default_factory=dict)
    document: Mapping[str, Any] = field(default_factory=dict)
