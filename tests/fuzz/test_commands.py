"""Any export, any command: an exit code, a reason, and no number that is not one."""

from __future__ import annotations

import json
import math
import tempfile
from pathlib import Path

from hypothesis import HealthCheck, given
from hypothesis import settings as search
from hypothesis import strategies as st
from typer.testing import CliRunner

from kpis.__main__ import app
from kpis.errors import NotEnoughData, TandemError
from tests.fuzz.exports import EXAMPLES, companies, write

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


def no_constant(word):
    raise AssertionError(f"{word} in a document")


def numbers(document):
    """Every number of a document."""
    if isinstance(document, dict):
        document = list(document.values())
    if isinstance(document, list):
        for part in document:
            yield from numbers(part)
    elif isinstance(document, float):
        yield document


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
        done = CliRunner().invoke(app, words)
    if isinstance(done.exception, TandemError):
        # ``kpis.__main__.main`` makes exit codes of these, and says them.
        assert isinstance(done.exception, NotEnoughData) or done.exception.way_out or done.exception.place
        assert str(done.exception)
        return
    assert done.exit_code in (0, 2), (words, done.output, done.exception)
    if done.exit_code:
        assert done.stderr.strip()
        return
    told = json.loads(done.stdout, parse_constant=no_constant)
    assert all(math.isfinite(value) for value in numbers(told))
    if words[0] == "check":
        assert all(f["read"] == f["accepted"] + f["rejected"] + f["merged"] for f in told["files"])
    if words[0] == "forecast":
        unknown = [p["label"] for p in told["periods"] if None in p.values()]
        assert all(any(label in warning for warning in told["warnings"]) for label in unknown)
        known = [(p["p10"], p["p50"], p["p90"]) for p in told["periods"] if p["p10"] is not None]
        assert all(low <= middle <= high for low, middle, high in known)
