"""Which content to keep, refresh or retire."""

from __future__ import annotations

import numpy as np
import pandas as pd

from kpis.answers.answer import Answer, Number
from kpis.answers.glossary import number
from kpis.answers.measures import SEED
from kpis.answers.render import records
from kpis.answers.words import plural
from kpis.dataset import Dataset
from kpis.engine import collect
from kpis.errors import NotEnoughData
from kpis.measures.content import events, on_offer
from kpis.measures.content_index import verdict
from kpis.measures.core.evaluate import evaluate
from kpis.measures.core.rows import Scan
from kpis.measures.core.runs import Run, run_by
from kpis.measures.registry import find

KINDS = {"view": "views", "download": "downloads", "sales_use": "uses_by_sales"}
VERDICTS = ("keep", "refresh", "retire")


def content_audit(dataset: Dataset, *, periods: int = 4) -> Answer:
    """Every asset on offer with its use in the last ``periods`` periods together, and a verdict.

    Reach ranks an asset among all by views, downloads and uses; conversion by MQLs and the pipeline it touched. Keep
    what is above the middle in both, refresh what is in one, retire what is in neither; an asset that nobody saw is
    to retire.

    Table ``assets``: asset_id, title, type, target_persona, views, downloads, uses_by_sales, index, reach,
    conversion, verdict, never_downloaded.

    Raises
    ------
    NotEnoughData
        Without content events.
    """
    run = run_by(dataset, "", periods)
    known = run.known
    parts = find("content_index").declare(known)
    assets = _assets(run)
    for kind, column in KINDS.items():
        reduced = run.reducer.run(Scan(events(known, kind).by("asset_id")))
        used = reduced.sum("rows")[:, -periods:].sum(axis=1)
        assets[column] = assets["asset_id"].map(dict(zip(reduced.groups, used, strict=True))).fillna(0.0)
    for name, part in parts.items():
        assets[name] = assets["asset_id"].map(part.together(run.reducer, periods))
    assets["verdict"] = [
        verdict(reach, conversion) if np.isfinite(reach) else "retire"
        for reach, conversion in zip(assets["reach"], assets["conversion"].fillna(0.0), strict=True)
    ]
    assets["never_downloaded"] = assets["downloads"] == 0
    assets = assets.sort_values(["index", "asset_id"], ascending=[False, True], ignore_index=True)
    counts = {name: int((assets["verdict"] == name).sum()) for name in VERDICTS}
    unread = int(assets["never_downloaded"].sum())
    return Answer(
        question="Which content works, and what should become of it?",
        sentence=(
            f"Of {plural(len(assets), 'asset')} on offer, {counts['keep']} to keep, {counts['refresh']} to refresh, "
            f"{counts['retire']} to retire; {unread} were not downloaded in {plural(periods, dataset.settings.grain)}."
        ),
        numbers=_numbers(dataset, periods) | {"never_downloaded": number("never_downloaded", float(unread))},
        tables={"assets": assets},
        notes=("A verdict is a rank among your own assets, not a judgement of what is in them.",),
        document={"verdicts": counts, "assets": records(assets)},
    )


def _assets(run: Run) -> pd.DataFrame:
    """The assets on offer today."""
    columns = ("asset_id", "title", "type", "target_persona")
    table = collect(on_offer(run.known), dict.fromkeys(columns, "text"))
    if table.empty:
        raise NotEnoughData("needs table content_assets", way_out="Upload what is on offer")
    return table.sort_values("asset_id", ignore_index=True)


def _numbers(dataset: Dataset, periods: int) -> dict[str, Number]:
    """Share of downloads by the target persona and of new customers reached, in the latest period that has them."""
    found = evaluate(dataset, ["content_usage"], periods=periods, rng=np.random.default_rng(SEED))[0]
    numbers = {}
    for name in ("target_persona_share", "customers_reached"):
        part = found.parts.get(name)
        known = np.flatnonzero(np.isfinite(part.grid.value[0])) if part is not None else []
        value = float(part.grid.value[0, known[-1]]) if len(known) else None
        numbers[name] = number(name, value, why=part.reason if part is not None else found.status)
    return numbers
