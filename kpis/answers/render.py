"""An answer as plain text for the terminal, and its document as JSON."""

from __future__ import annotations

import json
import math
from datetime import date
from typing import Any

import pandas as pd

from kpis.answers.answer import Answer, Number
from kpis.answers.words import count, money, percent

ROWS = 20
"""A longer table is not shown in a terminal: the pages have it, and the file downloaded from there."""


def as_text(answer: Answer, rows: int = ROWS) -> str:
    """Question, sentence, numbers, each table of at most ``rows`` rows, notes."""
    currency = str(answer.document.get("currency", "")) if answer.document else ""
    lines = ["", answer.question, answer.sentence, ""]
    lines += [f"  {n.label:<38} {say(n, currency)}" for n in answer.numbers.values()]
    for name, table in answer.tables.items():
        if len(table) <= rows:
            lines += ["", name.replace("_", " "), _table(table)]
    if answer.notes:
        lines += ["", *(f"- {note}" for note in answer.notes)]
    return "\n".join(lines)


def say(number: Number, currency: str) -> str:
    """A number with its unit; ``n/a`` with its reason."""
    if number.value is None:
        return f"n/a ({number.reason})" if number.reason else "n/a"
    if number.unit == "money":
        return money(number.value, currency)
    if number.unit == "share":
        return percent(number.value)
    if number.unit == "ratio":
        return f"{number.value:z.2f} x"
    if number.unit == "days":
        return f"{count(number.value)} days"
    return count(number.value, 0 if number.unit == "count" else 1)


def _table(table: pd.DataFrame) -> str:
    if table.empty:
        return "  (none)"
    return table.to_string(index=False, float_format=lambda v: f"{v:z,.2f}", na_rep="n/a", max_colwidth=110)


def as_json(document: Any) -> str:
    """The document as JSON (RFC 8259): every figure unrounded, days as ISO 8601."""
    return json.dumps(document, ensure_ascii=False, allow_nan=False, indent=1, default=_plain)


def records(table: pd.DataFrame) -> list[dict[str, Any]]:
    """The rows of a table as a document has them: what is unknown or no finite number is null."""
    known = table.notna() & ~table.isin((math.inf, -math.inf))
    return table.astype(object).where(known, None).to_dict("records")


def _plain(value: Any) -> Any:
    """Numpy scalars and dates as JSON has them."""
    if isinstance(value, date):
        return value.isoformat()
    return value.item()
