"""Small things to keep, made by hand."""

from __future__ import annotations

from datetime import date
from pathlib import Path

from kpis.store.models import Period, Prediction
from kpis.store.snapshots import About


def prediction(name: str = "as estimated", made_on: date = date(2026, 1, 20), **changes: object) -> Prediction:
    """A prediction of the first three quarters of 2026: 100, 200, 300 expected, give or take a tenth."""
    quarters = (
        (date(2026, 3 * w + 1, 1), end)
        for w, end in enumerate((date(2026, 3, 31), date(2026, 6, 30), date(2026, 9, 30)))
    )
    values = {"grain": "quarter", "fiscal_start": 1, "currency": "USD", "data": "deals", "fingerprint": "f" * 64}
    values |= {"assumptions": f'{{"name": "{name}"}}', "levers": 0, "method": "by hand"}
    periods = [
        Period(
            window=w, label=f"2026Q{w + 1}", starts=start, ends=end, target=None, won=10.0 if w == 0 else 0.0,
            expected=100.0 * (w + 1), p10=90.0 * (w + 1), p50=100.0 * (w + 1), p90=110.0 * (w + 1), p_hit=None,
            verified=True, method="this model", quantiles=quantiles(80.0 * (w + 1), 120.0 * (w + 1)),
        )
        for w, (start, end) in enumerate(quarters)
    ]  # fmt: skip
    return Prediction(made_on=made_on, name=name, periods=periods, **{**values, **changes})


def quantiles(low: float, high: float) -> list[float]:
    """Of a uniform distribution, at the levels of the ledger."""
    from kpis.store.ledger import LEVELS

    return [low + level * (high - low) for level in LEVELS]


def about(number: int = 1) -> About:
    """What is told of a snapshot."""
    return About(f"deals {number}", f"{number:064d}", date(2026, 1, 1), number)


def files(number: int = 1):
    """A writer of three files that belong together."""

    def write(folder: Path) -> None:
        for name in ("a.parquet", "b.parquet", "intake.json"):
            (folder / name).write_bytes(f"{number}\n".encode() * 1000)

    return write


def is_whole(folder: Path, number: int) -> bool:
    """Whether a folder holds all of them."""
    held = {path.name: path.read_bytes() for path in folder.iterdir()}
    return held == dict.fromkeys(("a.parquet", "b.parquet", "intake.json"), f"{number}\n".encode() * 1000)
