from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from kpis.errors import InputError
from kpis.intake import check, read
from tests.intake.files import rows


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
    with pytest.raises(InputError, match="postgres://"):
        read(["postgres://host/db"])
