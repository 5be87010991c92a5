"""Spark: the distributed engine, for data that one machine does not hold."""

from __future__ import annotations

import atexit
import os
import shutil
import warnings
from collections import UserDict
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from itertools import count
from typing import TYPE_CHECKING
from urllib.parse import quote
from weakref import ref

import narwhals.stable.v2 as nw
import pandas as pd
import pyarrow as pa

from kpis.engine.base import Remote
from kpis.errors import InputError
from kpis.schema import SPARK_TYPE, TABLES

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

PARQUET = ".parquet"
LOCAL = {
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    "spark.log.level": "ERROR",
    "spark.sql.shuffle.partitions": "4",
}
"""A Spark on this machine: quiet, and not cut into the 200 parts that a cluster shares out."""

UTC = {"spark.sql.session.timeZone": "UTC"}
RETRIES = 4
"""How often a server is asked again that does not answer, for some 10 seconds; Spark would go on for ten minutes."""

# Rows come and go as Arrow: pandas never passes through Spark here.
warnings.filterwarnings("ignore", "PySpark does not yet fully support pandas", FutureWarning)
# What cannot be reached is told once, by the error.
warnings.filterwarnings("ignore", r"\[RETRIES_EXCEEDED\]", UserWarning)


def connected(master: str, options: Mapping[str, str]) -> SparkSession:
    """The session of this machine (``local[2]``), or a new one at a Spark Connect server (``host:15002``).

    Parameters
    ----------
    options
        Settings of Spark itself, such as ``spark.driver.memory``; others are of the way to a server, such as ``token``.

    Raises
    ------
    InputError
        When Spark or Java is missing, or the server cannot be reached.
    """
    is_local = master.startswith("local")
    if is_local and not (shutil.which("java") or os.environ.get("JAVA_HOME")):
        raise InputError("Spark needs Java, which is not here", way_out="Install Java 17 or newer, or set JAVA_HOME")
    try:
        return _here(master, options) if is_local else _at_server(master, options)
    except ImportError as error:
        raise InputError(
            f"Spark is not installed ({error})", way_out="Install it: pip install 'pyspark[connect]'"
        ) from None
    except Exception as error:
        said = " ".join(str(error).split())[:200]
        raise InputError(f"Spark cannot be reached ({said})", place=master, way_out="Check the address") from error


def _here(master: str, options: Mapping[str, str]) -> SparkSession:
    from pyspark.sql import SparkSession

    return SparkSession.builder.master(master).config(map={**LOCAL, **options, **UTC}).getOrCreate()


def _at_server(server: str, options: Mapping[str, str]) -> SparkSession:
    from pyspark.sql.connect.client.retries import DefaultPolicy

    # Through pyspark.sql a process has one server for good: the first would be asked for the tables of the second.
    from pyspark.sql.connect.session import SparkSession

    settings = {name: value for name, value in options.items() if name.startswith("spark.")}
    way = "".join(f";{name}={quote(value, safe='')}" for name, value in options.items() if name not in settings)
    session = SparkSession.builder.remote(f"sc://{server}/{way}").create()
    session.client.set_retry_policies([DefaultPolicy(RETRIES)])
    for name, value in {**settings, **UTC}.items():
        session.conf.set(name, value)
    return session


_numbers = count()
_cached: dict[int, tuple[ref[UserDict[str, DataFrame]], dict[str, DataFrame]]] = {}
"""The frames of every engine, and whether it and its layers are still there."""


def _tidy(*, all_of_them: bool = False) -> None:
    """Free what engines have cached that are gone: a server keeps it beyond the session.

    Asked when another engine begins and at the end of the process, since an engine may go in the middle of a query.
    """
    for number, (there, frames) in [*_cached.items()]:
        if all_of_them or there() is None:
            _cached.pop(number, None)
            _free(frames)


def _free(frames: dict[str, DataFrame]) -> None:
    """Forget the frames and their caches, as far as Spark is still there."""
    with suppress(Exception):
        while frames:
            frames.popitem()[1].unpersist()


atexit.register(_tidy, all_of_them=True)


class Spark(Remote):
    """Tables of a Spark session. What is stored is cached by Spark, in memory and on its disks.

    Parameters
    ----------
    tables
        Table of the dictionary -> the table of Spark's catalog, or the path of the Parquet files, that holds it.
    """

    def __init__(self, session: SparkSession, tables: Mapping[str, str]) -> None:
        self._session = session
        self._there = tables
        _tidy()
        self._frames: UserDict[str, DataFrame] = UserDict()
        _cached[next(_numbers)] = ref(self._frames), self._frames.data
        super().__init__()

    def _lying(self, table: str) -> DataFrame:
        name = self._there[table]
        return self._session.read.parquet(name) if name.endswith(PARQUET) else self._session.table(name)

    def schema(self, table: str) -> nw.Schema:
        """As Spark knows it."""
        from pyspark.errors import AnalysisException

        try:
            return nw.from_native(self._lying(table)).collect_schema()
        except AnalysisException:
            return nw.Schema()

    def place(self, table: str, columns: Collection[str]) -> None:
        """A view of the table as it is now: what was cached of an earlier state is no longer used."""
        catalog, name = self._session.catalog, self._there[table]
        (catalog.refreshByPath if name.endswith(PARQUET) else catalog.refreshTable)(name)
        chosen = []
        for column in TABLES[table].columns:
            value = f"CAST({column.name if column.name in columns else 'NULL'} AS {SPARK_TYPE[column.kind]})"
            chosen.append(f"{value} AS {column.name}")
            if column.name in TABLES[table].dates:
                chosen.append(f"unix_date({value}) AS {column.name}_n")
        self._frames[table] = self._lying(table).selectExpr(*chosen)

    def source(self) -> None:
        """Frames carry their session."""

    def native(self, table: str, source: None) -> DataFrame:
        """A data frame of Spark."""
        return self._frames[table]

    def create(self, table: str, frame: DataFrame) -> None:
        """Cached when it is first used."""
        self._frames[table] = frame.persist()

    def drop(self, table: str) -> None:
        """Free the cache."""
        self._frames.pop(table).unpersist()

    def put(self, table: str, rows: pa.Table | pd.DataFrame) -> None:
        """Sent to Spark as Arrow, with its schema: a server does not take that of no rows from them."""
        from pyspark.sql.pandas.types import from_arrow_schema

        arrow = rows if isinstance(rows, pa.Table) else pa.Table.from_pandas(rows, preserve_index=False)
        self.create(table, self._session.createDataFrame(arrow, from_arrow_schema(arrow.schema)))

    def text(self, frame: DataFrame) -> str:
        """Spark's own hash of the plan, which passes over the names of columns, and those names."""
        return f"{frame.semanticHash()} {frame.columns}"

    def prepared(self, frame: DataFrame) -> Callable[[], pa.Table]:
        """Spark plans and fetches in any thread."""
        return frame.toArrow

    def close(self) -> None:
        """Free the caches; the session is Spark's own, and others may use it."""
        _free(self._frames.data)
