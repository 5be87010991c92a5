"""The definitions: what each rests on, and that agreeing fixes exactly what is shown."""

from __future__ import annotations

from kpis.answers.definitions import agreed_on, definitions_answer, stage_entries
from kpis.settings import Settings
from tests.intake.files import load, rows

DEALS = """opportunity_id,stage,status,amount,created_at,expected_close,closed_at
1,Prospecting,open,10,2024-01-01,2024-09-01,
2,Proposal,open,20,2024-01-02,2024-09-01,
3,Closed Won,won,30,2024-01-03,,2024-03-01
4,Closed Lost,lost,40,2024-01-04,,2024-03-02
"""
STAGES = "stage,position,is_won,is_lost\nProspecting,1,0,0\nProposal,2,0,0\nClosed Won,3,1,0\nClosed Lost,4,0,1\n"


def basis(intake, table="stages"):
    return list(definitions_answer(intake).tables[table]["basis"])


def test_from_bare_deals_everything_is_guessed():
    answer = definitions_answer(load(deals=DEALS))
    assert list(answer.tables["stages"]["stage"]) == ["Prospecting", "Proposal", "Closed Won", "Closed Lost"]
    assert list(answer.tables["stages"]["is_qualified"]) == [False, True, True, False]
    assert set(answer.tables["stages"]["basis"]) == {"guessed"}
    assert answer.tables["definitions"]["basis"].tolist() == [
        "default",
        "default",
        "guessed",
        "default",
        *["guessed"] * 4,
    ]
    # 4 stages and 8 definitions, and nobody has set one.
    assert answer.numbers["guessed"].value == 12
    assert (
        answer.sentence == "Nobody has agreed on these definitions yet; 12 of 12 are guessed or left on their default."
    )


def test_a_table_of_stages_counts_as_far_as_it_tells():
    assert basis(load(deals=DEALS, stages=STAGES)) == ["guessed: qualified"] * 4
    whole = (
        STAGES.replace("is_lost\n", "is_lost,is_qualified\n").replace(",0\nP", ",0,0\nP").replace(",0\nC", ",0,1\nC")
    )
    whole = whole.replace("3,1,0,1", "3,1,0,1").rstrip("\n") + ",0\n"
    assert basis(load(deals=DEALS, stages=whole)) == ["from the files"] * 4
    other = DEALS + "5,Demo,open,5,2024-01-05,2024-09-01,\n"
    found = definitions_answer(load(deals=other, stages=whole)).tables["stages"].set_index("stage")["basis"]
    assert found["Demo"] == "guessed"
    assert found["Proposal"] == "from the files"


def test_agreeing_fixes_what_is_shown_and_changes_no_number():
    before = load(deals=DEALS)
    settings = before.dataset.settings.revised(**agreed_on(before), agreed={"by": "Dana", "on": "2026-11-22"})
    after = load(Settings.parse(settings.as_toml().encode(), "tandem.toml"), deals=DEALS)
    shown = "SELECT stage, position, is_qualified, is_won, is_lost FROM stages ORDER BY position"
    assert rows(after, shown) == rows(before, shown)
    answer = definitions_answer(after)
    assert answer.sentence == "Agreed by Dana on 22 Nov 2026."
    assert {*basis(after), *basis(after, "definitions")} == {"agreed by Dana, 2026-11-22"}
    assert answer.numbers["guessed"].value == 0
    assert not any("guessed" in note for note in after.notes)


def test_what_was_set_is_said_to_be_set():
    settings = Settings(
        confidence=0.9, currency="EUR", definitions={"sales": {"stages": ["Proposal"], "lead": "sql_at"}}
    )
    table = definitions_answer(load(settings, deals=DEALS)).tables["definitions"].set_index("definition")
    assert table.loc["Enough pipeline means a chance of"].tolist() == ["90 %", "set"]
    assert table.loc["Currency"].tolist() == ["EUR", "set"]
    assert table.loc["Sales: qualified opportunity"].tolist() == ["enters Proposal", "set"]
    assert table.loc["Marketing: qualified opportunity", "basis"] == "guessed"


def test_stages_are_numbered_in_the_order_of_their_places():
    table = [
        {
            "stage": "B",
            "position": 5,
            "is_qualified": True,
            "is_won": False,
            "is_lost": False,
            "default_probability": 0.5,
        },
        {
            "stage": "A",
            "position": 2,
            "is_qualified": False,
            "is_won": False,
            "is_lost": False,
            "default_probability": None,
        },
    ]
    first, second = stage_entries(table)
    assert (first["stage"], first["position"], "default_probability" in first) == ("A", 1, False)
    assert (second["stage"], second["position"], second["default_probability"]) == ("B", 2, 0.5)
