"""The random tests for as long as asked: ``make fuzz MINUTES=5``. Each round has a seed of its own, which is printed."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from pathlib import Path

ROUND = "40"
"""Examples a round."""

PYTEST = (
    sys.executable, "-m", "pytest", "-q", "--exitfirst", "tests/fuzz", "--hypothesis-show-statistics",
    # A failure ends the round as it was found: it may take minutes until no smaller one is.
    "--hypothesis-profile=found",
    # A test without an end says where it is.
    "-o", "faulthandler_timeout=300", "-o", "faulthandler_exit_on_timeout=true",
)  # fmt: skip


def main() -> None:
    """Run rounds until the time is over; end at the first that fails, with its output."""
    minutes = float(sys.argv[1]) if len(sys.argv) > 1 else 5.0
    began, rounds, examples = time.monotonic(), 0, 0
    while time.monotonic() < began + 60 * minutes:
        rounds += 1
        seed = f"--hypothesis-seed={int(time.time())}"
        done = subprocess.run(
            [*PYTEST, seed],
            cwd=Path(__file__).resolve().parents[2],
            env={**os.environ, "FUZZ_EXAMPLES": ROUND},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        examples += sum(map(int, re.findall(r"(\d+) passing", done.stdout)))
        if done.returncode:
            again = f"FUZZ_EXAMPLES={ROUND} python -m pytest tests/fuzz {seed}"
            sys.exit(f"{done.stdout}\nRound {rounds} failed. To find the smallest example that does: {again}")
        sys.stdout.write(f"round {rounds}, {seed}: passed; {examples} examples so far\n")
        sys.stdout.flush()
    minutes = (time.monotonic() - began) / 60
    sys.stdout.write(f"{rounds} rounds, {examples} examples in {minutes:.1f} minutes, no failure\n")


if __name__ == "__main__":
    main()
