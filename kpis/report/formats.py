"""The forms a pack takes, by the ending of the file."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from kpis.answers.render import as_json
from kpis.errors import AssumptionError
from kpis.report.pack import Pack


@dataclass(frozen=True)
class Format:
    """A form of the pack.

    Parameters
    ----------
    name, about
        What it is called, and what it is good for.
    made_by
        Module and function that make the bytes; imported when they are wanted, since each brings a library.
    """

    name: str
    about: str
    mime: str
    made_by: tuple[str, str]

    def __call__(self, pack: Pack) -> bytes:
        """The bytes of the file."""
        module, function = self.made_by
        make: Callable[[Pack], bytes] = getattr(import_module(module), function)
        return make(pack)


def json(pack: Pack) -> bytes:
    """The documents of all answers."""
    return (as_json(pack.document()) + "\n").encode("utf-8")


_OFFICE = "application/vnd.openxmlformats-officedocument."
FORMATS: Mapping[str, Format] = {
    ".html": Format("Web page", "to read anywhere: one file, exact values under the mouse", "text/html",
                    ("kpis.report.html", "html")),
    ".pdf": Format("PDF", "to send and to print: a page a question", "application/pdf", ("kpis.report.pdf", "pdf")),
    ".pptx": Format("Slides", "to present and to edit: one a question", f"{_OFFICE}presentationml.presentation",
                    ("kpis.report.slides", "pptx")),
    ".xlsx": Format("Workbook", "to compute on: live formulas and every table", f"{_OFFICE}spreadsheetml.sheet",
                    ("kpis.report.workbook", "xlsx")),
    ".ipynb": Format("Notebook", "to compute again: the same numbers from the same data", "application/x-ipynb+json",
                     ("kpis.report.notebook", "ipynb")),
    ".json": Format("JSON", "for other programs: the documents of all answers", "application/json",
                    (__name__, "json")),
}  # fmt: skip
"""Ending -> form."""


def of_file(path: Path) -> Format:
    """The form that the ending of a file names.

    Raises
    ------
    AssumptionError
        When there is no such form, or no such folder to write to.
    """
    if path.suffix.lower() not in FORMATS:
        known = ", ".join(FORMATS)
        raise AssumptionError(f"'{path.name}' is no form of the pack", place="--to", way_out=f"Endings: {known}")
    if not path.absolute().parent.is_dir():
        raise AssumptionError(f"There is no folder '{path.parent}'", place="--to", way_out="Make it first")
    return FORMATS[path.suffix.lower()]


def write(pack: Pack, path: Path) -> None:
    """Write a file whole or not at all: a reader never finds half of it."""
    partial = path.with_name(f".{path.name}.part")
    try:
        partial.write_bytes(of_file(path)(pack))
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
