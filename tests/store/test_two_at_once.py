"""Several people, threads and processes on one store: everybody's change is there in the end."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from kpis.assumptions import Assumptions
from kpis.store import LOCAL, Store, scenarios, snapshots
from kpis.store.workspace import find, find_or_make, log, names
from tests.store import made
from tests.store.saver import race

LEVERS = {"sales_cycle": 1.2, "close_rate": 1.1, "new_opportunities": 1.3, "deal_size": 0.9, "slippage": 0.2}


def test_processes_that_open_a_new_store_at_once_make_it_together(somewhere, child):
    processes = [child(somewhere, "open") for _ in range(3)]
    assert [process.communicate(timeout=60)[0] for process in processes] == ["done\n"] * 3
    assert [process.returncode for process in processes] == [0] * 3
    store = Store.open(somewhere)
    assert names(store, LOCAL) == ["Plan"]
    assert len(log(find(store, "Plan", LOCAL))) == 1


def test_no_update_of_three_processes_is_lost(somewhere, child):
    levers = dict(list(LEVERS.items())[:3])
    processes = [child(somewhere, "race", "Plan A", field, value) for field, value in levers.items()]
    for process in processes:
        assert process.communicate(timeout=120)[0].endswith("done\n")
    there = find(Store.open(somewhere), "Plan", LOCAL)
    row = scenarios.named(there, "Plan A")
    assert scenarios.read(row) == Assumptions(name="Plan A", **levers)
    assert row.version == len(levers)  # each wrote once, on top of what it had seen


def test_no_update_of_many_threads_is_lost(workspace):
    def work(number):
        field = list(LEVERS)[number % len(LEVERS)]
        race(workspace, f"Plan {number // len(LEVERS)}", field, LEVERS[field])

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(4 * len(LEVERS))))
    assert [scenarios.read(row).changed() for row in scenarios.listed(workspace)] == [LEVERS] * 4


def test_the_same_data_kept_by_many_at_once_are_kept_once(workspace, somewhere):
    with ThreadPoolExecutor(6) as pool:
        rows = list(pool.map(lambda _: snapshots.keep(workspace, made.about(), made.files()), range(6)))
    assert len({row.id for row in rows}) == 1
    assert [row.id for row in snapshots.listed(workspace)] == [rows[0].id]
    with snapshots.opened(workspace, rows[0].id) as folder:
        assert made.is_whole(folder, 1)
        assert [path.name for path in folder.parent.iterdir()] == [rows[0].id]


def test_a_workspace_made_by_many_at_once_is_one(store):
    with ThreadPoolExecutor(6) as pool:
        assert len({w.id for w in pool.map(lambda _: find_or_make(store, "New", LOCAL), range(6))}) == 1
