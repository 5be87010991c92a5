"""The sheet that computes: landing, coverage and gap of each period as formulas over inputs that may be changed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from xlsxwriter.utility import xl_rowcol_to_cell
from xlsxwriter.workbook import Workbook
from xlsxwriter.worksheet import Worksheet

from kpis.answers.outlook import Outlook

SHEET = "Model"
NOTES = (
    "Blue cells are inputs: change them, and everything in black follows. As delivered, every result is the app's.",
    "A chance is that of the stage's open amount to be won in the period, with everything the forecast knows of it.",
    "A rate or size above or below 1 multiplies; the app's levers also bend the timing, so it gives the better answer.",
    "The margin is what must be expected, as a multiple of what is missing, for the wanted confidence.",
    "The app solves for the margin anew with every change; here it stays as delivered.",
)


@dataclass(frozen=True)
class Inputs:
    """What the formulas start from, by stage and period; money unrounded.

    Parameters
    ----------
    deals, amount
        (stages,) open deals, and their amounts if won.
    chance
        (stages, 3) amount-weighted chance to be won in each period.
    qualified
        (stages, 3) open qualified amount that counts for each period.
    part
        (3,) share of what open deals bring in each period that those due in it bring.
    created
        (3,) opportunities expected to be created in each period.
    worth
        (3, 3) what one created in a period (row) brings in each period (column).
    margin
        (3,) multiple of what is missing that must be expected; None where no pipeline is enough or known.
    """

    stages: Sequence[str]
    deals: np.ndarray
    amount: np.ndarray
    chance: np.ndarray
    qualified: np.ndarray
    part: Sequence[float]
    created: np.ndarray
    worth: np.ndarray
    margin: Sequence[float | None]


def inputs(found: Outlook) -> Inputs:
    """Gather the open deals by stage and the deals to come by period of creation."""
    model, projection = found.model, found.projection
    stage, n = model.open_deals.stage, len(model.stages)
    amount, known = projection.deal_amount, model.open_amount
    total = np.bincount(stage, amount, n)
    won = np.stack([np.bincount(stage, amount * p, n) for p in projection.deal_p.T], axis=1)
    counted = [x.deals for x in model.due]
    dated = [np.bincount(stage[x], known[x], n) for x in counted]
    brought = [float(amount[x] @ p[x]) for x, p in zip(counted, projection.deal_p.T, strict=True)]
    days = np.searchsorted(np.array(model.ends) - model.today, np.arange(1, len(projection.per_day) + 1))
    created = np.bincount(days, projection.per_day, 3)
    brings = np.stack([np.bincount(days, projection.per_day * v, 3) for v in projection.value_created.T], axis=1)
    return Inputs(
        stages=model.stages,
        deals=np.bincount(stage, minlength=n),
        amount=total,
        chance=np.divide(won, total[:, None], out=np.zeros_like(won), where=total[:, None] > 0),
        qualified=np.stack(dated, axis=1),
        part=[_times(b, w.open_deals.expected) for b, w in zip(brought, projection.windows, strict=True)],
        created=created,
        worth=np.divide(brings, created[:, None], out=np.zeros_like(brings), where=created[:, None] > 0),
        margin=[_margin(found, w) for w in range(3)],
    )


def _margin(found: Outlook, w: int) -> float | None:
    """(needed from open deals + from new ones) / missing: what the wanted confidence takes, in expectation."""
    landing = found.landings[w]
    if landing.required_pipeline is None or landing.need is None or landing.need.from_open is None:
        return None
    if landing.target is None or landing.target <= landing.won:
        return None
    return (landing.need.from_open + landing.from_new) / (landing.target - landing.won)


def _times(part: float, whole: float) -> float:
    """A part as a share of the whole; 0 of nothing."""
    return part / whole if whole else 0.0


class _Sheet:
    """A sheet that is written from top to bottom, with the periods from column C on."""

    def __init__(self, book: Workbook, sheet: Worksheet, symbol: str) -> None:
        money, right = f'"{symbol}"#,##0' if symbol else "#,##0", {"align": "right"}
        forms = {"money": money, "count": "#,##0.0", "share": "0.0%", "ratio": "0.00", "whole": "#,##0"}
        self.inputs = {
            name: book.add_format({"num_format": form, "font_color": "#0000FF"}) for name, form in forms.items()
        }
        self.results = {name: book.add_format({"num_format": form, **right}) for name, form in forms.items()}
        self.over = book.add_format({"bold": True, "text_wrap": True, **right})
        self.bold, self.wrapped = book.add_format({"bold": True}), book.add_format({"text_wrap": True, "valign": "top"})
        self.sheet, self.row = sheet, 0

    def heading(self, *texts: str) -> None:
        """A row of headings, after an empty one."""
        self.row += 1
        for column, text in enumerate(texts):
            self.sheet.write_string(self.row, column, text, self.over if column else self.bold)
        self.row += 1

    def given(self, label: str, values: Sequence[Any], unit: str) -> list[str]:
        """A row of inputs; their cells."""
        return self._line(label, lambda w, at: self.sheet.write(*at, values[w], self.inputs[unit]), len(values))

    def result(self, label: str, formulas: Sequence[str], values: Sequence[float | None], unit: str) -> list[str]:
        """A row of formulas with the app's values; their cells."""

        def write(w: int, at: tuple[int, int]) -> None:
            value = "n/a" if values[w] is None else values[w]
            self.sheet.write_formula(*at, formulas[w], self.results[unit], value)

        return self._line(label, write, len(formulas))

    def _line(self, label: str, write: Callable[[int, tuple[int, int]], object], n: int) -> list[str]:
        self.sheet.write_string(self.row, 0, label)
        cells = []
        for w in range(n):
            at = (self.row, 2 + w)
            write(w, at)
            cells.append(xl_rowcol_to_cell(*at))
        self.row += 1
        return cells


