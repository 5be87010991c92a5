"""The headless commands: their documents, their exit codes, and that standard output holds the document only."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from kpis.forecast.backtest import record
from kpis.forecast.model import fit
from kpis.intake import read

PERIOD_KEYS = {
    "label", "start", "end", "target", "won", "expected", "p10", "p50", "p90", "p_hit", "from_open", "from_new",
    "open_qualified", "coverage", "required_coverage", "required_pipeline", "gap", "needed",
}  # fmt: skip


def run(root, *arguments):
    return subprocess.run(
        [sys.executable, "-m", "kpis", *map(str, arguments)],
        cwd=root,
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )


def document(root, *arguments):
    done = run(root, *arguments, "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_forecast_of_the_demo_company_is_the_answer_of_the_page(root, sample_data):
    from kpis.answers.coverage import next_periods
    from kpis.answers.creation import new_opportunities
    from kpis.answers.outlook import outlook
    from kpis.answers.pipeline import pipeline_health

    told = document(root, "forecast", sample_data)
    data = read([sample_data]).dataset
    model = fit(data)
    found = outlook(data, model, None, record(data, model))
    assert [p["expected"] for p in told["periods"]] == [x.expected for x in found.landings]
    assert [p["p_hit"] for p in told["periods"]] == [x.p_hit for x in found.landings]
    questions = {"pipeline": pipeline_health, "coverage": next_periods, "creation": new_opportunities}
    for page, question in questions.items():
        assert told["numbers"][page] == {key: n.value for key, n in question(found).numbers.items()}
    for period in told["periods"]:
        assert set(period) >= PERIOD_KEYS
        assert period["p10"] <= period["p50"] <= period["p90"]
        assert period["won"] + period["from_open"] + period["from_new"] == pytest.approx(period["expected"])
    nulls = [p["label"] for p in told["periods"] for k, v in p.items() if v is None]
    assert all(any(label in w for w in told["warnings"]) for label in nulls)


def test_targets_and_scenario_reach_the_forecast(root, sample_data, tmp_path):
    scenario = tmp_path / "more.json"
    scenario.write_text(json.dumps({"name": "more", "new_opportunities": 1.5, "targets": [1e6, 2e6, 3e6]}))
    told = document(root, "forecast", sample_data, "--scenario", scenario)
    base = document(root, "forecast", sample_data, "--target", "1000000,2000000,3000000")
    assert [p["target"] for p in told["periods"]] == [1e6, 2e6, 3e6]
    # New business is linear in the number of opportunities created.
    assert told["periods"][2]["from_new"] == pytest.approx(1.5 * base["periods"][2]["from_new"])
    assert told["assumptions"]["new_opportunities"] == 1.5


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("forecast", "nowhere.csv"), 2, "nowhere.csv"),
        (("forecast", "sample_data", "--target", "a lot"), 2, "a lot"),
        (("forecast", "sample_data", "--grain", "week"), 2, "grain"),
        (("forecast", "sample_data", "--as-of", "1999-01-01"), 1, "1999-01-01"),
        (("measure", "sample_data", "--kpi", "no_such"), 2, "no_such"),
    ],
)
def test_exit_codes_and_reasons(root, arguments, code, words):
    done = run(root, *arguments)
    assert done.returncode == code
    assert words in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_check_accounts_for_every_row(root, sample_data):
    told = document(root, "check", sample_data)
    assert all(f["read"] == f["accepted"] + f["rejected"] + f["merged"] for f in told["files"])
    tables = {f["table"] for f in told["files"]}
    assert {"opportunities", "opportunity_history", "leads", "spend"} <= tables


def test_sample_is_reproducible(root, tmp_path):
    for name in ("a", "b"):
        assert run(root, "sample", tmp_path / name, "--opportunities", 300, "--seed", 3).returncode == 0
    first = {p.name: p.read_bytes() for p in (tmp_path / "a").iterdir()}
    assert first == {p.name: p.read_bytes() for p in (tmp_path / "b").iterdir()}
    assert "opportunities.csv" in first


def test_catalogue_has_all_ids_and_measures(root):
    told = document(root, "catalogue")
    assert (len(told), len({e["measure"] for e in told})) == (72, 68)


def test_backtest_of_monthly_data_names_the_strong_rule(root, shared_data):
    told = document(root, "backtest", shared_data / "maven_crm", "--grain", "month")
    name = "same month of the previous quarter"
    for window in (1, 2):
        scored = [m for m in told["methods"] if m["window"] == window and m["n"] >= 8]
        rule = next(m for m in scored if m["method"] == name)
        assert rule["wape"] == min(m["wape"] for m in scored)
        assert rule["wape"] < rule["model_wape"]
        much_better = rule["wape"] < 0.8 * rule["model_wape"]
        # At two periods' distance the last period is the same month of the previous quarter.
        assert told["chosen_by_window"][window] in ((name, "last period") if much_better else ("this model",))


def test_microsoft_and_maven_are_accounted_for(root, shared_data):
    told = document(root, "check", shared_data / "msft_regional_sales", shared_data / "maven_crm")
    accepted = [f["accepted"] for f in told["files"] if f["table"] == "opportunities"]
    assert accepted == [20_000, 8_800]
