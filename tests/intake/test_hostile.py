"""Files made to hurt: each ends in a clear message or a correct load, inside bounds of memory and time."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from kpis.intake import check, limits
from tests.intake.files import load, rows

HEAD = b"opportunity_id,stage,status,amount,created_at\n"
GOOD = HEAD + b"A,x,open,1,2024-01-01\n"
NS = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'


def archive(*members: tuple[str, bytes | str]) -> bytes:
    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as file:
        for name, data in members:
            file.writestr(name, data)
    return buffer.getvalue()


def workbook(sheet: str) -> bytes:
    """The least that is an XLSX, around the XML of one sheet."""
    package, office = (
        "http://schemas.openxmlformats.org/package/2006",
        "http://schemas.openxmlformats.org/officeDocument/2006/relationships",
    )
    main = "application/vnd.openxmlformats-officedocument.spreadsheetml"
    return archive(
        (
            "[Content_Types].xml",
            (
                f'<Types xmlns="{package}/content-types"><Default Extension="xml" ContentType="application/xml"/>'
                f'<Override PartName="/xl/workbook.xml" ContentType="{main}.sheet.main+xml"/></Types>'
            ),
        ),
        (
            "_rels/.rels",
            f'<Relationships xmlns="{package}/relationships"><Relationship Id="r1" Type="{office}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
        ),
        (
            "xl/workbook.xml",
            f'<workbook {NS} xmlns:r="{office}"><sheets><sheet name="S" sheetId="1" r:id="r1"/></sheets></workbook>',
        ),
        (
            "xl/_rels/workbook.xml.rels",
            f'<Relationships xmlns="{package}/relationships"><Relationship Id="r1" Type="{office}/worksheet" Target="worksheets/sheet1.xml"/></Relationships>',
        ),
        ("xl/worksheets/sheet1.xml", sheet),
    )


def cells(*values: str) -> str:
    return "".join(f'<c r="{chr(65 + n)}ROW" t="inlineStr"><is><t>{v}</t></is></c>' for n, v in enumerate(values))


def sheet(*lines: tuple[str, ...]) -> str:
    return (
        f"<worksheet {NS}><sheetData>"
        + "".join(f'<row r="{n}">{cells(*line).replace("ROW", str(n))}</row>' for n, line in enumerate(lines, 1))
        + "</sheetData></worksheet>"
    )


def billion_laughs() -> bytes:
    entities = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
    return workbook(f'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY l0 "lol">{entities}]>' + sheet(("&l9;", "stage")))


def parquet_bomb() -> bytes:
    """A gigabyte of zeros in a few kilobytes."""
    buffer = BytesIO()
    column = pa.array(["0" * (1 << 20)])
    with pq.ParquetWriter(
        buffer, pa.schema([("a", pa.string()), ("b", pa.string())]), compression="zstd", use_dictionary=False
    ) as writer:
        for _ in range(2100):
            writer.write_table(pa.table({"a": column, "b": ["x"]}))
    return buffer.getvalue()


def rows_bomb() -> bytes:
    """Sixty million equal rows in half a megabyte."""
    same = pa.DictionaryArray.from_arrays(pa.array([0] * 1_000_000, pa.int8()), pa.array(["won"]))
    rows = pa.table({"opportunity_id": same, "status": same, "created_at": same})
    buffer = BytesIO()
    with pq.ParquetWriter(buffer, rows.schema, compression="zstd") as writer:
        for _ in range(60):
            writer.write_table(rows)
    return buffer.getvalue()


FAR = f'<worksheet {NS}><sheetData><row r="1"><c r="A1"><v>1</v></c></row><row r="1048576"><c r="XFD1048576"><v>1</v></c></row></sheetData></worksheet>'

REFUSED: dict[str, tuple[Callable[[], bytes], str]] = {
    "zip bomb.zip": (lambda: archive(("a.csv", b"0" * (1 << 28))), "would unpack to"),
    "row bomb.xlsx": (
        lambda: workbook(
            f"<worksheet {NS}><sheetData>" + "<row><c><v>1</v></c></row>" * 4_000_000 + "</sheetData></worksheet>"
        ),
        "would unpack to",
    ),
    "billion laughs.xlsx": (billion_laughs, "unrecognized entity"),
    "far corner.xlsx": (lambda: workbook(FAR), "cannot be read"),
    "parquet bomb.parquet": (parquet_bomb, "would unpack to"),
    "rows bomb.parquet": (rows_bomb, "would unpack to"),
    "archive in archive.zip": (lambda: archive(("b.zip", archive(("a.csv", GOOD)))), "archive inside an archive"),
    "one long line.csv": (lambda: b"a" * (32 << 20), "first line is longer"),
    "a long line.csv": (
        lambda: HEAD + b"A,x,open,1,2024-01-01\nB," + b"y" * (limits.LINE + 1),
        "a line is longer than",
    ),
    "100,000 columns.csv": (lambda: b",".join(b"c%d" % n for n in range(100_000)) + b"\n", "first line is longer"),
    "100,000 columns without a name.csv": (lambda: b"," * 100_000 + b"\n" + b"1," * 100_000, "100,000 columns"),
    "5,000 columns.csv": (
        lambda: b",".join(b"c%d" % n for n in range(5_000)) + b"\n" + b",".join([b"1"] * 5_000),
        "5,000 columns",
    ),
    "binary.csv": (lambda: bytes(range(256)) * 200, "binary data"),
    "zeros.csv": (lambda: bytes(100_000), "binary data"),
    "half.xlsx": (lambda: workbook(sheet(("a", "b")))[:300], "cannot be read"),
    "half.parquet": (lambda: b"PAR1" + bytes(1000) + b"PAR1", "cannot be read"),
    "document.csv": (lambda: b"%PDF-1.4 and so on", "PDF document"),
    "page.xls": (lambda: b"<html><table><tr><td>a</td></tr></table></html>", "web page"),
    "truth": (lambda: b'{"a": [1,\n 2]}', "JSON document"),
    "empty.csv": (lambda: b"", "empty"),
    "mark only.csv": (lambda: b"\xef\xbb\xbf", "empty"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused_with_a_clear_message(name: str) -> None:
    make, message = REFUSED[name]
    reports, _ = check([(name, make()), ("good.csv", GOOD)])
    bad, good = reports
    assert message in bad.reason
    assert bad.table is None
    assert "tandem-" not in bad.reason  # no path of ours
    assert good.accepted == 1  # the others are untouched


LOADED: dict[str, bytes] = {
    "nul.csv": HEAD + b"A,x\x00y,open,1,2024-01-01\n",
    "../../../etc/passwd.csv": GOOD,
    "a'; DROP TABLE opportunities;--[*?].csv": GOOD,
    "old mac.csv": GOOD.replace(b"\n", b"\r"),
    "utf16 without mark.csv": GOOD.decode().encode("utf-16-le"),
    "formula.csv": HEAD + b"A,=cmd|' /C calc'!A0,open,1,2024-01-01\n",
    "headers.csv": b'opportunity_id,"st""a\'ge; DROP",stage,status,amount,created_at\nA,1,x,open,1,2024-01-01\n',
    "huge cell.csv": HEAD + b"A," + b"x" * 500_000 + b",open,1,2024-01-01\n",
    "paths.zip": archive(("../../evil.csv", GOOD), ("__MACOSX/._evil.csv", b"x")),
    "workbook.xlsx": workbook(
        sheet(
            ("opportunity_id", "stage", "status", "amount", "created_at"), ("A", "=cmd|calc", "open", "1", "2024-01-01")
        )
    ),
}


@pytest.mark.parametrize("name", LOADED)
def test_loaded_as_it_should_be(name: str) -> None:
    reports, _ = check([(name, LOADED[name])])
    assert [(r.read, r.accepted, r.reason) for r in reports] == [(1, 1, "")]
    assert ".." not in reports[0].file


def test_a_quote_that_is_never_closed_takes_no_other_row_with_it() -> None:
    text = HEAD + b'A,"x,open,1,2024-01-01\n' + b"".join(b"B%d,x,open,1,2024-01-01\n" % n for n in range(500))
    intake = load(deals=text)
    assert rows(intake, "SELECT count(*) FROM opportunities") == [(501,)]
    assert any("quote in line 2 is never closed" in w for w in intake.files[0].warnings)


MEASURE = """
import json, resource, sys, time
from pathlib import Path
from kpis.intake import check
def peak(): return next(int(line.split()[1]) / 1024 for line in open("/proc/self/status") if line.startswith("VmHWM"))
found = {}
for path in sorted(Path(sys.argv[1]).iterdir()):
    began = time.perf_counter()
    [report], _ = check([path])
    found[path.name] = [report.reason, report.accepted, time.perf_counter() - began, peak()]
