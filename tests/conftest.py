"""What several test files share: where the data are, and how hypothesis searches."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest
from hypothesis import Phase, settings

# Before numpy is loaded, as the app and the commands have it: workers that each divide small products wait for one
# another.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
# Nothing is ever kept beside what a person keeps on this machine; servers and commands that tests start inherit it.
os.environ["TANDEM_DATA"] = tempfile.mkdtemp(prefix="tandem-test-")
os.environ.pop("TANDEM_FILES", None)

ROOT = Path(__file__).resolve().parent.parent

# Without a deadline a slow machine fails nothing; on the server the same examples are tried every time.
settings.register_profile("here", deadline=None)
settings.register_profile("server", deadline=None, derandomize=True)
settings.register_profile("found", deadline=None, phases=[Phase.generate])
settings.load_profile("server" if os.environ.get("CI") else "here")


@pytest.fixture(scope="session", autouse=True)
def _readings_are_waited_for() -> None:
    """A page that a test drives without a browser is drawn when its files are read, however long that takes."""
    from ui import running

    running.AT_ONCE = 60


@pytest.fixture(scope="session")
def root() -> Path:
    """The checkout."""
    return ROOT


@pytest.fixture(scope="session")
def sample_data(root: Path) -> Path:
    """The small demo company that comes with Tandem."""
    return root / "sample_data"


@pytest.fixture(scope="session")
def shared_data(root: Path) -> Path:
    """Real and realistic exports that lie beside the checkout on some machines; elsewhere the test is skipped."""
    folder = root.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("no ../shared/data beside this checkout")
    return folder
