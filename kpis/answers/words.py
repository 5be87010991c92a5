"""Numbers as people say them: short on screen. The unrounded value travels beside every word."""

from __future__ import annotations

import math

SYMBOLS = {"USD": "$", "EUR": "€", "GBP": "£", "JPY": "¥", "CHF": "CHF ", "INR": "₹", "BRL": "R$"}
NOT_AVAILABLE = "n/a"


def symbol(currency: str) -> str:
    """What stands before an amount in a currency: its sign, else its code."""
    return SYMBOLS.get(currency, f"{currency} " if currency else "")


def money(amount: float | None, currency: str = "") -> str:
    """``$4.03 M``, ``$612 k``, ``$950``; three significant figures above a thousand.

    Examples
    --------
    >>> money(4_026_000, "USD"), money(612_345, "EUR"), money(950, "USD"), money(-2_500_000, "USD"), money(-0.2)
    ('$4.03 M', '€612 k', '$950', '-$2.50 M', '0')
    """
    if amount is None or not math.isfinite(amount):
        return NOT_AVAILABLE
    size = abs(amount)
    sign = "-" if amount < 0 and size > 0.5 else ""
    for limit, unit in ((1e9, " bn"), (1e6, " M"), (1e3, " k")):
        # 999,600 reads as $1.00 M, not as $1000 k.
        if size >= limit * 0.9995:
            scaled = size / limit
            digits = 2 if scaled < 9.995 else 1 if scaled < 99.95 else 0
            return f"{sign}{symbol(currency)}{scaled:.{digits}f}{unit}"
    return f"{sign}{symbol(currency)}{size:.0f}"


def signed(amount: float, currency: str = "") -> str:
    """An amount as a change: ``+$15.2 k``, ``-$15.2 k``.

    Examples
    --------
    >>> signed(15_200, "USD"), signed(-15_200, "USD"), signed(0, "USD")
    ('+$15.2 k', '-$15.2 k', '$0')
    """
    return ("+" if amount > 0 else "") + money(amount, currency)


def percent(share: float | None, digits: int = 0) -> str:
    """``62 %``; a chance is never said to be 0 % or 100 % unless it is.

    Examples
    --------
    >>> percent(0.6213), percent(0.003), percent(0.999), percent(1.0), percent(-0.0001, 1)
    ('62 %', 'under 1 %', 'over 99 %', '100 %', '0.0 %')
    """
    if share is None or not math.isfinite(share):
        return NOT_AVAILABLE
    edge = 0.5 * 10**-digits / 100
    step = 10**-digits
    if 0 < share < edge:
        return f"under {step:.{digits}f} %"
    if 1 - edge < share < 1:
        return f"over {100 - step:.{digits}f} %"
    return f"{100 * share:z.{digits}f} %"


def count(number: float | None, digits: int = 0) -> str:
    """``1,234``."""
    return NOT_AVAILABLE if number is None or not math.isfinite(number) else f"{number:z,.{digits}f}"


def plural(number: float, one: str, many: str = "") -> str:
    """``1 deal``, ``2 deals``."""
    return f"{number:,.0f} {one if number == 1 else many or one + 's'}"


def size(bytes_: int) -> str:
    """Room on a disk: ``1.4 MB``.

    Examples
    --------
    >>> size(512), size(20_480), size(1_400_000), size(3_000_000_000)
    ('1 kB', '20 kB', '1.4 MB', '3.0 GB')
    """
    for limit, unit in ((1e9, "GB"), (1e6, "MB")):
        if bytes_ >= limit:
            return f"{bytes_ / limit:.1f} {unit}"
    return f"{max(bytes_ / 1e3, 1):.0f} kB"
