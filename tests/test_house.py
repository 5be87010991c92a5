"""The rules of the house that no other test would notice: layout, commands, versions, imports, engine rules."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from importlinter.cli import lint_imports
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import kpis
from tests.engine_rules import violations

ROOT = Path(__file__).resolve().parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
RANGES = [Requirement(line) for line in PROJECT["project"]["dependencies"]]
TEST_RANGES = [Requirement(line) for line in PROJECT["dependency-groups"]["test"]]
EXTRAS = [Requirement(line) for lines in PROJECT["project"].get("optional-dependencies", {}).values() for line in lines]
THEME = tomllib.loads((ROOT / ".streamlit" / "config.toml").read_text("utf-8"))["theme"]


def pins(name: str) -> dict[str, str]:
    """Exact version of every package in a requirements file."""
    lines = (ROOT / name).read_text("utf-8").splitlines()
    found = [Requirement(line) for line in lines if line.strip() and not line.lstrip().startswith("#")]
    assert all(re.fullmatch(r"==[^,*]+", str(r.specifier)) for r in found), f"{name} holds more than exact versions"
    assert len({r.name for r in found}) == len(found), f"{name}: a package has several versions"
    return {canonicalize_name(r.name): str(r.specifier).removeprefix("==") for r in found}


# Layout


def test_every_page_lies_in_a_section_folder():
    # A deep link to a flat pages/x.py runs without app.py on a fresh server, and so without its sign-in.
    scripts = [path.relative_to(ROOT / "pages") for path in (ROOT / "pages").rglob("*.py")]
    assert [str(path) for path in scripts if len(path.parts) != 2] == []


def test_the_version_is_one():
    assert PROJECT["project"]["version"] == kpis.__version__


# Commands


def test_every_make_target_has_its_line_of_help():
    makefile = (ROOT / "Makefile").read_text("utf-8")
    targets = re.findall(r"^([a-z][\w-]*):(?!=)", makefile, re.MULTILINE)
    assert {"app", "test", "lint", "lock", "help"} <= set(targets)
    shown = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert re.findall(r"^  ([\w-]+) +\S", shown, re.MULTILINE) == targets


# Versions


@pytest.mark.parametrize(
    ("file", "ranges"), [("requirements.txt", RANGES), ("requirements-test.txt", RANGES + TEST_RANGES)]
)
def test_exact_versions_lie_in_the_ranges(file, ranges):
    exact = pins(file)
    outside = [str(r) for r in ranges if not r.specifier.contains(exact.get(canonicalize_name(r.name), "0.0"))]
    assert outside == [], "make lock refreshes the exact versions"


def test_tests_run_on_the_versions_that_are_served():
    assert pins("requirements.txt").items() <= pins("requirements-test.txt").items()


def test_what_is_imported_is_declared():
    declared = {canonicalize_name(r.name) for r in RANGES + EXTRAS}
    distributions = packages_distributions()
    for path in [ROOT / "app.py", *(p for folder in ("kpis", "ui", "pages") for p in (ROOT / folder).rglob("*.py"))]:
        if not path.exists():
            continue
        for name in imported(path) - sys.stdlib_module_names - {"kpis", "ui"}:
            owners = {canonicalize_name(owner) for owner in distributions.get(name, [name])}
            assert owners & declared, f"{path.relative_to(ROOT)} imports {name}, which pyproject.toml does not declare"


def imported(path: Path) -> set[str]:
    """Top-level names of the modules that a file imports."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.partition(".")[0])
    return found


# Imports


def test_no_import_runs_upwards_and_kpis_knows_no_streamlit(capsys):
    failed = lint_imports(config_filename=str(ROOT / "pyproject.toml"), no_cache=True)
    assert not failed, capsys.readouterr().out


# Engine rules 1, 3 and 4 of the architecture


def test_kpis_keeps_the_engine_rules():
    found = []
    for path in sorted((ROOT / "kpis").rglob("*.py")):
        found += [f"{path.relative_to(ROOT)}:{what}" for what in violations(path.read_text("utf-8"))]
    assert found == []


