from __future__ import annotations

import json
import os
import pwd
import shutil
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from kpis import addresses
from kpis.errors import InputError
from kpis.intake import check, databases, read
from kpis.intake.databases import shown
from kpis.settings import Settings
from tests.intake.files import load, rows

DEALS = "SELECT opportunity_id, status, amount, created_at_n, closed_at_n FROM opportunities ORDER BY 1"
# 2024-01-05 is day 19727, 2024-02-01 is day 19754
EXPECTED = [("A", "open", 5.5, 19727, None), ("B", "won", 1234.0, 19727, 19754)]
TABLES = """
    CREATE TABLE opportunities (opportunity_id varchar(9), status varchar(9), amount {money}, created_at {date}, closed_at {date});
    INSERT INTO opportunities VALUES ('A', 'open', 5.5, '2024-01-05', NULL), ('B', 'won', 1234, '2024-01-05', '2024-02-01');
    CREATE TABLE payroll (name varchar(9), salary int);
"""


@pytest.fixture
def database(tmp_path: Path) -> Path:
    path = tmp_path / "it's a warehouse.duckdb"
    with duckdb.connect(str(path)) as connection:
        connection.execute(
            "CREATE TABLE opportunities AS SELECT 'A' AS opportunity_id, 'open' AS status, 5.5 AS amount, DATE '2024-01-05' AS created_at, 7 AS owner"
        )
        connection.execute("CREATE VIEW owners AS SELECT 7 AS owner_id, 'Ana' AS name")
        connection.execute('CREATE TABLE "od""d" AS SELECT 1 AS x')
    return path


@pytest.fixture
def sqlite(tmp_path: Path) -> Path:
    path = tmp_path / "crm.db"
    with sqlite3.connect(path) as connection:
        connection.executescript(TABLES.format(money="real", date="text"))
    return path


def test_the_tables_of_a_database_are_files(database: Path) -> None:
    for entry in (database, f"duckdb://{database}"):
        assert rows(read([entry]), "SELECT opportunity_id, amount, created_at_n, owner FROM opportunities") == [
            ("A", 5.5, 19727, "Ana")
        ]
    reports, _ = check([database.parent])
    assert {r.file.split(" › ")[1]: r.table for r in reports} == {
        'od"d': None,
        "opportunities": "opportunities",
        "owners": "owners",
    }


def test_a_damaged_database_and_an_unknown_scheme(tmp_path: Path) -> None:
    broken = tmp_path / "x.duckdb"
    broken.write_bytes(bytes(8) + b"DUCK" + bytes(100))
    with pytest.raises(InputError, match="database cannot be read"):
        read([broken])
    with pytest.raises(InputError, match=r"ftp:// is no source .*postgresql://"):
        read(["ftp://host/db"])


def test_sqlite_is_read_like_the_same_table_in_a_file(sqlite: Path) -> None:
    intake = read([f"sqlite:///{sqlite}"])
    assert rows(intake, DEALS) == EXPECTED
    assert intake.dataset.name == "crm"
    # only what is called like a table that is known: nobody asked for the payroll
    assert [(f.file.split(" › ")[1], f.format, f.read, f.accepted) for f in intake.files] == [
        ("opportunities", "database table, by its columns", 2, 2)
    ]
    csv = load(
        opportunities="opportunity_id,status,amount,created_at,closed_at\nA,open,5.5,2024-01-05,\nB,won,1234.0,2024-01-05,2024-02-01\n"
    )
    assert rows(csv, DEALS) == EXPECTED


