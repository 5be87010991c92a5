"""Recognised files become the tables of a dataset: typed, united, joined, checked, counted."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

from kpis.engine import Embedded
from kpis.intake import (
    categories,
    codes,
    currency,
    defects,
    events,
    fields,
    history,
    ids,
    opportunities,
    plausible,
    snapshots,
    stages,
    tables,
)  # fmt: skip
from kpis.intake.accounting import Defect, FileReport
from kpis.intake.clean import Cleaned, clean
from kpis.intake.lookups import Recognised
from kpis.intake.reports import report
from kpis.intake.settle import settle
from kpis.intake.tables import working
from kpis.intake.watch import JOINED, SETTLED, SORTED_OUT, STORED, Watch
from kpis.periods import day_of
from kpis.settings import Settings

Note = tuple[int, str]
"""Number of a file, and what to say about it."""


@dataclass
class Assembled:
    """What the files became.

    Parameters
    ----------
    conflict
        Why there can be no dataset, and the way out; None when there can.
    """

    present: dict[str, frozenset[str]] = field(default_factory=dict)
    newest: int | None = None
    currency: str = ""
    amount_known_at_close: bool = False
    reports: list[FileReport] = field(default_factory=list)
    defects: list[Defect] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    conflict: tuple[str, str] | None = None


def assemble(engine: Embedded, files: Sequence[Recognised], settings: Settings, watch: Watch) -> Assembled:
    """Type, unite, join and store the tables of ``files``; reports come in the order of the files."""
    result = Assembled()
    every = _spread(engine, files)
    typed: dict[int, Cleaned] = {}
    by_table: dict[str, list[Cleaned]] = defaultdict(list)
    for n, file in enumerate(every):
        if file.table and file.into is None:
            typed[n] = clean(n, file.raw, file.table, file.mapped, file.form)
            by_table[file.table].append(typed[n])
    have = set(by_table)
    share = SORTED_OUT
    cells = sum(cleaned.raw.rows * cleaned.raw.width for cleaned in typed.values())
    watch.begin(share, "Matching the tables", of=sum(cleaned.raw.rows for cleaned in typed.values()))
    for table, parts in by_table.items():
        made = history.MADE if table == "opportunities" and "opportunity_history" in have else frozenset()
        tables.create_working(engine, table, parts, made | (codes.carried(have) if table == "opportunities" else set()))
        for cleaned in parts:
            raw, begin = cleaned.raw, share
            share += (STORED - SORTED_OUT) * raw.rows * raw.width / max(cells, 1)
            watch.begin(begin, raw.label, share, raw.rows)
            tables.append(engine, table, cleaned)
        settle(engine, table, parts, settings)
    watch.begin(STORED, "Putting the tables together", JOINED)
    ids.shorten(engine, sorted(have))
    ids.keep_kind(engine, have)
    notes = _prepare(engine, have, result)
    named = {code for cleaned in typed.values() for code in cleaned.codes}
    watch.begin(JOINED, "Applying the rules of opportunities", SETTLED)
    if "opportunities" in have:
        days = {n: _day_of(file, settings) for n, file in enumerate(every) if file.table == "opportunities"}
        goes_on = any(file.derived and file.table == "opportunities" for file in every)
        notes += _opportunities(engine, have, days, named, settings, result, goes_on)
    else:
        result.notes.append("There are no opportunities: the pipeline and the forecast need them")
        _one_currency(engine, have, named, settings, result)
    watch.begin(SETTLED, "Storing the tables", 1.0)
    _store(engine, have, result)
    said: dict[int, list[str]] = defaultdict(list)
    for n, note in notes:
        said[n].append(note)
    result.reports = [
        report(engine, n, file, typed.get(n), said[n]) for n, file in enumerate(every) if not file.derived
    ]
    return result


def _spread(engine: Embedded, files: Sequence[Recognised]) -> list[Recognised]:
    """The files, with field changes spread into columns and stage days as a history of their own."""
    every: list[Recognised] = []
    derived: list[Recognised] = []
    for file in files:
        if file.table == "opportunity_history":
            every.append(events.spread(engine, file))
        elif file.table == "opportunities":
            marked, past = events.entered(engine, file)
            every.append(marked)
            derived += [past] if past else []
        else:
            every.append(file)
    return every + derived


def _day_of(file: Recognised, settings: Settings) -> object:
    return snapshots.day_of_export(file.raw.label, (*file.raw.before, *file.raw.after), settings.dates)


def _prepare(engine: Embedded, have: set[str], result: Assembled) -> list[Note]:
    """What needs no rule of opportunities: duplicates, states out of changes, codes, spellings."""
    if "opportunities" in have and opportunities.make_ids(engine):
        result.notes.append("The opportunities have no id; they are told apart by account, name and created date")
    for table in sorted(have - {"opportunities"}):
        tables.merge_duplicates(engine, table)
    if "opportunity_history" in have:
        events.complete(engine)
        made = history.derive_opportunities(engine)
        if made:
            have.add("opportunities")
            result.notes.append(f"{made:,} opportunities are known from their history only; each has its last state")
    if "opportunities" in have:
        opportunities.fill_account(engine)
    notes = codes.resolve(engine, have)
    return notes + categories.unify_tables(engine, sorted(have))


def _opportunities(
    engine: Embedded,
    have: set[str],
    days: dict[int, object],
    named: set[str],
    settings: Settings,
    result: Assembled,
    goes_on: bool,
) -> list[Note]:
    """Everything that makes opportunities of rows, in the order in which one rule needs another."""
    past = "opportunity_history" in have
    agreed = stages.given(engine, settings, "stages" in have)
    says = stages.outcomes(agreed, [*stages.names(engine, past), *(s.stage for s in agreed)])
    notes = opportunities.set_status(engine, says)
    past, said = snapshots.merge(engine, days, past, goes_on=goes_on)
    result.notes += said
    tables.merge_duplicates(engine, "opportunities")
    if past:
        have.add("opportunity_history")
        history.reject_orphans(engine)
        result.notes += filter(None, [history.stage_from_probability(engine)])
    notes += opportunities.set_dates(engine, past)
    result.newest = _newest(engine, past)
    if result.newest is not None:
        _implausible(engine, past, result.newest)
    _one_currency(engine, have, named, settings, result)
    result.amount_known_at_close, more = opportunities.set_amounts(engine)
    if past:
        history.reject_left_behind(engine)
        history.store(engine)
    result.notes += stages.build(engine, agreed, says, settings, past)
    return notes + more


def _newest(engine: Embedded, past: bool) -> int | None:
    """The newest plausible day on which an opportunity was created, closed or changed."""
    places = [("opportunities", "created_at"), ("opportunities", "closed_at")]
    places += [("opportunity_history", "changed_at")] if past else []
    each = " UNION ALL ".join(
        f"SELECT {column} AS day FROM {working(table)} WHERE _why IS NULL AND NOT _merged" for table, column in places
    )
    return plausible.latest(
        engine.execute(
            f"SELECT CAST(day - DATE '1970-01-01' AS INTEGER), count(*) FROM ({each}) WHERE day IS NOT NULL GROUP BY 1"
        ).fetchall()
    )


def _implausible(engine: Embedded, past: bool, newest: int) -> None:
    opportunities.implausible(engine, newest, plausible.EARLIEST)
    if past:
        day = "(changed_at - DATE '1970-01-01')"
        tables.reject(
            engine,
            "opportunity_history",
            f"{day} > {newest} OR {day} < {plausible.EARLIEST}",
            "'changed_at ' || changed_at || ' lies far from everything else: a typing error'",
        )


def _one_currency(engine: Embedded, have: set[str], named: set[str], settings: Settings, result: Assembled) -> None:
    outcome = currency.convert(engine, have, named, settings.currency)
    result.currency = outcome.code
    if outcome.conflict:
        result.conflict = (outcome.conflict, outcome.way_out)
    have.discard("rates")


def _store(engine: Embedded, have: set[str], result: Assembled) -> None:
    """Write the canonical tables, find the newest day and the defects."""
    written = set(engine.tables())
    for table in fields.TABLES:
        if working(table) in written:
            if table == "opportunity_history":
                history.store(engine)
            elif table in have and table not in written:
                tables.store(engine, table)
            else:
                tables.account(engine, table)
        if table in have or table in written:
            result.present[table] = tables.filled(engine, table)
    result.present = {t: columns for t, columns in result.present.items() if columns or t == "stages"}
    if result.newest is None:
        result.newest = _newest_of_rest(engine, result.present)
    if "opportunities" in have and result.newest is not None:
        result.defects = defects.find(engine, result.present, day_of(result.newest))


def _newest_of_rest(engine: Embedded, present: dict[str, frozenset[str]]) -> int | None:
    """The newest plausible day by which any row of the other tables is dated."""
    dated = [(t, fields.TABLES[t].dated_by) for t in present]
    dated = [(table, column) for table, column in dated if column and column in present[table]]
    if not dated:
        return None
    each = " UNION ALL ".join(f'SELECT "{column}_n" AS n FROM "{table}"' for table, column in dated)
    return plausible.latest(
        engine.execute(f"SELECT n, count(*) FROM ({each}) WHERE n IS NOT NULL GROUP BY 1").fetchall()
    )


def tidy(engine: Embedded) -> None:
    """Drop every working table: only the canonical ones stay."""
    for table in engine.tables():
        if table.startswith("_"):
            engine.execute(f'DROP TABLE "{table}"')
