"""The rules of opportunities: status, dates, amounts, and which rows cannot stand."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

from kpis.engine import Embedded
from kpis.intake.raw import quote
from kpis.intake.tables import ACCEPTED, reject, working
from kpis.intake.words import outcome

OPEN_AMOUNTS = 0.8
"""When at least this share of open deals has no amount, and of won deals has one, amounts are known at close only."""
MASS_UPDATE, MASS_UPDATE_FROM = 0.1, 20
"""More closed deals than this share of them, and than this many, are not closed on one day: they were changed at once."""
_NAME = working("opportunities")


def make_ids(engine: Embedded) -> bool:
    """Identify rows of an export without an id by account, name and creation; True when there were any."""
    without = engine.execute(f"SELECT count(*) FROM {_NAME} WHERE opportunity_id IS NULL AND _why IS NULL").fetchone()[
        0
    ]
    if not without:
        return False
    parts = "concat_ws(' | ', coalesce(account_id, account_name), name, CAST(created_at AS VARCHAR), lead_id)"
    engine.execute(f"""
        UPDATE {_NAME} SET opportunity_id = coalesce(nullif({parts}, ''), '(unnamed) |')
        WHERE opportunity_id IS NULL AND _why IS NULL
    """)
    content = "hash(stage, status, amount, close_date, owner, expected_close, closed_at, won_at, lost_at)"
    engine.execute(
        f"""
        UPDATE {_NAME} SET opportunity_id = {_NAME}.opportunity_id || ' #' || n.number
        FROM (SELECT _file, _line, dense_rank() OVER (PARTITION BY _file, opportunity_id ORDER BY {content}) AS number FROM {_NAME} WHERE opportunity_id LIKE '%|%') n
        WHERE {_NAME}._file = n._file AND {_NAME}._line = n._line AND n.number > 1
        """
    )
    return True


def fill_account(engine: Embedded) -> None:
    """An account's name stands in where the export has no account id."""
    engine.execute(
        f"UPDATE {_NAME} SET account_id = account_name WHERE account_id IS NULL AND account_name IS NOT NULL"
    )


def set_status(engine: Embedded, stage_outcomes: Mapping[str, str]) -> list[tuple[int, str]]:
    """Open, won or lost: the status says it, else the flags, else the stage, else the dates of winning and losing.

    Returns file and note for words of status that say none of the three.
    """
    for column in ("_says", "_stage_says"):
        engine.execute(f"ALTER TABLE {_NAME} ADD COLUMN {column} VARCHAR")
    _set(engine, _says=_saying(engine, "status"), _stage_says=_meaning("stage", stage_outcomes))
    rows = engine.execute(
        f"SELECT _file, status, count(*) FROM {_NAME} WHERE status IS NOT NULL AND _says IS NULL AND _why IS NULL GROUP BY ALL ORDER BY ALL"
    ).fetchall()
    notes = [
        (
            file,
            f"status: {text!r} ({count:,} row(s)) says neither open, won nor lost; stage, flags and dates decide, and else it counts as open",
        )
        for file, text, count in rows[:20]
    ]
    reject(
        engine,
        "opportunities",
        f"_says = 'void' OR {_saying(engine, 'status_reason')} = 'void' OR (_says IS NULL AND _stage_says = 'void')",
        "'no opportunity any more: ' || CASE WHEN _says = 'void' THEN status ELSE coalesce(status_reason, stage) END",
    )
    which = """
        CASE WHEN is_won = 1 THEN 'won' WHEN _stage_says IN ('won', 'lost') THEN _stage_says WHEN won_at IS NOT NULL THEN 'won' WHEN lost_at IS NOT NULL THEN 'lost'
             WHEN lost_reason IS NOT NULL OR is_won = 0 OR probability = 0 THEN 'lost' WHEN probability = 1 THEN 'won' END"""
    _set(
        engine,
        _says=f"""
        CASE WHEN _says IN ('won', 'lost', 'open') THEN _says
             WHEN _says = 'closed' OR is_closed = 1 OR (_stage_says = 'closed' AND is_closed IS DISTINCT FROM 0) THEN {which}
             WHEN is_won = 1 THEN 'won'
             WHEN is_closed = 0 THEN 'open'
             WHEN _stage_says IN ('won', 'lost') THEN _stage_says
             WHEN won_at IS NOT NULL THEN 'won'
             WHEN lost_at IS NOT NULL THEN 'lost'
             WHEN closed_at IS NOT NULL AND _stage_says IS NULL AND _says IS NULL THEN {which}
             ELSE 'open' END
        """,
    )
    reject(engine, "opportunities", "_says IS NULL", "'closed, but nothing says whether won or lost'")
    _set(engine, status="_says")
    return notes


