"""The pack as a notebook: it reads the same data, computes every answer again and compares it with the pack."""

from __future__ import annotations

from typing import Any

import nbformat
from nbformat import v4

from kpis.answers.outlook import Outlook
from kpis.report.pack import TITLE, Kept, Pack
from kpis.scenarios import write_scenario

INTRODUCTION = """\
# {title}

{subject}

**{headline}**

This notebook computes the pack again with Tandem's own functions and compares the numbers at its end. Start it where
Tandem is checked out and installed (`make app`, then add Jupyter), or set `TANDEM` to that folder, and {needs}."""

READ = """\
import sys

TANDEM = {tandem!r}
sys.path.insert(0, TANDEM)

from dataclasses import replace
from datetime import date

import pandas as pd

from kpis.periods import Calendar
from kpis.scenarios import read_scenario
from kpis.settings import Settings

settings = Settings.parse({settings!r}.encode(), "settings of the pack")
assumptions = read_scenario({scenario!r})
{source}
dataset = intake.dataset.known_at(date({day}))
pd.DataFrame([(f.file, f.table, f.read, f.accepted, f.rejected, f.merged) for f in intake.files],
             columns=["file", "table", "read", "accepted", "rejected", "merged"])"""

FILES = """\
from kpis.intake import read

DATA = {data!r}
intake = read(DATA, settings=settings)"""

KEPT = """\
from kpis.commands.options import in_store
from kpis.intake import archive
from kpis.store import snapshots
from kpis.store.scope import Scope

STORE = ""  # a folder or address, where TANDEM_DATA does not name it
WORKSPACE, EDITION = {workspace!r}, {edition!r}
with snapshots.opened(in_store(WORKSPACE, STORE), EDITION) as folder:
    intake, _ = archive.read(folder, Scope.parse({part!r}))
intake = replace(intake, dataset=replace(intake.dataset, settings=settings))"""

FORECAST = """\
from kpis.answers.outlook import outlook
from kpis.forecast.backtest import backtest, record
from kpis.forecast.model import fit

calendar = Calendar({grain!r}, {fiscal_start})
model = fit(dataset, calendar)
found = outlook(dataset, model, assumptions, record(dataset, model))
origins = backtest(dataset, calendar)
pd.DataFrame([(x.label, x.target, x.expected, x.p10, x.p50, x.p90, x.p_hit, x.gap) for x in found.landings],
             columns=["period", "target", "expected", "p10", "p50", "p90", "p_hit", "gap"])"""

ANSWERS = """\
from kpis.report.sections import Ground, sections

answers = {{section.key: section.answer for section in sections(Ground(intake, found, origins))}}


def numbers(key):
    answer = answers[key]
    print(answer.sentence)
    return pd.DataFrame([(n.label, n.value, n.unit, n.help) for n in answer.numbers.values()],
                        columns=["number", "value", "unit", "definition"])"""

COMPARE = """\
PACK = {pack!r}
computed = {{key: {{name: n.value for name, n in answer.numbers.items()}} for key, answer in answers.items()}}
differences = [(key, name, value, computed[key].get(name))
               for key, values in PACK.items() for name, value in values.items() if computed[key].get(name) != value]
print(f"{{sum(map(len, PACK.values()))}} numbers compared, {{len(differences)}} differ")
differences"""


def ipynb(pack: Pack) -> bytes:
    """The pack as a Jupyter notebook, not run yet."""
    found = pack.found
    source, needs = _source(pack)
    words = {**_words(found), "source": source, "tandem": pack.tandem}
    told = {"title": TITLE, "subject": pack.subject, "headline": pack.headline, "needs": needs}
    held = {s.key: {name: n.value for name, n in s.answer.numbers.items()} for s in pack.sections}
    texts = [
        INTRODUCTION.format(**told),
        "## Read the data",
        READ.format(**words),
        "## Forecast, corrected by its own record",
        FORECAST.format(**words),
        "## The answers",
        ANSWERS.format(),
    ]
    for section in pack.sections:
        texts += [f"### {section.answer.question}", f"numbers({section.key!r})"]
    texts += ["## The same numbers as in the pack?", COMPARE.format(pack=held)]
    book = v4.new_notebook(cells=[_cell(n, text) for n, text in enumerate(texts)], metadata=_metadata())
    return nbformat.writes(book).encode("utf-8")


def _source(pack: Pack) -> tuple[str, str]:
    """The lines that get the data, and what of them whoever starts the notebook may have to set."""
    if isinstance(pack.data, Kept):
        lines = KEPT.format(workspace=pack.data.workspace, edition=pack.data.edition, part=pack.data.part)
        return lines, "`STORE` to where its workspaces are kept"
    return FILES.format(data=list(pack.data)), "`DATA` to the files"


def _words(found: Outlook) -> dict[str, Any]:
    """What the cells are filled in with."""
    day, calendar = found.dataset.as_of, found.model.calendar
    return {
        "settings": found.dataset.settings.as_toml(),
        "scenario": write_scenario(found.projection.assumptions),
        "day": f"{day.year}, {day.month}, {day.day}",
        "grain": calendar.grain,
        "fiscal_start": calendar.fiscal_start,
    }


def _cell(n: int, text: str) -> nbformat.NotebookNode:
    """A heading in Markdown or code; its id is its place, so that the same pack is the same file."""
    make = v4.new_markdown_cell if text.startswith("#") else v4.new_code_cell
    return make(text, id=f"cell-{n}")


def _metadata() -> dict[str, Any]:
    return {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
