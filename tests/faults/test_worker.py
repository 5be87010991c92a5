"""The process that opens workbooks is killed: its file is refused with a reason, the others are read."""

from __future__ import annotations

import pytest
import xlsxwriter

from kpis.errors import InputError
from kpis.intake import read, sheets
from ui.upload import TEMPLATE

KILLED = "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)\n"


@pytest.fixture
def workbook(tmp_path, monkeypatch):
    """A workbook whose worker is killed as it begins."""
    (tmp_path / "worker.py").write_text(KILLED)
    monkeypatch.setattr(sheets, "_WORKER", tmp_path / "worker.py")
    with xlsxwriter.Workbook(tmp_path / "deals.xlsx") as book:
        book.add_worksheet().write_row(0, 0, ["opportunity_id", "stage", "created_at"])
    return "deals.xlsx", (tmp_path / "deals.xlsx").read_bytes()


def test_its_file_is_refused_and_the_others_are_read(workbook):
    found = read([workbook, ("mine.csv", TEMPLATE.encode())])
    refused, accepted = found.files
    assert "cannot be read: it asks for more than 3 GB of memory or is damaged" in refused.reason
    assert (refused.accepted, accepted.accepted) == (0, 3)


def test_alone_it_makes_no_dataset_and_says_why(workbook):
    with pytest.raises(InputError, match=r"deals\.xlsx.*Open it and save it again"):
        read([workbook])
