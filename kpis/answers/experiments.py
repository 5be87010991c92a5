"""A/B tests: planned before, analysed after."""

from __future__ import annotations

from collections.abc import Iterator

import narwhals.stable.v2 as nw
import numpy as np
import pandas as pd

from kpis.answers.answer import Answer
from kpis.answers.glossary import number
from kpis.answers.render import records
from kpis.answers.words import count, percent, plural
from kpis.dataset import Dataset
from kpis.engine import collect
from kpis.errors import NotEnoughData
from kpis.measures.core.experiment import (
    ALPHA,
    POWER,
    Comparison,
    compare,
    days_needed,
    holm,
    sample_size,
    smallest_lift,
)
from kpis.measures.core.known import Known
from kpis.measures.core.runs import window_of

LIFTS = (0.05, 0.1, 0.2, 0.3, 0.5, 1.0)
"""Relative lifts that a plan's table shows."""

OUTCOMES = {"opened": ("unique_opens", "sent"), "clicked": ("unique_clicks", "unique_opens")}


def plan(base: float, lift: float, a_day: float, *, power: float = POWER, alpha: float = ALPHA) -> Answer:
    """How many members a test takes and how long it runs.

    Parameters
    ----------
    base
        Today's rate, as a share.
    lift
        The relative rise worth finding: 0.1 tells 11 % from 10 %.
    a_day
        Members a day, both variants together.

    Notes
    -----
    Table ``lifts``: lift, members a variant, days.
    """
    members = sample_size(base, lift, power=power, alpha=alpha)
    days = _whole_days(members, a_day)
    rows = [
        {"lift": x, "members": n, "days": _whole_days(n, a_day)}
        for x in LIFTS
        if base * (1 + x) < 1
        for n in [sample_size(base, x, power=power, alpha=alpha)]
    ]
    weeks = smallest_lift(base, int(a_day * 14 / 2), power=power, alpha=alpha)
    return Answer(
        question="How long would the test have to run?",
        sentence=(
            f"To tell {percent(base * (1 + lift), 1)} from {percent(base, 1)}, each variant needs {count(members)} "
            f"members: {plural(days, 'day')} at {count(a_day)} a day."
        ),
        numbers={
            "members": number("test_members", float(members)),
            "days": number("test_days", days),
            "smallest_lift": number("smallest_lift", weeks),
        },
        tables={"lifts": pd.DataFrame(rows)},
        notes=(
            f"Finds a true lift with a chance of {percent(power)}, and one that is not there with {percent(alpha)}.",
            "Decide the length before, and look at the result once: looking early and stopping raises false alarms.",
        ),
        document={"members": members, "days": days, "smallest_lift_in_14_days": weeks, "lifts": rows},
    )


def _whole_days(members: int, a_day: float) -> float:
    """A test that needs part of a day runs until that day is over."""
    return float(np.ceil(days_needed(members, a_day)))


def analyse(yes_a: int, n_a: int, yes_b: int, n_b: int) -> Answer:
    """What one finished test says; numbers: rates, difference, chance that B is better, exact p-value."""
    found = compare(yes_a, n_a, yes_b, n_b)
    return Answer(
        question="Is B better than A?",
        sentence=_verdict(found, found.p_value),
        numbers={
            "rate_a": number("test_rate", found.rate_a, variant="A", yes=str(yes_a), n=str(n_a)),
            "rate_b": number("test_rate", found.rate_b, variant="B", yes=str(yes_b), n=str(n_b)),
            "better": number("test_better", found.better),
            "expected_lift": number("test_lift", found.expected_lift),
            "p_value": number("test_p_value", found.p_value),
        },
        tables={"interval": pd.DataFrame([{"difference": found.difference, "low": found.low, "high": found.high}])},
        notes=("The difference's 95 % interval is Newcombe's. The lift can be set as a lever of What if.",),
        document=vars(found).copy(),
    )


def _verdict(found: Comparison, p_value: float) -> str:
    chance = f"B is better with a chance of {percent(found.better)}"
    gap = f"{100 * found.low:+z.1f} to {100 * found.high:+z.1f} points"
    if p_value < ALPHA:
        return f"{chance}, and the difference ({gap}) is more than chance alone makes (p = {p_value:.2g})."
    return f"{chance}, but a difference of {gap} is what chance alone can make (p = {p_value:.2g}): cannot tell."


