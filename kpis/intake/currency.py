"""One currency: money in several is converted with dated rates, or not added at all."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from kpis.engine import Embedded
from kpis.intake import fields
from kpis.intake.raw import quote
from kpis.intake.tables import real, reject, working


@dataclass(frozen=True)
class Outcome:
    """The currency that money is in now; ``conflict`` and ``way_out`` when it is in several and cannot be converted."""

    code: str = ""
    conflict: str = ""
    way_out: str = ""


def convert(engine: Embedded, tables: Collection[str], codes: Collection[str], wanted: str | None) -> Outcome:
    """Bring the money of opportunities, their history and spend into one currency.

    A closed deal is converted at the rate of the day it closed, an open one at the newest rate, its history
    like the deal, spend at the rate of its period. A row whose currency has no rate by then is set aside.

    Parameters
    ----------
    codes
        Currencies named in headers or beside amounts.
    wanted
        The reporting currency of the settings.
    """
    found = set(codes)
    for table in ("opportunities", "spend"):
        if table in tables:
            rows = engine.execute(
                f"SELECT DISTINCT upper(currency) FROM {working(table)} WHERE {_ACCEPTED} AND currency IS NOT NULL"
            ).fetchall()
            found |= {r[0] for r in rows}
    if len(found) <= 1 and (not wanted or not found or wanted in found):
        return Outcome(next(iter(found), wanted or ""))
    listed = ", ".join(sorted(found))
    if "rates" not in tables:
        return Outcome(
            "",
            f"The amounts are in {listed} and money is never added across currencies without a rate",
            "Add a table of rates (date, currency, rate) and name the currency to report in",
        )
    if not wanted:
        return Outcome(
            "",
            f"The amounts are in {listed} and the currency to report in is not named",
            'Set it, such as currency = "EUR" in the settings',
        )
    if len(codes) > 1 or (codes and not codes <= {wanted}):
        return Outcome(
            "",
            f"Headers or amounts name {', '.join(sorted(codes))} without a currency column to convert by",
            "Export the currency of each row",
        )
    _rates(engine)
    if "opportunities" in tables:
        _convert(engine, "opportunities", "coalesce(closed_at, DATE '2999-12-31')", wanted)
        if "opportunity_history" in tables:
            _convert_history(engine)
    if "spend" in tables:
        _convert(engine, "spend", "period", wanted)
    engine.execute("DROP TABLE _rates")
    return Outcome(wanted)


_ACCEPTED = "_why IS NULL AND NOT _merged"


def _rates(engine: Embedded) -> None:
    """From when to when each rate holds."""
    engine.execute(
        f"""
        CREATE TABLE _rates AS SELECT upper(currency) AS code, coalesce(rate, 1 / nullif(per_unit, 0)) AS rate, date AS since,
               coalesce(lead(date) OVER (PARTITION BY upper(currency) ORDER BY date), DATE '9999-12-31') AS until
        FROM {working("rates")} WHERE {_ACCEPTED} AND coalesce(rate, per_unit) > 0
        """
    )


def _convert(engine: Embedded, table: str, day: str, wanted: str) -> None:
    name = working(table)
    stored = real(engine, table)
    money = [c.name for c in fields.working_columns(table) if c.kind == "money" and c.name in stored - {"list_price"}]
    engine.execute(f"ALTER TABLE {name} ADD COLUMN _rate DOUBLE")
    engine.execute(f"UPDATE {name} SET _rate = 1 WHERE currency IS NULL OR upper(currency) = {quote(wanted)}")
    engine.execute(
        f"UPDATE {name} SET _rate = r.rate FROM _rates r WHERE _rate IS NULL AND upper(currency) = r.code AND {day} >= r.since AND {day} < r.until"
    )
    reject(
        engine,
        table,
        "_rate IS NULL",
        f"'no rate for ' || currency || ' on or before ' || coalesce(CAST({day} AS VARCHAR), 'its day')",
    )
    engine.execute(
        f"UPDATE {name} SET {', '.join(f'{c} = {c} * _rate' for c in money)}, currency = {quote(wanted)} WHERE _rate IS NOT NULL AND currency IS NOT NULL"
    )


def _convert_history(engine: Embedded) -> None:
    name, deals = working("opportunity_history"), working("opportunities")
    engine.execute(
        f"UPDATE {name} SET amount = {name}.amount * d._rate FROM {deals} d WHERE d.opportunity_id = {name}.opportunity_id AND d._rate <> 1 AND d._why IS NULL AND NOT d._merged"
    )
