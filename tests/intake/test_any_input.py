"""No input crashes a check, and the accounting always adds up."""

from __future__ import annotations

import json
from datetime import date

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kpis.answers.check import check_answer
from kpis.intake import check, read, reader
from kpis.intake.fields import TABLES, columns
from kpis.intake.formats import FORMATS
from kpis.settings import Settings
from tests.intake.files import rows

SLOW = settings(max_examples=25, suppress_health_check=list(HealthCheck))
NAMES = sorted(
    {
        name
        for table in (
            "opportunities",
            "opportunity_history",
            "stages",
            "leads",
            "spend",
            "products",
            "owners",
            "accounts",
            "rates",
        )
        for c in columns(table)
        for name in (c.name, *c.aliases[:2])
    }
)
VALUES = st.one_of(
    st.sampled_from(
        [
            "",
            "--",
            "n/a",
            "None",
            "Select",
            "Total",
            "Grand Total:",
            "Open",
            "won",
            "Closed Lost",
            "closed",
            "Deleted",
            "1-Qualify",
            "true",
            "0",
            "A",
            "B",
            "C",
            "A | B",
            "#",
            "=1+1",
        ]
    ),
    st.dates(date(1970, 1, 1), date(2300, 1, 1)).map(str),
    st.dates(date(2020, 1, 1), date(2025, 1, 1)).map(lambda d: d.strftime("%m/%d/%Y")),
    st.integers(-10, 50_000).map(str),
    st.floats().map(str),
    st.sampled_from(
        [
            "€ 1.234,50",
            "(5.00)",
            "12%",
            "1,234",
            "1.234",
            "$5",
            "USD 9k",
            "2024-02-30",
            "31/31/2020",
            "Q3-2024",
            "41679",
        ]
    ),
    st.text(max_size=12),
)


@st.composite
def tables(draw: st.DrawFn) -> tuple[str, bytes]:
    names = draw(st.lists(st.one_of(st.sampled_from(NAMES), st.text(max_size=10)), min_size=1, max_size=8))
    signature = draw(st.one_of(st.just(None), st.sampled_from([f for f in FORMATS if f.table])))
    if signature:
        names = [*sorted(signature.signatures[0]), *names]
    rows = draw(st.lists(st.lists(VALUES, min_size=max(0, len(names) - 1), max_size=len(names) + 1), max_size=8))
    delimiter = draw(st.sampled_from([",", ";", "\t", "|"]))
    quoted = draw(st.booleans())
    lines = [
        delimiter.join('"' + cell.replace('"', '""') + '"' if quoted else cell for cell in row)
        for row in [names, *rows]
    ]
    lines = (
        draw(st.lists(st.sampled_from(["A title", "# comment", "", "Total", 'an "odd" line']), max_size=2))
        + lines
        + draw(st.lists(st.sampled_from(["", "Copyright", "Grand Totals (3 records)", ",,,"]), max_size=2))
    )
    encoding = draw(st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "cp1252"]))
    name = draw(st.sampled_from(["deals", "opportunities", "history 2024-03-01", "stages", "spend", "rates", "x"]))
    return f"{name}.csv", draw(st.sampled_from(["\n", "\r\n"])).join(lines).encode(encoding, errors="replace")


def hold(files: list[tuple[str, bytes]], said: Settings | None = None) -> None:
    reports, defects = check(files, settings=said)
    for report in reports:
        assert report.read == report.accepted + report.rejected + report.merged
        assert report.rejected == len(report.rejects)
        assert (report.table is None) == bool(report.reason)
        assert "unexpected" not in report.reason
    json.dumps(check_answer(reports, defects).document, allow_nan=False)


@SLOW
@given(
    st.lists(tables(), min_size=1, max_size=3, unique_by=lambda f: f[0]),
    st.sampled_from([None, Settings(dates="day-first", currency="EUR", fiscal_start=4)]),
)
def test_tables_of_any_content(files: list[tuple[str, bytes]], said: Settings | None) -> None:
    hold(files, said)


@SLOW
@given(
    st.binary(max_size=400),
    st.sampled_from(["", "opportunity_id,stage,amount\n", "PK\x03\x04", "PAR1", "\ufeff", "sep=;\n"]),
    st.sampled_from(["a.csv", "a.xlsx", "a.zip", "a.parquet", "a"]),
)
def test_any_bytes(data: bytes, start: str, name: str) -> None:
    hold([(name, start.encode() + data)])


