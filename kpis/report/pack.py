"""The pack before it is a file: the sections, what they rest on, and how they can be computed again."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from kpis.answers.answer import Number
from kpis.answers.board import lever_board
from kpis.answers.outlook import Outlook
from kpis.answers.pipeline import in_short
from kpis.answers.words import percent, plural
from kpis.dataset import Dataset
from kpis.forecast.contest import Origin
from kpis.intake import Intake
from kpis.report.section import Section
from kpis.report.sections import Ground, sections
from kpis.scenarios import pieces
from kpis.store import Workspace, snapshots

TITLE = "Sales and marketing meeting"
_PASSWORD = re.compile(r"(?<=://)([^/@:]*):[^/@]*@")


@dataclass(frozen=True)
class Kept:
    """Where a colleague finds the data.

    Parameters
    ----------
    edition
        The snapshot in the workspace.
    part
        Which rows of it were seen: the text of a ``Scope``.
    """

    workspace: str
    edition: str
    part: str = ""


@dataclass(frozen=True)
class Pack:
    """What leaves the room, before it takes a form.

    Parameters
    ----------
    found
        The outlook that the sections are about.
    sections
        The questions, in the order of the meeting.
    facts
        What all of it rests on: name and words.
    data
        Where the notebook finds the data again: kept, or the files or URL they came from, without a password.
    tandem
        Folder of Tandem, as the notebook finds it.
    """

    found: Outlook
    sections: tuple[Section, ...]
    facts: tuple[tuple[str, str], ...]
    data: Kept | tuple[str, ...]
    tandem: str

    @property
    def as_of(self) -> date:
        """The day at whose end everything is as it is told."""
        return self.found.dataset.as_of

    @property
    def subject(self) -> str:
        """Whose pack it is, and of which day."""
        return f"{self.found.dataset.title}, as of {self.as_of:%d %b %Y}"

    @property
    def headline(self) -> str:
        """The meeting's first answer."""
        return self.sections[0].answer.sentence

    def document(self) -> dict[str, Any]:
        """The documents of all answers, with their sentences, numbers and notes."""
        return {
            "as_of": self.as_of.isoformat(),
            "name": self.found.dataset.title,
            "currency": self.found.currency,
            "rests_on": [{"what": what, "words": words} for what, words in self.facts],
            "answers": {section.key: _told(section) for section in self.sections},
        }


def pack(
    intake: Intake, found: Outlook, origins: Sequence[Origin], data: Kept | Sequence[str], tandem: str = "."
) -> Pack:
    """Answer every question and put the answers in order.

    Parameters
    ----------
    intake
        What was read, and what became of every row.
    origins
        The past forecasts, as the backtest made them.
    data
        Where they are kept; else files, folders or a connection URL, of which a password is left out.
    tandem
        Folder of Tandem on the machine on which the pack may be computed again.
    """
    made = sections(Ground(intake, found, origins))
    sources = data if isinstance(data, Kept) else tuple(_PASSWORD.sub(r"\1@", item) for item in data)
    facts = [*_facts(intake, found)]
    if isinstance(data, Kept):
        facts.insert(1, ("Kept", f"in workspace {data.workspace}, edition {data.edition}"))
    return Pack(found, made, tuple(facts), sources, tandem)


def kept(there: Workspace, dataset: Dataset) -> Kept | None:
    """Where in a workspace these data are kept; None where they are not."""
    row = snapshots.kept(there, dataset.fingerprint)
    if row is None:
        return None
    return Kept(there.name, row.id, there.scope.text if dataset.fingerprint != row.fingerprint else "")


def unnamed(intake: Intake) -> Intake:
    """The intake without what stood in the files, for a pack in which names are masked."""
    bare = {"rejects": (), "warnings": (), "questions": (), "mapping": (), "samples": {}}
    return replace(intake, files=tuple(replace(file, **bare) for file in intake.files), notes=())


def _told(section: Section) -> dict[str, Any]:
    answer = section.answer
    return {
        "question": answer.question,
        "sentence": answer.sentence,
        "numbers": {key: _number(n) for key, n in answer.numbers.items()},
        "notes": list(answer.notes),
        "document": answer.document,
    }


def _number(n: Number) -> dict[str, Any]:
    return {"label": n.label, "value": n.value, "unit": n.unit, "definition": n.help, "reason": n.reason}


def _facts(intake: Intake, found: Outlook) -> Iterator[tuple[str, str]]:
    """Data, calendar, method, assumptions: what a reader must know to judge the numbers."""
    dataset, calendar = found.dataset, found.model.calendar
    settings = dataset.settings
    read, accepted, rejected, merged = (
        sum(getattr(f, name) for f in intake.files) for name in ("read", "accepted", "rejected", "merged")
    )
    yield "Data", dataset.title
    yield "Files", ", ".join(f.file for f in intake.files)
    yield "Rows", f"{read:,} read: {accepted:,} accepted, {rejected:,} rejected, {merged:,} merged"
    yield "As of", f"the end of {dataset.as_of:%d %b %Y}; newest day in the data {dataset.newest:%d %b %Y}"
    yield "Periods", f"{calendar.grain}s; the fiscal year begins in month {calendar.fiscal_start}"
    yield "Currency", dataset.currency or "none is named"
    yield "Forecast", in_short(found)
    yield "Method", found.method
    yield "Range", _verified(found)
    yield "Enough", f"{percent(settings.confidence)} likely to reach the target"
    agreed = settings.agreed
    yield "Definitions", f"agreed by {agreed.by} on {agreed.on:%d %b %Y}" if agreed else "agreed by nobody yet"
    yield "Targets", ", ".join(f"{x.label}: {found.say(x.target)}" for x in found.landings)
    yield "Scenario", found.projection.assumptions.name
    yield "Levers", _levers(found)


def _verified(found: Outlook) -> str:
    without = [x.label for x, known in zip(found.landings, found.verified, strict=True) if not known]
    if without:
        return f"not yet verified on past forecasts of {', '.join(without)}"
    n = len(found.record.origins) if found.record else 0
    return f"corrected by {plural(n, 'past forecast')} at this day of the period"


def _levers(found: Outlook) -> str:
    """Every lever that differs from its estimate, in its own unit."""
    assumed = found.projection.assumptions
    moved = pieces(assumed)
    board = {(lever.field, lever.part): lever for lever in lever_board(found.model)}
    said = []
    for (field, part), value in moved.items():
        lever = board.get((field, part)) or board.get((field, field))
        if lever is None:
            title = type(assumed).model_fields[field].title
            said.append(f"{title}{f', {part}' if part else ''}: {value}")
            continue
        now, usual = (lever.words(v, found.currency) for v in (lever.value_in(assumed), lever.estimate))
        said.append(f"{lever.label}: {now} instead of {usual}")
    return "; ".join(said) or "as estimated: none is moved"
