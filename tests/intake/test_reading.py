"""Bytes to rows: encodings, delimiters, titles, footers, several tables, sheets."""

from __future__ import annotations

from io import BytesIO

import pytest
import xlsxwriter
from hypothesis import given
from hypothesis import strategies as st

from kpis.intake.blocks import Record, split
from tests.intake.files import load, look, rows

TABLE = "opportunity_id{d}stage{d}status{d}amount{d}created_at\nA{d}Angebot für José{d}open{d}5{d}2024-01-05\nB{d}x{d}won{d}6{d}2024-01-06\n"
ROWS = "SELECT opportunity_id, stage, amount FROM opportunities ORDER BY 1"


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-32", "latin-1", "cp1252"])
def test_every_encoding_and_delimiter(delimiter: str, encoding: str) -> None:
    text = TABLE.format(d=delimiter).replace("won", "open")
    assert rows(load(deals=text.encode(encoding)), ROWS) == [("A", "Angebot für José", 5.0), ("B", "x", 6.0)]


def test_cyrillic_without_a_mark() -> None:
    text = "opportunity_id,stage,status,amount,created_at\n" + "".join(
        f"{n},Переговоры с клиентом о цене,open,5,2024-01-05\n" for n in range(30)
    )
    assert rows(load(deals=text.encode("cp1251")), "SELECT DISTINCT stage FROM opportunities") == [
        ("Переговоры с клиентом о цене",)
    ]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("sep=;\n", ""),
        ("My pipeline\nas of 5 March\n\n", ""),
        ("# made by a tool\n#\n", ""),
        ("", "\nConfidential\nPage 1 of 1\n"),
        ("Report;;;;\n;;;;\n", ";;;;\nTotal;;;11;\n"),
        ("\n\n\n", "\n\n"),
    ],
)
def test_lines_around_the_table(before: str, after: str) -> None:
    intake = load(deals=before + TABLE.format(d=";").replace("won", "open") + after)
    assert rows(intake, ROWS) == [("A", "Angebot für José", 5.0), ("B", "x", 6.0)]


def test_runs_of_spaces() -> None:
    intake = load(
        orders__txt=" customer_id  date number_of_cds  dollar_value \n 00001 19970101  1   11.77\n 00002 19970112  5   77.00\n"
    )
    assert rows(intake, "SELECT account_id, CAST(ordered_at AS VARCHAR), amount FROM orders ORDER BY 1") == [
        ("00001", "1997-01-01", 11.77),
        ("00002", "1997-01-12", 77.0),
    ]


def test_blanks_of_every_kind_are_no_part_of_a_value() -> None:
    intake = load(
        deals="opportunity_id,stage,status,amount,created_at\n\u00a0A\u00a0,\tProposal \u200b,open,5,2024-01-05\nB,Proposal, open ,5,2024-01-05\n"
    )
    assert rows(intake, "SELECT opportunity_id, stage, status FROM opportunities ORDER BY 1") == [
        ("A", "Proposal", "open"),
        ("B", "Proposal", "open"),
    ]


def test_a_file_without_a_header_is_refused_and_says_so() -> None:
    report = look(deals="A,12,2024-01-05\nB,13,2024-01-06\nC,14,2024-01-07\n")["deals.csv"]
    assert "nothing tells what its columns are" in report.reason


def test_a_workbook_with_several_sheets() -> None:
    buffer = BytesIO()
    book = xlsxwriter.Workbook(buffer, {"in_memory": True})
    day = book.add_format({"num_format": "yyyy-mm-dd"})
    deals = book.add_worksheet("Deals")
    deals.write_row(0, 0, ["My deals"])
    deals.write_row(2, 0, ["Opportunity ID", "Stage", "Amount", "Created Date", "Amount"])
    for n, (key, serial) in enumerate([("A", 45296), ("B", 45297)], 3):
        deals.write_row(n, 0, [key, "Proposal", 1234.5])
        deals.write_number(n, 3, serial, day)
        deals.write_number(n, 4, 7)
    deals.set_column(0, 0, None, None, {"hidden": True})
    other = book.add_worksheet("Notes")
    other.write_row(0, 0, ["just text"])
    people = book.add_worksheet("Owners")
    people.write_row(0, 0, ["owner_id", "name"])
    people.write_row(1, 0, [1, "Ana"])
    secret = book.add_worksheet("hiddenSheet")
    secret.write_row(0, 0, ["a", "b"])
    secret.hide()
    book.close()
    intake = load(book__xlsx=buffer.getvalue())
    assert rows(intake, "SELECT opportunity_id, amount, CAST(created_at AS VARCHAR) FROM opportunities ORDER BY 1") == [
        ("A", 1234.5, "2024-01-05"),
        ("B", 1234.5, "2024-01-06"),
    ]
    reports = {f.file: f for f in intake.files}
    assert {name: f.table for name, f in reports.items()} == {
        "book.xlsx › Deals": "opportunities",
        "book.xlsx › Owners": "owners",
    }
    warnings = " ".join(reports["book.xlsx › Deals"].warnings)
    assert "hiddenSheet" in warnings
    assert "'Notes' holds no table" in warnings


def numbered(lines: list[list[str]]) -> list[Record]:
    return list(enumerate(lines, 1))


CELL = st.one_of(
    st.sampled_from(["", "Stage", "Amount", "Owner", "Total", "# x", "12", "2024-01-01"]),
    st.text(alphabet=st.characters(exclude_characters=":"), max_size=6),
)


@given(st.lists(st.lists(CELL, max_size=5), max_size=90))
def test_every_record_is_a_row_or_a_line_around_a_table_and_none_comes_twice(lines: list[list[str]]) -> None:
    found = list(split(iter(numbered(lines)), lambda cell: cell in ("Stage", "Amount", "Owner")))
    places = [line for _, line, _, _ in found]
    assert len(places) == len(set(places))
    blocks = list({id(block): block for block, *_ in found}.values())
    around = sum(len(b.before) + len(b.after) + (b.line > 0) for b in blocks)
    texts = sum(any(c.strip() for c in cells) for cells in lines)
    rows_with_text = sum(any(c.strip() for c in lines[line - 1]) for line in places)
    if blocks:  # else there is no table, and the file is refused
        assert rows_with_text + around == texts
