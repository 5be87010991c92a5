"""Any export, any command, in any order: an exit code, a reason, and no number that is not one."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

from hypothesis import HealthCheck, given
from hypothesis import settings as search
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule

from tests.fuzz.exports import EXAMPLES, companies, write
from tests.fuzz.judge import outcome

COMMANDS = {
    "check": st.just([]),
    "measure": st.sampled_from(([], ["--periods", "3"], ["--by", "segment"])),
    "forecast": st.sampled_from(([], ["--target", "0"], ["--target", "1,2,3"], ["--grain", "month"])),
    "health": st.sampled_from(([], ["--target", "100000"])),
    "waterfall": st.sampled_from(([], ["--from", "2026-05-01", "--to", "2026-06-01"])),
    "backtest": st.sampled_from(([], ["--grain", "month"])),
    "compare": st.just([]),
}
AS_OF = ([], ["--as-of", "2026-03-31"], ["--as-of", "2020-02-29"])
SCENARIOS = st.fixed_dictionaries(
    {"name": st.just("tried")},
    optional={
        "sales_cycle": st.floats(0.1, 10),
        "close_rate": st.floats(0, 5),
        "new_opportunities": st.floats(0, 20),
        "deal_size": st.floats(0, 20),
        "slippage": st.floats(0, 1),
        "close_rates": st.dictionaries(st.sampled_from(("Discovery", "Proposal", "No such stage")), st.floats(0, 1)),
    },
)
FORMS = ("html", "xlsx", "pptx", "pdf", "ipynb", "json")


@search(max_examples=EXAMPLES, suppress_health_check=list(HealthCheck))
@given(companies(), st.sampled_from(sorted(COMMANDS)).flatmap(lambda c: COMMANDS[c].map(lambda more: [c, *more])),
       st.sampled_from(AS_OF), st.none() | SCENARIOS)  # fmt: skip
def test_a_command_ends_with_a_document_or_a_reason(company, words, as_of, scenario):
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        (folder / "data").mkdir()
        write(company, folder / "data")
        words = [words[0], str(folder / "data"), *words[1:], "--json"]
        if words[0] != "check":
            words += as_of
        if scenario is not None and words[0] in ("forecast", "health", "compare"):
            (folder / "tried.json").write_text(json.dumps(scenario), encoding="utf-8")
            words += ["--scenario", str(folder / "tried.json")]
        if words[0] == "compare":
            (folder / "plain.json").write_text("{}", encoding="utf-8")
            words += ["--scenario", str(folder / "plain.json")]
        outcome(words)


class Schedule(RuleBasedStateMachine):
    """One workspace that commands keep data in, forecast from, judge and report on."""

    def __init__(self):
        super().__init__()
        self.scratch = tempfile.TemporaryDirectory()
        self.folder = Path(self.scratch.name)
        self.runs = 0

    def run(self, command, *words, **options):
        options = {"workspace": "Plan", "store": str(self.folder / "store"), **options}
        named = [word for name, value in options.items() for word in (f"--{name}", value)]
        return outcome([command, *words, *named])

    @rule(company=companies())
    def keep(self, company):
        self.runs += 1
        data = self.folder / f"data{self.runs}"
        data.mkdir()
        write(company, data)
        self.run("keep", str(data))

    @rule(as_of=st.sampled_from(AS_OF), saved=st.booleans(), scenario=st.none() | SCENARIOS)
    def forecast(self, as_of, saved, scenario):
        more = ["--save"] if saved else []
        if scenario is not None:
            (self.folder / "tried.json").write_text(json.dumps(scenario), encoding="utf-8")
            more += ["--scenario", str(self.folder / "tried.json")]
        self.run("forecast", "--json", *as_of, *more)

    @rule(command=st.sampled_from(("measure", "health", "waterfall", "backtest", "ledger")))
    def ask(self, command):
        self.run(command, "--json")

    @rule(form=st.sampled_from(FORMS))
    def report(self, form):
        pack = self.folder / f"pack.{form}"
        made = self.run("report", to=str(pack))
        assert pack.exists() or made is None

    def teardown(self):
        self.scratch.cleanup()


TestSchedule = Schedule.TestCase
TestSchedule.settings = search(
    max_examples=max(EXAMPLES // 6, 1), stateful_step_count=6, suppress_health_check=list(HealthCheck)
)
