"""Minutes: what was typed stands in them as it is, in one line, and nothing else."""

from __future__ import annotations

from datetime import date

from kpis.answers.minutes import as_minutes, as_table

TAKEN = [
    {"decision": "Call Acme|Globex\nthis *week*", "owner": "Nora", "due": "2026-08-21", "page": "Deals at risk"},
    {"decision": "Keep the target", "owner": "", "due": "", "page": "Pipeline health"},
]


def test_minutes_word_for_word():
    assert as_minutes(TAKEN, "Demo company", date(2026, 8, 14), "The pipeline fell.") == (
        "# Pipeline review: Demo company\n"
        "\n"
        "Data as of 14 Aug 2026.\n"
        "\n"
        "Since the last meeting: The pipeline fell.\n"
        "\n"
        "## Decisions\n"
        "\n"
        "| Decision | Owner | Due | Page |\n"
        "|---|---|---|---|\n"
        "| Call Acme\\|Globex this \\*week\\* | Nora | 2026-08-21 | Deals at risk |\n"
        "| Keep the target |  |  | Pipeline health |\n"
    )


def test_without_a_last_meeting_the_minutes_say_nothing_of_it():
    assert "last meeting" not in as_minutes(TAKEN, "Demo company", date(2026, 8, 14))


def test_the_table_has_a_row_a_decision():
    table = as_table(TAKEN)
    assert list(table.columns) == ["decision", "owner", "due", "page"]
    assert table["decision"].tolist() == ["Call Acme|Globex\nthis *week*", "Keep the target"]
    assert as_table([]).empty
