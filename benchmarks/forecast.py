"""The forecast against an oracle that knows the truth, against simple rules and against exponential smoothing.

    python benchmarks/forecast.py [--companies 20] [--first-seed 101] [--draws 200] [--write]

Twenty companies drawn by `truth.draw_truth`, three days of each of the last eight quarters whose windows are over, and
the companies in ../shared/data. With --write the tables replace those in benchmarks/README.md.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pandas as pd

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks.crm import as_dataset  # noqa: E402
from benchmarks.oracle import futures  # noqa: E402
from benchmarks.peers import SEASON, Normal, ets, weekly  # noqa: E402
from benchmarks.report import table, write  # noqa: E402
from benchmarks.simulator import Company, live  # noqa: E402
from benchmarks.timing import timing  # noqa: E402
from benchmarks.truth import Truth, draw_truth  # noqa: E402
from kpis.dataset import Dataset  # noqa: E402
from kpis.errors import TandemError  # noqa: E402
from kpis.forecast.backtest import MODEL, PHASES, Origin, backtest, choose, history_of_forecasts, scores  # noqa: E402
from kpis.forecast.model import fit  # noqa: E402
from kpis.forecast.rules import RULES  # noqa: E402
from kpis.periods import Calendar, day_n, day_of  # noqa: E402
from kpis.pipeline.stints import stints  # noqa: E402
from kpis.settings import Settings  # noqa: E402

LAST = date(2025, 12, 31)
SCORED = 8
QUARTERS = Calendar("quarter")
ORACLE, ETS, ETS_SEASON = "oracle (true parameters)", "AutoETS, no season", f"AutoETS, {SEASON}-week season"
SIMPLE = "exponential smoothing"
SHOWN = "this model or the rule that beat it"
METHODS = (ORACLE, MODEL, SHOWN, ETS, ETS_SEASON, *RULES)
WINDOWS = ("rest of the quarter", "next quarter", "next but one")
REAL = {"msft_regional_sales": "quarter", "maven_crm": "month", "olist_funnel": "month"}


def truth_of(seed: int) -> Truth:
    """Company number ``seed``: four to six years, 2,500 to 10,000 opportunities."""
    rng = np.random.default_rng([seed, 1])
    years, size = float(rng.integers(4, 7)), int(np.exp(rng.uniform(np.log(2_500), np.log(10_000))))
    return draw_truth(rng, last=LAST, years=years, opportunities=size)


def origins_of(data: Dataset, first: int, scored: Sequence[date]) -> dict[int, list[Origin]]:
    """Forecasts from the third quarter of the records on, by day of the quarter: the early ones are learned from."""
    found = {}
    for phase in PHASES["quarter"]:
        period, days = QUARTERS.at(day_of(first), 2), []
        while period.start <= scored[-1]:
            days.append(day_n(period.start + timedelta(days=phase)))
            period = QUARTERS.at(period.start, 1)
        found[phase] = list(history_of_forecasts(data, QUARTERS, days))
    return found


def simulated(seed: int, draws: int) -> pd.DataFrame:
    """Score every method on one company: a row an origin, window and method."""
    truth = truth_of(seed)
    scored = [QUARTERS.at(LAST, -k).start for k in range(SCORED + 1, 1, -1)]
    days = [day_n(start + timedelta(days=phase)) for phase in PHASES["quarter"] for start in scored]
    company = live(truth, np.random.default_rng([seed, 2]), watched=tuple(days))
    data = as_dataset(company)
    rows: list[dict[str, object]] = []
    for origins in origins_of(data, truth.start, scored).values():
        for k, origin in enumerate(origins):
            if origin.day in company.seen:
                drawn = _oracle(company, origin, draws, np.random.default_rng([seed, origin.day]))
                rows += _rows(origin, origins[:k], _bookings(data), SEASON, drawn)
    return pd.DataFrame(rows).assign(company=seed)


def real(folder: Path, grain: str) -> pd.DataFrame:
    """Score every method on the backtest of a data set that somebody else made."""
    from kpis.intake import read

    calendar = Calendar(grain)
    data = read([folder], settings=Settings(grain=grain)).dataset
    fit(data)  # says what is missing where there can be no forecast
    origins = backtest(data, calendar)
    booked = _bookings(data)
    rows: list[dict[str, object]] = []
    for phase in PHASES[grain]:
        same = [x for x in origins if x.phase == phase]
        for k, origin in enumerate(same):
            rows += _rows(origin, same[:k], booked, SEASON, None)
    return pd.DataFrame(rows).assign(company=folder.name)


def _bookings(data: Dataset) -> pd.DataFrame:
    return stints(data.known_at(data.newest)).bookings


def _oracle(company: Company, origin: Origin, draws: int, rng: np.random.Generator) -> np.ndarray:
    """(draws, windows) revenue still to come."""
    seen = company.seen[origin.day]
    return futures(company.truth, seen, origin.landmark.ends, draws=draws, rng=rng).sum(2)


def _rows(
    origin: Origin, before: list[Origin], booked: pd.DataFrame, season: int, drawn: np.ndarray | None
) -> Iterator[dict[str, object]]:
    closed, amount = booked["closed"].to_numpy(), booked["amount"].to_numpy()
    series = weekly(closed, amount, int(closed.min()), origin.day)
    ahead = tuple(end - origin.day for end in origin.landmark.ends)
    smoothed = {ETS: ets(series, ahead, 1), ETS_SEASON: ets(series, ahead, season)}
    scale = _earned(origin, before)
    for w, actual in enumerate(origin.actual):
        if not np.isfinite(actual):
            continue
        future = None if drawn is None else drawn[:, w]
        common = {"day": origin.day, "phase": origin.phase, "window": w, "actual": actual}
        common["truth"] = np.nan if future is None else future.mean()
        yield {
            **common, "method": MODEL, "forecast": origin.expected[w], "crps": origin.crps[w],
            **_held(origin.p10[w], origin.p90[w], actual, future),
        }  # fmt: skip
        yield {**common, "method": SHOWN, "forecast": origin.expected[w] * scale[w]}
        if future is not None:
            low, high = np.quantile(future, [0.1, 0.9])
            yield {
                **common, "method": ORACLE, "forecast": future.mean(), "crps": _crps(future, actual),
                **_held(low, high, actual, future),
            }  # fmt: skip
        for name, peer in smoothed.items():
            yield {**common, "method": name, **_normal(peer, w, actual, future)}
        for name, forecast in origin.rules.items():
            yield {**common, "method": name, "forecast": forecast[w], "crps": abs(forecast[w] - actual)}


def _normal(peer: Normal, w: int, actual: float, future: np.ndarray | None) -> dict[str, float]:
    held = _held(peer.quantile(0.1)[w], peer.quantile(0.9)[w], actual, future)
    return {"forecast": peer.mean[w], "crps": peer.crps(np.full(len(peer.mean), actual))[w], **held}


def _held(low: float, high: float, actual: float, future: np.ndarray | None) -> dict[str, float]:
    if not np.isfinite(low):
        return {}
    inside = np.nan if future is None else float(((future >= low) & (future <= high)).mean())
    return {"held": float(low <= actual <= high), "held_futures": inside}


def _earned(origin: Origin, before: list[Origin]) -> np.ndarray:
    """Factor that brings the mean to that of the rule which had earned it by then (kpis.forecast.backtest.record)."""
    known = [
        replace(x, actual=np.where(np.array(x.landmark.ends) <= origin.day, x.actual, np.nan)) for x in before[-10:]
    ]
    factor = np.ones(len(origin.actual))
    if any(np.isfinite(x.actual).any() for x in known):
        for w, method in enumerate(choose(scores(known))[0]):
            rule = origin.rules[method][w] if method != MODEL else np.nan
            if rule > 0 and origin.expected[w] > 0:
                factor[w] = rule / origin.expected[w]
    return factor


def _crps(sample: np.ndarray, actual: float) -> float:
    """Score of a sample: E|X - y| - E|X - X'| / 2, the second without pairing a draw with itself."""
    x, n = np.sort(sample), len(sample)
    spread = 2 * (x * (2 * np.arange(1, n + 1) - n - 1)).sum() / (n * (n - 1))
    return float(np.abs(x - actual).mean() - spread / 2)