def write(book: Workbook, sheet: Worksheet, found: Outlook, symbol: str) -> None:
    """Write inputs and formulas; the value kept with each formula is the app's own."""
    have, landings, windows = inputs(found), found.landings, found.projection.windows
    labels, on = [x.label for x in landings], _Sheet(book, sheet, symbol)
    sheet.set_column(0, 0, 44)
    sheet.set_column(1, 1, 10)
    sheet.set_column(2, 10, 18)
    for text in NOTES:
        sheet.merge_range(on.row, 0, on.row, 8, text, on.wrapped)
        sheet.set_row(on.row, 30)
        on.row += 1

    on.heading("What if: times as much as estimated")
    rate, size, more = (
        f"${cell[0]}${cell[1:]}"
        for label in ("Chances to be won", "Amounts of open deals", "New opportunities")
        for cell in on.given(label, [1.0], "ratio")
    )

    on.heading("Period", "", *labels)
    target = on.given("Target", ["" if x.target is None else x.target for x in landings], "money")
    won = on.given("Won so far", [x.won for x in landings], "money")
    factor = on.given("Method: factor on what is to come", [w.scale for w in windows], "ratio")
    margin = on.given("Margin for the wanted confidence", ["" if m is None else m for m in have.margin], "ratio")
    part = on.given("Part of the open deals' that those due in it bring", have.part, "share")
    # The blocks of inputs stand below the results, at rows that are known now.
    stages = on.row + 14
    created = stages + len(have.stages) + 3

    def block(first: int, n: int, column: int) -> str:
        top, bottom = xl_rowcol_to_cell(first, column, True, True), xl_rowcol_to_cell(first + n - 1, column, True, True)
        return f"{top}:{bottom}"

    n, amounts = len(have.stages), block(stages, len(have.stages), 2)
    on.heading("Result", "", *labels)
    from_open = on.result(
        "Expected from open deals",
        [f"={factor[w]}*{size}*{rate}*SUMPRODUCT({amounts},{block(stages, n, 3 + w)})" for w in range(3)],
        [x.from_open for x in landings], "money",
    )  # fmt: skip
    from_new = on.result(
        "Expected from deals not yet created",
        [f"={factor[w]}*{more}*{rate}*SUMPRODUCT({block(created, 3, 2)},{block(created, 3, 3 + w)})" for w in range(3)],
        [x.from_new for x in landings], "money",
    )  # fmt: skip
    expected = on.result(
        "Expected landing", [f"={won[w]}+{from_open[w]}+{from_new[w]}" for w in range(3)],
        [x.expected for x in landings], "money",
    )  # fmt: skip
    to_go = on.result(
        "Missing to the target", [f'=IF({target[w]}="","n/a",MAX(0,{target[w]}-{won[w]}))' for w in range(3)],
        [None if x.target is None else max(0.0, x.target - x.won) for x in landings], "money",
    )  # fmt: skip
    on.result(
        "Expected landing less target", [f'=IF({target[w]}="","n/a",{expected[w]}-{target[w]})' for w in range(3)],
        [None if x.target is None else x.expected - x.target for x in landings], "money",
    )  # fmt: skip
    held = on.result(
        "Open qualified pipeline", [f"={size}*SUM({block(stages, n, 6 + w)})" for w in range(3)],
        [x.open_qualified for x in landings], "money",
    )  # fmt: skip
    on.result(
        "To-go coverage", [f'=IF(N({to_go[w]})=0,"n/a",{held[w]}/{to_go[w]})' for w in range(3)],
        [x.coverage for x in landings], "ratio",
    )  # fmt: skip
    met = [x.target is not None and x.target <= x.won for x in landings]
    needed = on.result(
        "Required pipeline",
        [
            f'=IF({to_go[w]}="n/a","n/a",IF({to_go[w]}=0,0,IF(OR({margin[w]}="",{part[w]}*{from_open[w]}=0),"n/a",'
            f"MAX(0,{margin[w]}*{to_go[w]}-{from_new[w]}-(1-{part[w]})*{from_open[w]})/({part[w]}*{from_open[w]})"
            f"*{held[w]})))"
            for w in range(3)
        ],
        [0.0 if done else x.required_pipeline for x, done in zip(landings, met, strict=True)], "money",
    )  # fmt: skip
    on.result(
        "Required coverage",
        [f'=IF(OR({needed[w]}="n/a",N({to_go[w]})=0),"n/a",{needed[w]}/{to_go[w]})' for w in range(3)],
        [x.required_coverage for x in landings], "ratio",
    )  # fmt: skip
    on.result(
        "Pipeline gap", [f'=IF({needed[w]}="n/a","n/a",MAX(0,{needed[w]}-{held[w]}))' for w in range(3)],
        [0.0 if done else x.gap for x, done in zip(landings, met, strict=True)], "money",
    )  # fmt: skip

    on.row = stages - 2
    on.heading(
        "Open deals by stage", "Deals", "Amount if won", *(f"Chance in {x}" for x in labels),
        *(f"Qualified for {x}" for x in labels),
    )  # fmt: skip
    for k, stage in enumerate(have.stages):
        sheet.write_number(on.row, 1, int(have.deals[k]), on.results["whole"])
        row, units = [have.amount[k], *have.chance[k], *have.qualified[k]], ["money", *["share"] * 3, *["money"] * 3]
        _inputs(on, stage, row, units)
    on.row = created - 2
    on.heading(
        "Deals not yet created, by period of creation", "", "Opportunities", *(f"Each brings in {x}" for x in labels)
    )
    for label, number, brings in zip(labels, have.created, have.worth, strict=True):
        _inputs(on, f"Created in {label}", [number, *brings], ["count", *["money"] * 3])


def _inputs(on: _Sheet, label: str, values: Sequence[float], units: Sequence[str]) -> None:
    """A row of inputs of several units."""
    on.sheet.write_string(on.row, 0, label)
    for column, (value, unit) in enumerate(zip(values, units, strict=True), 2):
        on.sheet.write_number(on.row, column, float(value), on.inputs[unit])
    on.row += 1
