"""A process that works on a store until it is killed: ``python -m tests.store.saver DATABASE FILES save|race|open ...``.

``save FIRST LAST`` saves a scenario, a decision, a prediction or a snapshot for each number in turn and writes the
number to standard output once the store has acknowledged it. ``race NAME FIELD VALUE`` sets one lever of a scenario,
merging with whoever was faster. ``open`` opens the store and says so.
"""

from __future__ import annotations

import sys
from datetime import date, timedelta

from kpis.assumptions import Assumptions
from kpis.scenarios import merge
from kpis.store import LOCAL, Place, Store, Workspace, decisions, ledger, scenarios, snapshots
from kpis.store.versions import NEW, Changed
from kpis.store.workspace import find_or_make
from tests.store import made

KINDS = 4


def save(there: Workspace, number: int) -> None:
    """Save the thing of that number."""
    kind = number % KINDS
    if kind == 0:
        scenarios.save(there, f"scenario {number}", Assumptions(sales_cycle=1 + number / 1000))
    elif kind == 1:
        decisions.add(there, f"decision {number}", "Ana", None, "page")
    elif kind == 2:
        ledger.save(there, made.prediction(made_on=date(2026, 1, 1) + timedelta(days=number)))
    else:
        snapshots.keep(there, made.about(number), made.files(number))


def race(there: Workspace, name: str, field: str, value: float) -> None:
    """Set a lever of a scenario as two windows would: from the version they both began with."""
    base, seen = Assumptions(), NEW
    mine = Assumptions(**{field: value})
    while True:
        try:
            scenarios.save(there, name, mine, seen)
            return
        except Changed as changed:
            theirs = scenarios.read(changed.theirs)
            mine, _ = merge(base, mine, theirs)
            base, seen = theirs, changed.theirs.edition


def main() -> None:
    """Do what the arguments say."""
    database, files, what, *rest = sys.argv[1:]
    there = find_or_make(Store.open(Place(database, files)), "Plan", LOCAL)
    if what == "save":
        for number in range(int(rest[0]), int(rest[1])):
            save(there, number)
            sys.stdout.write(f"{number}\n")
            sys.stdout.flush()
    elif what == "race":
        race(there, rest[0], rest[1], float(rest[2]))
    sys.stdout.write("done\n")


if __name__ == "__main__":
    main()
