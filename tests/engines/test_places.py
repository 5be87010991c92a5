"""Addresses: tables used where they are, or read like an export; only read, and only so much at once."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pyarrow as pa
import pytest
from pyarrow import parquet

from kpis.answers.connection import connection_answer
from kpis.answers.outlook import document, outlook
from kpis.assumptions import Assumptions
from kpis.dataset import Dataset
from kpis.errors import InputError
from kpis.forecast.model import fit
from kpis.intake import check, read
from kpis.intake.databases import look, proposed
from kpis.settings import Connection, Settings
from tests.engines.servers import SMALL_SPARK, canonical, fill

Company = Callable[[str], Dataset]
DECIMALS = 2


def at(url: str, schema: str, **more: Any) -> Settings:
    """Settings that name the tables of a schema."""
    import psycopg

    with psycopg.connect(url) as connection:
        names = connection.execute(
            "SELECT table_name FROM information_schema.tables WHERE table_schema = %s", [schema]
        ).fetchall()
    return Settings.model_validate({"connection": {"tables": {n: f"{schema}.{n}" for (n,) in names}, **more}})


@pytest.fixture(scope="module")
def demo(postgres: str, company: Company) -> str:
    """The schema that holds the demo company's canonical tables."""
    fill(postgres, "demo", company("demo"))
    return "demo"


@pytest.fixture
def change(postgres: str, demo: str) -> Iterator[Callable[[str], None]]:
    """Run SQL in the demo company's schema, undone after the test by what it returns."""
    import psycopg

    undo: list[str] = []

    def run(sql: str, back: str) -> None:
        with psycopg.connect(postgres) as connection:
            connection.execute(f"SET search_path = {demo}")
            connection.execute(sql)
        undo.append(back)

    yield run
    with psycopg.connect(postgres) as connection:
        connection.execute(f"SET search_path = {demo}")
        for sql in reversed(undo):
            connection.execute(sql)


def rounded(value: Any) -> Any:
    """A document to the cent."""
    if isinstance(value, dict):
        return {key: rounded(v) for key, v in value.items()}
    if isinstance(value, list):
        return [rounded(v) for v in value]
    return round(value, DECIMALS) if isinstance(value, float) else value


def forecast(root: Path, data: str, *more: str) -> dict[str, Any]:
    """The document of `python -m kpis forecast`, to the cent."""
    command = [sys.executable, "-m", "kpis", "forecast", data, "--target", "4000000", "--json", *more]
    done = subprocess.run(command, capture_output=True, text=True, cwd=root, check=False)
    assert done.returncode == 0, done.stderr
    return rounded(json.loads(done.stdout))


@pytest.fixture(scope="module")
def of_the_files(root: Path) -> dict[str, Any]:
    """What the files give."""
    return forecast(root, "sample_data")


def test_the_command_on_postgresql(postgres, demo, root, of_the_files, tmp_path) -> None:
    (tmp_path / "tables.toml").write_text(at(postgres, demo).as_toml(), encoding="utf-8")
    assert forecast(root, postgres, "--settings", str(tmp_path / "tables.toml")) == of_the_files


@pytest.mark.usefixtures("spark")
def test_the_command_on_spark(root, of_the_files) -> None:
    address = f"pyspark://local[2]?{urlencode({'path': 'sample_data', **SMALL_SPARK})}"
    assert forecast(root, address) == of_the_files


@pytest.mark.thorough
def test_the_command_at_a_spark_connect_server(connect_address, root, of_the_files) -> None:
    assert forecast(root, f"pyspark://{connect_address}?path=sample_data") == of_the_files


def in_parquet(dataset: Dataset, folder: Path) -> Path:
    """The canonical tables as files."""
    for table in canonical(dataset):
        rows = dataset.engine.native(table, dataset.engine.source()).to_arrow_table()
        parquet.write_table(rows, folder / f"{table}.parquet")
    return folder


@pytest.mark.parametrize("engine", ["spark", pytest.param("connect", marks=pytest.mark.thorough)])
def test_canonical_parquet_is_used_where_it_lies(engine, request, company, tmp_path) -> None:
    request.getfixturevalue(engine)
    master = "local[2]" if engine == "spark" else request.getfixturevalue("connect_address")
    here = company("demo")
    found = read([f"pyspark://{master}?path={in_parquet(here, tmp_path)}"])
    assert found.notes == (f"The tables of pyspark://{master}/{tmp_path} are used where they are",)
    assert found.dataset.present == here.present
    assert (found.dataset.newest, found.dataset.currency) == (here.newest, here.currency)
    assert fit(found.dataset).won == pytest.approx(fit(here).won, rel=1e-12)
    found.dataset.engine.close()


