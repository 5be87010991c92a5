"""kill -9 at random moments: what was acknowledged is there, and nothing is half there."""

from __future__ import annotations

import random
import time
from collections import Counter
from datetime import date, timedelta
from pathlib import Path

from sqlalchemy import func, select

from kpis.store import LOCAL, Store, decisions, ledger, scenarios, snapshots
from kpis.store.workspace import find
from tests.store.made import is_whole
from tests.store.saver import KINDS

SAVES, BETWEEN = 200, 70
"""How many saves, and before how many of them a process is killed at the latest."""


def saved(store):
    """The numbers of everything in the store with how often it is there, each checked to be whole."""
    there = find(store, "Plan", LOCAL)
    found = Counter(int(row.text.split()[1]) for row in decisions.listed(there))
    for row in scenarios.listed(there):
        number = int(row.name.split()[1])
        assert scenarios.read(row).sales_cycle == 1 + number / 1000
        found[number] += 1
    for row in ledger.listed(there):
        assert [period.window for period in row.periods] == [0, 1, 2]
        assert all(len(period.quantiles) == len(ledger.LEVELS) for period in row.periods)
        found[(row.made_on - date(2026, 1, 1)).days] += 1
    for row in snapshots.listed(there):
        with snapshots.opened(there, row.id) as folder:
            assert is_whole(folder, int(row.fingerprint))
        found[int(row.fingerprint)] += 1
    return found


def killed_at_random(process, chance):
    """What a process acknowledged until it was killed, somewhere between two of its saves or within one."""
    told = [process.stdout.readline() for _ in range(chance.randrange(1, BETWEEN))]
    time.sleep(chance.uniform(0, 0.02))
    process.kill()
    told += process.stdout.readlines()
    process.wait()
    process.stdout.close()
    # A last line without its end was cut off: nothing was acknowledged by it.
    return [int(line) for line in told if line.endswith("\n") and line.strip().isdigit()]


def test_every_acknowledged_save_is_there_and_none_is_half_there(somewhere, child):
    chance = random.Random(7)
    acknowledged, kills = [], 0
    while len(acknowledged) < SAVES:
        process = child(somewhere, "save", len(acknowledged), SAVES)
        acknowledged += killed_at_random(process, chance)
        kills += process.returncode == -9
        store = Store.open(somewhere)
        found = saved(store)
        # The save that was on its way may have been kept; it is then made again.
        assert set(acknowledged) <= set(found) <= {*acknowledged, len(acknowledged)}
        store.engine.dispose()
    assert acknowledged == list(range(SAVES))
    assert kills >= SAVES // BETWEEN
    # Twice is there only what has no identity of its own, a decision, and once for every kill at the most.
    twice = [number for number, times in found.items() if times > 1]
    assert all(number % KINDS == 1 for number in twice)
    assert found.total() - SAVES <= kills


def test_files_of_a_writer_that_died_are_deleted_when_nobody_can_be_writing_them(somewhere, child):
    process = child(somewhere, "save", 0, SAVES)
    killed_at_random(process, random.Random(3))
    store = Store.open(somewhere)
    there = find(store, "Plan", LOCAL)
    kept = {row.id for row in snapshots.listed(there)}
    with store.reading() as session:
        now = session.scalar(select(func.now()))
    for name in (f"{now - timedelta(days=2):%Y%m%dT%H%M%S}-00000000", f".{now:%Y%m%dT%H%M%S}-11111111", "notes"):
        Path(somewhere.files, name).mkdir()
    others = {path.name for path in Path(somewhere.files).iterdir()} - kept
    store.engine.dispose()
    Store.open(somewhere).engine.dispose()
    # What is younger than a day may be on its way in; what does not look like a snapshot is not ours.
    assert {path.name for path in Path(somewhere.files).iterdir()} - kept == {
        name for name in others if not name.endswith("-00000000")
    }
    orphans = store.files.sweep(kept, now, still_writing=timedelta(0))
    assert any(name.endswith("-11111111") for name in orphans)
    assert {path.name for path in Path(somewhere.files).iterdir()} == {*kept, "notes"}
