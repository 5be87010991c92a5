"""A newer export onto data that are there gives what reading all exports at once gives."""

from __future__ import annotations

from datetime import date
from itertools import accumulate
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kpis.errors import InputError
from kpis.intake import Intake, extend, read
from tests.intake.files import rows
from tests.intake.test_any_input import SLOW

HEAD = "Opportunity ID,Stage,Amount,Close Date,Created Date,Owner\n"
JANUARY = HEAD + "A,Qualify,100,2024-03-31,2024-01-05,Ana\nB,Qualify,200,2024-03-31,2024-01-08,Bo\n"
FEBRUARY = HEAD + "A,Propose,120,2024-03-31,2024-01-05,Ana\nB,Qualify,200,2024-04-30,2024-01-08,Bo\n"
MARCH = (
    HEAD
    + "A,Closed Won,130,2024-02-20,2024-01-05,Ana\nB,Qualify,200,2024-04-30,2024-01-08,Bo\nC,Qualify,50,2024-05-31,2024-02-11,Ana\n"
)
FILES = [("deals 2024-01-31.csv", JANUARY), ("deals 2024-02-10.csv", FEBRUARY), ("deals 2024-03-01.csv", MARCH)]
EXPORTS = [(name, text.encode()) for name, text in FILES]


def stored(intake: Intake) -> dict[str, list[tuple[Any, ...]]]:
    """Every table; of the history its order within an opportunity, since the numbers of the changes say no more."""
    listed = "opportunity_id, changed_at, stage, amount, expected_close, forecast_category, probability, owner"
    past = f"SELECT {listed}, row_number() OVER (PARTITION BY opportunity_id ORDER BY seq) FROM opportunity_history"
    queries = {
        name: past if name == "opportunity_history" else f'FROM "{name}"' for name in intake.dataset.engine.tables()
    }
    return {name: sorted(rows(intake, query), key=repr) for name, query in queries.items()}


def test_a_third_export_goes_on_with_the_history_of_two() -> None:
    before = read(EXPORTS[:2])
    after = extend(before, EXPORTS[2:])
    assert rows(after, "SELECT opportunity_id, changed_at, stage, amount, expected_close FROM opportunity_history ORDER BY 1, seq") == [
        ("A", date(2024, 1, 31), "Qualify", 100.0, date(2024, 3, 31)),
        ("A", date(2024, 2, 10), "Propose", 120.0, date(2024, 3, 31)),
        # the export of March shows it won on 20 February, after the one of 10 February
        ("A", date(2024, 2, 20), "Closed Won", 130.0, date(2024, 3, 31)),
        ("B", date(2024, 1, 31), "Qualify", 200.0, date(2024, 3, 31)),
        ("B", date(2024, 2, 10), "Qualify", 200.0, date(2024, 4, 30)),
        # created on 11 February, between the two
        ("C", date(2024, 2, 11), "Qualify", 50.0, date(2024, 5, 31)),
    ]  # fmt: skip
    whole = read(EXPORTS)
    assert stored(after) == stored(whole)
    assert [f.file for f in after.files] == [name for name, _ in FILES]
    assert after.dataset.fingerprint not in (before.dataset.fingerprint, whole.dataset.fingerprint)
    # the older states of a deal are no duplicates of it
    assert not [d for d in (*after.defects, *whole.defects) if "duplicate" in d.defect]
    assert (after.dataset.newest, after.dataset.present) == (whole.dataset.newest, whole.dataset.present)


def test_two_steps_are_as_good_as_one() -> None:
    assert stored(extend(extend(read(EXPORTS[:1]), EXPORTS[1:2]), EXPORTS[2:])) == stored(read(EXPORTS))


def test_an_open_deal_that_the_newer_export_no_longer_shows_goes() -> None:
    newer = "".join(line for line in MARCH.splitlines(keepends=True) if not line.startswith("B"))
    exports = [*EXPORTS[:2], ("deals 2024-03-01.csv", newer.encode())]
    after = extend(read(exports[:2]), exports[2:])
    assert stored(after) == stored(read(exports))
    assert rows(after, "SELECT opportunity_id FROM opportunities ORDER BY 1") == [("A",), ("C",)]
    assert any("1 open deal(s) are missing from the newer export" in note for note in after.notes)