def test_any_value_in_a_column_and_many_chunks(sqlite: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(databases, "_ROWS", 1)
    with sqlite3.connect(sqlite) as connection:
        connection.execute("INSERT INTO opportunities VALUES (3, 'won', '$ 1,000.50', '2024-01-05', '2024-02-01')")
        connection.execute("INSERT INTO opportunities VALUES ('D', 'won', 'plenty', x'ff', 'never')")
    report = read([f"sqlite:///{sqlite}"]).files[0]
    assert (report.read, report.accepted, report.rejected) == (4, 3, 1)
    assert "is no date" in report.rejects[0].reason


def test_tables_of_other_names_are_named_in_the_settings(sqlite: Path) -> None:
    with sqlite3.connect(sqlite) as connection:
        connection.execute("ALTER TABLE opportunities RENAME TO v_pipeline_2")
    address = f"sqlite:///{sqlite}"
    with pytest.raises(InputError, match=r"it has payroll, v_pipeline_2.*\[connection.tables\]"):
        read([address])
    named = Settings.model_validate({"connection": {"tables": {"opportunities": "v_pipeline_2"}}})
    assert rows(read([address], settings=named), DEALS) == EXPECTED
    wrong = Settings.model_validate({"connection": {"tables": {"opportunities": "deals"}}})
    with pytest.raises(InputError, match="no table 'deals'; it has payroll, v_pipeline_2"):
        read([address], settings=wrong)


def test_a_missing_file_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        read([f"sqlite:///{tmp_path}/none.db"])
    assert not list(tmp_path.iterdir())


def test_a_database_is_only_read(sqlite: Path) -> None:
    before = sqlite.read_bytes()
    read([f"sqlite:///{sqlite}"])
    assert sqlite.read_bytes() == before


@pytest.mark.parametrize(
    "address",
    [
        "postgresql://ana:{}@127.0.0.1:1/db",
        "postgresql://ana:{}@host:port/db",
        "postgres://ana:{}@127.0.0.1:1/db?password={}",
        "postgresql+none://ana:{}@h/db",
        "mysql://ana:{}@127.0.0.1:1/db",
        "oracle://ana:{}@h/db",
        "ftp://ana:{}@h",
    ],
)
@pytest.mark.parametrize("password", ["geheim", "gehe@im", "ge?heim", "ge:he/im", "%67eheim"])
def test_a_password_is_never_told(address: str, password: str) -> None:
    with pytest.raises(InputError) as told:
        read([address.format(password, password)])
    for part in ("geheim", "gehe", "heim", "he/im", "@im"):
        assert part not in str(told.value)


def test_what_may_be_shown_of_an_address() -> None:
    assert (
        shown("postgresql+psycopg://ana:geheim@crm.example:5432/sales?sslmode=require")
        == "postgresql://crm.example/sales"
    )
    assert shown("sqlite:////data/crm.db") == "sqlite:///data/crm.db"
    assert shown("deals.csv") == "deals.csv"


def test_a_secret_comes_from_the_environment(sqlite: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CRM_FILE", str(sqlite))
    assert rows(read(["sqlite:///${CRM_FILE}"]), DEALS) == EXPECTED
    with pytest.raises(InputError, match=r"TANDEM_NOT_SET is not set \(postgresql://h/db\).*environment"):
        read(["postgresql://ana:${TANDEM_NOT_SET}@h/db"])


def test_a_secret_is_taken_from_streamlits_file_unless_the_environment_has_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".streamlit").mkdir()
    (tmp_path / ".streamlit" / "secrets.toml").write_text('TANDEM_A = "p@ss"\nTANDEM_B = 12\n[TANDEM_C]\nx = 1\n')
    monkeypatch.chdir(tmp_path)
    assert addresses.parsed("postgresql://${TANDEM_A}@h:${TANDEM_B}/db").username == "p@ss"
    assert addresses.parsed("postgresql://${TANDEM_A}@h:${TANDEM_B}/db").port == 12
    monkeypatch.setenv("TANDEM_A", "other")
    assert addresses.parsed("postgresql://${TANDEM_A}@h/db").username == "other"
    with pytest.raises(InputError, match=r"TANDEM_C is not set \(postgresql://h/db\).*secrets.toml"):
        addresses.parsed("postgresql://u:${TANDEM_C}@h/db")


def test_the_command_takes_an_address(sqlite: Path, root: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "kpis", "check", f"sqlite:///{sqlite}", "--json"],
        capture_output=True, text=True, cwd=root, check=True,
    )  # fmt: skip
    found = json.loads(done.stdout)["files"]
    assert [(f["table"], f["read"], f["accepted"]) for f in found] == [("opportunities", 2, 2)]


@pytest.fixture(scope="module")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server of our own, on a free port of this machine, as long as this module runs."""
    pytest.importorskip("psycopg")
    if not shutil.which("initdb") or not shutil.which("pg_ctl"):
        pytest.skip("no PostgreSQL on this machine")
    # PostgreSQL refuses to run as root
    user = "postgres" if os.geteuid() == 0 else None
    if user and user not in {entry.pw_name for entry in pwd.getpwall()}:
        pytest.skip("no user to run PostgreSQL as")
    folder = Path("/tmp") / f"tandem-pg-{os.getpid()}"  # noqa: S108  a socket's path must be short, and open to that user
    folder.mkdir()
    if user:
        shutil.chown(folder, user)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]

    def run(*command: str) -> None:
        subprocess.run(command, check=True, capture_output=True, user=user, cwd=folder, timeout=60)

    try:
        (folder / "password").write_text("ge:he@im")
        run(
            "initdb", "-D", f"{folder}/data", "-U", "ana", "--pwfile", f"{folder}/password", "-A", "scram-sha-256", "-N"
        )
        # its output goes into a file, or pg_ctl would hold ours open
        run(
            "pg_ctl",
            "-D",
            f"{folder}/data",
            "-w",
            "-l",
            f"{folder}/log",
            "-o",
            f"-p {port} -h 127.0.0.1 -k {folder} -F",
            "start",
        )
        yield f"postgresql://ana:${{TANDEM_TEST_PASSWORD}}@127.0.0.1:{port}/postgres"
    finally:
        subprocess.run(
            ["pg_ctl", "-D", f"{folder}/data", "-m", "immediate", "stop"],
            check=False,
            capture_output=True,
            user=user,
            cwd="/",
        )
        shutil.rmtree(folder, ignore_errors=True)


def test_postgresql(postgres: str, monkeypatch: pytest.MonkeyPatch) -> None:
    import psycopg

    monkeypatch.setenv("TANDEM_TEST_PASSWORD", "ge:he@im")
    address = postgres.replace("${TANDEM_TEST_PASSWORD}", "ge%3Ahe%40im")
    with psycopg.connect(address, autocommit=True) as connection:
        connection.execute(TABLES.format(money="numeric(12, 2)", date="date"))
        connection.execute("CREATE SCHEMA crm; CREATE VIEW crm.deal_owner AS SELECT 7 AS owner_id, 'Ana' AS name")
    intake = read([postgres])
    assert rows(intake, DEALS) == EXPECTED
    named = Settings.model_validate(
        {"connection": {"tables": {"opportunities": "opportunities", "owners": "crm.deal_owner"}}}
    )
    intake = read([postgres], settings=named)
    assert rows(intake, "SELECT name FROM owners") == [("Ana",)]
    monkeypatch.setenv("TANDEM_TEST_PASSWORD", "falsch")
    with pytest.raises(InputError, match="password authentication failed") as told:
        read([postgres])
    assert "falsch" not in str(told.value)