def _saying(engine: Embedded, column: str) -> str:
    """SQL for what a text of a column says of the outcome."""
    texts = [row[0] for row in engine.execute(f"SELECT DISTINCT {column} FROM {_NAME}").fetchall()]
    return _meaning(column, {text: says for text in texts if text and (says := outcome(text))})


def _meaning(column: str, outcomes: Mapping[str, str]) -> str:
    """SQL for the outcome that goes with the text of a column."""
    texts: dict[str, list[str]] = defaultdict(list)
    for text, says in outcomes.items():
        texts[says].append(quote(text))
    cases = " ".join(f"WHEN {column} IN ({', '.join(same)}) THEN {quote(says)}" for says, same in texts.items())
    return f"CASE {cases} END" if cases else "NULL"


def _set(engine: Embedded, **values: str) -> None:
    """Write SQL values into columns, where they are not there already: most rows of most exports need nothing."""
    changes = " OR ".join(f"{column} IS DISTINCT FROM ({sql})" for column, sql in values.items())
    engine.execute(f"UPDATE {_NAME} SET {', '.join(f'{c} = ({sql})' for c, sql in values.items())} WHERE {changes}")


def set_dates(engine: Embedded, has_history: bool) -> list[tuple[int, str]]:
    """One close date per meaning: ``closed_at`` for closed deals, ``expected_close`` for open ones.

    What a row lacks of its creation and close is taken from its history; returns file and what was taken.
    """
    notes = _said_by_file(
        engine,
        "status = 'open' AND closed_at IS NOT NULL",
        "open, yet with a date on which it closed; the date is left out",
    )
    if has_history:
        notes += _said_by_file(
            engine,
            "created_at IS NULL AND opportunity_id IN (SELECT opportunity_id FROM _all_opportunity_history)",
            "no created date; the first row of its history gives it",
        )
        engine.execute(
            f"""
            UPDATE {_NAME} SET created_at = h.first FROM (SELECT opportunity_id, min(changed_at) AS first FROM {working("opportunity_history")}
                WHERE {ACCEPTED} AND opportunity_id IN (SELECT opportunity_id FROM {_NAME} WHERE created_at IS NULL) GROUP BY 1) h WHERE {_NAME}.opportunity_id = h.opportunity_id AND created_at IS NULL
            """
        )
    own = "coalesce(closed_at, CASE status WHEN 'won' THEN won_at ELSE lost_at END, close_date)"
    lacking = f"status <> 'open' AND {own} IS NULL"
    reject(
        engine,
        "opportunities",
        f"{lacking} AND _bad_close IS NOT NULL",
        "'closed at ''' || _bad_close || ''', which is no date'",
    )
    if has_history:
        engine.execute(
            f"""
            CREATE TABLE _closing AS SELECT opportunity_id, max(changed_at) AS day FROM {working("opportunity_history")}
            WHERE {ACCEPTED} AND stage IN (SELECT DISTINCT stage FROM {_NAME} WHERE _stage_says IN ('won', 'lost')) AND opportunity_id IN (SELECT opportunity_id FROM {_NAME} WHERE {lacking}) GROUP BY 1
            """
        )
        notes += _said_by_file(
            engine,
            f"{lacking} AND opportunity_id IN (SELECT opportunity_id FROM _closing)",
            "no close date; the last move in its history gives it",
        )
        engine.execute(
            f"UPDATE {_NAME} SET closed_at = c.day FROM _closing c WHERE {_NAME}.opportunity_id = c.opportunity_id AND {lacking}"
        )
        engine.execute("DROP TABLE _closing")
    notes += _close_by_proxy(engine, own)
    _set(
        engine,
        expected_close="CASE WHEN status = 'open' THEN coalesce(expected_close, close_date) ELSE expected_close END",
        closed_at=f"CASE WHEN status <> 'open' THEN {own} END",
        amount="CASE WHEN status = 'won' THEN coalesce(nullif(closed_amount, 0), amount) ELSE amount END",
    )
    reject(
        engine, "opportunities", "status <> 'open' AND closed_at IS NULL", "status || ', but without the day it closed'"
    )
    reject(
        engine,
        "opportunities",
        "closed_at < created_at",
        "'closed on ' || closed_at || ', before it was created on ' || created_at",
    )
    return notes


