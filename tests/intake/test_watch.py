"""How far a reading is can be asked from another thread, and it can be stopped from there."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path

import duckdb
import pytest

from kpis.engine import Embedded
from kpis.intake import Step, Stopped, Watch, check, direct, read, reader
from tests.intake.files import uploads

HEAD = "opportunity_id,stage,status,amount,created_at\n"


def deals(rows: int, prefix: str = "A") -> str:
    return HEAD + "".join(f"{prefix}{n},x,open,5,2024-01-05\n" for n in range(rows))


def test_steps_come_in_order_and_end_with_every_row() -> None:
    steps: list[tuple[Step, str]] = []
    watch = Watch(lambda _, text: steps.append((watch.now(), text)))
    read(uploads(one=deals(30), two=deals(20, "B")), progress=watch)
    shares = [step.share for step, _ in steps]
    assert shares == sorted(shares)
    assert shares[-1] == 1.0
    stored = {text: step.rows for step, text in steps}
    # what a part stores counts once it is over
    assert (stored["one.csv"], stored["two.csv"], stored["Putting the tables together"]) == (0, 30, 50)
    assert {step.of for step, _ in steps[2:]} == {50}
    assert watch.now() == Step(1.0, "Done", 50, 50)


def test_time_left_is_what_the_pace_so_far_asks_for() -> None:
    assert Step(0.25, "").seconds_left(10) == 30  # a quarter took 10 s, three are left
    assert Step(0.01, "").seconds_left(10) is None
    assert Step(0.5, "").seconds_left(0.2) is None


def test_a_stopped_reading_ends_at_its_next_step_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engines: list[Embedded] = []
    monkeypatch.setattr(reader, "Embedded", lambda **given: engines.append(Embedded(**given)) or engines[-1])
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    watch = Watch(lambda _, text: watch.stop() if text == "Putting the tables together" else None)
    with pytest.raises(Stopped, match="stopped"):
        read(uploads(one=deals(30)), progress=watch)
    with pytest.raises(Stopped):
        check(uploads(one=deals(30)), progress=watch)
    assert watch.is_stopped
    assert engines
    for engine in engines:
        with pytest.raises(duckdb.ConnectionException):
            engine.execute("SELECT 1")
    assert not list(tmp_path.iterdir())


def test_a_statement_that_runs_is_interrupted() -> None:
    """The statement alone would take minutes; the one who asked waits a moment only."""
    watch, begun = Watch(), threading.Event()

    def endless(engine: object, *_: object) -> None:
        begun.set()
        engine.execute("SELECT count(*) FROM range(1000000000) a, range(1000) b WHERE a.range * b.range % 7 = 3")

    with pytest.MonkeyPatch.context() as patch, ThreadPoolExecutor(1) as pool:
        patch.setattr(reader.assemble, "assemble", endless)
        reading = pool.submit(read, uploads(one=deals(3)), progress=watch)
        assert begun.wait(30)
        watch.stop()
        for _ in range(300):
            if wait([reading], timeout=0.1).done:
                break
            watch.now()
        with pytest.raises(Stopped):
            reading.result(timeout=0)


def test_reading_long_text_is_stopped_between_its_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    """The footer makes it irregular, so it goes through Python, ten thousand lines at a time."""
    asked: list[int] = []
    watch = Watch()
    monkeypatch.setattr(watch, "check", lambda: asked.append(1) or (watch.stop() if len(asked) == 4 else None))
    read(uploads(one="Title\n" + deals(45_000)), progress=watch)
    assert len(asked) > 5


def test_the_same_watch_goes_on_when_everything_is_read_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(direct, "LARGE", 0)
    seen: list[tuple[float, float]] = []
    watch = Watch(lambda share, _: seen.append((watch.now().share, share)))
    text = deals(3000).replace("A1500,x", 'A1500,"x\ny"')
    [report] = read(uploads(one=text), progress=watch).files
    assert report.accepted == 3000
    assert [shown for shown, _ in seen] == sorted(shown for shown, _ in seen)


def test_standard_output_stays_the_commands(root: Path) -> None:
    """The engine would draw a bar of its own there as soon as a statement takes longer than it thinks usual."""
    script = (
        "import sys; from kpis.engine import Embedded; from kpis.intake import Watch\n"
        "engine = Embedded(); Watch().follow(engine); engine.execute('SET progress_bar_time = 1')\n"
        "engine.execute('SELECT sum(hash(range)::HUGEINT) FROM range(100000000)').fetchall()"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, cwd=root, check=True)
    assert done.stdout == b""