def test_other_tables_stay_and_stages_that_were_given_hold() -> None:
    more = [
        ("stages.csv", b"stage,position,is_won,is_lost\nQualify,1,0,0\nPropose,2,0,0\nClosed Won,3,1,0\n"),
        ("accounts.csv", b"account_id,name,industry\nX,Acme,Steel\n"),
    ]
    after = extend(read([*EXPORTS[:2], *more]), EXPORTS[2:])
    assert stored(after) == stored(read([*EXPORTS, *more]))


def test_a_list_price_that_stood_in_is_replaced_by_an_amount() -> None:
    products = ("products.csv", b"product_id,name,list_price\nP,Pump,70\n")
    january = (
        HEAD.replace("Owner", "Product")
        + "A,Qualify,,2024-03-31,2024-01-05,Pump\nB,Qualify,,2024-03-31,2024-01-05,Pump\n"
    )
    exports = [
        ("deals 2024-01-31.csv", january.encode()),
        ("deals 2024-03-01.csv", january.replace("A,Qualify,", "A,Qualify,90").encode()),
    ]
    after = extend(read([exports[0], products]), exports[1:])
    assert rows(after, "SELECT opportunity_id, amount, amount_basis FROM opportunities ORDER BY 1") == [
        ("A", 90.0, "given"), ("B", 70.0, "list price"),
    ]  # fmt: skip
    assert stored(after) == stored(read([*exports, products]))


HISTORY = (
    "history.csv",
    b"Opportunity ID,Stage,Amount,Changed At\nA,Qualify,100,2024-01-05\nB,Qualify,100,2024-01-08\n",
)


def test_a_history_of_its_own_needs_all_files() -> None:
    with pytest.raises(InputError, match="their own history"):
        extend(read([EXPORTS[0], HISTORY]), EXPORTS[1:])
    with pytest.raises(InputError, match="Load all files together"):
        extend(read(EXPORTS[:1]), [EXPORTS[1], HISTORY])
    hubspot = b'"Record ID","Deal Name","Deal Stage","Create Date","Amount","Date entered ""Qualify"""\n1,x,Qualify,2024-01-05,5,2024-01-05\n'
    before = read([("hubspot.csv", hubspot)])
    assert rows(before, "SELECT count(*) FROM opportunity_history") == [(1,)]
    with pytest.raises(InputError, match="their own history"):
        extend(before, [("hubspot 2.csv", hubspot)])


STATES = st.tuples(
    st.sampled_from(["Qualify", "Propose", "Closed Won", "Closed Lost"]), st.sampled_from([100, 250, None]),
    st.integers(1, 28), st.sampled_from(["Ana", "Bo"]),
)  # fmt: skip


@SLOW
@given(st.lists(st.lists(STATES, min_size=4, max_size=4), min_size=2, max_size=4), st.integers(1, 3))
def test_any_exports_in_two_readings_are_as_good_as_in_one(
    months: list[list[tuple[str, int | None, int, str]]], cut: int
) -> None:
    """Deals come one a month and stay; a deal that closed stays as it closed."""
    exports, closed = [], {}
    for month, deals in enumerate(accumulate(months, lambda _, new: new), 1):
        lines = []
        for n, (stage, amount, day, owner) in enumerate(deals[: month + 1]):
            line = f"D{n},{stage},{amount or ''},2024-{month + 1:02}-{day:02},2024-01-0{n + 1},{owner}"
            if n in closed:
                line = closed[n]
            elif stage.startswith("Closed"):
                line = closed[n] = f"D{n},{stage},{amount or ''},2024-{month + 1:02}-01,2024-01-0{n + 1},{owner}"
            lines.append(line)
        exports.append((f"deals 2024-{month + 1:02}-28.csv", (HEAD + "\n".join(lines) + "\n").encode()))
    cut = min(cut, len(exports) - 1)
    assert stored(extend(read(exports[:cut]), exports[cut:])) == stored(read(exports))