def summary(rows: pd.DataFrame) -> pd.DataFrame:
    """Mean over companies of each company's scores: every company counts the same, whatever its size."""
    each = by_company(rows)
    found = each.groupby(["window", "method"], sort=False).mean(numeric_only=True)
    order = [(w, m) for w in range(3) for m in METHODS if (w, m) in found.index]
    return found.loc[order].reset_index()


def by_company(rows: pd.DataFrame) -> pd.DataFrame:
    """WAPE, bias (to the actual, to the oracle's mean), CRPS and coverage: a row a company, window and method."""
    found = []
    ours = rows[rows["method"] == MODEL][["company", "window", "day", "forecast"]].rename(columns={"forecast": "ours"})
    rows = rows[np.isfinite(rows["forecast"])].merge(ours, on=["company", "window", "day"])
    for (company, window, method), part in rows.groupby(["company", "window", "method"]):
        total, truth = part["actual"].sum(), part["truth"].sum(min_count=1)
        found.append(
            {
                "company": company, "window": window, "method": method, "n": len(part),
                "wape": (part["forecast"] - part["actual"]).abs().sum() / total,
                "bias": part["forecast"].sum() / total - 1,
                "bias_truth": part["forecast"].sum() / truth - 1 if np.isfinite(truth) else np.nan,
                "crps": part["crps"].sum(min_count=1) / total,
                "ours": (part["ours"] - part["actual"]).abs().sum() / total,
                "held": part["held"].mean(), "held_futures": part["held_futures"].mean(),
            }
        )  # fmt: skip
    return pd.DataFrame(found)


