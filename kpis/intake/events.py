"""History written sideways becomes rows of states: field changes, and the days on which stages were entered.

A field history names the field that changed, its old and its new value. A deals export may have a column a
stage with the day it was entered. Both are spread into the columns of ``opportunity_history`` here; what one
change leaves out is carried forward later.
"""

from __future__ import annotations

import re
from dataclasses import replace

from kpis.engine import Embedded
from kpis.intake import mapping
from kpis.intake.lookups import Recognised
from kpis.intake.mapping import Mapped
from kpis.intake.raw import drop, quote, sampled
from kpis.intake.tables import reject, working
from kpis.intake.words import plain

STATE = ("stage", "amount", "expected_close", "forecast_category", "probability", "owner")
"""What the state of an opportunity is made of."""
_CURRENT = {
    "stage": "current_stage",
    "amount": "current_amount",
    "expected_close": "current_close",
    "owner": "current_owner",
}
_CREATED = re.compile(r"\b(created|create|opportunity created|erstellt|angelegt|cree|creation|creado|creada|criado)\b")
_HISTORY = working("opportunity_history")


def is_creation(name: str) -> bool:
    """Whether an event says that the opportunity was created."""
    return bool(_CREATED.search(plain(name)))


def field_of(name: str) -> str | None:
    """The part of the state that a changed field is; None when no state holds it."""
    found = {f: score for f, (score, _) in mapping.candidates(name, "opportunity_history").items() if f in STATE}
    return max(found, key=lambda f: found[f], default=None)


def spread(engine: Embedded, file: Recognised) -> Recognised:
    """A field history with a column for the new and the old value of each part of the state."""
    at = {m.field: n for n, m in enumerate(file.mapped) if m.field}
    if not {"changed_field", "new_value"} <= set(at):
        return file
    raw, which = file.raw, f"c{at['changed_field']}"
    names = [
        row[0]
        for row in engine.execute(f"SELECT DISTINCT {which} FROM {raw.relation} WHERE {which} IS NOT NULL").fetchall()
    ]
    sides = {"": f"c{at['new_value']}"} | ({"old_": f"c{at['old_value']}"} if "old_value" in at else {})
    taken = {m.field for m in file.mapped}
    added: list[tuple[str, str]] = []
    for state in STATE:
        same = [name for name in names if field_of(name) == state]
        if same and state not in taken:
            listed = ", ".join(map(quote, same))
            added += [
                (side + state, f"CASE WHEN {which} IN ({listed}) THEN {cell} END") for side, cell in sides.items()
            ]
    return _widened(engine, file, added)


def _widened(engine: Embedded, file: Recognised, added: list[tuple[str, str]]) -> Recognised:
    """The file with computed columns that are mapped already."""
    raw, width = file.raw, len(file.raw.header)
    if not added:
        return file
    relation = f"{raw.relation}e"
    own = ", ".join(f"c{n}" for n in range(width))
    cells = ", ".join(f"{sql} AS c{width + n}" for n, (_, sql) in enumerate(added))
    engine.execute(f"CREATE TABLE {relation} AS SELECT _line, _why, {own}, {cells} FROM {raw.relation}")
    drop(engine, raw)
    header = raw.header + tuple(f"{name} (from the changes)" for name, _ in added)
    columns = ", ".join(f"c{n}" for n in range(len(header)))
    sample = tuple(engine.execute(f"SELECT {columns} FROM {relation} WHERE _why IS NULL LIMIT 200").fetchall())
    raw = replace(raw, relation=relation, types=(), header=header, sample=sample)
    mapped = [Mapped(header[width + n], name, 1.0, "spread from the changes") for n, (name, _) in enumerate(added)]
    return replace(file, raw=raw, mapped=(*file.mapped, *mapped))


