"""A person's corrections of the mapping, as the entry of a settings file that applies them next time."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from kpis.intake.accounting import FileReport


def as_mapped(files: Sequence[FileReport]) -> dict[str, dict[str, str]]:
    """How the files were mapped: file -> column -> ``table.field``, empty where a column was not used.

    It has the form of ``Settings.mapping``: edit it and put it into the settings. A column that serves two
    fields is named by intake's own field for both.
    """
    result: dict[str, dict[str, str]] = {}
    for file in files:
        if not file.table:
            continue
        columns = result.setdefault(file.file, {})
        for m in file.mapping:
            if m.column in columns and m.field:
                columns[m.column] = f"{file.table}.close_date"
            else:
                columns[m.column] = f"{file.table}.{m.field}" if m.field and "." not in m.field else ""
    return result


def as_toml(mapping: Mapping[str, Mapping[str, str]]) -> str:
    """The ``[mapping]`` tables of a settings file.

    Examples
    --------
    >>> print(as_toml({"deals.csv": {"Wert": "opportunities.amount"}}), end="")
    [mapping."deals.csv"]
    "Wert" = "opportunities.amount"
    """
    lines = []
    for file, columns in mapping.items():
        lines.append(f"[mapping.{_text(file)}]")
        lines += [f"{_text(column)} = {_text(field)}" for column, field in columns.items()]
    return "\n".join(lines) + "\n" if lines else ""


def _text(text: str) -> str:
    """A TOML string; JSON's escapes are TOML's, but for the one of DEL."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
