"""What could keep the open deals from coming through: flags with money at risk, a blocker a deal, who helps."""

from __future__ import annotations

from typing import Any

import pandas as pd

from kpis.answers.answer import Answer
from kpis.answers.assists import assists
from kpis.answers.counts import counts
from kpis.answers.dependence import dependence
from kpis.answers.explain import reasons
from kpis.answers.glossary import number
from kpis.answers.outlook import Outlook
from kpis.answers.outlook import number as finite
from kpis.answers.pipeline import deal_table, expected_now
from kpis.answers.render import records
from kpis.answers.words import count, percent, plural
from kpis.periods import day_of

PARTS = (
    "target", "won", "expected", "p_hit", "open_qualified", "coverage", "required_coverage", "required_pipeline", "gap",
)  # fmt: skip


def deal_health(found: Outlook) -> Answer:
    """Risk flags of the open deals, and what they put at risk this period.

    A deal's money at risk is what the forecast counts on from it in the current period. A deal with several flags
    counts under each of them, and once in the sum.

    Tables: ``risks`` (flag, deals, amount, at_risk, blocker, why), ``unknown`` (flag, needs), ``deals`` (a row an open
    deal with its flags and blocker).
    """
    label, raised = found.landings[0].label, found.model.flags
    deals = deal_table(found)
    flagged = deals[deals["flags"] != ""]
    at_risk, expected = float(flagged["expected"].sum()), float(deals["expected"].sum())
    risks = _risks(found)
    words = {
        "period": label, "flagged": count(len(flagged)), "open": count(len(deals)), "at_risk": found.say(at_risk),
        "expected": found.say(expected),
    }  # fmt: skip
    share = number("at_risk_share", at_risk / expected if expected > 0 else None, **words)
    return Answer(
        question="What could keep these deals from coming through?",
        sentence=_sentence(found, risks, at_risk, share.value),
        numbers={
            "at_risk": number("at_risk", at_risk, **words),
            "at_risk_share": share,
            "flagged": number("flagged", float(len(flagged)), **words),
            "flagged_amount": number("flagged_amount", float(flagged["amount"].sum()), **words),
        },
        tables={
            "risks": risks,
            "unknown": pd.DataFrame([(r.flag, r.needs) for r in raised.unknown], columns=["flag", "needs"]),
            "deals": deals,
        },
        notes=(
            "The blocker is a proposal: the one that the deal's rarest flag points to, since what many deals have in "
            "common tells little about one of them. " + "; ".join(_rules(risks)),
            *(f"Not known: {r.flag} needs {r.needs}" for r in raised.unknown),
        ),
        counts=counts(found.model.dataset),
        document={"currency": found.currency},
    )


def document(found: Outlook) -> dict[str, Any]:
    """The `health` document of the headless interface: the answers of this page and of what the outcome depends on."""
    risks, depends, helps = deal_health(found), dependence(found), assists(found)
    return {
        "as_of": day_of(found.model.today).isoformat(),
        "currency": found.currency,
        "deals": _deals(found, risks.tables["deals"]),
        "coverage": {
            "period": found.landings[0].label, **{part: finite(getattr(found.landings[0], part)) for part in PARTS}
        },
        "depends_on": records(depends.tables["depends_on"].rename(columns={"p_0": "p"})),
        "dependence": {"sentence": depends.sentence, **depends.document},
        "risks": records(risks.tables["risks"]),
        "unknown": records(risks.tables["unknown"]),
        "assists": records(helps.tables["assists"]),
    }  # fmt: skip


def _sentence(found: Outlook, risks: pd.DataFrame, at_risk: float, share: float | None) -> str:
    label = found.landings[0].label
    if not len(found.model.flags.known):
        return "The data hold nothing that could flag a deal."
    if share is None or risks["deals"].sum() == 0:
        return f"No open deal that counts for {label} carries a risk flag."
    first = risks.iloc[0]
    return (
        f"{percent(share)} of what open deals are expected to bring in {label} ({found.say(at_risk)}) carries a risk "
        f"flag; most of it: {first['flag']} ({plural(first['deals'], 'deal')}, {found.say(first['at_risk'])})."
    )


def _risks(found: Outlook) -> pd.DataFrame:
    """One row a rule that the data support, the most money at risk first."""
    raised, worth, amount = found.model.flags, expected_now(found), found.model.open_amount
    rows = [
        (risk.flag, int(on.sum()), float(amount[on].sum()), float(worth[on].sum()), risk.blocker, risk.why)
        for risk, on in zip(raised.known, raised.raised, strict=True)
    ]
    table = pd.DataFrame(rows, columns=["flag", "deals", "amount", "at_risk", "blocker", "why"])
    return table.sort_values(["at_risk", "deals"], ascending=False, kind="stable", ignore_index=True)


def _rules(risks: pd.DataFrame) -> list[str]:
    return [f"{blocker}: {', '.join(group['flag'])}" for blocker, group in risks.groupby("blocker", sort=False)]


def _deals(found: Outlook, deals: pd.DataFrame) -> list[dict[str, Any]]:
    """The deals as the headless interface has them, with what moved the chance of each."""
    model = found.model
    places = model.open_ids.get_indexer(deals["opportunity_id"])
    return [
        {
            "opportunity_id": row["opportunity_id"],
            "name": row["name"],
            "amount": row["amount"],
            "p": [row["p_0"], row["p_1"], row["p_2"]],
            "why": why,
            "flags": model.flags.of(place),
            "blocker": row["blocker"] or None,
            "at_risk": row["expected"] if row["flags"] else 0.0,
        }
        for row, place, why in zip(records(deals), places, reasons(found, places), strict=True)
    ]
