"""The notebook runs from top to bottom and finds the pack's numbers."""

from __future__ import annotations

import nbformat
from nbclient import NotebookClient

from kpis.report.notebook import ipynb


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
