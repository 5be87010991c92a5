"""What may come of a command, whatever it is given: a document of numbers, or a reason and an exit code."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from typing import Any

from typer.testing import CliRunner

from kpis.__main__ import app
from kpis.errors import NotEnoughData, TandemError


def outcome(words: list[str]) -> Any:
    """Run a command: its document, empty without --json; None where it ended with a reason."""
    done = CliRunner().invoke(app, words)
    if isinstance(done.exception, TandemError):
        # ``kpis.__main__.main`` makes exit codes of these, and says them.
        assert isinstance(done.exception, NotEnoughData) or done.exception.way_out or done.exception.place
        assert str(done.exception)
        return None
    assert done.exit_code in (0, 2), (words, done.output, done.exception)
    if done.exit_code:
        assert done.stderr.strip()
        return None
    if "--json" not in words:
        return {}
    told = json.loads(done.stdout, parse_constant=_refuse)
    assert all(math.isfinite(value) for value in _numbers(told))
    judge = _JUDGES.get(words[0])
    if judge:
        judge(told)
    return told


def _check(told: Any) -> None:
    assert all(f["read"] == f["accepted"] + f["rejected"] + f["merged"] for f in told["files"])


def _forecast(told: Any) -> None:
    unknown = [p["label"] for p in told["periods"] if None in p.values()]
    assert all(any(label in warning for warning in told["warnings"]) for label in unknown)
    known = [(p["p10"], p["p50"], p["p90"]) for p in told["periods"] if p["p10"] is not None]
    assert all(low <= middle <= high for low, middle, high in known)


def _measure(told: Any) -> None:
    for measure in told["measures"]:
        for part in [measure, *measure.get("parts", [])]:
            missing = [value for value in part["values"] if value["value"] is None]
            assert all(value["reason"] or part.get("reason") for value in missing), measure
            known = [v for v in part["values"] if None not in (v["value"], v["low"], v["high"])]
            assert all(v["low"] <= v["high"] for v in known), measure


_JUDGES = {"check": _check, "forecast": _forecast, "measure": _measure}


def _refuse(word: str) -> None:
    raise AssertionError(f"{word} in a document")


def _numbers(document: Any) -> Iterator[float]:
    """Every number of a document."""
    if isinstance(document, dict):
        document = list(document.values())
    if isinstance(document, list):
        for part in document:
            yield from _numbers(part)
    elif isinstance(document, float):
        yield document
