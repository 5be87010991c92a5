"""What a viewer, an editor and an owner may do, what nobody may, and what is said instead."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from kpis.assumptions import Assumptions
from kpis.errors import StoreError
from kpis.settings import Settings
from kpis.store import LOCAL, OPERATOR, agreement, decisions, ledger, members, scenarios, snapshots
from kpis.store.roles import EDITOR, OWNER, VIEWER
from kpis.store.scope import Scope
from kpis.store.workspace import NotAllowed, find, find_or_make, log, names, remove
from tests.store import made

ANA, BO, CY = "ana@example.com", "bo@example.com", "cy@example.com"
NORTH, SOUTH = Scope.of("team", ["North"]), Scope.of("team", ["South"])
DOES = {
    "scenario": lambda there: scenarios.save(there, f"of {there.person}", Assumptions(sales_cycle=1.1)),
    "decision": lambda there: decisions.add(there, f"of {there.person}", "", None, ""),
    "prediction": lambda there: ledger.save(there, made.prediction(name=there.person)),
    "settings": lambda there: agreement.save(there, Settings(currency="EUR")),
    "snapshot": lambda there: snapshots.keep(there, made.about(), made.files()),
    "member": lambda there: members.admit(there, CY, VIEWER),
    "workspace": remove,
}
SAVES, SHARES = ("scenario", "decision", "prediction"), ("settings", "snapshot")


@pytest.fixture
def plan(store):
    """Ana's workspace."""
    return find_or_make(store, "Plan", ANA)


def hand(plan, person):
    return find(plan.store, plan.name, person)


@pytest.mark.parametrize(
    ("role", "scope", "allowed"),
    [
        (VIEWER, Scope(), ()),
        (VIEWER, NORTH, ()),
        (EDITOR, NORTH, SAVES),
        (EDITOR, Scope(), (*SAVES, *SHARES)),
        (OWNER, Scope(), (*SAVES, *SHARES, "member", "workspace")),
    ],
)
def test_what_each_role_may_do(plan, role, scope, allowed):
    members.admit(plan, BO, role, scope)
    bo = hand(plan, BO)
    assert (bo.role, bo.scope) == (role, scope)
    for kind, does in DOES.items():
        if kind in allowed:
            does(bo)
        else:
            with pytest.raises(NotAllowed, match=rf"As {role}.* you may not .*'Plan'.* Ask {ANA}"):
                does(bo)
    if "workspace" not in allowed:
        # Nothing of what was refused is there, and the log tells of what was done only.
        done = [entry.kind for entry in log(plan) if entry.person == BO]
        assert sorted(done) == sorted(allowed)
        assert bool(snapshots.listed(plan)) == ("snapshot" in allowed)
        assert CY not in {row.person for row in members.listed(plan)}


def test_deleting_asks_for_the_same_right_as_saving(plan):
    members.admit(plan, BO, VIEWER)
    bo, row = hand(plan, BO), decisions.add(plan, "Hire", "", None, "")
    scenarios.save(plan, "Fast", Assumptions())
    kept = snapshots.keep(plan, made.about(), made.files())
    saved = ledger.save(plan, made.prediction())
    tries = (
        lambda: scenarios.delete(bo, "Fast"),
        lambda: decisions.delete(bo, row.id),
        lambda: snapshots.delete(bo, kept.id),
        lambda: ledger.delete(bo, saved.id),
        lambda: members.remove(bo, ANA),
    )
    for each in tries:
        with pytest.raises(NotAllowed):
            each()
    assert [len(kind(bo)) for kind in (scenarios.listed, decisions.listed, snapshots.listed, ledger.listed)] == [1] * 4


def test_who_could_do_it_is_said(plan):
    members.admit(plan, BO, EDITOR)
    members.admit(plan, CY, VIEWER)
    with pytest.raises(NotAllowed, match=rf"As viewer you may not save in 'Plan'\. Ask {ANA} or {BO}$"):
        DOES["scenario"](hand(plan, CY))
    with pytest.raises(NotAllowed, match=rf"Ask {ANA}$"):
        DOES["member"](hand(plan, BO))