def experiments(dataset: Dataset, *, periods: int = 4) -> Answer:
    """Every test that the mailings hold: variants of a campaign compared with its first one.

    Table ``tests``: campaign, outcome, a, b, n_a, n_b, rate_a, rate_b, low, high, p_value, corrected, better, verdict.
    P-values are corrected for the number of tests looked at (Holm).

    Raises
    ------
    NotEnoughData
        Without mailings in variants.
    """
    known = Known(dataset, window_of(dataset, periods))
    known.need("emails", "variant", "campaign_id", "sent_at")
    rows = list(_tests(_counted(known)))
    if not rows:
        raise NotEnoughData("no mailing of these periods was sent in two variants", way_out="Choose more periods")
    tests = pd.DataFrame(rows)
    tests["corrected"] = holm(tests["p_value"].to_numpy())
    tests["verdict"] = np.select(
        [tests["corrected"] >= ALPHA, tests["rate_b"] > tests["rate_a"]], ["cannot tell", "B is better"], "A is better"
    )
    told = int((tests["verdict"] != "cannot tell").sum())
    return Answer(
        question="What did the tests say?",
        sentence=f"{told} of {plural(len(tests), 'comparison')} tell their variants apart; the others cannot tell.",
        tables={"tests": tests.sort_values("p_value", ignore_index=True)},
        notes=(
            f"Fisher's exact test; p-values corrected for {plural(len(tests), 'look')} (Holm).",
            "Opens are over emails sent, clicks over emails opened.",
        ),
        document={"tests": records(tests)},
    )


def _counted(known: Known) -> pd.DataFrame:
    first, last = int(known.window.starts[-known.window.shown]), known.today
    day = nw.col("sent_at_n")
    rows = known.frame("emails").filter((day >= first) & (day <= last) & ~nw.col("variant").is_null())
    names = ("sent", "unique_opens", "unique_clicks")
    rows = rows.filter(~nw.col("campaign_id").is_null()).with_columns(*[nw.col(name).fill_null(0) for name in names])
    total = rows.group_by("campaign_id", "variant").agg(*[nw.col(name).sum() for name in names])
    table = collect(total, {"campaign_id": "text", "variant": "text", **dict.fromkeys(names, "int")})
    return table.sort_values(["campaign_id", "variant"], ignore_index=True)


def _tests(counted: pd.DataFrame) -> Iterator[dict[str, object]]:
    for campaign, variants in counted.groupby("campaign_id"):
        a = variants.iloc[0]
        for b in (variants.iloc[k] for k in range(1, len(variants))):
            for outcome, (yes, n) in OUTCOMES.items():
                if min(a[n], b[n]) < 1 or a[yes] > a[n] or b[yes] > b[n]:
                    continue
                found = compare(int(a[yes]), int(a[n]), int(b[yes]), int(b[n]))
                yield {
                    "campaign": campaign, "outcome": outcome, "a": a["variant"], "b": b["variant"],
                    "n_a": int(a[n]), "n_b": int(b[n]), **vars(found),
                }  # fmt: skip


def landing_pages(dataset: Dataset, a: str, b: str, *, periods: int = 4) -> Answer:
    """Visits that landed on page ``b`` beside those on ``a``: which made more of them into leads.

    Raises
    ------
    NotEnoughData
        Without visits on either page.
    """
    counted = _landings(dataset, periods)
    for page in (a, b):
        if page not in counted.index:
            raise NotEnoughData(f"nobody landed on {page} in these periods", way_out="Choose another page")
    (yes_a, n_a), (yes_b, n_b) = (counted.loc[page, ["made", "visits"]].astype(int) for page in (a, b))
    return analyse(int(yes_a), int(n_a), int(yes_b), int(n_b))


def landed_on(dataset: Dataset, *, periods: int = 4) -> tuple[str, ...]:
    """The pages that visits landed on, the most visited first."""
    return tuple(_landings(dataset, periods).index)


def _landings(dataset: Dataset, periods: int) -> pd.DataFrame:
    known = Known(dataset, window_of(dataset, periods))
    known.need("web_sessions", "started_at", "landing_page", "converted_lead_id")
    first = int(known.window.starts[-known.window.shown])
    rows = known.frame("web_sessions").filter((nw.col("started_at_n") >= first) & ~nw.col("landing_page").is_null())
    made = nw.when(~nw.col("converted_lead_id").is_null()).then(1).otherwise(0)
    total = rows.with_columns(made=made, visits=nw.lit(1)).group_by("landing_page")
    table = collect(
        total.agg(nw.col("made").sum(), nw.col("visits").sum()),
        {"landing_page": "text", "made": "int", "visits": "int"},
    )
    table = table.sort_values(["visits", "landing_page"], ascending=[False, True])
    return table.set_index("landing_page")
