"""Amounts, counts and shares out of text: the decimal mark is decided once for a whole column."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from kpis.intake.words import NULLS_BEYOND_TEXT

Mark = Literal[".", ","]

SYMBOLS = {
    "€": "EUR",
    "£": "GBP",
    "¥": "JPY",
    "₹": "INR",
    "₩": "KRW",
    "₽": "RUB",
    "₺": "TRY",
    "₪": "ILS",
    "zł": "PLN",
    "R$": "BRL",
}
"""Currency symbols that name one currency; a bare $ or kr does not."""
_DOLLARS = {
    "US$": "USD",
    "C$": "CAD",
    "CA$": "CAD",
    "A$": "AUD",
    "AU$": "AUD",
    "NZ$": "NZD",
    "HK$": "HKD",
    "S$": "SGD",
    "MX$": "MXN",
}
CODES = frozenset(
    "USD EUR GBP CHF JPY CNY INR KRW RUB TRY ILS PLN CZK HUF RON BGN SEK NOK DKK ISK CAD AUD NZD HKD SGD TWD THB MYR IDR PHP "
    "VND MXN BRL ARS CLP COP PEN UYU ZAR NGN KES EGP MAD AED SAR QAR KWD BHD PKR BDT LKR UAH GEL KZT".split()
)
_LONGEST = 64
MOST = 1e15
"""Amounts and counts stay below this; a larger number is an id or a mistake."""
_SPACES = re.compile(r"[\s\u00a0\u202f\u2009'’`_]")
_MONEY = re.compile(
    rf"(?:(?<![a-z])(?:{'|'.join(sorted(CODES))})(?![a-z])|(?:US|CA?|AU?|NZ|HK|S|MX|R)?\$|[€£¥₹₩₽₺₪]|zł|\bkr\b\.?|\bfr\b\.?)",
    re.IGNORECASE,
)
_NUMBER = re.compile(
    r"([+-]?)(\d[\d.,]*|[.,]\d+)(?:[.,]?–)?(-?)%?(k|m|mn|mio|b|bn|mrd)?(?:\(\d[\d.,]*%\))?", re.IGNORECASE
)
_EXPONENT = re.compile(r"[+-]?\d+(?:\.\d+)?e[+-]?\d{1,3}", re.IGNORECASE)
_SCALE = {"k": 1e3, "m": 1e6, "mn": 1e6, "mio": 1e6, "b": 1e9, "bn": 1e9, "mrd": 1e9}


@dataclass(frozen=True)
class NumberStyle:
    """How a column writes its numbers.

    Parameters
    ----------
    mark
        The decimal mark.
    proven
        False when the column reads both ways (all like 1.234) and ``mark`` is the usual reading.
    example
        A value that reads both ways, when not proven.
    """

    mark: Mark = "."
    proven: bool = True
    example: str = ""


def mark_shown(text: str) -> Mark | Literal["either"] | None:
    """The decimal mark ``text`` proves; ``either`` when one mark stands before exactly three digits."""
    found = _NUMBER.search(_SPACES.sub("", text[:_LONGEST]))
    digits = found[2].rstrip(".,") if found else ""
    point, comma = digits.count("."), digits.count(",")
    if point and comma:
        return "." if digits.rindex(".") > digits.rindex(",") else ","
    if not point and not comma:
        return None
    here, other = (".", ",") if point else (",", ".")
    if max(point, comma) > 1:
        return other  # type: ignore[return-value]
    whole, _, rest = digits.partition(here)
    if len(rest) == 3 and 1 <= len(whole) <= 3 and not whole.startswith("0"):
        return "either"
    return here  # type: ignore[return-value]


def decide(texts: Iterable[str], usual: Mark | None = None, whole: bool = False) -> NumberStyle:
    """The decimal mark of a whole column: what most values prove, else ``usual``, the mark of the file.

    With ``whole`` (counts) a mark before exactly three digits can only part thousands.
    """
    shown: dict[str, int] = {".": 0, ",": 0}
    either: dict[str, str] = {}
    for text in texts:
        proof = mark_shown(text)
        if proof == "either":
            either.setdefault("." if "." in text else ",", text)
        elif proof:
            shown[proof] += 1
    if shown["."] != shown[","]:
        return NumberStyle("." if shown["."] > shown[","] else ",")
    if not either:
        return NumberStyle(usual or ".")
    here = next(iter(either))
    if whole or len(either) == 2:
        return NumberStyle("," if here == "." else ".")
    if usual:
        return NumberStyle(usual)
    return NumberStyle(".", False, either[here])


def parse_number(text: str, mark: Mark = ".") -> float | None:
    """The number in ``text``: symbols, codes, thousands, brackets for negative and k/m/bn allowed.

    Examples
    --------
    >>> parse_number("€ 1.234,50", ","), parse_number("(12,400.00)"), parse_number("USD 9k")
    (1234.5, -12400.0, 9000.0)
    """
    text = text.strip()
    if len(text) > _LONGEST or text.lower() in NULLS_BEYOND_TEXT:
        return None
    if _EXPONENT.fullmatch(text):
        return _sensible(float(text))
    body = _SPACES.sub("", _MONEY.sub(" ", text)).replace("−", "-")
    bracketed = body.startswith("(") and body.endswith(")")
    match = _NUMBER.fullmatch(body[1:-1] if bracketed else body)
    if not match:
        return None
    value = _digits(match[2].rstrip(".,"), mark)
    if value is None:
        return None
    negative = bracketed or "-" in match[1] + match[3]
    return _sensible((-value if negative else value) * _SCALE.get((match[4] or "").lower(), 1.0))


def _sensible(value: float) -> float | None:
    """The value, unless it is beyond what any amount or count is."""
    return value if abs(value) < MOST else None


def _digits(digits: str, mark: Mark) -> float | None:
    """Digits with separators to a number; None when a separator stands in an impossible place."""
    other = "," if mark == "." else "."
    if (mark in digits and digits.rfind(other) > digits.rfind(mark)) or digits.count(mark) > 1:
        mark, other = other, mark  # type: ignore[assignment]
    whole, _, rest = digits.partition(mark)
    groups = whole.split(other)
    parted = len(groups) == 1 or (
        1 <= len(groups[0]) <= 3 and len(groups[-1]) == 3 and all(len(g) in (2, 3) for g in groups[1:-1])
    )
    if not parted or other in rest or mark in rest:
        return None
    return float(f"{''.join(groups) or 0}.{rest or 0}")


def parse_share(text: str, mark: Mark = ".", of_hundred: bool = False) -> float | None:
    """A share from 0 to 1: ``27.78%`` is 0.2778, and so is 27.78 in a column that counts to 100."""
    value = parse_number(text, mark)
    if value is None:
        return None
    return value / 100 if of_hundred or text.rstrip().endswith("%") else value


def currency_in(text: str) -> str | None:
    """The currency code a header or amount names, such as ``Amount spent (USD)`` or ``€ 5``."""
    text = text[:_LONGEST]
    for code in re.findall(r"(?<![A-Za-z])[A-Z]{3}(?![A-Za-z])", text):
        if code in CODES:
            return code
    for symbol, code in {**_DOLLARS, **SYMBOLS}.items():
        if symbol in text:
            return code
    return None
