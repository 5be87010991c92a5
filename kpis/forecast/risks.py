"""Risk flags of open deals: what could keep each from coming through, as far as the data can tell."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import narwhals.stable.v2 as nw
import numpy as np
import pandas as pd

from kpis.dataset import Dataset
from kpis.engine import NEVER, collect
from kpis.errors import NotEnoughData
from kpis.pipeline.stints import WON

if TYPE_CHECKING:
    from kpis.forecast.model import Model

PUSHED_OFTEN = 2
LATE_SHARE = 0.9
"""A deal is old in its stage when it is there longer than this share of won deals ever were."""

MIN_WON = 10
"""With fewer won deals nothing is said about what won deals do."""

BLOCKERS = ("information", "assurance", "context", "urgency")
"""What a buyer may be short of, in Heinz's words."""


@dataclass(frozen=True)
class Risk:
    """A rule that flags deals.

    Parameters
    ----------
    flag
        What is wrong, in a few words.
    why
        The rule in a sentence.
    blocker
        What the buyer of a flagged deal is likely to be short of.
    needs
        The data it takes, as table.column.
    test
        (open deals,) whether each is flagged; raises NotEnoughData where the data cannot tell.
    """

    flag: str
    why: str
    blocker: str
    needs: str
    test: Callable[[Model], np.ndarray]


@dataclass(frozen=True)
class Flags:
    """Which open deal has which flags.

    Parameters
    ----------
    known
        The rules that the data support.
    raised
        (rules, open deals) whether each flags each.
    unknown
        The rules that they do not support.
    """

    known: tuple[Risk, ...]
    raised: np.ndarray
    unknown: tuple[Risk, ...]

    def of(self, deal: int) -> list[str]:
        """The flags of one open deal."""
        return [risk.flag for risk, on in zip(self.known, self.raised[:, deal], strict=True) if on]

    def blockers(self) -> list[str]:
        """Proposed blocker of each open deal: the one its rarest flag points to; empty without a flag.

        What many deals have in common tells little about one of them. A tie goes to the rule that stands first.
        """
        if not self.known:
            return [""] * self.raised.shape[1]
        rarity = np.where(self.raised, 1.0 / np.maximum(self.raised.sum(1), 1)[:, None], 0.0)
        return [self.known[k].blocker if on else "" for k, on in zip(rarity.argmax(0), self.raised.any(0), strict=True)]


def flags(model: Model) -> Flags:
    """Try every rule; those that the data cannot support are listed as unknown."""
    known, raised, unknown = [], [], []
    for risk in RISKS:
        try:
            raised.append(risk.test(model))
        except NotEnoughData:
            unknown.append(risk)
        else:
            known.append(risk)
    deals = len(model.open_deals.row)
    return Flags(tuple(known), np.array(raised, dtype=bool).reshape(len(known), deals), tuple(unknown))


def _column(model: Model, name: str) -> np.ndarray:
    return model.stints.deals[name].to_numpy()[model.open_deals.row]


def _overdue(model: Model) -> np.ndarray:
    close = _column(model, "expected_close")
    if not (close < NEVER).any():
        raise NotEnoughData("no open deal has an expected close")
    return close < model.today


def _pushed(model: Model) -> np.ndarray:
    if not model.dataset.has("opportunity_history", "expected_close"):
        model.dataset.need("opportunities", "push_count")
    return _column(model, "pushes") >= PUSHED_OFTEN


def _old(model: Model) -> np.ndarray:
    """Longer in its stage than LATE_SHARE of the visits of deals that were won lasted."""
    spells, held = model.stints.spells, model.open_deals
    done = spells[(spells["cause"] >= 0) & (model.stints.deals["outcome"].to_numpy()[spells["deal"]] == WON)]
    if done["deal"].nunique() < MIN_WON:
        raise NotEnoughData("too few won deals")
    days = (done["exit"] - done["entry"]).groupby(done["stage"])
    limit = days.quantile(LATE_SHARE).where(days.size() >= MIN_WON).reindex(range(len(model.stages))).to_numpy()
    return held.age > np.nan_to_num(limit[held.stage], nan=np.inf)


def _quiet(model: Model) -> np.ndarray:
    """No activity logged on the deal within the agreed number of days."""
    data = model.dataset
    last = np.full(len(model.open_deals.row), -NEVER)
    if data.has("activities", "opportunity_id", "occurred_at"):
        last = np.maximum(last, _latest_activity(model))
    elif data.as_of < data.newest:
        raise NotEnoughData("the last activity as of a past day is not known")
    else:
        data.need("opportunities", "last_activity_at")
    if data.as_of >= data.newest:
        last = np.maximum(last, _column(model, "last_activity"))
    return last < model.today - data.settings.definitions.active_within_days