@pytest.mark.parametrize("engine", ["spark", pytest.param("connect", marks=pytest.mark.thorough)])
def test_what_spark_cached_of_earlier_files_is_not_used(engine, request, tmp_path) -> None:
    """Spark knows a cache by its query, which names the file and not its state, for all sessions of a server."""
    from kpis.engine.spark import Spark

    def kept() -> tuple[Spark, list[str]]:
        there = Spark(request.getfixturevalue(engine), {"stages": f"{tmp_path}/stages.parquet"})
        there.place("stages", ["stage"])
        cursor = there.cursor()
        rows = cursor.keep(cursor.frame("stages").select("stage")).collect("pyarrow").to_native()
        return there, rows.column("stage").to_pylist()

    parquet.write_table(pa.table({"stage": ["Lead"]}), tmp_path / "stages.parquet")
    first, rows = kept()
    assert rows == ["Lead"]
    parquet.write_table(pa.table({"stage": ["Lead", "Won"]}), tmp_path / "stages.parquet")
    second, rows = kept()
    assert rows == ["Lead", "Won"]
    frames = [*first._frames.values(), *second._frames.values()]
    assert any(frame.is_cached for frame in frames)
    first.close()
    del second
    Spark(request.getfixturevalue(engine), {})
    assert not any(frame.is_cached for frame in frames)


def test_a_server_that_does_not_answer_is_said_soon(monkeypatch) -> None:
    pytest.importorskip("grpc")
    from kpis.engine import spark

    monkeypatch.setattr(spark, "RETRIES", 1)
    monkeypatch.setenv("SPARK_TOKEN", "secret;1")
    with pytest.raises(InputError, match="Spark cannot be reached") as told:
        read(["pyspark://127.0.0.1:1?path=sample_data&token=${SPARK_TOKEN}"])
    assert "secret" not in str(told.value)


def test_canonical_tables_stay_in_the_database(postgres, demo, company) -> None:
    found = read([postgres], settings=at(postgres, demo))
    here = company("demo")
    assert found.notes[0].endswith("are used where they are")
    assert found.dataset.present == here.present
    assert (found.dataset.newest, found.dataset.currency) == (here.newest, here.currency)
    rows = {report.table: report.read for report in found.files}
    assert rows["opportunities"] == here.engine.execute("SELECT count(*) FROM opportunities").fetchone()[0]
    reports, _ = check([postgres], settings=at(postgres, demo))
    assert [r.table for r in reports] == [r.table for r in found.files]


@pytest.mark.parametrize(
    ("sql", "back", "why"),
    [
        ("ALTER TABLE stages RENAME TO phases", "ALTER TABLE phases RENAME TO stages", "phases is no table of the dictionary"),
        ("ALTER TABLE leads RENAME score TO points", "ALTER TABLE leads RENAME points TO score", "leads.points is no column of the dictionary"),
        ("ALTER TABLE leads ALTER score TYPE text", "ALTER TABLE leads ALTER score TYPE double precision USING score::double precision", "leads.score is String, which is no number"),
        ("UPDATE opportunities SET status = 'Open' WHERE status = 'open'", "UPDATE opportunities SET status = 'open' WHERE status = 'Open'", "have no status of open, won or lost"),
        ("INSERT INTO accounts SELECT * FROM accounts LIMIT 1", "DELETE FROM accounts a USING accounts b WHERE a.ctid > b.ctid AND a.account_id = b.account_id", "1 values of accounts.account_id are empty or come again"),
        ("INSERT INTO opportunity_history (opportunity_id, changed_at, seq) VALUES ('nobody', '2024-01-01', -1)", "DELETE FROM opportunity_history WHERE seq = -1", "1 changes are of no opportunity that is there"),
        ("UPDATE opportunities SET currency = 'EUR' WHERE opportunity_id = (SELECT min(opportunity_id) FROM opportunities)", "UPDATE opportunities SET currency = 'USD'", "amounts are in EUR, USD"),
    ],
)  # fmt: skip
def test_what_needs_intake_is_read_and_why(postgres, demo, change, sql, back, why) -> None:
    change(sql, back)
    from kpis.intake.places import find

    settings = at(postgres, demo)
    place = find([postgres], settings)
    assert place.settled(settings) is None
    assert why in place.why
    place.engine.close()


def test_tables_of_raw_text_are_read_like_an_export(postgres) -> None:
    import psycopg

    with psycopg.connect(postgres) as connection:
        connection.execute(
            "CREATE SCHEMA raw;"
            "CREATE TABLE raw.deals (id text, status text, value text, created_at text, closed_at text);"
            "INSERT INTO raw.deals VALUES ('A', 'Open', '5.50', '2024-01-05', ''), ('B', 'Won', '1,234', '2024-01-05', '2024-02-01')"
        )
    settings = Settings.model_validate({"connection": {"tables": {"opportunities": "raw.deals"}}})
    found = read([postgres], settings=settings)
    assert found.notes[-1].endswith("were read like an export, because there is no table stages")
    rows = found.dataset.engine.execute(
        "SELECT opportunity_id, status, amount FROM opportunities ORDER BY 1"
    ).fetchall()
    assert rows == [("A", "open", 5.5), ("B", "won", 1234.0)]