def test_a_role_holds_from_the_next_transaction_on(plan):
    members.admit(plan, BO, EDITOR)
    bo = hand(plan, BO)
    DOES["scenario"](bo)
    members.admit(plan, BO, VIEWER)
    with pytest.raises(NotAllowed, match="As viewer"):
        DOES["scenario"](bo)  # although the hand says that it is an editor's
    members.admit(plan, BO, VIEWER, NORTH)
    with pytest.raises(NotAllowed, match="rows of 'Plan' you see was changed"):
        snapshots.listed(bo)  # else all rows would be opened
    members.remove(plan, BO)
    for kind in (scenarios.listed, decisions.listed, snapshots.listed, ledger.listed, agreement.agreed, log):
        with pytest.raises(NotAllowed, match="You take no part in 'Plan'"):
            kind(bo)
    assert names(plan.store, BO) == []


def test_a_workspace_of_others_is_not_there(plan):
    with pytest.raises(StoreError, match=r"no workspace 'Plan'.*none yet"):
        find(plan.store, "Plan", BO)
    with pytest.raises(StoreError, match="name 'Plan' is taken"):
        find_or_make(plan.store, "Plan", BO)
    other = find_or_make(plan.store, "Other", BO)
    assert names(plan.store, BO) == ["Other"]
    row = decisions.add(plan, "Hire", "", None, "")
    decisions.delete(other, row.id)
    ledger.delete(other, ledger.save(plan, made.prediction()).id)
    assert (len(decisions.listed(plan)), len(ledger.listed(plan))) == (1, 1)


def test_an_address_is_one_person_however_it_is_written(plan):
    members.admit(plan, "  Bo@Example.COM ", VIEWER)
    assert hand(plan, BO).role == VIEWER
    for wrong in (
        "", "bo", "bo@", "@example.com", "a b@example.com", f"{'x' * 80}@example.com", OPERATOR,
        f"{BO}\u200b", "bo@exa\0mple.com", "bo@\ud800",
    ):  # fmt: skip
        with pytest.raises(StoreError, match="no e-mail address"):
            members.admit(plan, wrong, VIEWER)
    with pytest.raises(StoreError, match="no role"):
        members.admit(plan, BO, "king")
    with pytest.raises(StoreError, match="An owner sees all rows"):
        members.admit(plan, BO, OWNER, NORTH)


def test_a_letter_that_looks_like_another_is_another():
    # The Kelvin sign is no K, but its small letter is k.
    assert "\u212a".lower() == "k"
    assert members.address("\u212aIM@example.com") != members.address("KIM@example.com") == "kim@example.com"


def test_who_is_sent_away_is_named_as_they_are_invited(plan):
    members.admit(plan, BO, VIEWER)
    members.remove(plan, BO.upper())
    assert [row.person for row in members.listed(plan)] == [ANA]
    with pytest.raises(StoreError, match=f"'{BO}' takes no part in 'Plan'"):
        members.remove(plan, BO)
    assert [entry.what for entry in log(plan) if entry.action == "removed"] == [BO]  # nobody is said to be gone twice


def test_an_owner_is_always_left(plan):
    for change in (lambda: members.remove(plan, ANA), lambda: members.admit(plan, ANA, EDITOR)):
        with pytest.raises(StoreError, match="'Plan' needs an owner"):
            change()
    assert [(row.person, row.role) for row in members.listed(plan)] == [(ANA, OWNER)]
    members.admit(plan, BO, OWNER)
    members.remove(plan, ANA)
    assert [(row.person, row.role) for row in members.listed(hand(plan, BO))] == [(BO, OWNER)]


def test_of_two_owners_who_send_each_other_away_one_stays(plan):
    members.admit(plan, BO, OWNER)

    def go(pair):
        who, whom = pair
        try:
            members.remove(hand(plan, who), whom)
        except StoreError:
            return False
        return True

    with ThreadPoolExecutor(2) as pool:
        gone = list(pool.map(go, [(ANA, BO), (BO, ANA)]))
    assert sorted(gone) == [False, True]
    assert len(names(plan.store, ANA) + names(plan.store, BO)) == 1


def test_the_log_says_who_invited_whom_and_is_for_owners(plan):
    members.admit(plan, BO, VIEWER, NORTH)
    members.admit(plan, BO, EDITOR)
    members.remove(plan, BO)
    assert [(entry.person, entry.action, entry.what) for entry in reversed(log(plan))] == [
        (ANA, "made", "Plan"),
        (ANA, "invited", f"{BO} as viewer, team North only"),
        (ANA, "changed", f"{BO} as editor"),
        (ANA, "removed", BO),
    ]
    members.admit(plan, BO, EDITOR)
    with pytest.raises(NotAllowed):
        log(hand(plan, BO))