print(json.dumps([found, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024]))
"""


def measured(folder: Path, root: Path) -> tuple[dict[str, tuple[str, int, float, float]], float]:
    """Of every file reason, accepted rows, seconds and megabytes so far, in a process of its own; its workers' megabytes."""
    done = subprocess.run(
        [sys.executable, "-c", MEASURE, str(folder)],
        capture_output=True, text=True, cwd=root, env={**os.environ, "PYTHONPATH": str(root)}, timeout=300, check=True,
    )  # fmt: skip
    return json.loads(done.stdout)


def test_the_whole_set_stays_inside_memory_and_time(tmp_path: Path, root: Path) -> None:
    """Less than a gigabyte for all of them one after the other, and no file holds the others up."""
    for name, (make, _) in REFUSED.items():
        (tmp_path / name).write_bytes(make())
    found, workers = measured(tmp_path, root)
    assert {name for name, (reason, *_) in found.items() if reason} == set(REFUSED)
    assert max(megabytes for *_, megabytes in found.values()) < 1000
    assert max(seconds for _, _, seconds, _ in found.values()) < 30
    assert workers < limits.WORKER_BYTES / 2**20


def test_a_gigabyte_in_one_line_and_a_million_rows(tmp_path: Path, root: Path) -> None:
    with (tmp_path / "line.csv").open("wb") as file:
        file.write(GOOD + b"B,")
        for _ in range(1024):
            file.write(b"y" * (1 << 20))
    with (tmp_path / "rows.csv").open("wb") as file:
        file.write(HEAD)
        file.writelines(b"A%d,x,open,1,2024-01-01\n" % n for n in range(10**6))
    found, _ = measured(tmp_path, root)
    line, rows = found["line.csv"], found["rows.csv"]
    assert "a line is longer than" in line[0]
    assert rows[:2] == ["", 10**6]
    assert max(line[3], rows[3]) < 1000
    assert max(line[2], rows[2]) < 60