def goals(rows: pd.DataFrame) -> pd.DataFrame:
    """What must be reached, beside what was: a row a window, with the range over companies."""
    each = by_company(rows).set_index(["window", "method", "company"]).sort_index()
    found = []
    for w in range(3):
        ours, oracle = each.loc[(w, MODEL)], each.loc[(w, ORACLE)]
        best = min((ETS, ETS_SEASON), key=lambda name: each.loc[(w, name), "wape"].mean())
        smooth = each.loc[(w, best)]
        ratio, below = ours["wape"] / oracle["wape"], 1 - ours["wape"] / smooth["wape"]
        found.append(
            {
                "window": WINDOWS[w],
                "WAPE / oracle (<= 1.2)": f"{ours['wape'].mean() / oracle['wape'].mean():.2f}",
                "by company": f"{ratio.min():.2f} to {ratio.max():.2f}",
                "below ETS (>= 15 %)": f"{1 - ours['wape'].mean() / smooth['wape'].mean():.0%} ({best})",
                "by company ": f"{below.min():.0%} to {below.max():.0%}",
                "below simple smoothing": f"{1 - ours['wape'].mean() / each.loc[(w, SIMPLE), 'wape'].mean():.0%}",
                "oracle below ETS": f"{1 - oracle['wape'].mean() / smooth['wape'].mean():.0%}",
                "bias to oracle's mean (<= 5 %)": f"{ours['bias_truth'].mean():+.1%}",
                "by company  ": f"{ours['bias_truth'].min():+.0%} to {ours['bias_truth'].max():+.0%}",
                "80 % range holds futures (75-85 %)": f"{ours['held_futures'].mean():.0%}",
                "by company   ": f"{ours['held_futures'].min():.0%} to {ours['held_futures'].max():.0%}",
            }
        )  # fmt: skip
    return pd.DataFrame(found)


def _shown(found: pd.DataFrame) -> pd.DataFrame:
    names = {
        "wape": "WAPE", "ours": "this model on the same", "bias": "bias",
        "bias_truth": "bias to oracle's mean", "crps": "CRPS",
        "held": "80 % range holds actual", "held_futures": "holds futures",
    }  # fmt: skip
    out = found[["window", "method", "n", *names]].rename(columns=names)
    out["n"] = out["n"].round().astype(int)
    for name in names.values():
        form = "{:+.1%}" if name.startswith("bias") else "{:.1%}"
        out[name] = [form.format(x) if np.isfinite(x) else "" for x in found[{v: k for k, v in names.items()}[name]]]
    return out.dropna(axis=1, how="all").loc[:, lambda x: (x != "").any()]


def _companies(seeds: Sequence[int]) -> pd.DataFrame:
    kept = []
    for seed in seeds:
        truth = truth_of(seed)
        kept.append(
            {
                "seed": seed, "stages": truth.stages, "years": f"{(truth.last - truth.start + 1) / 365.25:.0f}",
                "opportunities": round(truth.rate[truth.start - truth.first : truth.last - truth.first + 1].sum()),
                "older pipeline moved in": "yes" if truth.first < truth.start else "no",
                "shock": f"{truth.shock_cv:.2f}",
            }
        )  # fmt: skip
    return pd.DataFrame(kept)


def main() -> None:
    """Run, print, and write where asked to."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in (("companies", 20), ("first-seed", 101), ("draws", 200)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--date", default=date.today().isoformat(), help="date to print")  # noqa: DTZ011
    parser.add_argument("--no-timing", action="store_true", help="leave out fit and slider times")
    parser.add_argument("--write", action="store_true", help="put the tables into benchmarks/README.md")
    options = parser.parse_args()
    seeds = range(options.first_seed, options.first_seed + options.companies)
    found = []
    for seed in seeds:
        began = time.perf_counter()
        found.append(simulated(seed, options.draws))
        print(f"company {seed}: {time.perf_counter() - began:.0f} s", file=sys.stderr, flush=True)
    rows = pd.concat(found, ignore_index=True)
    heading = (
        f"Run on {options.date}, seeds {seeds[0]} to {seeds[-1]}, {options.draws} futures an origin, "
        f"{len(PHASES['quarter'])} days of {SCORED} quarters each. A company's score is over its own origins; the "
        "tables show the mean over companies."
    )
    lines = [heading, "", "**What must be reached**", "", table(goals(rows))]
    lines += ["", "**Every method**", "", table(_shown(summary(rows)))]
    lines += ["", "**The companies**", "", table(_companies(seeds))]
    for name, grain in REAL.items():
        folder = ROOT.parent / "shared" / "data" / name
        if folder.is_dir():
            try:
                tested = real(folder, grain)
            except TandemError as error:
                lines += ["", f"**{name}**: not forecast. {error}"]
                continue
            lines += ["", f"**{name}**, by {grain}, {tested['day'].nunique()} origins", ""]
            lines += [table(_shown(summary(tested)))]
    if not options.no_timing:
        lines += ["", "**Time**, one process", "", table(timing())]
    print("\n".join(lines))
    if options.write:
        write("forecast", "\n".join(lines))


if __name__ == "__main__":
    main()
