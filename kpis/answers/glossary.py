"""The words of the answers, from ``glossary.toml``: one label and one definition per number."""

from __future__ import annotations

import tomllib
from pathlib import Path

from kpis.answers.answer import Number

_TERMS = tomllib.loads((Path(__file__).parent / "glossary.toml").read_text(encoding="utf-8"))


def number(term: str, value: float | None, **words: str) -> Number:
    """A number under its term; without a value it says why there is none.

    Parameters
    ----------
    words
        What the term's label, help and working leave open, such as ``period="2026Q3"``.
    """
    entry = _TERMS[term]
    working = entry.get("working", "") if value is not None else ""
    return Number(
        label=entry["label"].format(**words),
        value=value,
        unit=entry["unit"],
        help=entry["help"].format(**words),
        reason="" if value is not None else entry["without"].format(**words),
        working=working.format(**words),
        rows=entry.get("rows", ""),
        counts=tuple(entry.get("counts", ())),
    )
