"""Tables in Markdown, put between the markers of a benchmark in README.md."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

README = Path(__file__).with_name("README.md")


def table(frame: pd.DataFrame) -> str:
    """The frame as a Markdown table; numbers are aligned right."""
    right = [pd.api.types.is_numeric_dtype(frame[c]) or str(frame[c].iloc[0])[:1] in "+-0123456789" for c in frame]
    rows = [list(map(str, frame.columns)), ["--:" if r else ":--" for r in right]]
    rows += [list(map(str, row)) for row in frame.itertuples(index=False)]
    return "\n".join("| " + " | ".join(cell.strip() for cell in row) + " |" for row in rows)


def write(name: str, text: str) -> None:
    """Replace what stands between ``<!-- name -->`` and ``<!-- /name -->``."""
    begin, end = f"<!-- {name} -->", f"<!-- /{name} -->"
    before, rest = README.read_text(encoding="utf-8").split(begin)
    after = rest.split(end)[1]
    README.write_text(f"{before}{begin}\n{text}\n{end}{after}", encoding="utf-8")
