"""What the company sells, and which product a deal is about."""

from __future__ import annotations

import numpy as np
import pandas as pd

from kpis.demo.calendar import iso

# Name, category, margin, list price, launched (days before the start, or a share of the time since it), and how
# often each segment is offered it.
_PRODUCTS = (
    ("Atlas Start", "Platform", 0.74, 7_500.0, -2_600, (0.46, 0.06, 0.00)),
    ("Atlas Core", "Platform", 0.80, 18_000.0, -3_200, (0.26, 0.42, 0.14)),
    ("Atlas Enterprise", "Platform", 0.84, 72_000.0, -2_100, (0.00, 0.12, 0.46)),
    ("Insight Pro", "Analytics", 0.78, 15_000.0, -1_150, (0.16, 0.22, 0.20)),
    ("Insight Live", "Analytics", 0.69, 24_000.0, 0.42, (0.06, 0.12, 0.12)),
    ("Connect Hub", "Integration", 0.62, 12_000.0, 0.76, (0.06, 0.06, 0.08)),
    ("Onboarding", "Services", 0.34, 4_000.0, -3_200, (0.0, 0.0, 0.0)),
    ("Training Days", "Services", 0.41, 2_500.0, -2_900, (0.0, 0.0, 0.0)),
)
NAMES = np.array([name for name, *_ in _PRODUCTS])
CATEGORY = np.array([category for _, category, *_ in _PRODUCTS])
IDS = np.array([f"P-{n:02d}" for n in range(1, len(_PRODUCTS) + 1)])
SERVICES = np.flatnonzero(CATEGORY == "Services")


def launched(first: int, last: int) -> np.ndarray:
    """Day each product was launched."""
    when = np.array([when for *_, when, _ in _PRODUCTS])
    return first + np.where(when < 0, when, when * (last - first)).round().astype(np.int64)


def table(first: int, last: int) -> pd.DataFrame:
    """The products table."""
    _, _, margin, price, _, _ = zip(*_PRODUCTS, strict=True)
    return pd.DataFrame(
        {
            "product_id": IDS,
            "name": NAMES,
            "category": CATEGORY,
            "margin_share": margin,
            "launched_on": iso(launched(first, last)),
            "list_price": price,
        }
    )


def pick(segment: np.ndarray, day: np.ndarray, first: int, last: int, rng: np.random.Generator) -> np.ndarray:
    """A product for each deal from those launched by its day."""
    weight = np.array([shares for *_, shares in _PRODUCTS]).T[segment]
    weight = weight * (launched(first, last) <= day[:, None])
    reached = np.cumsum(weight, axis=1)
    return (rng.random(len(day))[:, None] * reached[:, -1:] >= reached).sum(axis=1)
