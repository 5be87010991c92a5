"""The history of opportunities: its order in time, and whose it is."""

from __future__ import annotations

from kpis.engine import Embedded
from kpis.intake import tables
from kpis.intake.tables import blank, reject, working

_NAME, _DEALS = working("opportunity_history"), working("opportunities")
_STATE = ("stage", "amount", "expected_close", "forecast_category", "probability", "owner")


MADE = frozenset("name account_name created_at stage amount close_date owner probability forecast_category".split())
"""Fields of opportunities that a history can tell."""


def store(engine: Embedded) -> None:
    """Write the table of history, its changes numbered: unique, rising with time, in file order within one moment.

    A file written newest first is read from its end, or changes of one day would run backwards. What a change
    leaves out is as it was: each row is filled up to a whole state.
    """
    engine.execute(f"UPDATE {_NAME} SET seq = {_seq(engine)} WHERE {tables.ACCEPTED}")
    _carry_forward(engine)
    tables.store(engine, "opportunity_history")


def _seq(engine: Embedded) -> str:
    """SQL for the order of the changes: by their time, those of one second by their place in the files.

    Nothing is sorted: seconds times twice the rows, plus the place, rises as the two do. Rows that no file has
    (made from its columns) come first of their second.
    """
    accepted = f"{_NAME} WHERE {tables.ACCEPTED}"
    newest_first = engine.execute(
        f"""
        SELECT _file FROM (
            SELECT _file, changed_at, lag(changed_at) OVER (PARTITION BY _file, opportunity_id ORDER BY _line) AS before
            FROM {accepted} AND _line <= 20000)
        GROUP BY 1
        HAVING sum(CASE WHEN changed_at < before THEN 1 WHEN changed_at > before THEN -1 ELSE 0 END) > 0
        """
    ).fetchall()
    rows = engine.execute(f"SELECT count(*) FROM {_NAME}").fetchone()[0]
    ends = engine.execute(f"SELECT _file, min(rowid) + max(rowid) FROM {_NAME} GROUP BY 1").fetchall()
    backwards = "".join(f"WHEN _file = {f} THEN {rows + both} - rowid " for f, both in ends if (f,) in newest_first)
    place = f"CASE WHEN _file < 0 THEN rowid {backwards}ELSE {rows} + rowid END"
    second = "epoch_ms(coalesce(_at, changed_at)) // 1000"
    first = engine.execute(f"SELECT min({second}) FROM {accepted}").fetchone()[0]
    return f"({second} - {first or 0}) * {2 * rows} + {place}"


def _carry_forward(engine: Embedded) -> None:
    accepted = f"{_NAME} WHERE {tables.ACCEPTED}"
    counts = engine.execute(f"SELECT count(*), {', '.join(f'count({c})' for c in _STATE)} FROM {accepted}").fetchone()
    partly = [c for c, n in zip(_STATE, counts[1:], strict=True) if 0 < n < counts[0]]
    if not partly:
        return
    values = ", ".join(f"last_value({c} IGNORE NULLS) OVER changes AS {c}" for c in partly)
    lacking = " OR ".join(f"{c} IS NULL" for c in partly)
    engine.execute(
        f"""
        UPDATE {_NAME} SET {", ".join(f"{c} = f.{c}" for c in partly)}
        FROM (SELECT seq, {values} FROM {accepted} AND opportunity_id IN (SELECT opportunity_id FROM {accepted} AND ({lacking}))
              WINDOW changes AS (PARTITION BY opportunity_id ORDER BY seq)) f
        WHERE {_NAME}.seq = f.seq
        """
    )


def reject_orphans(engine: Embedded) -> None:
    """Set aside changes of opportunities that are not there: nothing can be said about them."""
    _reject_of(engine, f"opportunity_id NOT IN (SELECT opportunity_id FROM {_DEALS} WHERE {tables.ACCEPTED})")


def reject_left_behind(engine: Embedded) -> None:
    """Set aside the changes of opportunities that were set aside after ``reject_orphans``."""
    engine.execute(
        f"CREATE TABLE _gone AS SELECT opportunity_id FROM {_DEALS} d WHERE NOT ({tables.ACCEPTED}) AND NOT EXISTS "
        f"(SELECT 1 FROM {_DEALS} k WHERE k.opportunity_id = d.opportunity_id AND k._why IS NULL AND NOT k._merged)"
    )
    _reject_of(engine, "opportunity_id IN (SELECT opportunity_id FROM _gone)")
    engine.execute("DROP TABLE _gone")