def test_whoever_holds_the_store_may_hand_a_workspace_over(store):
    old = find_or_make(store, "Plan", LOCAL)
    DOES["scenario"](old)
    operator = find(store, "Plan", OPERATOR)
    assert names(store, OPERATOR) == ["Plan"]
    members.admit(operator, ANA, OWNER)
    members.remove(operator, LOCAL)
    assert (names(store, LOCAL), names(store, ANA)) == ([], ["Plan"])
    assert len(scenarios.listed(hand(old, ANA))) == 1
    with pytest.raises(NotAllowed):
        DOES["scenario"](old)
    assert [entry.person for entry in log(operator)] == [OPERATOR, OPERATOR, LOCAL, LOCAL]


# Who sees a part of the rows


def test_what_is_made_of_a_part_is_seen_by_those_who_see_it(plan):
    for person, scope in ((BO, NORTH), (CY, SOUTH), ("dee@example.com", NORTH)):
        members.admit(plan, person, EDITOR, scope)
    for person in (ANA, BO, CY):
        for kind in SAVES:
            DOES[kind](hand(plan, person))
    seen = {
        person: (
            [row.name for row in scenarios.listed(there)],
            [row.text for row in decisions.listed(there)],
            [row.name for row in ledger.listed(there)],
        )
        for person in (ANA, BO, CY, "dee@example.com")
        for there in [hand(plan, person)]
    }
    assert seen == {
        ANA: ([f"of {ANA}"], [f"of {ANA}"], [ANA]),
        BO: ([f"of {BO}"], [f"of {BO}"], [BO]),
        CY: ([f"of {CY}"], [f"of {CY}"], [CY]),
        "dee@example.com": ([f"of {BO}"], [f"of {BO}"], [BO]),
    }
    # Numbers and names of others lead nowhere.
    bo = hand(plan, BO)
    decisions.delete(bo, decisions.listed(plan)[0].id)
    ledger.delete(bo, ledger.listed(plan)[0].id)
    scenarios.delete(bo, f"of {ANA}")
    assert [len(kind(plan)) for kind in (scenarios.listed, decisions.listed, ledger.listed)] == [1, 1, 1]


def test_one_name_and_one_forecast_stand_for_each_part(plan):
    members.admit(plan, BO, EDITOR, NORTH)
    bo = hand(plan, BO)
    for there, cycle in ((plan, 1.2), (bo, 0.9)):
        scenarios.save(there, "Fast", Assumptions(sales_cycle=cycle))
        ledger.save(there, made.prediction())
        ledger.save(there, made.prediction())
    assert [scenarios.read(scenarios.named(there, "Fast")).sales_cycle for there in (plan, bo)] == [1.2, 0.9]
    assert [len(ledger.listed(there)) for there in (plan, bo)] == [1, 1]


def test_targets_are_of_all_rows(plan):
    agreement.save(plan, Settings(currency="EUR", targets={"2026Q1": 7.0}))
    members.admit(plan, BO, VIEWER, NORTH)
    found, _ = agreement.agreed(hand(plan, BO))
    assert found == Settings(currency="EUR")
    assert "targets" not in found.as_toml()


def test_data_are_known_by_what_is_seen_of_them(plan):
    kept = snapshots.keep(plan, made.about(), made.files())
    members.admit(plan, BO, EDITOR, NORTH)
    members.admit(plan, CY, VIEWER, SOUTH)
    bo, cy = hand(plan, BO), hand(plan, CY)
    marks = {there.scope.mark(kept.fingerprint) for there in (plan, bo, cy)}
    assert len(marks) == 3
    assert all(len(mark) == 64 for mark in marks)
    assert snapshots.kept(bo, NORTH.mark(kept.fingerprint)).id == kept.id
    assert snapshots.kept(bo, SOUTH.mark(kept.fingerprint)) is None


@pytest.mark.parametrize(
    ("column", "values", "words"),
    [("colour", ["red"], "Rows cannot be told apart by 'colour'"), ("team", [" ", ""], "No team is named")],
)
def test_a_scope_names_a_column_and_a_value(column, values, words):
    with pytest.raises(StoreError, match=words):
        Scope.of(column, values)


def test_equal_scopes_are_stored_alike():
    one, other = Scope.of("team", ["South", " North", "South"]), Scope.of("team", ("North", "South"))
    assert one == other == Scope.parse(one.text)
    assert one.words == "team North or South"
    assert (Scope().text, Scope().words, Scope.parse("")) == ("", "", Scope())