def _latest_activity(model: Model) -> np.ndarray:
    frame = model.dataset.frame("activities", model.dataset.engine.cursor())
    frame = frame.filter(~nw.col("opportunity_id").is_null() & ~nw.col("occurred_at_n").is_null())
    frame = frame.group_by("opportunity_id").agg(day=nw.col("occurred_at_n").max())
    latest = collect(frame, {"opportunity_id": "text", "day": "int"}).set_index("opportunity_id")["day"]
    return pd.Series(_column(model, "opportunity_id")).map(latest).fillna(-NEVER).to_numpy().astype(np.int64)


def _no_next_step(model: Model) -> np.ndarray:
    model.dataset.need("opportunities", "next_step")
    _now_only(model.dataset, "the next step")
    step = model.labels["next_step"].reindex(_column(model, "opportunity_id"))
    return (step.isna() | (step == "")).to_numpy()


def _now_only(data: Dataset, what: str) -> None:
    if data.as_of < data.newest:
        raise NotEnoughData(f"{what} as of a past day is not known")


def _contacts(model: Model) -> tuple[np.ndarray, np.ndarray]:
    """Number of people, and of those who decide, known at each open deal's account; NaN where it has none."""
    model.dataset.need("contacts", "account_id")
    model.dataset.need("opportunities", "account_id")
    decides = nw.when(nw.col("is_decision_maker") == 1).then(1).otherwise(0)
    frame = model.dataset.frame("contacts", model.dataset.engine.cursor()).with_columns(decides=decides)
    frame = frame.filter(~nw.col("account_id").is_null())
    counted = collect(
        frame.group_by("account_id").agg(contacts=nw.len(), deciders=nw.col("decides").sum()),
        {"account_id": "text", "contacts": "int", "deciders": "int"},
    ).set_index("account_id")
    account = model.labels["account_id"].reindex(_column(model, "opportunity_id"))
    found = np.array(counted.reindex(account.to_numpy()).fillna(0.0), dtype=float)
    found[account.isna().to_numpy()] = np.nan
    return found[:, 0], found[:, 1]


def _single(model: Model) -> np.ndarray:
    people, _ = _contacts(model)
    return people <= 1


def _no_decider(model: Model) -> np.ndarray:
    model.dataset.need("contacts", "is_decision_maker")
    _, deciders = _contacts(model)
    return deciders == 0


def _no_amount(model: Model) -> np.ndarray:
    model.dataset.need("opportunities", "amount")
    return model.amounts.stood_in[model.open_deals.row]


def _outlier(model: Model) -> np.ndarray:
    """Larger than any deal that was won."""
    deals = model.stints.deals
    won = deals.loc[deals["outcome"] == WON, "amount"].dropna()
    if len(won) < MIN_WON:
        raise NotEnoughData("too few won deals")
    return model.amounts.known[model.open_deals.row] > won.max()


RISKS = (
    Risk(
        "no amount", "The CRM has no amount for it.", "information", "opportunities.amount", _no_amount,
    ),
    Risk(
        "no next step", "No next step is agreed.", "information", "opportunities.next_step (of today)", _no_next_step,
    ),
    Risk(
        "no decision maker", "Nobody who decides is known at the account.", "assurance",
        "contacts.account_id, contacts.is_decision_maker, opportunities.account_id", _no_decider,
    ),
    Risk(
        "single contact", "At most one person is known at the account.", "assurance",
        "contacts.account_id, opportunities.account_id", _single,
    ),
    Risk(
        "larger than any won", "Its amount is above that of every deal won so far.", "assurance",
        f"at least {MIN_WON} won deals with an amount", _outlier,
    ),
    Risk(
        "no recent activity", "No activity within the days that the definitions set (14 at first).", "context",
        "activities.opportunity_id, activities.occurred_at; for today opportunities.last_activity_at will do", _quiet,
    ),
    Risk(
        "close date passed", "Its expected close lies before the as-of date.", "urgency",
        "opportunities.expected_close", _overdue,
    ),
    Risk(
        "pushed twice or more", "Its expected close was moved later by a week or more at least twice.", "urgency",
        "opportunity_history.expected_close or opportunities.push_count", _pushed,
    ),
    Risk(
        "old in its stage", "It is in its stage longer than 90 % of won deals ever were.", "urgency",
        f"at least {MIN_WON} won deals that passed the stage", _old,
    ),
)  # fmt: skip
"""The rules, by the blocker they point to. Information: what is bought, or what comes next, is not settled. Assurance:
those who sign are not known, or the deal is larger than any before. Context: the talk has gone quiet. Urgency: dates
pass and nothing follows."""
