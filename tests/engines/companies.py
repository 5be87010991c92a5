"""Companies of odd rows: nulls, ties, re-entries, several changes a day, leap days and year ends, names beyond ASCII."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import numpy as np

from kpis.dataset import Dataset
from tests.build import dataset

DEALS = 150
FIRST, NEWEST = date(2023, 11, 20), date(2025, 1, 2)
TURNS = (
    date(2023, 12, 31),
    date(2024, 1, 1),
    date(2024, 2, 28),
    date(2024, 2, 29),
    date(2024, 3, 1),
    date(2024, 12, 31),
)
STAGES = [
    {
        "stage": name,
        "position": n,
        "is_qualified": int(n != 1),
        "is_won": int(name == "Won"),
        "is_lost": int(name == "Lost"),
    }
    for n, name in enumerate(("Anfrage", "Ébauche", "angebot", "Won", "Lost"), 1)
]
CLOSING = {"Won": "won", "Lost": "lost"}


def tables(seed: int) -> dict[str, list[dict[str, Any]]]:
    """The rows of one such company."""
    rng = np.random.default_rng(seed)

    def some(values: Any, share: float = 1.0) -> Any:
        return values[int(rng.integers(len(values)))] if rng.random() < share else None

    def day(share: float = 1.0) -> date | None:
        if rng.random() < 0.3:
            return some(TURNS, share)
        return FIRST + timedelta(days=int(rng.integers((NEWEST - FIRST).days + 1))) if rng.random() < share else None

    amounts, names = (0.0, 0.1, 0.2, 0.7, 1e6 + 0.07, -3.3, 100.0, 100.0), ("Ä", "ä", "Z", "a", "ÉCOLE", "école")
    deals, history, leads = [], [], []
    for n in range(DEALS):
        created, closed = day(0.95), day(0.6)
        if created and closed and closed < created:
            created, closed = closed, created
        name = f"{some(names)}{n}"
        deals.append(
            {
                "opportunity_id": name, "created_at": created, "closed_at": closed,
                "status": "open" if closed is None else some(("won", "lost")), "amount": some(amounts, 0.85),
                "stage": some([s["stage"] for s in STAGES], 0.9), "expected_close": day(0.7),
                "owner": some(names, 0.9), "segment": some(names, 0.8), "source": some(("web", "Web", "messe"), 0.7),
                "type": some(("new", "renewal"), 0.7), "lost_reason": some(("No Decision", "Preis"), 0.5),
                "account_id": some(("a1", "a2", "A1"), 0.8), "probability": some((0.0, 0.5, 1.0), 0.5),
                "list_price": some(amounts, 0.3), "last_activity_at": day(0.5), "qualified_at": day(0.4),
            }
        )  # fmt: skip
        moves = sorted((day() for _ in range(int(rng.integers(0, 8)))), key=date.toordinal)
        history += [
            {
                "opportunity_id": name, "changed_at": when, "stage": some([s["stage"] for s in STAGES], 0.9),
                "amount": some(amounts, 0.8), "expected_close": day(0.7), "owner": some(names, 0.5),
            }
            for when in moves
        ]  # fmt: skip
        arrived = day()
        leads.append(
            {
                "lead_id": f"l{n}", "created_at": arrived, "mql_at": day(0.6), "sql_at": day(0.4),
                "accepted_at": day(0.4), "disqualified_at": day(0.2), "archived_at": day(0.2),
                "channel": some(names, 0.8), "source_group": some(("marketing", "sales"), 0.8),
                "opportunity_id": some([d["opportunity_id"] for d in deals], 0.5),
            }
        )  # fmt: skip
    targets = [{"period": day, "metric": "bookings", "value": 1e6} for day in (date(2024, 10, 1), date(2025, 1, 1))]
    return {
        "opportunities": deals,
        "opportunity_history": history,
        "stages": STAGES,
        "leads": leads,
        "targets": targets,
    }


def odd(seed: int) -> Dataset:
    """The company as a dataset."""
    return replace(dataset(tables(seed), newest=NEWEST), fingerprint=f"odd {seed}")
