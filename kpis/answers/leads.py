"""How good leads are: does the score rank them, and what do those that leave have in common."""

from __future__ import annotations

import numpy as np
import pandas as pd

from kpis.answers.answer import Answer
from kpis.answers.glossary import number
from kpis.answers.render import records
from kpis.answers.words import percent, plural
from kpis.dataset import Dataset
from kpis.errors import NotEnoughData
from kpis.measures.core.drivers import drivers
from kpis.measures.core.intervals import wilson
from kpis.measures.core.runs import run_by
from kpis.measures.core.scores import ScoreAuc, WinRateByDecile
from kpis.measures.lead_fit import leaking
from kpis.measures.leads import scored

MOST_SAID = 3


def lead_quality(dataset: Dataset, *, periods: int = 8) -> Answer:
    """Win rate by decile of the lead score, over the leads created in the last ``periods`` periods.

    Table ``deciles``: decile (10 is the highest score), leads, won, share, low, high.

    Raises
    ------
    NotEnoughData
        Without scored leads that are linked to opportunities.
    """
    run = run_by(dataset, "", periods)
    rows = scored(run.known)
    by_decile, ranks = (of.grid(run.reducer) for of in (WinRateByDecile(rows), ScoreAuc(rows)))
    leads = by_decile.n[:, -periods:].sum(axis=1)
    if not leads.any():
        raise NotEnoughData("no scored lead was created in these periods", way_out="Choose more periods")
    won = np.nansum((by_decile.value * by_decile.n)[:, -periods:], axis=1)
    low, high = wilson(won, leads)
    share = np.divide(won, leads, out=np.full(len(won), np.nan), where=leads > 0)
    deciles = pd.DataFrame(
        {"decile": range(1, len(won) + 1), "leads": leads, "won": won, "share": share, "low": low, "high": high}
    )
    area, n = ranks.value[0, -periods:], ranks.n[0, -periods:]
    told = np.isfinite(area)
    value = float(np.average(area[told], weights=n[told])) if told.any() else None
    top, bottom = deciles.iloc[-1], deciles.iloc[0]
    says = "the score ranks leads" if top["low"] > bottom["high"] else "the score does not tell them apart"
    return Answer(
        question="Does the lead score tell good leads from bad ones?",
        sentence=(
            f"{percent(top['share'], 1)} of the leads in the highest tenth of the score were won, "
            f"{percent(bottom['share'], 1)} of those in the lowest: {says}."
        ),
        numbers={
            "ranks": number("score_ranks", value, why=str(ranks.reason[0, -1])),
        },
        tables={"deciles": deciles},
        notes=("Deciles are of the leads of a period. Recent leads may still be won.",),
        document={"ranks": value, "deciles": records(deciles)},
    )  # fmt: skip


def leak_drivers(dataset: Dataset, *, periods: int = 8) -> Answer:
    """What leads that leave the funnel have in common: the rate of each value beside that of all other leads.

    Table ``drivers``: as of ``kpis.measures.core.drivers.drivers``.

    Raises
    ------
    NotEnoughData
        Without leads that are old enough, or without attributes.
    """
    run = run_by(dataset, "", periods)
    run.known.need("leads", "created_at")
    table = drivers(run, leaking(run.known))
    told = table[table["tells"]]
    worst = told[told["lift"] > 1].nlargest(MOST_SAID, "lift")
    days = dataset.settings.definitions.silent_after_days
    if told.empty:
        said = f"None of {plural(len(table), 'value')} looked at leaks clearly more or less than the others."
    elif worst.empty:
        said = f"{len(told)} of {plural(len(table), 'value')} leak less than the others; none clearly more."
    else:
        named = "; ".join(
            f"{row.attribute} {row.value} ({percent(row.share)} against {percent(row.share_of_others)})"
            for row in worst.itertuples()
        )
        said = f"{len(told)} of {plural(len(table), 'value')} tell: leads leave most often with {named}."
    return Answer(
        question="What do the leads that leave have in common?",
        sentence=said,
        tables={"drivers": table},
        notes=(
            f"Leads older than {days} days only: younger ones may still leave.",
            f"Fisher's exact test of each value against the rest, corrected for {plural(len(table), 'look')} (Holm).",
            "What goes with leaving need not cause it.",
        ),
        document={"drivers": records(table)},
    )