def _reject_of(engine: Embedded, where: str) -> None:
    reject(
        engine, "opportunity_history", where, "'opportunity ' || opportunity_id || ' is not among the opportunities'"
    )


def derive_opportunities(engine: Embedded) -> int:
    """Opportunities out of a history that is not theirs: each one's last state, and its creation where a file names it.

    Beside a table of opportunities only those are made that it does not know and that a file describes with
    their creation (a report of one company beside the export of another). Returns how many were made.
    """
    table = working("opportunities")
    if table in engine.tables():
        whose = f"opportunity_id NOT IN (SELECT opportunity_id FROM {table} WHERE opportunity_id IS NOT NULL) AND "
        whose += f"opportunity_id IN (SELECT opportunity_id FROM {_NAME} WHERE opened_at IS NOT NULL)"
    else:
        blank(engine, "opportunities")
        whose = "true"
    place = "(coalesce(_at, changed_at), _line)"
    last = {
        "created_at": "min(opened_at)",
        "name": "any_value(name)",
        "account_name": "any_value(account_name)",
        "stage": f"coalesce(max(current_stage), arg_max(stage, {place}))",
        "amount": f"coalesce(max(current_amount), arg_max(amount, {place}))",
        "close_date": f"coalesce(max(current_close), arg_max(expected_close, {place}))",
        "owner": f"coalesce(max(current_owner), arg_max(owner, {place}))",
        "probability": f"arg_max(probability, {place})",
        "forecast_category": f"arg_max(forecast_category, {place})",
    }
    engine.execute(
        f"""
        INSERT INTO {table} BY NAME
        SELECT -1 AS _file, row_number() OVER (ORDER BY opportunity_id)::INTEGER AS _line, false AS _merged,
               opportunity_id, {", ".join(f"{sql} AS {name}" for name, sql in last.items())}
        FROM {_NAME} WHERE _why IS NULL AND NOT _merged AND {whose} GROUP BY opportunity_id
        """
    )
    return engine.execute(f"SELECT count(*) FROM {table} WHERE _file = -1").fetchone()[0]


def stage_from_probability(engine: Embedded) -> str:
    """Where every row carries the final stage, the probability tells the path: stages are named after it; the note on it.

    That is so when nearly no opportunity ever changes its stage while many change their probability.
    """
    name = f"{_NAME} WHERE _why IS NULL AND NOT _merged AND opportunity_id IS NOT NULL"
    few = f"{name} AND _line <= 200000"
    several, still, moving = engine.execute(
        f"""
        SELECT count(*), count(*) FILTER (stages <= 1), count(*) FILTER (stages <= 1 AND chances > 1)
        FROM (SELECT count(DISTINCT stage) AS stages, count(DISTINCT probability) AS chances FROM {few} GROUP BY opportunity_id HAVING count(*) > 1)
        """
    ).fetchone()
    if several < 3 or still < 0.95 * several or moving < 0.3 * several:
        return ""
    deals = f"{working('opportunities')} WHERE _why IS NULL AND NOT _merged AND stage IS NOT NULL AND probability IS NOT NULL"
    engine.execute(
        f"""
        CREATE TABLE _path AS SELECT probability, mode(stage) AS stage FROM (
            SELECT probability, stage FROM {deals} UNION ALL
            (SELECT probability, stage FROM {name} QUALIFY row_number() OVER (PARTITION BY opportunity_id ORDER BY coalesce(_at, changed_at) DESC, _line DESC) = 1)
        ) WHERE probability IS NOT NULL GROUP BY 1 HAVING count(DISTINCT stage) = 1
        """
    )
    engine.execute(
        f"UPDATE {_NAME} SET stage = coalesce((SELECT p.stage FROM _path p WHERE p.probability = {_NAME}.probability), CAST(round(100 * probability) AS INTEGER) || ' %') "
        "WHERE probability IS NOT NULL AND _why IS NULL AND NOT _merged"
    )
    engine.execute("DROP TABLE _path")
    return "The history carries each deal's final stage on every row, so the path of its probability is read as its path through the stages"
