"""A demo company as files, and the dictionary that explains them."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

from kpis.demo.company import END, generate
from kpis.demo.web import KEPT_DAYS, MOST_VISITORS
from kpis.schema import TABLES, Column

_HEADING = """\
# The demo company

Every file here is made by a program from a seed; no row is a real person or company. It sells software to
other companies in three regions, works its opportunities through five stages, and keeps records like most
companies do: optimistic close dates, a few duplicates, some fields left empty.

Made by

    python -m kpis sample sample_data --opportunities {opportunities} --seed {seed} --years {years:g}

which with `--truth` also writes `truth.json`: the parameters that everything was drawn from. This page is printed by
`python -c "from kpis.demo import dictionary; print(dictionary(), end='')"`.

How the data were made:

* The records run to {end}, in the middle of a quarter, and begin with an empty pipeline. The last month of
  `spend` and `finance` and the last quarter of `market` are to date.
* Opportunities arrive with growth, a yearly season, a weekly rhythm and noise. Each day each open one may move
  to another stage, be won or be lost, with a chance that depends on its stage and the days in it, its amount at
  creation, segment, region, type, source, lead score and owner, the day of the week, the position in the
  quarter and a common shock of the quarter. The formula stands in `kpis/demo/truth.py`.
* `opportunity_history` has a row for every change of stage, amount, expected close, owner or forecast category.
  Expected closes are set too soon, and pushed once they have passed.
* Other tables follow from that: leads end in their opportunities, customers, orders and subscriptions come from
  wins, spend follows leads and headcount, and recognised revenue follows subscriptions.
* `targets` are by month and add up to the quarter; bookings also by team. They are 0.93 to 1.10 times what
  came true, for the running and the next two quarters what is to be expected.
* Side tables are kept small: visits to the website for {kept} days only, about four anonymous visits for each
  lead and never more than {most:,} anonymous visitors; about four activities an opportunity.
* About one row in a hundred of `opportunities` and `leads` is dirty on purpose: exact duplicates, an id twice, a
  blank id, a close before the creation, a date that does not exist, a close without a date, an amount that is
  missing or negative, an unknown stage, names in two spellings. `truth.json` counts each sort.

Empty fields mean unknown. Money is in US dollars. Kinds: a *date* is something that happened; a *plan_date*
may lie in the future; a *share* runs from 0 to 1; a *flag* is 0 or 1.
"""
_SET_AT_INTAKE = {"opportunities": {"list_price", "amount_basis"}, "opportunity_history": {"seq"}}

SAMPLE = {"opportunities": 2_000, "seed": 7, "years": 3.0}
"""What ``sample_data/`` is made with."""


def write(
    directory: str | Path,
    *,
    opportunities: int = 2_000,
    seed: int = 7,
    years: float = 3.0,
    end: date = END,
    truth: bool = False,
    dirt: bool = True,
) -> list[Path]:
    """Write a company as ``<table>.csv`` each, and ``truth.json`` on request; returns the paths.

    The same arguments give the same bytes. For the arguments see ``generate``.
    """
    company = generate(opportunities=opportunities, seed=seed, years=years, end=end, dirt=dirt)
    folder = Path(directory)
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for name, frame in company.tables.items():
        path = folder / f"{name}.csv"
        whole = {column: "Int64" for column in frame.select_dtypes("float") if (frame[column].dropna() % 1 == 0).all()}
        frame.astype(whole).to_csv(path, index=False, lineterminator="\n", encoding="utf-8")
        paths.append(path)
    if truth:
        path = folder / "truth.json"
        path.write_text(json.dumps(company.truth, indent=1) + "\n", encoding="utf-8", newline="\n")
        paths.append(path)
    return paths


def dictionary() -> str:
    """The data dictionary in Markdown: how the data were made, then every table and column."""
    parts = [_HEADING.format(**SAMPLE, end=END.isoformat(), kept=KEPT_DAYS, most=MOST_VISITORS)]
    for name, table in TABLES.items():
        if name == "owners":
            continue
        head = f"\n## {name}\n\n{table.grain[0].upper()}{table.grain[1:]}."
        if table.key:
            head += f" Key: {', '.join(table.key)}."
        if table.dated_by:
            head += f" Known from: {table.dated_by}."
        columns = [c for c in table.columns if c.name not in _SET_AT_INTAKE.get(name, set())]
        rows = "".join(_row(column) for column in columns)
        parts.append(f"{head}\n\n| column | kind | meaning |\n|---|---|---|\n{rows}")
    return "".join(parts)


def _row(column: Column) -> str:
    return f"| {column.name} | {column.kind} | {column.meaning} |\n"
