"""Large regular files and Parquet are read where they lie: that changes nothing but the time it takes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from io import BytesIO
from typing import Any

import pyarrow as pa
import pyarrow.csv as pc
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kpis.engine import Embedded
from kpis.errors import TandemError
from kpis.intake import direct, read, reader
from kpis.intake.casts import cast
from kpis.intake.raw import RawTable, quote, trimmed
from kpis.intake.sources import Source, Upload
from kpis.intake.words import BLANKS, NULLS
from kpis.schema import Column
from tests.intake.files import rows, uploads
from tests.intake.test_any_input import SLOW, tables

NEVER = 1 << 60
HEAD = "opportunity_id,stage,status,amount,probability,created_at,closed_at,modified_at,note\n"
PLAIN = HEAD + "".join(
    f"A{n},Proposal,{'open' if n % 3 else 'won'},{n}.5,{n % 100 / 100},2024-01-{n % 28 + 1:02},{'' if n % 3 else '2024-02-10'},"
    f"2024-03-01,x\n"
    for n in range(400)
)
DIRT = {
    "plain": PLAIN,
    "a day that does not exist": PLAIN.replace("A300,Proposal,won,300.5,0.0,2024-01-21", "A300,Proposal,won,300.5,0.0,2024-02-30"),
    "amounts another way": PLAIN.replace(",7.5,", ',"$1,007.50",').replace(",8.5,", ",n/a,"),
    "one share of a hundred": PLAIN.replace(",0.07,", ",45,"),
    "one time of day": PLAIN.replace("2024-03-01,x\nA9,", "2024-03-01 10:30:00,x\nA9,"),
    "blanks and words for nothing": PLAIN.replace("A11,Proposal", " A11 ,proposal ").replace("A12,", "n/a,"),
    "a total": PLAIN + "Total,,,80000,,,,,\n",
    "duplicates": PLAIN + PLAIN.splitlines()[9] + "\n" + PLAIN.splitlines()[10].replace("open", "lost") + "\n",
    "a line break in a cell": PLAIN.replace("2024-03-01,x\nA200", '2024-03-01,"x\ny"\nA200'),
    "a row too long": PLAIN.replace("2024-03-01,x\nA200", "2024-03-01,x,y\nA200"),
    "a quote that is never closed": PLAIN.replace("2024-03-01,x\nA200", '2024-03-01,"x\nA200'),
    "an empty line": PLAIN.replace("2024-03-01,x\nA200", "2024-03-01,x\n\nA200"),
    "another encoding": PLAIN.replace("2024-03-01,x\nA200", "2024-03-01,é\nA200"),
    "a footer": PLAIN + "\nConfidential\n",
    "no rows": HEAD,
}  # fmt: skip


def outcome(files: Sequence[Upload], large: int, patch: pytest.MonkeyPatch) -> Any:
    """Everything that a reading gives, when files of at least ``large`` bytes stay where they lie."""
    patch.setattr(direct, "LARGE", large)
    try:
        intake = read(files)
    except TandemError as error:
        return str(error)
    stored = {name: sorted(rows(intake, f'FROM "{name}"'), key=repr) for name in intake.dataset.engine.tables()}
    # how sure a mapping is follows from the rows that were sampled
    files = [replace(f, mapping=tuple((m.column, m.field) for m in f.mapping)) for f in intake.files]
    return stored, replace(intake.dataset, engine=None), files, intake.defects, intake.notes


@pytest.mark.parametrize("dirt", DIRT)
def test_files_with_and_without_dirt_are_read_alike(dirt: str, monkeypatch: pytest.MonkeyPatch) -> None:
    text = DIRT[dirt].encode("cp1252" if dirt == "another encoding" else "utf-8")
    assert outcome([("deals.csv", text)], 0, monkeypatch) == outcome([("deals.csv", text)], NEVER, monkeypatch)


@SLOW
@given(files=st.lists(tables(), min_size=1, max_size=2, unique_by=lambda f: f[0]))
def test_files_of_any_content_are_read_alike(files: list[Upload]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        assert outcome(files, 0, patch) == outcome(files, NEVER, patch)


def trusts(patch: pytest.MonkeyPatch) -> list[bool]:
    """Whether each file was taken at its word, in the order in which they are loaded."""
    asked: list[bool] = []
    load = reader.load
    patch.setattr(reader, "load", lambda *args, trusting: asked.append(trusting) or load(*args, trusting=trusting))
    return asked


def test_what_a_broken_promise_costs_is_one_more_reading(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two files look regular from outside and are not: the first attempt ends at the first of them, the second reads both."""
    monkeypatch.setattr(direct, "LARGE", 0)
    asked = trusts(monkeypatch)
    text = DIRT["a line break in a cell"] + "".join(f"B{n},x,open,1,,2024-01-01,,,y\n" for n in range(3000))
    intake = read(uploads(one=text, two=text.replace("\nA", "\nC").replace("\nB", "\nD")))
    assert asked == [True, True, False, False]
    assert [(f.read, f.accepted) for f in intake.files] == [(3400, 3400), (3400, 3400)]


