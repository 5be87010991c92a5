"""Intake is held to the account that the demo company keeps of its own dirt."""

from __future__ import annotations

import json
import re

import pytest

from kpis.demo import write
from kpis.intake import Intake, read
from tests.intake.files import rows


@pytest.fixture(scope="module")
def company(tmp_path_factory: pytest.TempPathFactory) -> tuple[Intake, dict[str, dict[str, dict[str, object]]]]:
    folder = tmp_path_factory.mktemp("company")
    write(folder, opportunities=600, seed=3, years=2.0, truth=True)
    truth = json.loads((folder / "truth.json").read_text(encoding="utf-8"))
    return read([folder]), truth["dirt"]


def test_every_file_is_its_table_and_adds_up(company) -> None:
    intake, _ = company
    for report in intake.files:
        assert report.read == report.accepted + report.rejected + report.merged
        assert report.table == (None if report.file == "truth.json" else report.file.removesuffix(".csv"))
        assert not report.questions
        assert all(m.field and m.confidence >= 0.85 for m in report.mapping)


def test_every_sort_of_dirt_is_found_to_the_row(company) -> None:
    intake, dirt = company
    report = next(f for f in intake.files if f.table == "opportunities")
    reasons = [r.reason for r in report.rejects]
    sorts = dirt["opportunities"]
    for sort, text in {
        "closed before created": "before it was created",
        "date that does not exist": "is no date",
        "duplicate id, other content": "comes again",
        "blank id": "opportunity_id is empty",
    }.items():
        assert sum(text in reason for reason in reasons) == sorts[sort]["rows"], sort
    assert report.rejected == sum(
        sorts[s]["rows"]
        for s in ("closed before created", "date that does not exist", "duplicate id, other content", "blank id")
    )
    assert report.merged == sorts["exact duplicate"]["rows"]
    defects = {d.defect: d.rows for d in intake.defects}
    assert defects["open deal whose amount is its product's list price"] == sorts["open without amount"]["rows"]
    assert defects["negative amount"] == sorts["negative amount"]["rows"]
    assert (
        sum(f"{sorts['closed without a date']['rows']} row(s)" in w and "no close date" in w for w in report.warnings)
        == 1
    )
    assert any("Verbal agreement" in note for note in intake.notes)
    said = " ".join(w for w in report.warnings if " read as " in w or " is taken as " in w)
    spelt = sum(int(count) for count in re.findall(r"\((\d+) row", said))
    blanks_only = sorts["category in other spelling"]["rows"] // 3  # every third differs by a blank at its end
    assert (
        spelt == sorts["category in other spelling"]["rows"] - blanks_only + sorts["product in other spelling"]["rows"]
    )


def test_what_the_rest_of_tandem_relies_on(company) -> None:
    intake, _ = company
    assert rows(
        intake,
        "SELECT count(*) FROM opportunities WHERE status IS NULL OR status NOT IN ('open', 'won', 'lost') OR (status = 'open') <> (closed_at IS NULL) OR amount_basis IS NULL OR closed_at < created_at",
    ) == [(0,)]
    assert rows(intake, "SELECT count(*) - count(DISTINCT opportunity_id) FROM opportunities") == [(0,)]
    assert rows(intake, "SELECT count(*) - count(DISTINCT seq) FROM opportunity_history") == [(0,)]
    backwards = "SELECT count(*) FROM (SELECT changed_at_n < lag(changed_at_n) OVER (PARTITION BY opportunity_id ORDER BY seq) AS back FROM opportunity_history) WHERE back"
    assert rows(intake, backwards) == [(0,)]
    assert rows(
        intake, "SELECT count(*) - count(DISTINCT stage), min(position), max(position) - count(*) FROM stages"
    ) == [(0, 1, 0)]
    assert intake.dataset.currency == "USD"
    assert intake.dataset.has_history
