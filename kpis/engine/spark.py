"""Spark: the distributed engine, for data that one machine does not hold."""

from __future__ import annotations

import os
import shutil
import warnings
from collections.abc import Callable, Collection, Mapping
from typing import TYPE_CHECKING

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

# Rows come and go as Arrow: pandas never passes through Spark here.
warnings.filterwarnings("ignore", "PySpark does not yet fully support pandas", FutureWarning)


def connected(master: str, options: Mapping[str, str]) -> SparkSession:
    """A session on this machine (``local[2]``) or at a Spark Connect server (``host:15002``).

    Parameters
    ----------
    options
        Settings of Spark itself, such as ``spark.driver.memory``.

    Raises
    ------
    InputError
        When Spark or Java is missing, or the server cannot be reached.
    """
    is_local = master.startswith("local")
    if is_local and not (shutil.which("java") or os.environ.get("JAVA_HOME")):
        raise InputError("Spark needs Java, which is not here", way_out="Install Java 17 or newer, or set JAVA_HOME")
    try:
        from pyspark.sql import SparkSession

        builder = SparkSession.builder.master(master) if is_local else SparkSession.builder.remote(f"sc://{master}")
        for name, value in {**(LOCAL if is_local else {}), **options, "spark.sql.session.timeZone": "UTC"}.items():
            builder = builder.config(name, value)
        return builder.getOrCreate()
    except ImportError as error:
        raise InputError(
            f"Spark is not installed ({error})", way_out="Install it: pip install 'pyspark[connect]'"
        ) from None
    except Exception as error:
        said = str(error).splitlines()[0][:200]
        raise InputError(f"Spark cannot be reached ({said})", place=master, way_out="Check the address") from error


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
        self._frames: dict[str, DataFrame] = {}
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
        """A view of the table."""
        from pyspark.sql import functions as F  # noqa: N812 - as everybody calls it

        chosen = []
        for column in TABLES[table].columns:
            value = (F.col(column.name) if column.name in columns else F.lit(None)).cast(SPARK_TYPE[column.kind])
            chosen.append(value.alias(column.name))
            if column.name in TABLES[table].dates:
                chosen.append(F.unix_date(value).alias(f"{column.name}_n"))
        self._frames[table] = self._lying(table).select(*chosen)

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
        """Sent to Spark as Arrow."""
        arrow = rows if isinstance(rows, pa.Table) else pa.Table.from_pandas(rows, preserve_index=False)
        self.create(table, self._session.createDataFrame(arrow))

    def text(self, frame: DataFrame) -> str:
        """Spark's own hash of the plan, which passes over the names of columns, and those names."""
        return f"{frame.semanticHash()} {frame.columns}"

    def prepared(self, frame: DataFrame) -> Callable[[], pa.Table]:
        """Spark plans and fetches in any thread."""
        return frame.toArrow

    def close(self) -> None:
        """Free the caches; the session is Spark's own, and others may use it."""
        for table in [*self._frames]:
            self.drop(table)
