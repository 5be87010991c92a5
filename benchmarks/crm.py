"""A simulated company's records as the tables of the dictionary."""

from __future__ import annotations

import numpy as np
import pandas as pd

from benchmarks.simulator import Company
from benchmarks.truth import SEGMENTS, SOURCES, STAGE_NAMES
from kpis.dataset import Dataset
from kpis.periods import day_of
from tests.build import dataset


def tables(company: Company) -> dict[str, pd.DataFrame]:
    """Opportunities, their history, and the stages with the CRM's default probabilities (as ever, too high)."""
    truth, made = company.truth, company.made
    names = (*STAGE_NAMES[-truth.stages :], "Won", "Lost")
    order = np.lexsort((np.arange(len(company.log["deal"])), company.log["day"]))
    log = {name: values[order] for name, values in company.log.items()}
    last = np.zeros(len(made["created"]), dtype=np.int64)
    last[log["deal"]] = np.arange(len(log["deal"]))
    recorded = (company.closed < 0) | (company.closed >= truth.start)
    deal = np.flatnonzero(recorded)
    identity = np.char.mod("D%07d", np.arange(len(recorded)))
    label = {name: np.array(labels) for name, labels in (("segment", SEGMENTS), ("source", SOURCES), ("stage", names))}
    status = np.select([company.outcome < 0, company.outcome == truth.stages], ["open", "won"], "lost")
    opportunities = pd.DataFrame(
        {
            "opportunity_id": identity[deal],
            "owner": np.char.mod("Seller %02d", made["owner"][deal]),
            "segment": label["segment"][made["segment"][deal]],
            "source": label["source"][made["source"][deal]],
            "stage": label["stage"][log["stage"][last[deal]]],
            "status": status[deal],
            "amount": log["amount"][last[deal]],
            "created_at": _dates(made["created"][deal]),
            "expected_close": _dates(log["expected"][last[deal]]),
            "closed_at": _dates(company.closed[deal]).where(company.closed[deal] >= 0),
        }
    )
    kept = recorded[log["deal"]]
    history = pd.DataFrame(
        {
            "opportunity_id": identity[log["deal"][kept]],
            "changed_at": _dates(log["day"][kept]),
            "stage": label["stage"][log["stage"][kept]],
            "amount": log["amount"][kept],
            "expected_close": _dates(log["expected"][kept]),
        }
    )
    stages = pd.DataFrame(
        {
            "stage": names,
            "position": np.arange(1, len(names) + 1),
            "is_qualified": [0] + [1] * (truth.stages - 1) + [0, 0],
            "is_won": [0] * truth.stages + [1, 0],
            "is_lost": [0] * truth.stages + [0, 1],
            "default_probability": [*np.linspace(0.1, 0.9, truth.stages), 1.0, 0.0],
        }
    )
    return {"opportunities": opportunities, "opportunity_history": history, "stages": stages}


def as_dataset(company: Company) -> Dataset:
    """The records with the guarantees that intake gives."""
    return dataset(tables(company), newest=day_of(company.truth.last))


def _dates(days: np.ndarray) -> pd.Series:
    return pd.Series(days.astype("datetime64[D]"))
