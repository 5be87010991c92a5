"""The notebook runs from top to bottom and finds the pack's numbers."""

from __future__ import annotations

from dataclasses import replace

import nbformat
from nbclient import NotebookClient

from kpis.commands.options import in_store
from kpis.intake import archive
from kpis.report.notebook import ipynb
from kpis.report.pack import kept
from kpis.store import snapshots


def test_it_computes_the_numbers_of_the_pack_again(company, made, tmp_path):
    book = nbformat.reads(ipynb(made).decode(), as_version=4)
    nbformat.validate(book)
    NotebookClient(book, timeout=170, resources={"metadata": {"path": str(tmp_path)}}).execute()
    outputs = [output for cell in book.cells if cell.cell_type == "code" for output in cell.outputs]
    printed = "".join(output.text for output in outputs if output.output_type == "stream" and output.name == "stdout")
    compared = sum(len(section.answer.numbers) for section in made.sections)
    assert f"{compared} numbers compared, 0 differ" in printed
    # Not by its own word alone: the sentences were printed, and the landings stand in a table.
    assert all(section.answer.sentence in printed for section in made.sections)
    shown = "".join(output.data["text/html"] for output in outputs if output.output_type == "execute_result"
                    and "text/html" in output.data)  # fmt: skip
    assert all(x.label in shown for x in company.found.landings)


def test_of_kept_data_it_opens_the_same_edition_of_the_workspace(company, made, tmp_path, monkeypatch):
    monkeypatch.setenv("TANDEM_DATA", str(tmp_path / "store"))
    there, intake = in_store("Plan", None, make=True), company.intake
    assert kept(there, intake.dataset) is None
    row = snapshots.keep(there, archive.about(intake), lambda folder: archive.write(intake, [], folder))
    where = kept(there, intake.dataset)
    assert (where.workspace, where.edition) == ("Plan", row.id)
    text = ipynb(replace(made, data=where)).decode()
    assert not [file.file for file in intake.files if file.file in text]
    book = nbformat.reads(text, as_version=4)
    first = next(n for n, cell in enumerate(book.cells) if cell.cell_type == "code")
    book.cells = [book.cells[first], nbformat.v4.new_code_cell("print(dataset.fingerprint, dataset.as_of)")]
    NotebookClient(book, timeout=60, resources={"metadata": {"path": str(tmp_path)}}).execute()
    assert book.cells[1].outputs[0].text == f"{intake.dataset.fingerprint} {made.as_of}\n"