def test_every_table_under_its_own_names_is_that_table() -> None:
    value = {
        "date": "2024-01-01",
        "plan_date": "2024-01-02",
        "money": "5.5",
        "number": "1.5",
        "count": "3",
        "share": "0.5",
        "flag": "1",
    }
    for name, table in TABLES.items():
        words = (
            {"department": "marketing", "category": "program", "purpose": "acquire", "event": "view"}
            if name in ("spend", "headcount", "content_events")
            else {}
        )
        text = (
            ",".join(table.names)
            + "\n"
            + ",".join(words.get(c.name, value.get(c.kind, f"{c.name} x")) for c in table.columns)
            + "\n"
        )
        reports, _ = check([("file.csv", text.encode())])
        assert reports[0].table == name, (name, reports[0])


LOCALES = {  # delimiter, how money, shares and days are written, and the order of day and month
    "en-US": (",", "${:,.2f}", "{:.2f}%", "%m/%d/%Y", "month-first"),
    "en-GB": (",", "£{:,.2f}", "{:.2f} %", "%d/%m/%Y", "day-first"),
    "de-DE": (";", "{:,.2f} €", "{:.2f} %", "%d.%m.%Y", "day-first"),
    "fr-FR": (";", "{:,.2f} €", "{:.2f}\u00a0%", "%d/%m/%Y", "day-first"),
    "de-CH": (";", "CHF {:,.2f}", "{:.2f}%", "%d.%m.%Y", "day-first"),
    "ISO": (",", "{:.2f}", "{:.2f}", "%Y-%m-%d", None),
    "ISO with times": ("\t", "{:.2f}", "{:.2f}", "%Y-%m-%dT%H:%M:%SZ", None),
}
MARKS = {"de-DE": ".,", "fr-FR": "\u202f,", "de-CH": "’."}


def in_locale(text: str, locale: str) -> str:
    """A number written the English way, as the locale writes it."""
    thousands, mark = MARKS.get(locale, ",.")
    return text.translate({ord(","): thousands, ord("."): mark})


@SLOW
@given(
    st.sampled_from(sorted(LOCALES)),
    st.lists(
        st.tuples(st.integers(-(10**9), 10**9), st.integers(150, 9_999), st.dates(date(2001, 1, 1), date(2079, 1, 1))),
        min_size=1,
        max_size=12,
    ),
)
def test_a_file_of_any_locale_is_read_as_it_was_written(locale: str, deals: list[tuple[int, int, date]]) -> None:
    delimiter, money, share, day, order = LOCALES[locale]
    lines = ["opportunity_id,status,amount,probability,expected_close,created_at".replace(",", delimiter)]
    for n, (cents, points, closes) in enumerate(deals):
        amount, chance = in_locale(money.format(cents / 100), locale), in_locale(share.format(points / 100), locale)
        cells = [f"A{n}", "open", amount, chance, closes.strftime(day), date(2000, 1, 31).strftime(day)]
        lines.append(delimiter.join(f'"{cell}"' for cell in cells))
    intake = read([("deals.csv", "\n".join(lines).encode())], settings=Settings(dates=order))
    stored = rows(
        intake,
        "SELECT opportunity_id, amount, probability, expected_close, created_at FROM opportunities ORDER BY length(opportunity_id), 1",
    )
    assert stored == [
        (f"A{n}", cents / 100, pytest.approx(points / 10_000), closes, date(2000, 1, 31))
        for n, (cents, points, closes) in enumerate(deals)
    ]


def test_lines_of_a_big_file_are_right_though_threads_share_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader, "SMALL", 0)
    text = "opportunity_id,stage,status,amount,created_at,note\n" + "".join(
        f"{'' if n % 1000 == 7 else f'A{n}'},x,open,5,{'soon' if n % 1000 == 9 else '2024-01-05'},{'y' * 60}\n"
        for n in range(2, 300_002)
    )
    [report] = read([("deals.csv", text.encode())]).files
    # row n stands in line n
    assert [r.line for r in report.rejects] == [n for n in range(2, 300_002) if n % 1000 in (7, 9)]