def test_nothing_is_written(postgres, demo) -> None:
    """The database is the same after a forecast, and a view that would write is stopped by PostgreSQL itself."""
    import psycopg

    def state() -> list[tuple[Any, ...]]:
        rows = "SELECT md5(string_agg(t::text, '' ORDER BY opportunity_id)) FROM demo.opportunities t"
        names = (
            "SELECT string_agg(n.nspname || '.' || c.relname, ',' ORDER BY n.nspname, c.relname) FROM pg_class c "
            "JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname !~ '^pg_|^information_schema'"
        )
        return [watcher.execute(sql).fetchone() for sql in (rows, names)]

    with psycopg.connect(postgres, autocommit=True) as watcher:
        watcher.execute("CREATE SCHEMA spied; CREATE TABLE spied.log (n int)")
        watcher.execute(
            "CREATE FUNCTION spied.look() RETURNS int LANGUAGE plpgsql VOLATILE AS "
            "'BEGIN INSERT INTO spied.log VALUES (1); RETURN 1; END'"
        )
        before, settings = state(), at(postgres, demo)
        engine = read([postgres], settings=settings).dataset.engine
        fit(read([postgres], settings=settings).dataset)
        assert state() == before
        session = engine._connection
        for sql in ("SELECT spied.look()", "DELETE FROM demo.opportunities", "CREATE TABLE demo.mine (n int)"):
            with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
                session._run(sql)
        with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
            session.create("kept", "SELECT spied.look() AS n")
        assert state() == before
        assert watcher.execute("SELECT count(*) FROM spied.log").fetchone() == (0,)
        engine.close()


def test_a_user_who_may_only_read(postgres, demo, company) -> None:
    """Where no temporary table may be made the query itself stands for it, and the numbers are the same."""
    import psycopg

    with psycopg.connect(postgres, autocommit=True) as owner:
        owner.execute(
            "REVOKE TEMPORARY ON DATABASE postgres FROM PUBLIC; CREATE ROLE reader LOGIN;"
            "GRANT USAGE ON SCHEMA demo TO reader; GRANT SELECT ON ALL TABLES IN SCHEMA demo TO reader"
        )
    data = read([postgres.replace("postgres:@", "reader:@")], settings=at(postgres, demo)).dataset
    assert fit(data).won == pytest.approx(fit(company("demo")).won, rel=1e-12)
    data.engine.close()


def test_a_query_has_a_budget(postgres, demo) -> None:
    from kpis.engine.postgres import Postgres

    session = Postgres(postgres, "the warehouse", rows=50, seconds=1)
    assert session.fetch("SELECT generate_series(1, 50) AS i").num_rows == 50
    with pytest.raises(InputError, match=r"gives more than 50 rows \(the warehouse\).*Raise rows under \[connection\]"):
        session.fetch("SELECT generate_series(1, 51) AS i")
    with pytest.raises(InputError, match=r"longer than 1 seconds.*Raise seconds under \[connection\]"):
        session.fetch("SELECT pg_sleep(3) AS i")
    session.close()
    with pytest.raises(InputError, match="more than 50 rows"):
        read([postgres], settings=at(postgres, demo, rows=50))


def test_a_lever_never_asks_the_database(postgres, demo, monkeypatch) -> None:
    data = read([postgres], settings=at(postgres, demo)).dataset
    usual = outlook(data, fit(data))
    expected = document(usual)["periods"][1]["expected"]
    monkeypatch.setattr(type(data.engine._connection), "fetch", lambda *_: pytest.fail("a lever asked the database"))
    moved = usual.under(Assumptions(sales_cycle=1.2, new_opportunities=1.3, deal_size=0.9))
    assert document(moved)["periods"][1]["expected"] != expected


def test_a_look_names_the_tables_of_every_schema_and_reads_no_row(postgres, demo) -> None:
    there = look(postgres, Connection(rows=1))
    chosen = proposed(there)
    assert chosen["opportunities"] == f"{demo}.opportunities"
    assert {"opportunity_id", "created_at", "amount_basis"} <= {*there[chosen["opportunities"]]}
    answer = connection_answer("h/db", there, {"opportunities": chosen["opportunities"], "stages": f"{demo}.stages"})
    assert answer.sentence.endswith("2 of them are chosen. They have what is needed.")


def test_changed_rows_are_other_data(postgres, demo, change) -> None:
    settings = at(postgres, demo)

    def fingerprint() -> str:
        found = read([postgres], settings=settings).dataset
        found.engine.close()
        return found.fingerprint

    first = fingerprint()
    assert fingerprint() == first
    change(
        "UPDATE opportunities SET amount = amount + 1 WHERE status = 'won'",
        "UPDATE opportunities SET amount = amount - 1 WHERE status = 'won'",
    )
    assert fingerprint() != first