def test_rejected_rows_of_a_large_file_keep_their_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(direct, "LARGE", 0)
    lines = PLAIN.splitlines()
    for line in (5, 250, 401):  # line 1 is the header
        lines[line - 1] = lines[line - 1].replace("2024-01-", "2024-13-")
    intake = read([("a.csv", PLAIN.replace("\nA", "\nB").encode()), ("b.csv", "\n".join(lines).encode())])
    assert [r.line for r in intake.files[1].rejects] == [5, 250, 401]
    assert intake.files[1].rejects[0].reason == "created_at: '2024-13-04' is no date"


def test_parquet_keeps_its_types_and_gives_what_its_texts_would(monkeypatch: pytest.MonkeyPatch) -> None:
    typed = pc.read_csv(BytesIO(PLAIN.encode()))
    assert {str(field.type) for field in typed.schema} == {"string", "double", "date32[day]"}
    more = {
        "expected_close": pa.array([None if n % 5 else n * 10**6 for n in range(400)], pa.timestamp("us")),
        "push_count": pa.array([n % 4 for n in range(400)], pa.int16()),
        "is_won": pa.array([n % 3 == 0 for n in range(400)]),
        "owner": pa.array([f" Owner {n % 3}\u00a0" for n in range(400)]),
    }
    for name, values in more.items():
        typed = typed.append_column(name, values)
    file = BytesIO()
    pq.write_table(typed, file, row_group_size=150)
    seen = outcome([("deals.parquet", file.getvalue())], 0, monkeypatch)
    assert seen == outcome([("deals.parquet", file.getvalue())], NEVER, monkeypatch)
    deals = seen[0]["opportunities"]
    assert len(deals) == 400
    assert any("Owner 1" in row for row in deals)


def test_a_parquet_file_that_breaks_half_way_is_refused_and_the_others_are_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The last page of a column is noise: the sample does not show it, storing the rows does."""
    monkeypatch.setattr(direct, "LARGE", 0)
    file = BytesIO()
    typed = pc.read_csv(BytesIO((HEAD + PLAIN.removeprefix(HEAD) * 20).encode()))
    pq.write_table(typed, file, compression="zstd", data_page_size=256, write_batch_size=64, use_dictionary=False)
    column = pq.ParquetFile(file).metadata.row_group(0).column(0)
    end = column.data_page_offset + column.total_compressed_size
    broken = bytearray(file.getvalue())
    broken[end - 40 : end] = bytes(40)
    asked = trusts(monkeypatch)
    intake = read([("broken.parquet", bytes(broken)), *uploads(deals=PLAIN)])
    assert asked == [True, True, False, False]
    assert "the Parquet file cannot be read" in intake.files[0].reason
    assert intake.files[1].accepted == 400


CELLS = st.one_of(
    st.sampled_from(sorted(NULLS - {""})).map(str.upper), st.sampled_from(sorted(NULLS - {""})), st.text(min_size=1, max_size=6),
    st.text(alphabet=BLANKS + "ab;", min_size=1, max_size=6),
    st.sampled_from(["zcrm_5", "a; b", "000000000000000", "000000000000001", "00000000-0000-0000-0000-000000000000"]),
)  # fmt: skip


@given(st.lists(CELLS.filter(lambda text: "\x00" not in text), min_size=1, max_size=20))
def test_looking_before_trimming_gives_what_trimming_gives(cells: list[str]) -> None:
    engine = Embedded(threads=1)
    engine.register("t", pa.table({"c": cells}))
    assert [r[0] for r in engine.execute(f"SELECT {trimmed('c')} FROM t").fetchall()] == [
        cell.strip(BLANKS) or None for cell in cells
    ]
    assert [r[0] for r in engine.execute(f"SELECT {trimmed('c', odd_blanks=False)} FROM t").fetchall()] == [
        cell.strip(" ") or None for cell in cells
    ]
    raw = RawTable(Source("", "", None), "", "", "t", ("c",), len(cells))
    for kind in ("text", "id"):
        value = cast(raw, 0, Column("x", kind, ""), is_moment=False).sql.replace("r.c0", "c")
        found = [r[0] for r in engine.execute(f"SELECT {value} FROM t").fetchall()]
        words = ", ".join(quote(word) for word in NULLS)
        is_nothing = [r[0] for r in engine.execute(f"SELECT lower(c) IN ({words}) FROM t").fetchall()]
        assert [value is None for value in found] == [
            no or (kind == "id" and set(cell) <= {"0", "-", "A"} and len(cell) in (15, 18, 36) and cell[-1] != "1")
            for cell, no in zip(cells, is_nothing, strict=True)
        ]
