"""The store beside a plain model of it: whatever is done in whatever order, both hold the same."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from kpis.assumptions import Assumptions
from kpis.store import Place, Store, decisions, scenarios, snapshots
from kpis.store.versions import NEW, Changed
from kpis.store.workspace import find, find_or_make, log, remove
from tests.store import made

NAMES = st.sampled_from(["Plan A", "Plan B"])
WHO = st.sampled_from([0, 1])
LEVER = st.sampled_from([1.1, 1.2, 1.3])


class TwoPeople(RuleBasedStateMachine):
    """Two windows on one workspace, each with what it last saw of every scenario; and what must be kept."""

    @initialize()
    def begin(self):
        self.folder = tempfile.TemporaryDirectory(prefix="tandem-")
        self.store = Store.open(Place("sqlite://", self.folder.name))
        self.make()

    def make(self):
        self.there = find_or_make(self.store, "Plan", "ana")
        self.seen = [{}, {}]
        self.levers, self.editions, self.noted, self.kept = {}, {}, {}, {}
        self.used = set()
        self.logged = 1

    @rule(who=WHO, name=NAMES)
    def look(self, who, name):
        if name in self.levers:
            self.seen[who][name] = scenarios.named(self.there, name).edition
            assert self.seen[who][name] == self.editions[name]

    @rule(who=WHO, name=NAMES, lever=LEVER)
    def save(self, who, name, lever):
        seen = self.seen[who].get(name, NEW)
        is_new, is_same = name not in self.levers, self.levers.get(name) == lever
        scenario = Assumptions(sales_cycle=lever)
        if not (is_new or is_same or seen == self.editions[name]):
            with pytest.raises(Changed) as changed:
                scenarios.save(self.there, name, scenario, seen)
            assert scenarios.read(changed.value.theirs).sales_cycle == self.levers[name]
            return
        row = scenarios.save(self.there, name, scenario, seen)
        if not is_same:
            assert row.edition not in self.used
        self.used.add(row.edition)
        self.editions[name] = self.seen[who][name] = row.edition
        self.levers[name] = lever
        self.logged += 1

    @rule(who=WHO, name=NAMES)
    def delete(self, who, name):
        scenarios.delete(self.there, name)
        self.levers.pop(name, None)
        self.editions.pop(name, None)
        self.logged += 1

    @rule(text=st.text(min_size=1, max_size=5, alphabet="ab'\";ä提"))
    def decide(self, text):
        row = decisions.add(self.there, text, "", None, "")
        assert row.id not in self.noted
        self.noted[row.id] = text
        self.logged += 1

    @rule(which=st.integers(0, 5))
    def undecide(self, which):
        number = list(self.noted)[which] if which < len(self.noted) else 0
        decisions.delete(self.there, number)
        self.noted.pop(number, None)
        self.logged += 1

    @rule(number=st.integers(1, 3))
    def keep(self, number):
        row = snapshots.keep(self.there, made.about(number), made.files(number))
        self.logged += number not in self.kept
        assert self.kept.setdefault(number, row.id) == row.id

    @rule(number=st.integers(1, 3))
    def forget(self, number):
        if number in self.kept:
            snapshots.delete(self.there, self.kept.pop(number))
            self.logged += 1

    @rule()
    def start_again(self):
        remove(self.there)
        assert list(Path(self.folder.name).iterdir()) == []
        self.make()

    @invariant()
    def both_hold_the_same(self):
        there = find(self.store, "Plan", "ana")
        assert there == self.there
        assert {row.name: scenarios.read(row).sales_cycle for row in scenarios.listed(there)} == self.levers
        assert {row.id: row.text for row in decisions.listed(there)} == self.noted
        assert {int(row.fingerprint): row.id for row in snapshots.listed(there)} == self.kept
        assert {path.name for path in Path(self.folder.name).iterdir()} == set(self.kept.values())
        assert len(log(there)) == self.logged

    def teardown(self):
        if hasattr(self, "folder"):
            self.store.engine.dispose()
            self.folder.cleanup()


TwoPeople.TestCase.settings = settings(max_examples=40, stateful_step_count=25, deadline=None)
test_two_people = TwoPeople.TestCase
