"""The assist list: which content helps with which deal, from whom and by when; a proposal to be edited."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import narwhals.stable.v2 as nw
import pandas as pd

from kpis.answers.answer import Answer
from kpis.answers.outlook import Outlook
from kpis.answers.pipeline import deal_table
from kpis.answers.words import plural
from kpis.dataset import Dataset
from kpis.engine import Cursor, collect
from kpis.forecast.risks import BLOCKERS
from kpis.periods import day_of

TYPES = {
    "information": ("guide", "sheet", "datasheet", "white paper", "e-book", "checklist", "brochure", "faq"),
    "assurance": ("case study", "reference", "testimonial", "review", "certificate", "analyst report"),
    "context": ("report", "webinar", "video", "podcast", "article", "blog", "newsletter"),
    "urgency": ("tool", "calculator", "template", "business case", "roi", "offer", "trial"),
}
"""Types of content that give a buyer what is missing, the best first."""

DAYS = 7
"""An assist is due in so many days, or by the expected close where that comes first."""

COLUMNS = ["opportunity_id", "name", "amount", "expected", "flags", "blocker", "asset", "owner", "due"]
EDITABLE = ("blocker", "asset", "owner", "due")


def assists(found: Outlook) -> Answer:
    """Deal x blocker x asset x owner x due date, for the deals with a flag; most expected this period first.

    The asset is the one of the blocker's types that was used most on deals that were won and that this deal has not
    had yet; empty where no content fits or none is known.

    Tables: ``assists``, and ``choices`` (the asset for each deal and blocker, whatever is agreed on).
    """
    dataset, today = found.dataset, found.model.today
    deals = deal_table(found)
    deals = deals[deals["flags"] != ""].reset_index(drop=True)
    ranked, had = _ranked(dataset), _had(dataset)
    choices = pd.DataFrame(
        [
            (deal, blocker, next((title for key, title in ranked.get(blocker, ()) if (deal, key) not in had), ""))
            for deal in deals["opportunity_id"]
            for blocker in BLOCKERS
        ],
        columns=["opportunity_id", "blocker", "asset"],
        dtype="str",
    )
    due = day_of(today + DAYS)
    closes = [close if close is not None and day_of(today) < close < due else due for close in deals["expected_close"]]
    table = deals.merge(choices, on=["opportunity_id", "blocker"], how="left").assign(due=closes)[COLUMNS]
    content = dataset.has("content_assets", "title", "type")
    return Answer(
        question="What can marketing provide?",
        sentence=_sentence(table) if len(table) else "No open deal carries a risk flag, so none needs help.",
        tables={"assists": table, "choices": choices},
        notes=() if content else ("No asset is proposed: needs table content_assets with a title and a type",),
    )


def agreed(proposed: Answer, edits: Mapping[str, Mapping[str, Any]]) -> pd.DataFrame:
    """The assist list with what people changed: a new blocker brings its asset, unless that was chosen as well.

    Parameters
    ----------
    edits
        Opportunity id -> column of EDITABLE -> its agreed value.
    """
    table = proposed.tables["assists"].set_index("opportunity_id")
    choices = proposed.tables["choices"].set_index(["opportunity_id", "blocker"])["asset"]
    for deal, changes in edits.items():
        if deal in table.index:
            follows = {"asset": choices.get((deal, changes["blocker"]), "")} if changes.get("blocker") else {}
            for column, value in {**follows, **changes}.items():
                table.loc[deal, column] = value
    return table.reset_index()


def _sentence(table: pd.DataFrame) -> str:
    counts = table["blocker"].value_counts()
    most, *others = counts.index
    said = [f"{most} in {plural(counts[most], 'deal')}", *(f"{blocker} in {counts[blocker]:,}" for blocker in others)]
    return f"By their flags, buyers lack {', '.join(said)}."


def titles(dataset: Dataset) -> list[str]:
    """What can be chosen: the titles of all content that is still offered."""
    return [] if not dataset.has("content_assets", "title") else sorted(_assets(dataset)["title"].unique())


def _assets(dataset: Dataset) -> pd.DataFrame:
    """Content that is offered as of the day."""
    frame = dataset.frame("content_assets", dataset.engine.cursor())
    frame = frame.with_columns(retired=nw.col("retired").fill_null(0), type=nw.col("type").fill_null(""))
    frame = frame.filter((nw.col("retired") == 0) & ~nw.col("title").is_null())
    return collect(frame, {"asset_id": "text", "title": "text", "type": "text"})


def _ranked(dataset: Dataset) -> dict[str, list[tuple[str, str]]]:
    """Blocker -> assets (id, title) that fit it: by uses on won deals, then by the order of their types."""
    if not dataset.has("content_assets", "title", "type"):
        return {}
    assets = _assets(dataset)
    kind = assets["type"].str.lower()
    assets = assets.assign(uses=assets["asset_id"].map(_uses_on_won(dataset)).fillna(0))
    found = {}
    for blocker, types in TYPES.items():
        rank = {name: k for k, name in enumerate(types)}
        fits = assets[kind.isin(types)].assign(rank=kind.map(rank))
        fits = fits.sort_values(["uses", "rank", "asset_id"], ascending=[False, True, True])
        found[blocker] = list(zip(fits["asset_id"], fits["title"], strict=True))
    return found


def _uses(dataset: Dataset, cursor: Cursor) -> nw.LazyFrame:
    frame = dataset.frame("content_events", cursor)
    return frame.filter(~nw.col("opportunity_id").is_null()).select("asset_id", "opportunity_id")


def _uses_on_won(dataset: Dataset) -> pd.Series:
    """Asset -> how often it was used on deals that were won."""
    if not dataset.has("content_events", "asset_id", "opportunity_id"):
        return pd.Series(dtype=float)
    cursor = dataset.engine.cursor()
    won = dataset.frame("opportunities", cursor).filter(nw.col("status") == "won").select("opportunity_id")
    uses = _uses(dataset, cursor).join(won, on="opportunity_id", how="inner")
    counted = collect(uses.group_by("asset_id").agg(n=nw.len()), {"asset_id": "text", "n": "int"})
    return counted.set_index("asset_id")["n"].astype(float)


def _had(dataset: Dataset) -> set[tuple[str, str]]:
    """Pairs (deal, asset): what open deals have had already."""
    if not dataset.has("content_events", "asset_id", "opportunity_id"):
        return set()
    cursor = dataset.engine.cursor()
    still_open = dataset.frame("opportunities", cursor).filter(nw.col("status") == "open").select("opportunity_id")
    uses = _uses(dataset, cursor).join(still_open, on="opportunity_id", how="inner")
    rows = collect(uses, {"asset_id": "text", "opportunity_id": "text"})
    return set(zip(rows["opportunity_id"], rows["asset_id"], strict=True))
