from __future__ import annotations

import json
import tomllib
import zipfile
from io import BytesIO
from pathlib import Path

import duckdb
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kpis.answers.check import check_answer
from kpis.errors import AssumptionError, InputError
from kpis.intake import check, read
from kpis.intake.corrections import as_mapped
from kpis.settings import Settings
from tests.intake.files import load, look, rows, uploads

DEALS = "opportunity_id,stage,status,amount,created_at,closed_at\nA,Proposal,open,100,2024-01-05,\nB,Proposal,won,50,2024-01-06,2024-02-03\n"


def put(folder: Path, **files: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / f"{name}.csv").write_text(text, encoding="utf-8")
    return folder


def test_a_folder_its_name_and_progress(tmp_path: Path) -> None:
    told: list[float] = []
    intake = read([put(tmp_path / "acme", deals=DEALS)], progress=lambda share, _: told.append(share))
    assert intake.dataset.name == "acme"
    assert told == sorted(told)
    assert told[-1] == 1.0


def test_the_door_is_closed_afterwards(tmp_path: Path) -> None:
    intake = load(deals=DEALS)
    with pytest.raises(duckdb.Error):
        intake.dataset.engine.execute(f"SELECT * FROM read_csv('{tmp_path}/x.csv')")
    assert not [t for t in intake.dataset.engine.tables() if t.startswith("_")]


def test_the_fingerprint_changes_with_bytes_and_settings_only() -> None:
    first = load(deals=DEALS).dataset.fingerprint
    assert load(deals=DEALS).dataset.fingerprint == first
    assert load(deals=DEALS + "C,Proposal,open,1,2024-01-05,\n").dataset.fingerprint != first
    assert load(Settings(fiscal_start=4), deals=DEALS).dataset.fingerprint != first


@pytest.mark.parametrize("ending", ["tsv", "xlsx", "parquet", "zip", "utf16"])
def test_the_same_table_in_every_container(ending: str) -> None:
    frame = pd.read_csv(BytesIO(DEALS.encode()))
    buffer = BytesIO()
    if ending == "xlsx":
        frame.assign(created_at=pd.to_datetime(frame["created_at"])).to_excel(buffer, index=False, engine="xlsxwriter")
    elif ending == "parquet":
        frame.assign(created_at=pd.to_datetime(frame["created_at"]).dt.date).to_parquet(buffer)
    elif ending == "zip":
        with zipfile.ZipFile(buffer, "w") as archive:
            archive.writestr("export/deals.csv", DEALS)
    else:
        buffer.write(DEALS.replace(",", "\t").encode("utf-16" if ending == "utf16" else "utf-8"))
    intake = read([(f"deals.{ending}", buffer.getvalue())])
    assert rows(
        intake, "SELECT opportunity_id, amount, CAST(created_at AS VARCHAR), status FROM opportunities ORDER BY 1"
    ) == [("A", 100.0, "2024-01-05", "open"), ("B", 50.0, "2024-01-06", "won")]
    assert intake.files[0].read == intake.files[0].accepted == 2


def test_nothing_usable_is_an_error_with_the_way_out() -> None:
    with pytest.raises(InputError, match=r"None of 1 file.*Export opportunities"):
        load(notes="a,b\nx,y\n")
    with pytest.raises(InputError, match="no such file"):
        read(["/nowhere/at/all"])


def test_two_companies_are_checked_apart_and_not_read_together(tmp_path: Path) -> None:
    one = put(tmp_path / "one", deals=DEALS)
    two = put(
        tmp_path / "two",
        deals="Record ID,Deal Name,Deal Stage,Amount,Close Date,Create Date\n9,x,Closed Won,5,2024-02-01,2024-01-01\n",
    )
    reports, _ = check([one, two])
    assert {r.file: (r.table, r.accepted) for r in reports} == {
        "one/deals.csv": ("opportunities", 2),
        "two/deals.csv": ("opportunities", 1),
    }
    with pytest.raises(InputError, match=r"two sets of opportunities.*one and .*two"):
        read([one, two])


def test_two_folders_of_one_company_join(tmp_path: Path) -> None:
    one = put(tmp_path / "crm", deals=DEALS.replace("stage", "account_id"))
    two = put(tmp_path / "master", accounts="account_id,industry\nProposal,Banks\n")
    assert rows(read([one, two]), "SELECT DISTINCT segment FROM opportunities") == [("Banks",)]