@pytest.mark.parametrize(
    "source",
    [
        "import narwhals as nw",
        "import narwhals.stable.v1 as nw",
        "from narwhals import col",
        "from narwhals.stable.v1 import col",
        "from narwhals.stable import v1 as nw",
        "frame.group_by('a').agg(nw.col('x').mean())",
        "frame.group_by('a').agg((nw.col('x') * 2).sum())",
        "frame.group_by('a').agg(nw.col('x').cast(nw.Float64).sum())",
        "frame.group_by('a').agg(nw.col('x').sum() / nw.len())",
        "frame.group_by('a').agg(n=nw.col('x').n_unique())",
        "frame.group_by('a').agg(*[nw.col(c).median() for c in columns])",
        "frame.group_by('a').agg(**{c: nw.col(c).std() for c in columns})",
        "def f(frame):\n    total = nw.col('x').mean()\n    return frame.group_by('a').agg(total)",
        "def f(frame, totals):\n    return frame.group_by('a').agg(*totals)",
        "def f(frame):\n    t = [nw.len()]\n    t.append(nw.col('x').mean())\n    return frame.group_by('a').agg(*t)",
        "frame.filter(nw.col('x').sum().over('a') > 1)",
        "def f(frame):\n    first = nw.col('x').min().over('a')\n    return frame.filter(nw.col('x') == first)",
    ],
)
def test_a_broken_engine_rule_is_found(source):
    assert len(violations(source)) == 1


@pytest.mark.parametrize(
    "source",
    [
        "import narwhals.stable.v2 as nw",
        "from narwhals.stable.v2 import col",
        "from narwhals.stable import v2 as nw",
        "frame.group_by('a').agg(nw.len(), nw.len().alias('n'), nw.col('x').sum(), m=nw.col('x').max())",
        "frame.group_by('a').agg(nw.col('x', 'y').min(), *[nw.col(c).count().alias(c) for c in columns])",
        "def f(frame):\n    t = [nw.len()]\n    t += [nw.col('x').sum()]\n    return frame.group_by('a').agg(*t)",
        "table.groupby('a').agg(m=('x', 'median'))",
        "frame.with_columns(t=nw.col('x').sum().over('a')).filter(nw.col('t') > 1)",
    ],
)
def test_a_kept_engine_rule_is_not_reported(source):
    assert violations(source) == []


# Colours


def contrast(one: str, other: str) -> float:
    """Contrast ratio of two colours (WCAG 2.2), from 1 to 21."""

    def luminance(colour: str) -> float:
        channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def test_contrast_of_known_pairs():
    assert contrast("#000000", "#FFFFFF") == pytest.approx(21)
    assert contrast("#777777", "#FFFFFF") == pytest.approx(4.48, abs=0.005)  # the grey that just fails 4.5


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_the_palettes_can_be_read(mode):
    palette = THEME[mode]
    texts = {
        name: colour
        for name, colour in palette.items()
        if name.endswith(("textColor", "TextColor", "linkColor", "primaryColor"))
    }
    for surface in ("backgroundColor", "secondaryBackgroundColor"):
        low = {name: colour for name, colour in texts.items() if contrast(colour, palette[surface]) < 4.5}
        assert low == {}, surface
    marks = [palette["primaryColor"], *palette["chartCategoricalColors"]]
    assert [colour for colour in marks if contrast(colour, palette["backgroundColor"]) < 3] == []
    won, still_open, not_yet_created = palette["chartCategoricalColors"][:3]
    # Neighbours in a stacked bar differ in lightness too, for whoever sees no difference in hue.
    assert contrast(won, still_open) > 1.5
    assert contrast(still_open, not_yet_created) > 1.5


def test_no_white_text_stands_on_the_accent():
    # Streamlit writes white on the primary colour here, and no colour carries both that and text on a dark page.
    # Pills with selection_mode="multi" stand in for multiselect, plain buttons for primary ones.
    for path in [ROOT / "app.py", *(ROOT / "pages").rglob("*.py"), *(ROOT / "ui").rglob("*.py")]:
        tree = ast.parse(path.read_text("utf-8")) if path.exists() else ast.Module()
        for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
            options = {keyword.arg: getattr(keyword.value, "value", None) for keyword in call.keywords}
            assert options.get("type") != "primary", f"{path.relative_to(ROOT)}:{call.lineno}"
            assert getattr(call.func, "attr", "") != "multiselect", f"{path.relative_to(ROOT)}:{call.lineno}"