def complete(engine: Embedded) -> None:
    """Give creations the state that the first changes came from, and set aside changes of other fields.

    A field that never changes has today's value from the start. An opportunity whose creation is no event of
    the file gets one, on the day its created date names.
    """
    events = f"{_HISTORY} WHERE changed_field IS NOT NULL AND _why IS NULL AND NOT _merged"
    names = [row[0] for row in engine.execute(f"SELECT DISTINCT changed_field FROM {events}").fetchall()]
    if not names:
        return
    created = [n for n in names if not field_of(n) and is_creation(n)]
    used = ", ".join(quote(n) for n in names if field_of(n) or n in created) or "''"
    other = f"changed_field IS NOT NULL AND changed_field NOT IN ({used})"
    reject(engine, "opportunity_history", other, "'a change of ' || changed_field || ', which is no part of a state'")
    is_created = f"changed_field IN ({', '.join(map(quote, created)) or 'NULL'})"
    at_start = {s: f"CASE WHEN count(*) FILTER ({_is(names, s)}) > 0 THEN first(old_{s} ORDER BY coalesce(_at, changed_at), _line) FILTER ({_is(names, s)}) "
                f"ELSE {f'max({_CURRENT[s]})' if s in _CURRENT else 'NULL'} END" for s in STATE}  # fmt: skip
    engine.execute(
        f"CREATE TABLE _starts AS SELECT opportunity_id, min(opened_at) AS opened_at, coalesce(bool_or({is_created}), false) AS created, "
        f"{', '.join(f'{sql} AS {name}' for name, sql in at_start.items())} FROM {events} GROUP BY 1"
    )
    engine.execute(
        f"UPDATE {_HISTORY} SET {', '.join(f'{name} = s.{name}' for name in STATE)} FROM _starts s "
        f"WHERE {_HISTORY}.opportunity_id = s.opportunity_id AND {is_created} AND _why IS NULL"
    )
    engine.execute(
        f"INSERT INTO {_HISTORY} BY NAME SELECT -1 AS _file, 0 AS _line, false AS _merged, opened_at::TIMESTAMP AS _at, opportunity_id, "
        f"opened_at AS changed_at, {', '.join(STATE)} FROM _starts WHERE NOT created AND opened_at IS NOT NULL"
    )
    engine.execute("DROP TABLE _starts")


def _is(names: list[str], state: str) -> str:
    """SQL: whether an event changes this part of the state."""
    return f"changed_field IN ({', '.join(quote(n) for n in names if field_of(n) == state) or 'NULL'})"


def stage_days(file: Recognised) -> dict[int, str]:
    """Columns that hold the day on which a stage was entered -> the stage."""
    if not file.form or not file.form.entered:
        return {}
    pattern = re.compile(file.form.entered, re.IGNORECASE)
    return {n: match[1].strip().strip('"') for n, name in enumerate(file.raw.header) if (match := pattern.match(name))}


def entered(engine: Embedded, file: Recognised) -> tuple[Recognised, Recognised | None]:
    """The file with its columns of stage days marked, and the history that these columns hold."""
    days = stage_days(file)
    key = next((n for n, m in enumerate(file.mapped) if m.field == "opportunity_id"), None)
    if not days or key is None:
        return file, None
    marked = [
        replace(
            m, field="opportunity_history.changed_at", confidence=1.0, why=f"the day the stage {days[n]!r} was entered"
        )
        if n in days
        else m
        for n, m in enumerate(file.mapped)
    ]
    each = " UNION ALL ".join(
        f"SELECT _line, NULL::VARCHAR AS _why, c{key} AS c0, c{n} AS c1, {quote(stage)} AS c2 FROM {file.raw.relation} WHERE c{n} IS NOT NULL AND c{key} IS NOT NULL AND _why IS NULL"
        for n, stage in days.items()
    )
    relation = f"{file.raw.relation}h"
    [(rows,)] = engine.execute(f"CREATE TABLE {relation} AS {each}").fetchall()
    if not rows:
        engine.execute(f"DROP TABLE {relation}")
        return replace(file, mapped=tuple(marked)), None
    header = ("opportunity_id", "changed_at", "stage")
    sample = sampled(engine, relation, len(header), rows)
    raw = replace(file.raw, relation=relation, types=(), header=header, rows=rows, width=len(header), sample=sample)
    history = Recognised(
        raw,
        "opportunity_history",
        tuple(Mapped(h, h, 1.0, "from the columns of stage days") for h in header),
        derived=True,
    )
    return replace(file, mapped=tuple(marked)), history