def test_a_mapping_of_the_person_comes_first() -> None:
    text = "Kennung,Phase,Wieviel,Angelegt\nA,Proposal,5,2024-01-01\n"
    said = {
        "x.csv": {
            "Kennung": "opportunities.opportunity_id",
            "Phase": "opportunities.stage",
            "Wieviel": "opportunities.amount",
            "Angelegt": "opportunities.created_at",
        }
    }
    intake = load(Settings(mapping=said), x=text)
    assert rows(intake, "SELECT opportunity_id, amount FROM opportunities") == [("A", 5.0)]
    assert {m.why for m in intake.files[0].mapping} == {"set by you"}
    with pytest.raises(AssumptionError, match=r"'opportunities\.amonut'.*x\.csv, column 'Wieviel'"):
        load(Settings(mapping={"x.csv": {"Wieviel": "opportunities.amonut"}}), x=text)


def test_an_undecided_date_is_asked_and_the_settings_answer() -> None:
    text = "opportunity_id,status,amount,created_at\nA,open,5,3/4/2024\nB,open,5,5/6/2024\n"
    report = look(deals=text)["deals.csv"]
    assert report.rejected == 2
    assert 'set dates = "day-first"' in report.questions[0]
    assert rows(
        load(Settings(dates="month-first"), deals=text),
        "SELECT CAST(created_at AS VARCHAR) FROM opportunities ORDER BY 1",
    ) == [("2024-03-04",), ("2024-05-06",)]


def test_the_document_of_check() -> None:
    answer = check_answer(
        *check(
            uploads(
                deals=DEALS + "B,Proposal,won,50,2024-01-06,2024-02-03\n,Proposal,open,7,2024-01-06,\n",
                notes="a,b\nx,y\n",
            )
        )
    )
    document = json.loads(json.dumps(answer.document, allow_nan=False))
    deals, notes = document["files"]
    assert [deals[k] for k in ("file", "table", "read", "accepted", "rejected", "merged")] == [
        "deals.csv",
        "opportunities",
        4,
        2,
        1,
        1,
    ]
    assert deals["rejects"] == [{"line": 5, "reason": "opportunity_id is empty"}]
    assert set(deals["mapping"][0]) == {"column", "field", "confidence", "why"}
    assert notes["table"] is None
    assert notes["reason"]
    assert {"defect": "row without an id", "rows": 1, "amount": 7.0} in document["defects"]
    assert answer.sentence.startswith("1 file read, 1 refused: 2 opportunities accepted of 4.")
    assert list(answer.tables["rejects"]["line"]) == [5]


def test_other_tables_alone_are_enough(tmp_path: Path) -> None:
    intake = load(spend="period,department,category,amount\n2024-01-01,marketing,program,5\n")
    assert str(intake.dataset.newest) == "2024-01-01"
    assert any("no opportunities" in note for note in intake.notes)


def test_corrections_can_be_written_down_and_apply_next_time() -> None:
    text = "Kennung,Stufe,Wert,Angelegt am,Close Date\nA,Proposal,5,2024-01-01,2024-02-01\n"
    said = as_mapped(check(uploads(deals=DEALS))[0])
    assert said["deals.csv"]["amount"] == "opportunities.amount"
    mine = {
        "x.csv": {
            "Kennung": "opportunities.opportunity_id",
            "Stufe": "opportunities.stage",
            "Wert": "opportunities.amount",
            "Close Date": "",
        }
    }
    settings = Settings.parse(Settings(mapping=mine).as_toml().encode(), "mine.toml")
    intake = load(settings, x=text)
    assert rows(intake, "SELECT opportunity_id, amount, expected_close FROM opportunities") == [("A", 5.0, None)]
    again = as_mapped(check(uploads(x=text), settings=settings)[0])
    assert {k: again["x.csv"][k] for k in mine["x.csv"]} == mine["x.csv"]


@given(st.dictionaries(st.text(min_size=1), st.dictionaries(st.text(min_size=1), st.text())))
def test_any_name_survives_the_settings_file(mapping: dict[str, dict[str, str]]) -> None:
    assert tomllib.loads(Settings(mapping=mapping).as_toml()).get("mapping", {}) == mapping


def test_rows_without_any_date_are_an_error_that_says_so() -> None:
    with pytest.raises(InputError, match=r"No row has a date.*Export the date"):
        load(deals="opportunity_id,status,amount\nA,open,5\n")


def test_a_german_export_needs_no_mapping() -> None:
    intake = load(
        verkauf="Opportunity-Name;Accountname;Opportunity-Inhaber;Phase;Betrag;Schlusstermin;Erstellt am\nAusbau;Müller GmbH;Ana;Verhandlung;1.234,50;31.03.2024;05.01.2024\nNeubau;Weiß AG;Bo;Geschlossen - gewonnen;99;01.02.2024;02.01.2024\n".encode(
            "cp1252"
        )
    )
    assert rows(
        intake,
        "SELECT account_id, status, amount, owner, coalesce(closed_at_n, expected_close_n) FROM opportunities ORDER BY name",
    ) == [
        ("Müller GmbH", "open", 1234.5, "Ana", 19813),
        ("Weiß AG", "won", 99.0, "Bo", 19754),
    ]