def _close_by_proxy(engine: Embedded, own: str) -> list[tuple[int, str]]:
    """Date the closed deals of files that do not say of any deal on which day it closed; file and what stands in.

    The day of the last change: a CRM locks a closed deal, so closing it was mostly the last thing done to it. A day
    on which many of them were changed is that of a mass update and says nothing. There, and where no change is dated,
    it is the day on which the deal was expected to close, unless that lies before its creation, after the change, or
    after all that is known. A deal with neither is set aside like any that lacks its close date.
    """
    silent = f"SELECT _file FROM {_NAME} WHERE status <> 'open' AND {ACCEPTED} GROUP BY 1 HAVING count({own}) = 0"
    lacking = f"status <> 'open' AND {own} IS NULL AND _file IN ({silent})"
    [(deals, newest)] = engine.execute(
        f"SELECT count(*) FILTER ({lacking}), max(greatest(created_at, modified_at)) FROM {_NAME} WHERE {ACCEPTED}"
    ).fetchall()
    if not deals or newest is None:
        return []
    changes = f"SELECT modified_at FROM {_NAME} WHERE {ACCEPTED} AND {lacking} AND modified_at IS NOT NULL GROUP BY 1"
    massed = f"{changes} HAVING count(*) > {max(MASS_UPDATE * deals, MASS_UPDATE_FROM)}"
    changed = f"(modified_at IS NOT NULL AND modified_at NOT IN ({massed}))"
    planned = (
        f"(expected_close BETWEEN coalesce(created_at, expected_close) AND coalesce(modified_at, DATE '{newest}'))"
    )
    notes = _said_by_file(engine, f"{lacking} AND {changed}", "no close date; closed on the day of its last change")
    notes += _said_by_file(
        engine,
        f"{lacking} AND NOT {changed} AND {planned}",
        "no close date and no last change of its own; closed on the day it was expected to close",
    )
    engine.execute(
        f"UPDATE {_NAME} SET closed_at = CASE WHEN {changed} THEN modified_at WHEN {planned} THEN expected_close END "
        f"WHERE {ACCEPTED} AND {lacking}"
    )
    return notes


def _said_by_file(engine: Embedded, where: str, what: str) -> list[tuple[int, str]]:
    rows = engine.execute(
        f"SELECT _file, count(*), min(_line) FROM {_NAME} WHERE {ACCEPTED} AND ({where}) GROUP BY 1 ORDER BY 1"
    ).fetchall()
    return [(file, f"{count:,} row(s), first in line {line}: {what}") for file, count, line in rows]


def set_amounts(engine: Embedded) -> tuple[bool, list[tuple[int, str]]]:
    """Where each amount comes from; True when open deals carry none of their own and won deals do; file and note.

    An open deal without an amount gets its product's list price. A negative amount stays: it is a credit or
    a reduction that bookings must show.
    """
    rows = engine.execute(
        f"SELECT status = 'open', count(*), count(amount) FROM {_NAME} WHERE {ACCEPTED} AND status <> 'lost' GROUP BY 1"
    ).fetchall()
    share = {is_open: given / total for is_open, total, given in rows}
    at_close = True in share and False in share and 1 - share[True] >= OPEN_AMOUNTS and share[False] >= OPEN_AMOUNTS
    _set(
        engine,
        amount_basis="CASE WHEN amount IS NOT NULL THEN 'given' WHEN status = 'open' AND list_price IS NOT NULL THEN 'list price' ELSE 'missing' END",
        amount="CASE WHEN amount IS NULL AND status = 'open' THEN list_price ELSE amount END",
    )
    notes = _said_by_file(engine, "amount_basis = 'list price'", "no amount; the list price stands in")
    notes += _said_by_file(engine, "amount < 0", "a negative amount, kept as a credit or reduction")
    notes += _said_by_file(
        engine, "created_at IS NULL", "no created date; counted for what they are, but not as created in any period"
    )
    return at_close, notes


def implausible(engine: Embedded, newest: int, earliest: int) -> None:
    """Set aside events on days that cannot be right; an impossible plan is only forgotten."""
    for column in ("created_at", "closed_at"):
        day = f"({column} - DATE '1970-01-01')"
        reject(
            engine,
            "opportunities",
            f"{day} > {newest}",
            f"{quote(column + ' ')} || {column} || ' lies far after everything else: a typing error'",
        )
        reject(
            engine,
            "opportunities",
            f"{day} < {earliest}",
            f"{quote(column + ' ')} || {column} || ' lies before any sales system: a default value or a typing error'",
        )
