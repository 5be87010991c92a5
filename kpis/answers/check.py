"""What became of every file: the answer of ``check`` and of the page that loads data."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from kpis.answers.answer import Answer, Number
from kpis.answers.words import plural
from kpis.intake.accounting import KEPT, Defect, FileReport

QUESTION = "What became of the files?"


def check_answer(files: Sequence[FileReport], defects: Sequence[Defect], notes: Sequence[str] = ()) -> Answer:
    """The sentence, the tables and the document about files that were read.

    Tables: ``files`` (a row a file), ``mapping`` (a row a column), ``rejects`` (a row a rejected row),
    ``warnings`` (a row a warning or question) and ``defects`` (a row a defect, with rows and money).
    """
    read, accepted, rejected, merged = (
        sum(getattr(f, name) for f in files) for name in ("read", "accepted", "rejected", "merged")
    )
    refused = [f for f in files if f.table is None]
    numbers = {
        "files": Number("Files read", len(files) - len(refused), "count"),
        "refused": Number("Files refused", len(refused), "count", help="A file that no table fits, with its reason."),
        "read": Number("Rows read", read, "count", help="Read = accepted + rejected + merged, for every file."),
        "accepted": Number("Rows accepted", accepted, "count"),
        "rejected": Number("Rows rejected", rejected, "count", help="Each with its line and reason."),
        "merged": Number(
            "Rows merged",
            merged,
            "count",
            help="Exact duplicates, older states that became history, and rows of lookups joined into another table.",
        ),
    }
    return Answer(
        question=QUESTION,
        sentence=_sentence(files, defects),
        numbers=numbers,
        tables={
            "files": pd.DataFrame(
                [(f.file, f.format, f.table or "", f.read, f.accepted, f.rejected, f.merged, f.reason) for f in files],
                columns=["file", "format", "table", "read", "accepted", "rejected", "merged", "reason"],
            ),
            "mapping": pd.DataFrame(
                [(f.file, f.table, m.column, m.field or "", m.confidence, m.why) for f in files for m in f.mapping],
                columns=["file", "table", "column", "field", "confidence", "why"],
            ),
            "rejects": pd.DataFrame(
                [(f.file, r.line, r.reason) for f in files for r in f.rejects], columns=["file", "line", "reason"]
            ),
            "warnings": pd.DataFrame(
                [
                    (f.file, kind, text)
                    for f in files
                    for kind, texts in (("question", f.questions), ("warning", f.warnings))
                    for text in texts
                ],
                columns=["file", "kind", "text"],
            ),
            "defects": pd.DataFrame(
                [(d.defect, d.rows, d.amount) for d in defects], columns=["defect", "rows", "amount"]
            ),
        },
        notes=tuple(notes),
        document={
            "files": [f.document() for f in files],
            "defects": [{"defect": d.defect, "rows": d.rows, "amount": d.amount} for d in defects],
            "notes": list(notes),
        },
    )


def _sentence(files: Sequence[FileReport], defects: Sequence[Defect]) -> str:
    if not files:
        return "There is no file to read."
    by_table: dict[str, list[FileReport]] = {}
    for f in files:
        if f.table and f.accepted + f.rejected:
            by_table.setdefault(f.table, []).append(f)
    first = [t for t in ("opportunities", "opportunity_history", "leads") if t in by_table] or list(by_table)[:2]
    parts = [
        f"{sum(f.accepted for f in found):,} {name.replace('_', ' ')} accepted of {sum(f.read for f in found):,}"
        for name, found in ((t, by_table[t]) for t in first)
    ]
    refused = sum(f.table is None for f in files)
    used = len(files) - refused
    text = f"{plural(used, 'kept table' if {f.format for f in files} == {KEPT} else 'file')} read"
    text += f", {refused:,} refused" if refused else ""
    text += f": {'; '.join(parts)}." if parts else "."
    asked = sum(len(f.questions) for f in files)
    text += f" {asked:,} question(s) need an answer." if asked else ""
    worst = next((d for d in defects if d.amount > 0), None)
    return text + (f" The costliest defect: {worst.defect} ({worst.rows:,} rows)." if worst else "")
