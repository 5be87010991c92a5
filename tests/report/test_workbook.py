"""The workbook: its formulas give the app's numbers, and move with the inputs; texts stay texts."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import replace
from io import BytesIO

import formulas
import numpy as np
import openpyxl
import pandas as pd
import pytest

from kpis.answers.answer import Answer
from kpis.report import live
from kpis.report.section import Section
from kpis.report.workbook import xlsx

RESULTS = {
    "Expected from open deals": lambda x: x.from_open,
    "Expected from deals not yet created": lambda x: x.from_new,
    "Expected landing": lambda x: x.expected,
    "Missing to the target": lambda x: max(0.0, x.target - x.won),
    "Expected landing less target": lambda x: x.expected - x.target,
    "Open qualified pipeline": lambda x: x.open_qualified,
    "To-go coverage": lambda x: x.coverage,
    "Required pipeline": lambda x: x.required_pipeline,
    "Required coverage": lambda x: x.required_coverage,
    "Pipeline gap": lambda x: x.gap,
}


@pytest.fixture(scope="module")
def book(made):
    return xlsx(made)


def labelled(sheet, label):
    """The three cells of a row of the model."""
    row = next(row for row in sheet.iter_rows() if row[0].value == label)
    return [cell.coordinate for cell in row[2:5]]


def only_model(content, folder, **changes):
    """The sheet of formulas alone, without the kept values, with some inputs changed."""
    book = openpyxl.load_workbook(BytesIO(content))
    for name in book.sheetnames:
        if name != live.SHEET:
            del book[name]
    for label, value in changes.items():
        book[live.SHEET][labelled(book[live.SHEET], label)[0]] = value
    path = folder / "model.xlsx"
    book.save(path)
    return path


def computed(path):
    """The cells of the model as an independent program computes them."""
    found = formulas.ExcelModel().loads(str(path)).finish().calculate()
    cells = openpyxl.load_workbook(path)[live.SHEET]
    return {
        label: [found[f"'[{path.name}]{live.SHEET.upper()}'!{at}"].value[0, 0] for at in labelled(cells, label)]
        for label in RESULTS
    }


def expected(found):
    return {label: ["n/a" if (v := of(x)) is None else v for x in found.landings] for label, of in RESULTS.items()}


def agree(one, other):
    for label in RESULTS:
        for a, b in zip(one[label], other[label], strict=True):
            assert a == b if "n/a" in (a, b) else a == pytest.approx(b, rel=1e-9, abs=1e-6), label


def test_kept_and_computed_values_are_those_of_the_app(company, book, tmp_path):
    sheet = openpyxl.load_workbook(BytesIO(book), data_only=True)[live.SHEET]
    kept = {label: [sheet[at].value for at in labelled(sheet, label)] for label in RESULTS}
    agree(kept, expected(company.found))
    agree(computed(only_model(book, tmp_path)), expected(company.found))


def test_a_changed_close_rate_moves_landing_required_pipeline_and_gap(company, book, tmp_path):
    moved = computed(only_model(book, tmp_path, **{"Chances to be won": 1.2}))
    for w, x in enumerate(company.found.landings):
        from_open, from_new, to_go = 1.2 * x.from_open, 1.2 * x.from_new, max(0.0, x.target - x.won)
        assert moved["Expected landing"][w] == pytest.approx(x.won + from_open + from_new)
        assert moved["To-go coverage"][w] == (pytest.approx(x.coverage) if x.coverage is not None else "n/a")
        if x.required_pipeline is None or not to_go:
            continue
        # The margin stays: (times x due + other open + new) / to go as delivered, which the changed deals must bring again.
        part = live.inputs(company.found).part[w]
        times = x.required_pipeline / x.open_qualified
        margin = ((times * part + 1 - part) * x.from_open + x.from_new) / to_go
        required = (margin * to_go - from_new - (1 - part) * from_open) / (part * from_open) * x.open_qualified
        assert moved["Required pipeline"][w] == pytest.approx(required)
        assert moved["Required pipeline"][w] < x.required_pipeline
        assert moved["Pipeline gap"][w] == pytest.approx(max(0.0, required - x.open_qualified))


def test_a_met_target_needs_nothing_and_a_missing_one_says_so(company, tmp_path):
    for targets, said in (((1.0,), 0.0), ((), None)):
        assumed = company.found.projection.assumptions.model_copy(update={"targets": targets})
        found = company.found.under(assumed)
        if not targets:
            found = replace(found, landings=tuple(replace(
                x, target=None, p_hit=None, need=None, coverage=None, required_coverage=None, required_pipeline=None,
                gap=None) for x in found.landings))  # fmt: skip
        content = xlsx(replace(company.pack, found=found))
        results = computed(only_model(content, tmp_path))
        assert results["Missing to the target"][0] == ("n/a" if said is None else 0.0)
        assert results["Required pipeline"][0] == ("n/a" if said is None else 0.0)
        assert results["To-go coverage"][0] == "n/a"


def test_the_inputs_add_up_to_the_model(company):
    found = company.found
    have = live.inputs(found)
    for w, window in enumerate(found.projection.windows):
        assert (have.amount * have.chance[:, w]).sum() * window.scale == pytest.approx(window.from_open)
        assert (have.created * have.worth[:, w]).sum() * window.scale == pytest.approx(window.from_new)
        assert have.qualified[:, w].sum() == pytest.approx(found.landings[w].open_qualified)
    # Nothing that is created in a later period can bring anything in an earlier one.
    assert np.all(np.tril(have.worth, -1) == 0)


def test_every_table_is_there_unrounded(made, book):
    sheets = openpyxl.load_workbook(BytesIO(book), data_only=True)
    for section in made.sections:
        for name, table in section.answer.tables.items():
            rows = list(sheets[f"{section.key} {name}"[:31].strip()].values)
            assert list(rows[0]) == list(table.columns)
            assert len(rows) - 1 == len(table)
    deals = made.sections[0].answer.tables["deals"]
    shown = pd.DataFrame(list(sheets["pipeline deals"].values)[1:], columns=deals.columns)
    # A cell holds 16 digits.
    assert list(shown["expected"]) == pytest.approx(list(deals["expected"]), rel=1e-15)


def test_a_text_that_looks_like_a_formula_is_a_text(made):
    table = pd.DataFrame({"=cmd()": ["=1+1", "@SUM(A1)", "-x", "Acme"], "n": [-1.5, np.nan, np.inf, 2]})
    answer = Answer("q", "=s", tables={"[a]*b?/\\:" * 5: table, "[a]*b?/\\:" * 6: table})
    content = xlsx(replace(made, sections=(Section("odd", answer),)))
    book = openpyxl.load_workbook(BytesIO(content))
    odd = [name for name in book.sheetnames if name.startswith("odd")]
    assert len(odd) == 2
    rows = list(book[odd[0]].values)
    assert rows == [("'=cmd()", "n"), ("'=1+1", -1.5), ("'@SUM(A1)", None), ("'-x", "inf"), ("Acme", 2)]
    assert {cell.data_type for row in book[odd[0]].iter_rows() for cell in row} <= {"s", "n"}


@pytest.mark.skipif(not shutil.which("soffice"), reason="LibreOffice is not installed")
def test_libreoffice_computes_the_same(company, book, tmp_path):
    path, out = only_model(book, tmp_path), tmp_path / "out"
    profile = f"-env:UserInstallation=file://{tmp_path / 'profile'}"
    command = ["soffice", profile, "--headless", "--convert-to", "xlsx", "--outdir", str(out), str(path)]
    subprocess.run(command, check=True, capture_output=True, timeout=120)
    sheet = openpyxl.load_workbook(out / path.name, data_only=True)[live.SHEET]
    agree({label: [sheet[at].value for at in labelled(sheet, label)] for label in RESULTS}, expected(company.found))
