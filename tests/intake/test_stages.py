from __future__ import annotations

import pytest

from kpis.intake.stages import Found, order, outcomes, qualified
from kpis.settings import Settings, Stage
from tests.intake.files import load, rows

DEALS = "opportunity_id,stage,status,amount,created_at\n"


def stages(*names: str, **places: float) -> list[tuple[str, int | None]]:
    says = outcomes([], names)
    return [
        (s.stage, s.is_qualified) for s in qualified(order([Found(n) for n in names], lambda: places, says)[0], says)
    ]


def test_numbers_in_names_give_the_order() -> None:
    assert stages("3-Propose", "1-Qualify", "4-Close", "2-Develop") == [
        ("1-Qualify", 0),
        ("2-Develop", 1),
        ("3-Propose", 1),
        ("4-Close", 1),
    ]


def test_the_order_in_which_deals_reach_them() -> None:
    assert [s for s, _ in stages("Alpha", "Beta", "Gamma", Beta=1.0, Gamma=1.9, Alpha=2.5)] == [
        "Beta",
        "Gamma",
        "Alpha",
    ]


def test_usual_names_then_the_alphabet_and_the_ends_last() -> None:
    assert [s for s, _ in stages("Closed Lost", "Engaging", "Closed Won", "Prospecting")] == [
        "Prospecting",
        "Engaging",
        "Closed Won",
        "Closed Lost",
    ]
    assert [s for s, _ in stages("Zeta", "Alpha")] == ["Alpha", "Zeta"]


@pytest.mark.parametrize(
    ("names", "unqualified"),
    [
        (("Prospecting", "Engaging"), {"Prospecting"}),
        (("Qualification", "Demo", "Negotiation"), {"Qualification"}),
        (("Qualified", "Negotiation"), set()),  # of two stages, being qualified is the point
        (("Discovery", "Proposal", "Negotiation"), set()),
        (("Prospecting",), set()),
    ],
)
def test_what_counts_as_qualified_is_guessed(names: tuple[str, ...], unqualified: set[str]) -> None:
    assert {s for s, q in stages(*names) if not q} == unqualified


def test_derived_stages_are_stored_and_said_to_be_guessed() -> None:
    intake = load(
        deals=DEALS + "A,Prospecting,open,1,2024-01-01\nB,Proposal,open,1,2024-01-01\nC,Closed Won,,1,2024-01-01\n"
    )
    assert rows(intake, "SELECT stage, position, is_qualified, is_won, is_lost FROM stages ORDER BY position") == [
        ("Prospecting", 1, 0, 0, 0),
        ("Proposal", 2, 1, 0, 0),
    ]
    assert sum("guessed" in note for note in intake.notes) == 2


def test_settings_overrule_and_what_they_lack_is_said() -> None:
    settings = Settings(
        stages=(
            Stage(stage="Proposal", position=2),
            Stage(stage="Prospecting", position=1, is_qualified=True),
            Stage(stage="Signed", position=3, is_won=True),
        )
    )
    intake = load(settings, deals=DEALS + "A,Prospecting,,1,2024-01-01\nB,Other,,1,2024-01-01\n")
    assert rows(intake, "SELECT stage, position, is_qualified, is_won FROM stages ORDER BY position") == [
        ("Prospecting", 1, 1, 0),
        ("Proposal", 2, 1, 0),
        ("Other", 3, 1, 0),
        ("Signed", 4, 1, 1),
    ]
    assert any("not in the settings: Other" in note for note in intake.notes)


def test_an_uploaded_table_tells_outcome_and_order() -> None:
    intake = load(
        deals="opportunity_id,stage,amount,created_at,closed_at\nA,Fertig,1,2024-01-01,2024-02-01\nB,Idee,1,2024-01-01,\n",
        stages="stage,position,is_won,is_lost,is_qualified\nIdee,1,0,0,1\nFertig,2,1,0,1\nAus,3,0,1,0\n",
    )
    assert rows(intake, "SELECT opportunity_id, status FROM opportunities ORDER BY 1") == [("A", "won"), ("B", "open")]
    assert rows(intake, "SELECT stage, is_won, is_lost FROM stages ORDER BY position") == [
        ("Idee", 0, 0),
        ("Fertig", 1, 0),
        ("Aus", 0, 1),
    ]


def test_deals_without_stages_have_an_empty_table() -> None:
    intake = load(deals="opportunity_id,status,amount,created_at\nA,open,1,2024-01-01\n")
    assert rows(intake, "SELECT count(*) FROM stages") == [(0,)]
    assert "stages" in intake.dataset.present
