"""Addresses whose tables may be used where they are: a warehouse, or Spark.

Tables that are canonical stay there and every number is counted there. Else their rows are read like any export, since
what intake does to an export (types, spellings, states, duplicates, currencies) is done in the embedded engine; Spark
then gets what came of it, a warehouse keeps its own rows only.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import parse_qsl

from kpis.addresses import filled, parsed, shown
from kpis.engine import Remote
from kpis.errors import InputError
from kpis.intake import canonical, databases
from kpis.intake.accounting import Intake
from kpis.intake.sources import Upload
from kpis.schema import TABLES
from kpis.settings import Settings

SPARK, POSTGRES = "pyspark", ("postgres", "postgresql")
Entries = Sequence[str | Path | Upload]


@dataclass
class Place:
    """Where the tables are, and what is read where they need intake.

    Parameters
    ----------
    takes
        Whether tables that intake has made are put there.
    """

    engine: Remote
    tables: tuple[str, ...]
    shown: str
    files: Entries
    takes: bool
    why: str = ""

    def settled(self, settings: Settings) -> Intake | None:
        """The tables where they are; None when they need intake, and ``why`` says for what."""
        if len(self.files) > 1:
            self.why = "other files are read with them"
            return None
        try:
            dataset, reports = canonical.dataset(self.engine, self.tables, self.shown, settings)
        except canonical.Unlike as unlike:
            self.why = str(unlike)
            return None
        return Intake(dataset, tuple(reports), (), (f"The tables of {self.shown} are used where they are",))

    def moved(self, intake: Intake) -> Intake:
        """What was read, put there or kept here."""
        note = f"The tables of {self.shown} were read like an export, because {self.why}"
        dataset = intake.dataset
        if self.takes:
            for table in dataset.engine.tables():
                rows = dataset.engine.cursor().frame(table).collect("pyarrow").to_native()
                self.engine.register(table, rows)
            dataset.engine.close()
            dataset = replace(dataset, engine=self.engine)
        else:
            self.engine.close()
        return replace(intake, dataset=dataset, notes=(*intake.notes, note))


def find(entries: Entries, settings: Settings) -> Place | None:
    """The place that the first address of such a kind names; None where there is none.

    Raises
    ------
    InputError
        When it cannot be reached.
    """
    for n, entry in enumerate(entries):
        scheme, parted, _ = str(entry).partition("://") if isinstance(entry, str) else ("", "", "")
        if parted and scheme == SPARK:
            return _spark(filled(str(entry)).partition("://")[2], [*entries[:n], *entries[n + 1 :]], settings)
        if parted and scheme.partition("+")[0] in POSTGRES:
            return _postgres(str(entry), entries, settings)
    return None


def _spark(address: str, others: Entries, settings: Settings) -> Place:
    """``MASTER?path=DIR``: tables of a folder, or without a path those the settings name in Spark's catalog."""
    from kpis.engine import spark

    master, _, query = address.partition("?")
    options = dict(parse_qsl(query))
    path = options.pop("path", "")
    if not path and not settings.connection.tables:
        raise InputError(
            "It is not said where Spark finds the tables",
            place=f"{SPARK}://{master}",
            way_out="Add ?path=FOLDER, or name tables under [connection.tables] in the settings",
        )
    folder = {table: f"{path}/{table}{spark.PARQUET}" for table in TABLES}
    tables = folder if path else settings.connection.tables
    engine = spark.Spark(spark.connected(master, options), tables)
    return Place(engine, (*tables,), f"{SPARK}://{master}/{path}", [path, *others] if path else others, takes=True)


def _postgres(url: str, entries: Entries, settings: Settings) -> Place | None:
    """Tables of PostgreSQL; None without sqlframe, since rows can be read all the same."""
    try:
        from kpis.engine.postgres import Postgres
        from kpis.engine.warehouse import Warehouse
    except ImportError:
        return None
    tables = databases.named(url, settings.connection)
    address = parsed(url).set(drivername="postgresql").render_as_string(hide_password=False)
    limits = {"rows": settings.connection.rows, "seconds": settings.connection.seconds}
    engine = Warehouse(Postgres(address, shown(url), **limits), tables)
    return Place(engine, (*tables,), shown(url), entries, takes=False)
