"""Two or more dated exports of the same table become one table and its history.

The newest export tells the present; where an older one differs, the difference is a change in between. The
day of an export comes from a column of it, from its name, or from the line that says when it was made; when
none tells, from the newest event in it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import date

import pyarrow as pa

from kpis.engine import Embedded
from kpis.intake.dates import Order, order_shown, parse_day
from kpis.intake.tables import blank, reject, working

OVERLAP = 0.2
"""The share of an export's ids that another must hold for the two to be exports of the same table."""
_DEALS, _HISTORY = working("opportunities"), working("opportunity_history")
_STATE = ("stage", "amount", "expected_close", "forecast_category", "probability", "owner")
_IN_NAME = (
    re.compile(r"(?<!\d)(20\d\d)[-_. ]?([01]\d)[-_. ]?([0-3]\d)(?!\d)"),
    re.compile(r"(?<!\d)(\d{1,2}[-_. ]\d{1,2}[-_. ]20\d\d)(?!\d)"),
    re.compile(r"(?<!\d)(\d{1,2}[-_ ]?[A-Za-z]{3,9}[-_ ]?20\d\d)(?!\d)"),
    re.compile(r"([A-Za-z]{3,9}[-_ ]?\d{1,2}[-_ ]+20\d\d)(?!\d)"),
    re.compile(r"(?<!\d)(20\d\d[-_]?[01]\d)(?!\d)"),
    re.compile(r"([A-Za-z]{3,9}[-_ ]?20\d\d)(?!\d)"),
)
_MADE = re.compile(
    r"\b(generated|as of|exported|report date|run date|stand|erstellt am|created on|printed)\b", re.IGNORECASE
)
_DAY = re.compile(
    r"\d{4}-\d{1,2}-\d{1,2}|\d{1,2}[/.]\d{1,2}[/.]\d{2,4}|\d{1,2}\.? [A-Za-z]{3,9} \d{4}|[A-Za-z]{3,9} \d{1,2}, \d{4}"
)


def day_of_export(name: str, lines: Iterable[str], order: Order | None) -> date | None:
    """The day on which an export was made, by its name or by a line beside its table.

    Examples
    --------
    >>> day_of_export("pipeline_2024-03-01.csv", (), None)
    datetime.date(2024, 3, 1)
    """
    for pattern in _IN_NAME:
        for match in pattern.finditer(name):
            text = "-".join(match.groups()).replace("_", " ")
            day = parse_day(text, order) or parse_day(re.sub(r"\b(\d{4})(\d\d)\b", r"\1-\2", text), order)
            if day:
                return day
    for line in lines:
        if _MADE.search(line) and (found := _DAY.search(line)):
            shown = order_shown(found[0])
            day = parse_day(found[0], order or (shown if shown != "either" else None))  # type: ignore[arg-type]
            if day:
                return day
    return None


def merge(
    engine: Embedded, days: Mapping[int, date | None], past: bool, *, goes_on: bool = False
) -> tuple[bool, list[str]]:
    """Keep the newest row of each opportunity and write down what changed; whether there is history now, and notes.

    With ``goes_on`` the history that is there was written here, up to the oldest of these exports.

    An opportunity that an older export shows open and a newer one does not show at all is set aside: nothing
    tells what became of it.
    """
    series = _series(engine, days)
    if not series:
        return past, []
    engine.register(
        "_series",
        pa.table(
            {
                "file": pa.array(list(series), pa.int32()),
                "series": pa.array([s for s, _ in series.values()], pa.int32()),
                "day": pa.array([d for _, d in series.values()], pa.date32()),
            }
        ),
    )
    engine.execute(
        f"""
        CREATE TABLE _snaps AS
        SELECT d._file, d._line, s.series, coalesce(d.snapshot_at, s.day) AS day, d.opportunity_id, d.created_at, d.stage_since, d.status <> 'open' AS closed,
               coalesce(d.closed_at, CASE d.status WHEN 'won' THEN d.won_at WHEN 'lost' THEN d.lost_at END, CASE WHEN d.status <> 'open' THEN d.close_date END) AS closed_on,
               d.stage, CASE WHEN d.status = 'won' THEN coalesce(nullif(d.closed_amount, 0), d.amount) ELSE d.amount END AS amount,
               CASE WHEN d.status = 'open' THEN coalesce(d.expected_close, d.close_date) ELSE d.expected_close END AS expected_close,
               d.forecast_category, d.probability, d.owner
        FROM {_DEALS} d JOIN _series s ON d._file = s.file
        WHERE d._why IS NULL AND NOT d._merged AND d.opportunity_id IS NOT NULL AND coalesce(d.snapshot_at, s.day) IS NOT NULL
        QUALIFY row_number() OVER (PARTITION BY d.opportunity_id, coalesce(d.snapshot_at, s.day) ORDER BY d._file DESC, d._line DESC) = 1
        """
    )
    exports = [r[0] for r in engine.execute("SELECT DISTINCT day FROM _snaps ORDER BY 1").fetchall()]
    if len(exports) > 1:
        past = _write_history(engine, past, goes_on)
        _keep_newest(engine)
    engine.execute("DROP TABLE _snaps")
    engine.execute("DROP TABLE _series")
    if len(exports) < 2:
        return past, []
    shown = ", ".join(map(str, exports[:6])) + (", ..." if len(exports) > 6 else "")
    return past, [
        f"{len(exports)} exports of the opportunities ({shown}) are read as one table and its history: a change shows on the day of the export that first has it, unless a date tells better"
    ]


