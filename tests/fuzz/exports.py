"""Random exports of small companies: plausible deals, with as much dirt as the search asks for."""

from __future__ import annotations

import os
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
from hypothesis import strategies as st

STAGES = ("Discovery", "Demo", "Proposal", "Négociation", "Verbal | agreement")
DIRT = ("", "n/a", "--", "=cmd|' /C calc'!A0", "Ωmega\u202e", "31/31/2020", "1.234,56 €", "-0", "1e309", "\x00", "NaN")
EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "12"))
"""Examples a test tries: few among the other tests, more with ``make fuzz``."""

LAST = date(2026, 6, 30)


@st.composite
def companies(draw: st.DrawFn) -> dict[str, bytes]:
    """File names and contents of one company's export."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    deals = draw(st.sampled_from((0, 1, 3, 30, 200, 600)))
    days = draw(st.sampled_from((20, 200, 900, 1500)))
    tables = {"opportunities": _opportunities(rng, deals, days)}
    for name, make in (("opportunity_history", _history), ("leads", _leads), ("targets", _targets)):
        if draw(st.booleans()):
            tables[name] = make(rng, tables["opportunities"])
    found = {}
    for name, frame in tables.items():
        lost = draw(st.sampled_from((0, 0, 1, 3)))
        kept = frame.drop(columns=rng.choice(frame.columns, min(lost, len(frame.columns)), replace=False))
        soiled = _soiled(rng, kept, draw(st.sampled_from((0.0, 0.0, 0.02, 0.3))))
        found[f"{name}.csv"] = soiled.to_csv(index=False).encode()
    return found


def write(company: dict[str, bytes], folder: Path) -> list[Path]:
    """The company as files."""
    for name, content in company.items():
        (folder / name).write_bytes(content)
    return [folder / name for name in company]


def _opportunities(rng: np.random.Generator, deals: int, days: int) -> pd.DataFrame:
    created = np.sort(rng.integers(0, days, deals))
    lasted = rng.integers(0, 150, deals)
    closed = created + lasted < days
    status = np.where(closed, np.where(rng.random(deals) < 0.4, "Won", "Lost"), "Open")
    return pd.DataFrame(
        {
            "opportunity_id": [f"D{n}" for n in range(deals)],
            "name": [f"Deal {n}" for n in range(deals)],
            "owner": rng.choice(["Ann", "Bo", "Chloé"], deals),
            "segment": rng.choice(["Small", "Large", "None"], deals),
            "stage": np.where(closed, status, rng.choice(STAGES, deals)),
            "status": status,
            "amount": rng.choice([0, 10, 1e3, 12_345.67, 1e9], deals),
            "created_at": _dates(created, days),
            "expected_close": _dates(created + rng.integers(0, 200, deals), days),
            "closed_at": np.where(closed, _dates(created + lasted, days), ""),
            "source": rng.choice(["Web", "Event", ""], deals),
        }
    ).astype(object)


def _history(rng: np.random.Generator, opportunities: pd.DataFrame) -> pd.DataFrame:
    rows = [
        (deal, _later(began, int(rng.integers(0, 90))), stage)
        for deal, began in zip(opportunities["opportunity_id"], opportunities["created_at"], strict=True)
        for stage in rng.choice(STAGES, int(rng.integers(0, 4)))
    ]
    return pd.DataFrame(rows, columns=["opportunity_id", "changed_at", "stage"]).astype(object)


def _leads(rng: np.random.Generator, opportunities: pd.DataFrame) -> pd.DataFrame:
    count = int(rng.integers(0, 100))
    return pd.DataFrame(
        {
            "lead_id": [f"L{n}" for n in range(count)],
            "created_at": _dates(rng.integers(0, 900, count), 900),
            "source": rng.choice(["Web", "Event"], count),
            "mql_at": _dates(rng.integers(0, 900, count), 900),
        }
    ).astype(object)


def _targets(rng: np.random.Generator, opportunities: pd.DataFrame) -> pd.DataFrame:
    quarters = ["2026Q2", "2026Q3", "2026Q4"]
    return pd.DataFrame(
        {"period": quarters, "scope": "company", "metric": "bookings", "value": rng.choice([0, 5e3, 1e7], 3)}
    ).astype(object)


def _dates(days: np.ndarray, span: int) -> list[str]:
    return [(LAST - timedelta(days=int(span - day))).isoformat() for day in days]


def _later(day: str, days: int) -> str:
    return (date.fromisoformat(day) + timedelta(days=days)).isoformat()


def _soiled(rng: np.random.Generator, frame: pd.DataFrame, share: float) -> pd.DataFrame:
    """The frame with dirt in this share of its cells."""
    return frame.mask(rng.random(frame.shape) < share, rng.choice(DIRT, frame.shape))
