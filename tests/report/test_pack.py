"""The pack: complete, the same from the same data, refused where it cannot be, and in every form what the answers say."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import numpy as np
import pandas as pd
import pptx
import pytest
from pypdf import PdfReader

from kpis.answers.answer import Answer
from kpis.answers.words import symbol
from kpis.errors import AssumptionError
from kpis.intake import Reject
from kpis.report.formats import FORMATS, of_file, write
from kpis.report.pack import pack, unnamed
from kpis.report.section import TEXT, Listing, Section
from kpis.report.sections import SECTIONS

MEETING = [
    "pipeline", "health", "coverage", "day_one", "creation", "close_months", "changes", "next_steps", "track_record",
    "check",
]  # fmt: skip


def words(text):
    """The text with every run of white space as one space."""
    return re.sub(r"\s+", " ", text)


def words_of(pdf):
    return words(" ".join(page.extract_text() for page in PdfReader(BytesIO(pdf)).pages))


def tables_of(slide):
    """The tables of a slide as texts."""
    tables = [shape.table for shape in slide.shapes if shape.has_table]
    return [[[cell.text for cell in row.cells] for row in table.rows] for table in tables]


@pytest.fixture(scope="module")
def files(made):
    return {ending: form(made) for ending, form in FORMATS.items()}


def test_the_questions_stand_in_the_order_of_the_meeting(made):
    assert [section.key for section in made.sections] == list(SECTIONS) == MEETING
    assert all(section.answer.sentence for section in made.sections)


@pytest.mark.parametrize("ending", FORMATS)
def test_the_same_data_give_the_same_bytes(made, files, ending):
    assert FORMATS[ending](made) == files[ending]


def test_the_json_has_the_documents_of_all_answers(made, files):
    told = json.loads(files[".json"])
    assert list(told["answers"]) == MEETING
    for section in made.sections:
        of_section = told["answers"][section.key]
        assert of_section["sentence"] == section.answer.sentence
        assert {k: n["value"] for k, n in of_section["numbers"].items()} == {
            k: n.value for k, n in section.answer.numbers.items()
        }
        assert set(of_section["document"]) == set(section.answer.document)


def test_what_it_rests_on_names_data_day_rows_method_and_assumptions(company, made):
    facts = dict(made.facts)
    read = company.intake.files
    assert facts["Rows"].startswith(f"{sum(f.read for f in read):,} read")
    assert all(f.file in facts["Files"] for f in read)
    assert f"{made.as_of:%d %b %Y}" in facts["As of"]
    assert facts["Levers"] == "as estimated: none is moved"


def test_moved_levers_are_told_in_their_own_units(company):
    assumed = company.found.projection.assumptions.model_copy(update={"sales_cycle": 1.5, "name": "slower"})
    facts = dict(pack(company.intake, company.found.under(assumed), [], ["x"]).facts)
    assert facts["Scenario"] == "slower"
    assert re.fullmatch(r"Sales cycle length: \d+ days instead of \d+ days", facts["Levers"])


def test_a_password_stays_out_of_it(company):
    told = pack(company.intake, company.found, [], ["postgres://reader:secret@db/sales", "a@b:c.csv"])
    assert told.data == ("postgres://reader@db/sales", "a@b:c.csv")


def test_without_names_nothing_that_stood_in_the_files_is_told(company):
    intake = replace(company.intake, notes=("Ann said so",), files=tuple(
        replace(file, warnings=("'Ann' is no date",), rejects=(Reject(7, "'Ann' twice"),)) for file in company.intake.files
    ))  # fmt: skip
    assert "Ann" in FORMATS[".json"](pack(intake, company.found, [], ["x"])).decode()
    bare = unnamed(intake)
    assert "Ann" not in FORMATS[".json"](pack(bare, company.found, [], ["x"])).decode()
    assert [f.rejected for f in bare.files] == [f.rejected for f in intake.files]


def test_the_page_fetches_nothing_and_has_every_sentence(made, files):
    page = files[".html"].decode()
    markup = re.sub(r"<script.*?</script>", "", page, flags=re.DOTALL)
    assert not re.search(r"<(?:link|img|iframe|object)\b|\bsrc=|@import|url\(", markup)
    assert page.count("<figure>") == sum(len(section.figures) for section in made.sections) > 5
    assert markup.count("<svg") == page.count("<figure>")
    for section in made.sections:
        assert section.answer.sentence.replace("'", "&#39;") in markup
    for number in made.sections[0].answer.numbers.values():
        assert number.help.replace(">", "&gt;").replace("'", "&#39;") in markup
        assert number.value is None or str(number.value) in markup


def test_the_pdf_has_the_headline_as_text_and_a_page_a_question(made, files):
    pages = [words(page.extract_text()) for page in PdfReader(BytesIO(files[".pdf"])).pages]
    assert words(made.headline) in pages[0]
    assert all(words(section.answer.question) in pages[n] for n, section in enumerate(made.sections, 1))
    assert "Definitions" in " ".join(pages[len(made.sections) + 1 :])


def test_the_slides_open_again_with_native_charts_and_the_formulas_in_the_notes(made, files):
    deck = pptx.Presentation(BytesIO(files[".pptx"]))
    assert len(deck.slides) == len(made.sections) + 2
    for slide, section in zip(list(deck.slides)[1:-1], made.sections, strict=True):
        assert slide.shapes.title.text_frame.text == section.answer.sentence
        notes = slide.notes_slide.notes_text_frame.text
        assert all(n.help in notes for n in section.cards if n.value is not None)
        assert all(note in notes for note in section.answer.notes)
        assert not [shape for shape in slide.shapes if shape.shape_type == 13], "a picture cannot be edited"
        charts = [shape.chart for shape in slide.shapes if shape.has_chart]
        bars = next((figure.bars for figure in section.figures if figure.bars), None)
        assert len(charts) == (bars is not None)
        if bars:
            drawn = {x.name: [value or 0.0 for value in tuple(x.values)] for x in charts[0].plots[0].series}
            upright = bars.table if bars.upright else bars.table[::-1]
            assert list(charts[0].plots[0].categories) == [str(name) for name in upright.index]
            for name, column in upright.items():
                assert drawn[name] == pytest.approx(list(column))


def test_the_rules_of_pipeline_size_stand_beside_each_other(made, files):
    section = next(section for section in made.sections if section.key == "day_one")
    rules = section.answer.tables["rules"]
    assert list(rules["rule"]) == 2 * ["Own past", "3x rule", "Inverse win rate"]
    deck = pptx.Presentation(BytesIO(files[".pptx"]))
    [table] = tables_of(deck.slides[1 + MEETING.index("day_one")])
    assert [row[:2] for row in table[1:]] == [[row.period, row.rule] for row in rules.itertuples()]
    for form in (files[".html"].decode(), words_of(files[".pdf"])):
        assert all(rule in form for rule in rules["rule"])
        assert section.answer.question in form


def test_the_heat_maps_are_tables_on_a_slide_and_the_fullest_cell_the_strongest(made, files):
    section = next(section for section in made.sections if section.key == "close_months")
    deck = pptx.Presentation(BytesIO(files[".pptx"]))
    slide = deck.slides[1 + MEETING.index("close_months")]
    assert [figure.title for figure in section.figures] == ["By the close first set", "By the close set now"]
    for figure, table in zip(section.figures, tables_of(slide), strict=True):
        assert [[int(n) for n in row[1:]] for row in table[1:]] == figure.grid.to_numpy().tolist()
        # as many opportunities as the answer's own table has
        assert figure.grid.to_numpy().sum() == section.answer.tables["spread"]["opportunities"].sum()
    shape = next(shape for shape in slide.shapes if shape.has_table)
    r, c = np.unravel_index(section.figures[0].grid.to_numpy().argmax(), section.figures[0].grid.shape)
    lightness = {sum(cell.fill.fore_color.rgb) for row in list(shape.table.rows)[1:] for cell in list(row.cells)[1:]}
    assert sum(shape.table.cell(r + 1, c + 1).fill.fore_color.rgb) == min(lightness)


@pytest.mark.skipif(not shutil.which("soffice"), reason="LibreOffice is not installed")
def test_libreoffice_opens_slides_and_workbook_and_shows_every_answer(made, files, tmp_path):
    for ending in (".pptx", ".xlsx"):
        (tmp_path / f"pack{ending}").write_bytes(files[ending])
    profile = f"-env:UserInstallation=file://{tmp_path / 'profile'}"
    for ending in (".pptx", ".xlsx"):
        command = ["soffice", profile, "--headless", "--convert-to", "pdf", "--outdir", str(tmp_path / ending)]
        subprocess.run([*command, str(tmp_path / f"pack{ending}")], check=True, capture_output=True, timeout=120)
    slides = PdfReader(tmp_path / ".pptx" / "pack.pdf").pages
    assert len(slides) == len(made.sections) + 2
    for page, section in zip(slides[1:-1], made.sections, strict=True):
        assert words(section.answer.sentence) in words(page.extract_text())
    assert words(made.headline) in words_of((tmp_path / ".xlsx" / "pack.pdf").read_bytes())


def test_the_landing_on_the_slide_adds_up(company, made):
    # Won + open + not yet created = expected: the bars of one period, and the total of its last but one bar.
    landing = company.found.landings[0]
    table = made.sections[0].figures[0].bars.table
    parts = [landing.won, landing.from_open, landing.from_new]
    assert list(table.loc["Expected landing"]) == pytest.approx([0.0, *parts, 0.0])
    assert table.loc["Not yet created", ""] == pytest.approx(landing.won + landing.from_open)
    assert table.loc["Target"].sum() == pytest.approx(landing.target)


HOSTILE = "</script><script>alert(1)</script> =1+1 #set page(width: 1pt) *x* $y$ [z]"


@pytest.fixture(scope="module")
def hostile(made):
    """A pack whose texts look like markup of every kind."""
    table = pd.DataFrame({"=cmd()": ["=1+1", "@SUM(A1)", HOSTILE], "amount": [1.0, None, 2.5]})
    answer = Answer(HOSTILE, HOSTILE, tables={"[a]*b?/\\:" * 5: table}, notes=(HOSTILE,))
    listing = Listing(HOSTILE, table, {"=cmd()": (HOSTILE, TEXT), "amount": ("Amount", "money")})
    return replace(made, sections=(Section("odd", answer, listings=(listing,)),))


def test_texts_from_the_data_stay_texts(hostile):
    page = FORMATS[".html"](hostile).decode()
    assert "<script>alert(1)" not in page
    assert "&lt;/script&gt;&lt;script&gt;alert(1)" in page
    pages = [page.extract_text() for page in PdfReader(BytesIO(FORMATS[".pdf"](hostile))).pages]
    assert "#set page(width: 1pt) *x* $y$ [z]" in words(pages[1])
    deck = pptx.Presentation(BytesIO(FORMATS[".pptx"](hostile)))
    assert deck.slides[1].shapes.title.text_frame.text == HOSTILE
    assert json.loads(FORMATS[".json"](hostile))["answers"]["odd"]["sentence"] == HOSTILE


def test_an_unknown_ending_is_refused_with_the_list(tmp_path):
    with pytest.raises(AssumptionError, match=r"\.html, \.pdf, \.pptx, \.xlsx, \.ipynb, \.json"):
        of_file(tmp_path / "pack.doc")
    with pytest.raises(AssumptionError, match="no folder"):
        of_file(tmp_path / "nowhere" / "pack.pdf")


def test_a_file_is_written_whole_or_not_at_all(made, tmp_path):
    path = tmp_path / "pack.json"
    path.write_text("before")
    broken = replace(made, sections=(Section("odd", Answer("q", "s", document={"not a number": float("nan")})),))
    with pytest.raises(ValueError, match="JSON"):
        write(broken, path)
    assert [(p.name, p.read_text()) for p in tmp_path.iterdir()] == [("pack.json", "before")]
    write(made, path)
    assert json.loads(path.read_text())["as_of"] == made.as_of.isoformat()


def run(root, *arguments):
    return subprocess.run(
        [sys.executable, "-m", "kpis", "report", *map(str, arguments)],
        cwd=root, capture_output=True, text=True, timeout=180, check=False,
    )  # fmt: skip


def test_the_command_writes_what_the_functions_make_and_logs_one_line(root, company, made, tmp_path):
    done = run(root, company.folder, "--to", tmp_path / "a.json", "--to", tmp_path / "a.ipynb")
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    assert (tmp_path / "a.json").read_bytes() == FORMATS[".json"](made)
    assert (tmp_path / "a.ipynb").read_bytes() == FORMATS[".ipynb"](made)
    assert re.search(rf"^report as_of={made.as_of} period=\S+ expected=[\d.]+ target=[\d.]+ p_hit=0\.\d+", done.stderr)


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("--to", "pack.doc"), 2, "pack.doc"),
        (("--to", "nowhere/pack.pdf"), 2, "nowhere"),
        ((), 2, "--to"),
        (("--to", "pack.json", "--as-of", "1999-01-01"), 1, "1999-01-01"),
    ],
)
def test_exit_codes_and_reasons(root, company, tmp_path, arguments, code, said):
    at = [tmp_path / a if Path(a).suffix == ".json" else a for a in arguments]
    done = run(root, company.folder, *at)
    assert done.returncode == code
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert not list(tmp_path.iterdir())


def test_money_has_the_sign_of_the_dataset(made, files):
    assert symbol(made.found.currency) in made.headline
    assert made.found.currency in json.loads(files[".json"])["currency"]
