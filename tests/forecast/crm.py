"""Small companies as rows, for tests of the whole way from opportunities to the projection."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np

from kpis.dataset import Dataset
from kpis.forecast.model import fit
from kpis.forecast.projection import Projection, project
from kpis.settings import Settings
from tests.build import dataset

START = date(2023, 1, 1)
STAGES = [
    {"stage": "A", "position": 1, "is_won": 0, "is_lost": 0},
    {"stage": "B", "position": 2, "is_won": 0, "is_lost": 0},
    {"stage": "Won", "position": 3, "is_won": 1, "is_lost": 0},
    {"stage": "Lost", "position": 4, "is_won": 0, "is_lost": 1},
]


def day(n: int) -> date:
    """Day n of the story."""
    return START + timedelta(days=int(n))


def opp(name: int, created: int | None, closed: int | None = None, status: str = "", **more) -> dict:
    """One opportunity; amount 1,000 unless said otherwise."""
    return {
        "opportunity_id": f"o{name:05d}",
        "created_at": None if created is None else day(created),
        "closed_at": None if closed is None else day(closed),
        "status": status or ("open" if closed is None else "won"),
        "amount": 1000.0,
        **more,
    }


def crm(
    deals: list[dict],
    history: list[dict] | None = None,
    *,
    today: int,
    newest: int | None = None,
    settings: Settings | None = None,
) -> Dataset:
    """A dataset as known at the end of day ``today``."""
    tables: dict = {"opportunities": deals}
    if history is not None:
        tables |= {"opportunity_history": history, "stages": STAGES}
    return dataset(tables, as_of=day(today), newest=day(max(today, newest or today)), settings=settings)


def healthy(projection: Projection) -> None:
    """What holds for every projection of any company."""
    model, assumed = projection.model, projection.assumptions
    amount = model.open_deals.amount * (assumed.deal_size if assumed.deal_size_open else 1.0)
    assert np.isfinite(projection.deal_p).all()
    assert (projection.deal_p >= 0).all()
    assert (projection.deal_p.sum(1) <= 1 + 1e-9).all()
    assert np.isfinite(projection.value_created).all()
    assert (projection.per_day >= 0).all()
    for w, window in enumerate(projection.windows):
        numbers = [
            window.won,
            window.from_open,
            window.from_new,
            window.expected,
            window.to_come.mean,
            window.to_come.sd,
        ]
        quantiles = [window.quantile(q) for q in (0.1, 0.5, 0.9)]
        assert np.isfinite(numbers + quantiles).all()
        assert quantiles == sorted(quantiles)
        assert window.from_open >= 0
        assert window.from_new >= 0
        assert window.won + window.from_open + window.from_new == window.expected
        assert np.isclose(window.to_come.mean, window.from_open + window.from_new, rtol=1e-9, atol=1e-9)
        assert np.isclose((projection.deal_p[:, w] * amount).sum(), window.from_open, rtol=1e-9, atol=1e-9)
        assert np.isclose(
            (projection.per_day * projection.value_created[:, w]).sum(), window.from_new, rtol=1e-9, atol=1e-9
        )
        chances = [window.p_hit(t) for t in (0.0, 1.0, 1e3, 1e5, 1e9)]
        assert chances == sorted(chances, reverse=True)
        assert 0 <= chances[-1] <= chances[0] <= 1


def projected(data: Dataset) -> Projection:
    """Fit and project as estimated."""
    return project(fit(data))
