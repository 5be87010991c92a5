"""A kept dataset: what comes back is what was kept, to the last digit and the last rejected row."""

from __future__ import annotations

import dataclasses
import json

import pytest

from kpis.answers.outlook import document, outlook
from kpis.errors import InputError
from kpis.forecast.backtest import record
from kpis.forecast.model import fit
from kpis.intake import archive, read
from kpis.settings import Settings
from kpis.store.scope import ALL
from tests.intake.files import rows

DEALS = (
    "opportunity_id,status,amount,created_at,closed_at,owner\n"
    "A,open,5.5,2024-01-05,,Ana\nB,won,1234,2024-01-05,2024-02-01,Bo\nB,won,1234,2024-01-05,2024-02-01,Bo\n"
    "C,won,10,never,2024-02-01,提案\n"
)


def there_and_back(intake, files, folder):
    folder.mkdir()
    archive.write(intake, files, folder)
    return archive.read(folder, ALL)


def without_engine(dataset):
    return {f.name: getattr(dataset, f.name) for f in dataclasses.fields(dataset) if f.name != "engine"}


def forecast(dataset):
    model = fit(dataset)
    return document(outlook(dataset, model, None, record(dataset, model)))


def test_the_demo_company_comes_back_whole(sample_data, tmp_path):
    paths = sorted(sample_data.glob("*.csv"))
    before = read(paths)
    after, files = there_and_back(before, paths, tmp_path / "kept")
    assert without_engine(after.dataset) == without_engine(before.dataset)
    assert (after.files, after.defects, after.notes) == (before.files, before.defects, before.notes)
    assert [file.samples for file in after.files] == [file.samples for file in before.files]
    assert files == [(path.name, path.read_bytes()) for path in paths]
    for table in before.dataset.present:
        told = [intake.dataset.engine.execute(f'DESCRIBE "{table}"').fetchall() for intake in (before, after)]
        assert told[0] == told[1]
        assert rows(after, f'SELECT * FROM "{table}"') == rows(before, f'SELECT * FROM "{table}"')
    assert forecast(after.dataset) == forecast(before.dataset)


def test_rejected_and_merged_rows_settings_and_files_come_back(tmp_path):
    settings = Settings(currency="EUR", targets={"2024Q1": 5.0})
    uploads = [("../deals.csv", DEALS.encode()), ("deals.csv", DEALS.replace("A", "Z").encode())]
    before = read(uploads[1:], settings=settings)
    after, files = there_and_back(before, uploads, tmp_path / "kept")
    assert after.files == before.files
    assert [(f.read, f.accepted, f.rejected, f.merged) for f in after.files] == [(4, 2, 1, 1)]
    assert after.files[0].rejects[0].line == 5
    assert after.dataset.settings == settings
    # A name cannot leave the folder, and two files of one name are two.
    assert files == [("deals.csv", DEALS.encode()), ("deals.csv", DEALS.replace("A", "Z").encode())]
    assert rows(after, "SELECT opportunity_id, owner FROM opportunities ORDER BY 1")[-1][0] == "Z"


def test_what_is_kept_is_read_by_no_rule_again(tmp_path):
    # The numbers of a kept dataset stay what they were, whatever a later intake would make of the same bytes.
    before = read([("deals.csv", DEALS.encode())])
    folder = tmp_path / "kept"
    there_and_back(before, [("deals.csv", b"other bytes")], folder)
    after, _ = archive.read(folder, ALL)
    assert after.dataset.fingerprint == before.dataset.fingerprint
    assert rows(after, "SELECT sum(amount) FROM opportunities") == rows(before, "SELECT sum(amount) FROM opportunities")


def test_a_snapshot_of_an_earlier_dictionary_is_read(tmp_path):
    before = read([("deals.csv", DEALS.encode())])
    archive.write(before, [], tmp_path)
    account = json.loads((tmp_path / archive.ACCOUNT).read_text("utf-8"))
    account["tables"]["opportunities"].append("colour")
    account["tables"]["feelings"] = ["mood"]
    (tmp_path / archive.ACCOUNT).write_text(json.dumps(account))
    after, _ = archive.read(tmp_path, ALL)
    assert rows(after, "SELECT * FROM opportunities") == rows(before, "SELECT * FROM opportunities")


def test_a_folder_that_holds_no_snapshot(tmp_path):
    with pytest.raises(InputError, match="cannot be read"):
        archive.read(tmp_path, ALL)
    archive.write(read([("deals.csv", DEALS.encode())]), [], tmp_path)
    whole = (tmp_path / "opportunities.parquet").read_bytes()
    (tmp_path / "opportunities.parquet").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match="cannot be read"):
        archive.read(tmp_path, ALL)
    account = json.loads((tmp_path / archive.ACCOUNT).read_text("utf-8"))
    (tmp_path / archive.ACCOUNT).write_text(json.dumps({**account, "version": 99}))
    with pytest.raises(InputError, match="newer Tandem"):
        archive.read(tmp_path, ALL)
