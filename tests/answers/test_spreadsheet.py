"""What we write for spreadsheets runs no formula."""

from __future__ import annotations

import csv as standard
import doctest
import io

import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from kpis.answers import spreadsheet
from kpis.answers.spreadsheet import csv, harmless

HOSTILE = ["=1+1", "=cmd|' /C calc'!A0", "+1", "-1+1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "＝1+1"]


def test_examples_of_the_docstrings():
    assert doctest.testmod(spreadsheet).failed == 0


def test_numbers_stay_numbers():
    table = pd.DataFrame({"name": ["=1+1", "ok", None], "amount": [-1.5, 2.0, None]})
    assert csv(table).decode("utf-8-sig") == "name,amount\r\n'=1+1,-1.5\r\nok,2.0\r\n,\r\n"


@given(st.lists(st.sampled_from(HOSTILE) | st.text(), min_size=1))
def test_no_cell_of_a_csv_begins_a_formula(texts):
    table = pd.DataFrame({"a": texts, "=b": pd.Categorical(texts)})
    rows = standard.reader(io.StringIO(csv(table).decode("utf-8-sig"), newline=""))
    assert not any(cell.startswith(("=", "+", "-", "@", "\t", "\r", "\n", "＝")) for row in rows for cell in row)


def test_a_cell_of_a_workbook_is_harmless_and_a_number_stays_one():
    assert [harmless(text) for text in HOSTILE] == [f"'{text}" for text in HOSTILE]
    assert [harmless(value) for value in ("Acme", "", -1.5, 0, None)] == ["Acme", "", -1.5, 0, None]


def test_the_table_itself_is_left_as_it_is():
    table = pd.DataFrame({"a": ["=1"]})
    csv(table)
    assert list(table["a"]) == ["=1"]
