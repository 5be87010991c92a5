"""Commands on a saved workspace: data kept once, scenarios by name, the ledger, one line for a monitor."""

from __future__ import annotations

import json
import shlex

import pytest

from kpis.assumptions import Assumptions
from kpis.commands.options import in_store, log
from kpis.commands.source import newest
from kpis.intake import read
from kpis.store import LOCAL, Store, agreement, place, scenarios
from kpis.store.workspace import find
from tests.intake.test_extend import EXPORTS, FILES, stored
from tests.test_commands import document, run


@pytest.fixture(scope="module")
def kept(root, sample_data, tmp_path_factory):
    """A store in which the demo company is kept, with a scenario and settings."""
    folder = tmp_path_factory.mktemp("store")
    done = run(root, "keep", sample_data, "--workspace", "Plan 2026", "--store", folder)
    assert done.returncode == 0, done.stderr
    workspace = find(Store.open(place(str(folder))), "Plan 2026", LOCAL)
    scenarios.save(workspace, "More", Assumptions(new_opportunities=1.5, targets=(1e6, 2e6, 3e6)))
    agreement.save(workspace, agreement.agreed(workspace)[0].revised(confidence=0.9))
    return ("--workspace", "Plan 2026", "--store", folder), done.stderr


def told(line):
    """The line for a monitor, as a dictionary."""
    event, *pairs = shlex.split(line)
    return {"event": event, **dict(pair.split("=", 1) for pair in pairs)}


def test_what_is_kept_gives_the_numbers_of_the_files(root, sample_data, kept):
    where, said = kept
    line = told(said)
    assert (line["event"], line["workspace"], line["as_of"]) == ("keep", "Plan 2026", "2026-08-14")
    assert document(root, "forecast", *where) == document(root, "forecast", sample_data)


def test_a_scenario_by_its_name_and_a_forecast_that_is_saved(root, sample_data, kept, tmp_path):
    where, _ = kept
    file = tmp_path / "More.json"
    file.write_text(json.dumps({"new_opportunities": 1.5, "targets": [1e6, 2e6, 3e6]}))
    from_file = document(root, "forecast", sample_data, "--scenario", file, "--as-of", "2026-01-20")
    done = run(root, "forecast", *where, "--scenario", "More", "--as-of", "2026-01-20", "--save", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == from_file
    line = told(done.stderr)
    assert (line["scenario"], line["as_of"]) == ("More", "2026-01-20")
    ledger = document(root, "ledger", *where)
    assert [p["name"] for p in ledger["predictions"]] == ["More"] * 3
    assert [p["expected"] for p in ledger["predictions"]] == [p["expected"] for p in from_file["periods"]]
    assert [p["phase"] for p in ledger["predictions"]] == ["over", "over", "running"]
    assert {p["status"] for p in ledger["predictions"]} <= {"on track", "off"}


def test_files_are_read_with_the_settings_of_the_workspace(root, sample_data, kept):
    where, _ = kept
    mine = document(root, "forecast", sample_data, *where)
    plain = document(root, "forecast", sample_data)
    assert mine["periods"][0]["required_pipeline"] > plain["periods"][0]["required_pipeline"]  # 90 % sure, not 80


def test_a_report_from_cron(root, kept, tmp_path):
    where, _ = kept
    pack = tmp_path / "pack.json"
    done = run(root, "report", *where, "--scenario", "More", "--to", pack)
    assert done.returncode == 0, done.stderr
    line = told(done.stderr)
    written = json.loads(pack.read_text("utf-8"))
    assert (line["event"], line["workspace"], line["scenario"], line["files"]) == (
        "report", "Plan 2026", "More", str(pack),
    )  # fmt: skip
    assert line["as_of"] == written["as_of"]
    assert line["target"] == "1000000.0"
    assert {"what": "Scenario", "words": "More"} in written["rests_on"]


def test_a_later_export_goes_onto_what_is_kept(root, tmp_path):
    paths = [tmp_path / name for name, _ in FILES]
    for path, (_, text) in zip(paths, FILES, strict=True):
        path.write_text(text)
    where = ("--workspace", "Plan", "--store", tmp_path / "store")
    assert run(root, "keep", *paths[:2], *where).returncode == 0
    done = run(root, "keep", paths[2], "--onto", *where)
    assert done.returncode == 0, done.stderr
    assert told(done.stderr)["as_of"] == "2024-02-20"
    found, files = newest(in_store("Plan", str(tmp_path / "store")))
    assert stored(found) == stored(read(EXPORTS))
    assert [name for name, _ in files] == [path.name for path in paths]
    empty = run(root, "keep", paths[2], "--onto", "--workspace", "Plan", "--store", tmp_path / "none")
    assert (empty.returncode, "Nothing is kept there yet" in empty.stderr) == (2, True)


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("forecast",), 2, "Give DATA"),
        (("forecast", "--workspace", "None", "HERE"), 2, "There is no workspace 'None'"),
        (("forecast", "--workspace", "Plan 2026", "HERE", "--scenario", "Less"), 2, "There is no scenario 'Less'"),
        (("forecast", "--workspace", "Plan 2026", "HERE", "--currency", "EUR"), 2, "need DATA"),
        (("forecast", "sample_data", "--scenario", "Less"), 2, "There is no file 'Less'"),
        (("forecast", "sample_data", "--save"), 2, "--save needs a workspace"),
        (("ledger", "sample_data"), 2, "The ledger needs a workspace"),
        (("forecast", "--workspace", "Plan 2026", "--store", "nowhere"), 2, "Nothing is kept there yet (nowhere)"),
        (("keep", "nowhere.csv", "--workspace", "Plan 2026", "HERE"), 2, "nowhere.csv"),
    ],
)
def test_what_is_missing_is_said(root, kept, arguments, code, words):
    store = kept[0][2:]
    done = run(root, *(part for each in arguments for part in (store if each == "HERE" else (each,))))
    assert (done.returncode, done.stdout) == (code, "")
    assert words in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr


def test_a_workspace_without_data_cannot_answer(root, tmp_path):
    from kpis.store.workspace import find_or_make

    find_or_make(Store.open(place(str(tmp_path))), "Empty", LOCAL)
    done = run(root, "forecast", "--workspace", "Empty", "--store", tmp_path)
    assert done.returncode == 1
    assert "No data are kept in 'Empty'" in done.stderr


def test_a_line_for_a_monitor_is_one_line_whatever_is_in_it(capsys):
    log("report", workspace='Plan "A" = 1', none=None, name="a\nb", p_hit=0.5)
    line = capsys.readouterr().err
    assert line == 'report workspace="Plan \\"A\\" = 1" none= name="a\\nb" p_hit=0.5\n'
