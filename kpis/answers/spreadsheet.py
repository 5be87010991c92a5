"""Tables as spreadsheets read them: unrounded, and without a text that a spreadsheet would run as a formula."""

from __future__ import annotations

from typing import Any

import pandas as pd

_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
"""What a formula may begin with (OWASP, CSV injection); some spreadsheets take the wide forms for the others."""


def harmless(value: Any) -> Any:
    """The value for a cell of a CSV or a workbook; a text that could run as a formula begins with an apostrophe.

    Examples
    --------
    >>> harmless("=1+1"), harmless("Acme"), harmless(-1.5)
    ("'=1+1", 'Acme', -1.5)
    """
    return f"'{value}" if isinstance(value, str) and value.startswith(_STARTS) else value


def csv(table: pd.DataFrame) -> bytes:
    """The table as CSV (RFC 4180), in the encoding that spreadsheets recognise."""
    # Lines that end in CR LF make the writer quote a lone CR, which would else begin a row inside a cell.
    return _safe(table).to_csv(index=False, lineterminator="\r\n").encode("utf-8-sig")


def _safe(table: pd.DataFrame) -> pd.DataFrame:
    """The table with harmless texts and headers; two columns may have one name."""
    safe = table.copy(deep=False)
    safe.columns = [harmless(name) for name in table.columns]
    for n, kind in enumerate(table.dtypes):
        if kind == object or pd.api.types.is_string_dtype(kind) or isinstance(kind, pd.CategoricalDtype):  # noqa: E721
            safe.isetitem(n, table.iloc[:, n].map(harmless))
    return safe
