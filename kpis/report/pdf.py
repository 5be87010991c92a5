"""The pack as PDF: a page a question, charts as vectors, text as text."""

from __future__ import annotations

import json
from datetime import UTC, datetime, time
from pathlib import Path
from typing import Any

from kpis.answers.render import say
from kpis.report import drawing
from kpis.report.pack import TITLE, Pack
from kpis.report.section import Listing, Section

ROWS = 8
"""Rows of a table on a page; the workbook has all of them."""

SHORT = 24
"""Characters that a column of a table has room for in one line."""


def pdf(pack: Pack) -> bytes:
    """The pack as PDF."""
    import typst

    # Typst writes the headings of a file anew from its own clock unless it is told a time.
    made = int(datetime.combine(pack.as_of, time(), UTC).timestamp())
    files = {
        f"{section.key}-{n}.svg": drawing.svg(figure.chart).encode("utf-8")
        for section in pack.sections
        for n, figure in enumerate(section.figures)
    }
    files["main.typ"] = (Path(__file__).parent / "page.typ").read_bytes()
    files["pack.json"] = json.dumps(_told(pack), ensure_ascii=False).encode("utf-8")
    return typst.compile(files, format="pdf", timestamp=made)


def _told(pack: Pack) -> dict[str, Any]:
    """What the template sets, in words."""
    colours = drawing.palette()
    return {
        "title": TITLE,
        "subject": pack.subject,
        "headline": pack.headline,
        "facts": pack.facts,
        "sections": [_section(section, pack.found.currency) for section in pack.sections],
        "fonts": drawing.FONTS,
        "colours": {name: colours[name] for name in ("textColor", "grayTextColor", "borderColor")}
        | {"card": colours["secondaryBackgroundColor"]},
    }


def _section(section: Section, currency: str) -> dict[str, Any]:
    answer = section.answer
    return {
        "question": answer.question,
        "sentence": answer.sentence,
        "cards": [("n/a" if n.value is None else say(n, currency), n.label) for n in section.cards],
        "figures": [(figure.title, f"{section.key}-{n}.svg") for n, figure in enumerate(section.figures)],
        "listings": [_listing(listing, currency) for listing in section.listings if listing.says],
        "definitions": [(n.label, n.help or n.reason) for n in answer.numbers.values() if n.help or n.reason],
        "notes": answer.notes,
    }


def _listing(listing: Listing, currency: str) -> dict[str, Any]:
    rows = list(listing.rows(currency, ROWS))
    longest = [max(map(len, column)) for column in zip(listing.headings, *rows, strict=True)]
    return {
        "title": listing.title,
        "headings": listing.headings,
        "right": listing.figures,
        # Short columns take what they need, long ones share what is left.
        "widths": [n if n > SHORT else 0 for n in longest],
        "rows": rows,
        "more": listing.more(ROWS),
    }
