"""Tables that already are what intake would make of them, and are used where they are.

Such a table has the columns of the dictionary under their names and in their types, and keeps what a Dataset promises.
What is not so is told, and the rows are then read like any export. So a team that prepares views in its warehouse
never moves a row, and a team that points at its CRM's raw tables still gets everything intake does to them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

import narwhals.stable.v2 as nw
import pandas as pd

from kpis.dataset import Dataset
from kpis.engine import Remote, collect
from kpis.intake import plausible
from kpis.intake.accounting import FileReport
from kpis.intake.mapping import Mapped
from kpis.intake.opportunities import OPEN_AMOUNTS
from kpis.periods import day_of
from kpis.schema import TABLES, Kind
from kpis.settings import Settings

NEEDED = {
    "opportunities": ("opportunity_id", "status", "created_at", "closed_at", "amount", "amount_basis"),
    "stages": ("stage", "position", "is_qualified", "is_won", "is_lost"),
}
"""Tables that must be there, and what intake makes of an export where it is not given."""

STATUSES, BASES = ("open", "won", "lost"), ("given", "list price", "missing")
NAMED = "used where it is"


@dataclass(frozen=True)
class Facts:
    """What is known of a table from one look at it: its rows, and by column values, newest days and sums of money."""

    rows: int
    values: Mapping[str, int]
    stamps: tuple[str, ...]

    @property
    def present(self) -> frozenset[str]:
        """The columns that hold a value."""
        return frozenset(name for name, n in self.values.items() if n)


class Unlike(Exception):
    """Why the tables cannot be used where they are."""


def dataset(engine: Remote, names: Collection[str], where: str, settings: Settings) -> tuple[Dataset, list[FileReport]]:
    """The dataset of the named tables where they are, and what is there of each.

    The fingerprint follows from the rows, values, newest days and sums of money of every table, so that what was
    counted is counted again once they change.

    Raises
    ------
    Unlike
        When they need anything that intake does.
    """
    tables = _placed(engine, names, settings)
    for reason in _broken(engine, tables, settings):
        raise Unlike(reason)
    facts = {table: _facts(engine, table) for table in tables}
    stamps = [f"{table}: {' '.join(fact.stamps)}" for table, fact in sorted(facts.items())]
    digest = hashlib.sha256("\n".join([where, settings.model_dump_json(), *stamps]).encode()).hexdigest()
    newest = day_of(max(day for day, _ in _days(engine, tables)))
    found = Dataset(
        engine,
        digest,
        where.rpartition("/")[2],
        newest,
        newest,
        {table: fact.present for table, fact in facts.items() if fact.present or table == "stages"},
        settings,
        next(iter(_values(engine, "opportunities", "currency")), ""),
        _is_known_at_close(engine),
    )
    return found, [_report(where, table, fact) for table, fact in facts.items()]


def _placed(engine: Remote, names: Collection[str], settings: Settings) -> tuple[str, ...]:
    """The tables that are there, in place, when their columns and the settings ask for nothing else."""
    if settings.stages or settings.mapping:
        raise Unlike("the settings say more about stages or columns than the tables do")
    for table in names:
        if table not in TABLES:
            raise Unlike(f"{table} is no table of the dictionary")
    there = {table: schema for table in names if (schema := engine.schema(table))}
    for table in NEEDED:
        if table not in there:
            raise Unlike(f"there is no table {table}")
    for table, columns in there.items():
        spec = TABLES[table]
        needed = {c.name for c in spec.columns if c.required} | {*NEEDED.get(table, ())} | {"seq"} & {*spec.names}
        for name in sorted(needed - {*columns}):
            raise Unlike(f"{table} has no column {name}")
        for name, kind in columns.items():
            if name not in spec.names and name.removesuffix("_n") not in spec.dates:
                raise Unlike(f"{table}.{name} is no column of the dictionary")
            if name in spec.names and not _fits(kind, spec.column(name).kind):
                raise Unlike(f"{table}.{name} is {kind}, which is no {spec.column(name).kind}")
        engine.place(table, [*columns])
    return (*there,)


def _fits(kind: nw.dtypes.DType, wanted: Kind) -> bool:
    """Whether values of a type need a cast at most."""
    if wanted in ("date", "plan_date"):
        return kind == nw.Date
    if wanted in ("id", "text", "category"):
        return kind == nw.String
    return kind.is_numeric() or (wanted == "flag" and kind == nw.Boolean)


def _broken(engine: Remote, tables: Collection[str], settings: Settings) -> Iterator[str]:
    """What the rows of the tables do not keep of the promises of a Dataset."""
    deals = engine.cursor().frame("opportunities")
    is_open, closed = nw.col("status") == "open", ~nw.col("closed_at_n").is_null()
    checks = {
        "have no status of open, won or lost": ~nw.col("status").fill_null("").is_in(STATUSES),
        "are closed without a day, or open with one": (is_open & closed) | (~is_open & ~closed),
        "are closed before they are created": (nw.col("closed_at_n") < nw.col("created_at_n")).fill_null(value=False),
        "do not say where the amount comes from": ~nw.col("amount_basis").fill_null("").is_in(BASES),
    }
    flags = {f"no_{n}": nw.when(met).then(1).otherwise(0) for n, met in enumerate(checks.values())}
    counted = deals.with_columns(**flags).select(*[nw.col(name).sum() for name in flags])
    found = collect(counted, dict.fromkeys(flags, "float")).fillna(0).iloc[0]
    yield from (f"{n:.0f} opportunities {said}" for said, n in zip(checks, found, strict=True) if n)
    for table in tables:
        keys = ("seq",) if table == "opportunity_history" else TABLES[table].key
        if keys:
            yield from _doubled(engine, table, keys)
    if "opportunity_history" in tables:
        cursor = engine.cursor()
        ids = cursor.frame("opportunities").select("opportunity_id", one=nw.lit(1))
        orphans = cursor.frame("opportunity_history").join(ids, on="opportunity_id", how="left")
        orphans = orphans.filter(nw.col("one").is_null()).select(nw.len().alias("n"))
        n = int(collect(orphans, {"n": "int"})["n"][0])
        if n:
            yield f"{n} changes are of no opportunity that is there"
    currencies = _values(engine, "opportunities", "currency")
    if len({*currencies, settings.currency} - {None}) > 1:
        yield f"amounts are in {', '.join(currencies)}, and are to be converted"
    days = [day for day, _ in _days(engine, tables)]
    if not days:
        yield "no row has a date that places it in time"
    elif min(days) < plausible.EARLIEST or max(days) != plausible.latest(_days(engine, tables)):
        yield "some dates lie far from all others, as typing errors do"


def _doubled(engine: Remote, table: str, keys: tuple[str, ...]) -> Iterator[str]:
    """Whether a key is empty or comes again."""
    frame = engine.cursor().frame(table).select(*keys).with_columns(one=nw.lit(1))
    counted = frame.group_by(*keys).agg(n=nw.col("one").sum())
    again = counted.filter((nw.col("n") > 1) | nw.col(keys[-1]).is_null())
    n = int(collect(again.select(nw.len().alias("n")), {"n": "int"})["n"][0])
    if n:
        yield f"{n} values of {table}.{keys[-1]} are empty or come again"


def _values(engine: Remote, table: str, column: str) -> list[str]:
    frame = engine.cursor().frame(table).select(column).filter(~nw.col(column).is_null())
    return sorted(collect(frame.unique([column]), {column: "text"})[column])


def _days(engine: Remote, tables: Collection[str]) -> list[tuple[int, int]]:
    """Days on which opportunities were created, closed or changed, and on how many rows."""
    places = [
        ("opportunities", "created_at_n"),
        ("opportunities", "closed_at_n"),
        ("opportunity_history", "changed_at_n"),
    ]
    found: list[pd.DataFrame] = []
    for table, column in places:
        if table in tables:
            frame = (
                engine.cursor().frame(table).select(day=nw.col(column), one=nw.lit(1)).filter(~nw.col("day").is_null())
            )
            found.append(collect(frame.group_by("day").agg(n=nw.col("one").sum()), {"day": "int", "n": "int"}))
    return list(pd.concat(found).groupby("day")["n"].sum().items())


def _facts(engine: Remote, table: str) -> Facts:
    spec = TABLES[table]
    dates, money = [f"{d}_n" for d in spec.dates], [c.name for c in spec.columns if c.kind == "money"]
    asked = [
        nw.len().alias("rows"),
        *(nw.col(name).count().alias(f"of {name}") for name in spec.names),
        *(nw.col(name).max().alias(f"newest {name}") for name in dates),
        *(nw.col(name).sum().alias(f"sum {name}") for name in money),
    ]
    frame = engine.cursor().frame(table).select(*asked)
    row = collect(frame, dict.fromkeys(frame.columns, "float")).iloc[0]
    values = {name: int(row[f"of {name}"]) for name in spec.names}
    return Facts(int(row["rows"]), values, tuple(f"{name} {row[name]!r}" for name in row.index))


def _is_known_at_close(engine: Remote) -> bool:
    """Whether open deals carry no amounts of their own and won ones do, as intake decides it."""
    deals = (
        engine.cursor()
        .frame("opportunities")
        .filter(nw.col("status") != "lost")
        .with_columns(given=nw.when(nw.col("amount_basis") == "given").then(1).otherwise(0), one=nw.lit(1))
    )
    counted = deals.group_by("status").agg(given=nw.col("given").sum(), n=nw.col("one").sum())
    found = collect(counted, {"status": "text", "given": "float", "n": "float"}).set_index("status")
    share = found["given"] / found["n"]
    return {"open", "won"} <= {*share.index} and 1 - share["open"] >= OPEN_AMOUNTS and share["won"] >= OPEN_AMOUNTS


def _report(where: str, table: str, facts: Facts) -> FileReport:
    mapping = tuple(
        Mapped(name, f"{table}.{name}", 1.0, "the same name") for name in TABLES[table].names if name in facts.present
    )
    return FileReport(f"{where} › {table}", NAMED, table, facts.rows, facts.rows, mapping=mapping)
