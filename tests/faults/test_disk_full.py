"""A disk is full: the person is told so, nothing is half there, and the session has what it had."""

from __future__ import annotations

import subprocess
import sys
import tempfile

import pytest

from kpis.assumptions import Assumptions
from kpis.errors import StoreError
from kpis.report import formats
from kpis.store import LOCAL, Store, place, scenarios, snapshots
from kpis.store.workspace import find_or_make
from tests.faults.conftest import fill
from tests.store import made
from tests.test_data_pages import LOAD, sentence, start, upload
from ui.upload import TEMPLATE


def test_a_snapshot_that_does_not_fit_is_not_there_and_fits_later(small_disk):
    there = find_or_make(Store.open(place(str(small_disk))), "Plan", LOCAL)
    ballast = fill(small_disk, leave=8192)
    with pytest.raises(StoreError, match=r"No space left on device.*disk has room"):
        snapshots.keep(there, made.about(), made.files(99_999_999))
    ballast.unlink()
    assert snapshots.listed(there) == []
    assert list((small_disk / "snapshots").iterdir()) == []
    kept = snapshots.keep(there, made.about(), made.files())
    with snapshots.opened(there, kept.id) as folder:
        assert made.is_whole(folder, 1)


def test_a_scenario_that_does_not_fit_leaves_those_of_before(small_disk):
    there = find_or_make(Store.open(place(str(small_disk))), "Plan", LOCAL)
    scenarios.save(there, "first", Assumptions(sales_cycle=1.1))
    ballast = fill(small_disk)

    def save_many():
        for number in range(1000):
            scenarios.save(there, f"scenario {number}", Assumptions(sales_cycle=1.2))

    with pytest.raises(StoreError, match="full"):
        save_many()
    ballast.unlink()
    before = scenarios.listed(there)
    assert scenarios.read(scenarios.named(there, "first")).sales_cycle == 1.1
    scenarios.save(there, "after", Assumptions(sales_cycle=1.3))
    assert len(scenarios.listed(there)) == len(before) + 1


def large(pack):
    """A form of the pack that fits on no small disk."""
    return b"x" * 2_000_000


def test_a_pack_that_does_not_fit_leaves_the_one_of_before_and_no_part_of_itself(small_disk, monkeypatch):
    (small_disk / "pack.json").write_text("last week's")
    monkeypatch.setitem(formats.FORMATS, ".json", formats.Format("", "", "", (__name__, "large")))
    with pytest.raises(OSError, match="No space left on device"):
        formats.write(None, small_disk / "pack.json")
    assert [path.name for path in small_disk.iterdir()] == ["pack.json"]
    assert (small_disk / "pack.json").read_text() == "last week's"


def test_a_command_says_that_the_disk_is_full_in_a_sentence_a_line_and_an_exit_code(small_disk, root):
    fill(small_disk)
    done = subprocess.run(
        [sys.executable, "-m", "kpis", "sample", small_disk / "company", "--opportunities", "50"],
        cwd=root, capture_output=True, text=True, check=False,
    )  # fmt: skip
    said, line = done.stderr.splitlines()
    assert (done.returncode, said) == (3, "A disk of the server is full. Make room there, then try again")
    assert line.startswith('failure command=sample what="A disk of the server is full" do="Make room there')
    assert "ENOSPC" in line


def test_no_room_to_unpack_an_upload_leaves_the_data_of_before(small_disk, root, monkeypatch):
    app = start(root, LOAD, ("mine.csv", TEMPLATE))
    before = sentence(app)
    assert "mine" in before
    monkeypatch.setattr(tempfile, "tempdir", str(small_disk))
    fill(small_disk)
    upload(app, ("large.csv", TEMPLATE * 10_000))
    said = [error.value for error in app.error]
    assert said == ["A disk of the server is full. Make room there, then try again."]
    app.switch_page(LOAD).run()
    assert sentence(app) == before
