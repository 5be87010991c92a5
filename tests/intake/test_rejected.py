"""Rejected rows with their content, and the rows behind a defect."""

from __future__ import annotations

import io
from datetime import date

import pandas as pd
import pytest

from kpis.intake import check, read
from kpis.intake.defects import MERGED, rows_behind
from kpis.intake.rejected import rejected_rows
from tests.intake.files import load, uploads

GOOD = "A,Proposal,open,5,2024-01-01,\n"
BAD = ",Proposal,open,7,2024-01-02,\nC,Won,won,9,2024-05-01,2024-02-01\n"
HEADER = "opportunity_id,stage,status,amount,created_at,closed_at\n"


def told(files):
    """The rejected rows of files, and what the check says about them."""
    reports, _ = check(files)
    return rejected_rows(files, reports), [(r.file, x.line, x.reason) for r in reports for x in r.rejects]


def test_the_rows_come_as_they_were_written():
    rows, reasons = told(uploads(deals=HEADER + GOOD + BAD))
    assert [tuple(row) for row in rows[["file", "line", "reason"]].to_numpy()] == reasons
    assert list(rows["line"]) == [3, 4]
    assert list(rows.columns) == ["file", "line", "reason", *HEADER.strip().split(",")]
    assert rows[["opportunity_id", "amount", "closed_at"]].fillna("").to_numpy().tolist() == [
        ["", "7", ""],
        ["C", "9", "2024-02-01"],
    ]


def test_lines_above_the_header_and_other_sheets_are_found():
    preamble = f"Report of May\n\n{HEADER}{GOOD}{BAD}"
    book = io.BytesIO()
    with pd.ExcelWriter(book) as writer:
        frame = pd.read_csv(io.StringIO(HEADER + GOOD + BAD), dtype=str)
        frame.to_excel(writer, sheet_name="Deals", index=False)
        frame.replace({"A": "B"}).to_excel(writer, sheet_name="More deals", index=False)
    for files in (uploads(deals=preamble), uploads(book__xlsx=book.getvalue())):
        rows, reasons = told(files)
        assert [tuple(row) for row in rows[["file", "line", "reason"]].to_numpy()] == reasons
        assert set(rows["amount"]) == {"7", "9"}


def test_a_column_of_the_file_may_have_our_names():
    text = "opportunity_id,stage,amount,created_at,file,line\n,Proposal,5,2024-01-01,f,l\nB,Proposal,5,2024-01-01,g,m\n"
    rows, _ = told(uploads(deals=text))
    assert rows[["file", "line", "file (of the file)", "line (of the file)"]].to_numpy().tolist() == [
        ["deals.csv", 2, "f", "l"]
    ]


def test_nothing_rejected_is_an_empty_table():
    rows, _ = told(uploads(deals=HEADER + GOOD))
    assert rows.empty
    assert list(rows.columns) == ["file", "line", "reason"]


DEFECTIVE = """opportunity_id,name,owner,stage,status,amount,created_at,expected_close,closed_at
1,past its close,Ana,Proposal,open,100,2024-01-01,2024-02-01,
2,no owner,,Proposal,open,50,2024-01-01,2024-09-01,
3,no amount,Ana,Proposal,open,,2024-01-01,2024-09-01,
4,a conflict,Ana,Closed Lost,won,30,2024-01-01,,2024-03-01
5,closed but open,Ana,Closed,open,20,2024-01-01,2024-09-01,
6,fine,Ana,Proposal,open,10,2024-01-01,2024-09-01,
7,backwards,Ana,Closed Won,won,70,2024-05-01,,2024-03-01
6,fine,Ana,Proposal,open,10,2024-01-01,2024-09-01,
8,newest,Ana,Closed Won,won,1,2024-01-01,,2024-06-30
"""


@pytest.fixture(scope="module")
def defective():
    return load(deals=DEFECTIVE)


@pytest.mark.parametrize(
    ("defect", "ids", "money"),
    [
        ("open deal past its expected close date", ["1"], 100.0),
        ("open deal without an owner", ["2"], 50.0),
        ("open deal without an amount", ["3"], 0.0),
        ("status and stage in conflict", ["4", "5"], 50.0),
    ],
)
def test_the_rows_behind_a_defect(defective, defect, ids, money):
    found = next(d for d in defective.defects if d.defect == defect)
    rows = rows_behind(defective.dataset, defective.files, defect)
    assert (found.rows, found.amount) == (len(ids), money)
    assert sorted(rows["opportunity_id"]) == ids
    assert rows["amount"].sum() == money


def test_a_defect_that_kept_a_row_out_names_its_line(defective):
    rows = rows_behind(defective.dataset, defective.files, "closed before it was created")
    assert rows.to_numpy().tolist() == [["deals.csv", 8, "closed on 2024-03-01, before it was created on 2024-05-01"]]
    assert rows_behind(defective.dataset, defective.files, MERGED).empty


def test_every_defect_has_as_many_rows_as_it_says(sample_data):
    found = read(sorted(sample_data.glob("*.csv")))
    for defect in found.defects:
        rows = rows_behind(found.dataset, found.files, defect.defect)
        assert defect.defect == MERGED or len(rows) == defect.rows
        if "amount" in rows:
            assert rows["amount"].sum() == pytest.approx(defect.amount)


def test_a_list_of_marketing_qualified_leads_dates_each_by_its_first_contact():
    deals = "mql_id,seller_id,won_date,declared_monthly_revenue\nm1,s1,2018-03-01,5\n"
    leads = "mql_id,first_contact_date,landing_page_id,origin\nm1,2018-02-01,p1,social\nm2,2018-02-03,p1,email\n"
    found = load(leads=leads, deals=deals)
    assert found.dataset.engine.execute("SELECT lead_id, mql_at FROM leads ORDER BY 1").fetchall() == [
        ("m1", date(2018, 2, 1)),
        ("m2", date(2018, 2, 3)),
    ]
    assert found.dataset.has("leads", "mql_at")
    assert any("mql_at" in warning for file in found.files for warning in file.warnings)
