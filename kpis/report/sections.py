"""The sections of the pack, in the order of the meeting: each question with its charts and tables."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from kpis.answers.answer import Answer
from kpis.answers.changes import DAYS, what_changed
from kpis.answers.check import check_answer
from kpis.answers.close_months import close_months
from kpis.answers.coverage import next_periods
from kpis.answers.creation import new_opportunities
from kpis.answers.day_one import day_one
from kpis.answers.health import deal_health
from kpis.answers.next_steps import next_steps
from kpis.answers.outlook import Outlook
from kpis.answers.pipeline import pipeline_health
from kpis.answers.track_record import WINDOW_NAMES, of_window, track_record
from kpis.answers.words import symbol
from kpis.charts.build_up import build_up
from kpis.charts.chance import chance
from kpis.charts.changes import waterfall
from kpis.charts.creation import months, pace, spread
from kpis.charts.landing import landing, landings
from kpis.charts.pipeline import needed
from kpis.charts.track_record import calibration, errors
from kpis.errors import NotEnoughData
from kpis.forecast.contest import MODEL, Origin
from kpis.intake import Intake
from kpis.report.native import change_bars, error_bars, grid, landing_bars, landings_bars, month_bars
from kpis.report.section import DATE, TEXT, Figure, Listing, Section


@dataclass(frozen=True)
class Ground:
    """What the sections are made from: what was read, the outlook, its past forecasts."""

    intake: Intake
    found: Outlook
    origins: Sequence[Origin]

    @property
    def symbol(self) -> str:
        """What stands before an amount of money."""
        return symbol(self.found.currency)


def sections(ground: Ground) -> tuple[Section, ...]:
    """Every section; one that the data cannot support says why."""
    return tuple(_section(key, make, ground) for key, make in SECTIONS.items())


def _section(key: str, make: Callable[[str, Ground], Section], ground: Ground) -> Section:
    try:
        return make(key, ground)
    except NotEnoughData as error:
        return Section(key, Answer(key.replace("_", " ").capitalize(), f"n/a: {error}"))


def _pipeline(key: str, ground: Ground) -> Section:
    answer, current, symbol = pipeline_health(ground.found), ground.found.landings[0], ground.symbol
    parts = answer.tables["parts"].query("period == @current.label")
    figures = [Figure("Where will we land?", landing(parts, symbol), landing_bars(parts))]
    levels = answer.tables["distribution"]
    if levels["amount"].max() > levels["amount"].min():
        reached = chance(levels, current.target, current.p_hit, symbol)
        figures.append(Figure("How likely is each amount?", reached))
    return Section(
        key,
        answer,
        ("p_hit", "expected", "coverage", "required_coverage", "gap"),
        tuple(figures),
        (Listing("Which deals does it depend on?", answer.tables["deals"], {
            "name": ("Deal", TEXT), "stage": ("Stage", TEXT), "owner": ("Owner", TEXT), "amount": ("Amount", "money"),
            "p_0": (f"Won in {current.label}", "share"), "expected": ("Expected", "money"),
            "expected_close": ("Expected close", DATE), "age_days": ("Age, days", "count"),
        }),),
    )  # fmt: skip


def _health(key: str, ground: Ground) -> Section:
    answer = deal_health(ground.found)
    return Section(
        key,
        answer,
        tuple(answer.numbers),
        listings=(Listing("Which risks, and how much is at stake?", answer.tables["risks"], {
            "flag": ("Flag", TEXT), "deals": ("Deals", "count"), "amount": ("Amount", "money"),
            "at_risk": ("At risk this period", "money"), "blocker": ("Proposed blocker", TEXT), "why": ("Why", TEXT),
        }),),
    )  # fmt: skip


def _coverage(key: str, ground: Ground) -> Section:
    answer, symbol = _without(next_periods(ground.found), day_one(ground.found)), ground.symbol
    tables, following = answer.tables, ground.found.landings[1:]
    enough = Figure("Is the pipeline enough?", needed(tables["periods"], symbol))
    if len(tables["build_up"]):
        enough = Figure("Is the pipeline on pace?", build_up(tables["build_up"], symbol))
    return Section(
        key,
        answer,
        tuple(f"{term} {x.label}" for x in following for term in ("p_hit", "gap")),
        (Figure("Where will they land?", landings(tables["parts"], symbol), landings_bars(tables["parts"])), enough),
        (
            Listing("What is there, and what is needed?", tables["periods"], {
                "period": ("Period", TEXT), "target": ("Target", "money"), "expected": ("Expected", "money"),
                "p_hit": ("Chance", "share"), "open_qualified": ("Open qualified", "money"),
                "required_pipeline": ("Needed", "money"), "gap": ("Missing", "money"),
            }),
            Listing("What would it take?", tables["periods"], {
                "period": ("Period", TEXT), "opportunities": ("More opportunities", "count"),
                "last_useful_creation_date": ("Created by", DATE), "sqls": ("SQLs", "count"),
                "mqls": ("MQLs", "count"), "spend": ("Marketing spend", "money"),
            }),
        ),
    )  # fmt: skip


def _day_one(key: str, ground: Ground) -> Section:
    answer = day_one(ground.found)
    return Section(
        key,
        answer,
        listings=(
            Listing("What did past periods begin with?", answer.tables["first_days"], {
                "period": ("Period", TEXT), "first_day": ("On its first day", "money"),
                "won_of_it": ("Won of that", "money"), "won_of_others": ("Won of other deals", "money"),
            }),
            Listing("What does each rule ask for?", answer.tables["rules"], {
                "period": ("Period", TEXT), "rule": ("Rule", TEXT), "asks_for": ("Asks for", "money"),
                "difference_said": ("Beside the own past", TEXT), "with_values": ("How", TEXT),
            }),
        ),
    )  # fmt: skip


def _creation(key: str, ground: Ground) -> Section:
    answer = _without(new_opportunities(ground.found), close_months(ground.found))
    tables = answer.tables
    return Section(
        key,
        answer,
        ("created", "pace", "expected_created", "required_created", "per_working_day"),
        (
            Figure("How many are created?", months(tables["months"]), month_bars(tables["months"])),
            Figure("Are we on pace?", pace(tables["pace"])),
        ),
        (Listing("Where do they come from?", tables["sources"], {
            "source": ("Source", TEXT), "this_period": ("This period", "count"),
            "period_before": ("Period before", "count"),
        }),),
    )  # fmt: skip


def _close_months(key: str, ground: Ground) -> Section:
    answer = close_months(ground.found)
    maps = {"By the close first set": "spread_first", "By the close set now": "spread"}
    drawn = {title: answer.tables[name] for title, name in maps.items() if len(answer.tables[name])}
    figures = tuple(Figure(title, spread(table), grid=grid(table)) for title, table in drawn.items())
    return Section(key, answer, figures=figures)


def _changes(key: str, ground: Ground) -> Section:
    dataset, model = ground.found.dataset, ground.found.model
    first = dataset.as_of - timedelta(days=DAYS)
    answer = what_changed(dataset, model.calendar, model.periods[0], first, dataset.as_of)
    steps = answer.tables["steps"]
    return Section(
        key,
        answer,
        ("slippage", "slippage_before", "pushed_twice", "pushes_per_deal"),
        (Figure("How did the pipeline change?", waterfall(steps, ground.symbol), change_bars(steps)),),
        (Listing("Which deals changed?", answer.tables["changes"], {
            "name": ("Deal", TEXT), "owner": ("Owner", TEXT), "stage": ("Stage", TEXT), "change": ("Change", TEXT),
            "before": ("Before", "money"), "after": ("After", "money"), "close_after": ("Expected close", DATE),
        }),),
    )  # fmt: skip


def _next_steps(key: str, ground: Ground) -> Section:
    answer = next_steps(ground.found)
    return Section(
        key,
        answer,
        listings=(
            Listing("What will likely happen next", answer.tables["likely"], {
                "period": ("Period", TEXT), "what": ("As things stand", TEXT),
            }),
            Listing("What to do about it", answer.tables["steps"], {
                "team": ("Who", TEXT), "step": ("Step", TEXT), "effect": ("Adds", "money"), "period": ("In", TEXT),
                "why": ("Because", TEXT),
            }),
        ),
    )  # fmt: skip


def _record(key: str, ground: Ground) -> Section:
    answer = track_record(ground.origins, ground.found)
    if answer.tables["origins"].empty:
        return Section(key, answer)
    scores, _, ranges, _ = of_window(answer, WINDOW_NAMES[0])
    return Section(
        key,
        answer,
        (),
        (
            Figure("Who was nearer, for the rest of a period?", errors(scores, MODEL), error_bars(scores)),
            Figure("Are its ranges true?", calibration(ranges)),
        ),
        (Listing("Which method gives the mean of today's forecast?", answer.tables["methods"], {
            "period": ("Period", TEXT), "used": ("Method", TEXT), "why": ("Why", TEXT),
        }),),
    )  # fmt: skip


def _check(key: str, ground: Ground) -> Section:
    read = ground.intake
    answer = check_answer(read.files, read.defects, read.notes)
    return Section(
        key,
        answer,
        ("files", "read", "accepted", "rejected", "merged"),
        (),
        (
            Listing("What was recognised?", answer.tables["files"], {
                "file": ("File", TEXT), "table": ("Table", TEXT), "read": ("Rows read", "count"),
                "accepted": ("Accepted", "count"), "rejected": ("Rejected", "count"), "merged": ("Merged", "count"),
                "reason": ("Reason", TEXT),
            }),
            Listing("What is wrong with the data?", answer.tables["defects"], {
                "defect": ("Defect", TEXT), "rows": ("Rows", "count"), "amount": ("Money touched", "money"),
            }),
        ),
    )  # fmt: skip


SECTIONS: dict[str, Callable[[str, Ground], Section]] = {
    "pipeline": _pipeline,
    "health": _health,
    "coverage": _coverage,
    "day_one": _day_one,
    "creation": _creation,
    "close_months": _close_months,
    "changes": _changes,
    "next_steps": _next_steps,
    "track_record": _record,
    "check": _check,
}
"""The questions in the meeting's order; another one is another line."""


def _without(answer: Answer, part: Answer) -> Answer:
    """An answer without the numbers and tables of a part that is a section of its own."""
    numbers = {key: number for key, number in answer.numbers.items() if key not in part.numbers}
    tables = {key: table for key, table in answer.tables.items() if key not in part.tables}
    return replace(answer, numbers=numbers, tables=tables)
