"""Minutes: what a meeting decided, with who does it by when, as a table and as Markdown.

A decision is a plain dictionary of the texts ``decision``, ``owner``, ``due`` (ISO 8601, or empty) and ``page`` (where
it was taken), so that whatever keeps decisions between meetings can take it as it is.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import date

import pandas as pd

COLUMNS = ("decision", "owner", "due", "page")
_MARKUP = re.compile(r"([\\`*_\[\]<>#|])")


def as_table(decisions: Iterable[Mapping[str, str]]) -> pd.DataFrame:
    """A row a decision, in the order they were taken."""
    return pd.DataFrame([[decision[name] for name in COLUMNS] for decision in decisions], columns=list(COLUMNS))


def as_minutes(decisions: Sequence[Mapping[str, str]], about: str, as_of: date, since: str = "") -> str:
    """Minutes in Markdown: what the meeting was about, what changed since the last one, and each decision.

    Parameters
    ----------
    about
        Name of the data.
    since
        What changed since the last meeting, in a sentence; left out where it is not known.
    """
    lines = [f"# Pipeline review: {_text(about)}", "", f"Data as of {as_of:%d %b %Y}."]
    lines += ["", f"Since the last meeting: {_text(since)}"] if since else []
    lines += ["", "## Decisions", ""]
    lines += ["| " + " | ".join(name.capitalize() for name in COLUMNS) + " |", "|" + "---|" * len(COLUMNS)]
    lines += ["| " + " | ".join(_text(decision[name]) for name in COLUMNS) + " |" for decision in decisions]
    return "\n".join(lines) + "\n"


def _text(text: str) -> str:
    """A typed text in one line that Markdown shows as it is."""
    return _MARKUP.sub(r"\\\1", " ".join(text.split()))