def _series(engine: Embedded, days: Mapping[int, date | None]) -> dict[int, tuple[int, date | None]]:
    """File -> which exports it belongs with, and its day; only files that have a day and a companion or own dates."""
    [(files, newest_own)] = engine.execute(f"SELECT count(DISTINCT _file), max(snapshot_at) FROM {_DEALS}").fetchall()
    if files < 2 and newest_own is None:
        return {}
    rows = engine.execute(
        f"""
        SELECT _file, count(DISTINCT opportunity_id), count(DISTINCT snapshot_at), max(greatest(created_at, CAST(_at AS DATE), last_activity_at, won_at, lost_at))
        FROM {_DEALS} WHERE _why IS NULL AND NOT _merged GROUP BY 1 ORDER BY 1
        """
    ).fetchall()
    stacked = {f for f, _, own, _ in rows if own > 1}
    if len(rows) < 2 and not stacked:
        return {}
    found = {f: days.get(f) or newest for f, _, _, newest in rows}
    size = {f: n for f, n, _, _ in rows}
    group = {f: f for f in found}
    pairs = engine.execute(
        f"""
        SELECT a._file, b._file, count(DISTINCT a.opportunity_id) FROM {_DEALS} a JOIN {_DEALS} b ON a.opportunity_id = b.opportunity_id AND a._file < b._file
        WHERE a._why IS NULL AND b._why IS NULL GROUP BY 1, 2
        """
    ).fetchall() if len(rows) > 1 else []  # fmt: skip
    for a, b, shared in pairs:
        if shared >= OVERLAP * min(size[a], size[b]) and (found[a] != found[b] or {a, b} & stacked):
            old, new = group[b], group[a]
            group = {f: new if g == old else g for f, g in group.items()}
    members = list(group.values())
    return {f: (g, found[f]) for f, g in group.items() if members.count(g) > 1 or f in stacked}


def _write_history(engine: Embedded, past: bool, goes_on: bool) -> bool:
    """A row for every difference between an export and the one before, unless the opportunity has a history of its own."""
    wanted = f"opportunity_id NOT IN (SELECT opportunity_id FROM {_HISTORY} WHERE opportunity_id IS NOT NULL)"
    wanted += " OR seen_before IS NOT NULL" if goes_on else ""
    if not past:
        blank(engine, "opportunity_history")
    differs = " OR ".join(f"{c} IS DISTINCT FROM lag({c}) OVER w" for c in _STATE)
    engine.execute(
        f"""
        INSERT INTO {_HISTORY} BY NAME
        WITH exports AS (SELECT series, day, lag(day) OVER (PARTITION BY series ORDER BY day) AS before FROM (SELECT DISTINCT series, day FROM _snaps)),
        seen AS (SELECT s.*, e.before, lag(s.day) OVER w AS seen_before, {differs} AS differs FROM _snaps s JOIN exports e USING (series, day)
                 WINDOW w AS (PARTITION BY s.opportunity_id ORDER BY s.day)),
        dated AS (SELECT *, CASE
            WHEN closed AND closed_on <= day AND closed_on > coalesce(before, DATE '1900-01-01') THEN closed_on
            WHEN stage_since <= day AND stage_since > before THEN stage_since
            WHEN seen_before IS NULL AND created_at <= day AND created_at > before THEN created_at
            ELSE day END AS changed_at FROM seen WHERE seen_before IS NULL OR differs)
        SELECT -1 AS _file, row_number() OVER (ORDER BY opportunity_id, day)::INTEGER AS _line, false AS _merged, changed_at::TIMESTAMP AS _at, opportunity_id, changed_at, {", ".join(_STATE)}
        FROM dated WHERE {wanted}
        """
    )
    return True


def _keep_newest(engine: Embedded) -> None:
    """Merge the older rows into the newest, and set aside open ones that a later export no longer shows."""
    engine.execute(f"ALTER TABLE {_DEALS} ADD COLUMN _older BOOLEAN")
    engine.execute(
        """
        CREATE TABLE _last AS
        SELECT opportunity_id, max(day) AS day, arg_max(closed, day) AS closed, any_value(series) AS series FROM _snaps GROUP BY 1
        """
    )
    snap = f"coalesce(snapshot_at, (SELECT day FROM _series WHERE file = {_DEALS}._file))"
    engine.execute(
        f"UPDATE {_DEALS} SET _merged = true, _older = true FROM _last l WHERE {_DEALS}.opportunity_id = l.opportunity_id AND _why IS NULL AND _file IN (SELECT file FROM _series) AND {snap} < l.day"
    )
    newest = "(SELECT max(day) FROM _snaps n WHERE n.series = l.series)"
    gone = f"opportunity_id IN (SELECT opportunity_id FROM _last l WHERE NOT closed AND day < {newest}) AND _file IN (SELECT file FROM _series)"
    reject(
        engine,
        "opportunities",
        gone,
        "'open in this export and missing from a later one: nothing tells what became of it'",
    )
    engine.execute("DROP TABLE _last")
