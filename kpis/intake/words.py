"""Words that exports use for "nothing", yes and no, won and lost, and the names of months."""

from __future__ import annotations

import re
import unicodedata
from typing import Literal

Outcome = Literal["open", "won", "lost", "closed", "void"]
"""What a status or stage says; ``closed`` does not tell which, ``void`` is no opportunity at all."""

BLANKS = " \t\r\n\v\f\u00a0\u200b\ufeff"
"""What is cut off at both ends of a cell."""

NULLS = frozenset(
    {"", "-", "--", "---", "–", "—", "n/a", "#n/a", "null", "(null)", "(no value)", "no value", "(blank)", "(not set)"}
    | {"select", "--select--", "-- select --", "-select-", "--none--", "-none-", "- none -", "-- none --"}
    | {"#ref!", "#value!", "#div/0!", "#name?", "#null!", "#num!", "\\n"}
)
"""Empty in any column. A category may well be called None or NA, so these two are not here."""

NULLS_BEYOND_TEXT = NULLS | {"na", "none", "nan", "nat", "nil", "undefined", "tbd", "."}
"""Empty as well where a number, a date or yes/no is wanted."""

TRUE = frozenset(
    {"1", "1.0", "true", "t", "yes", "y", "x", "✓", "ja", "j", "oui", "o", "si", "sí", "s", "wahr", "vrai"}
)
FALSE = frozenset({"0", "0.0", "false", "f", "no", "n", "✗", "nein", "non", "falsch", "faux"})

_WON = {
    "won",
    "closedwon",
    "win",
    "gewonnen",
    "gagne",
    "gagnee",
    "ganado",
    "ganada",
    "vinto",
    "ganho",
    "ganha",
    "gewonnene",
    "wygrana",
    "voitettu",
    "vundet",
}
_LOST = {
    "lost",
    "closedlost",
    "loss",
    "verloren",
    "perdu",
    "perdue",
    "perdido",
    "perdida",
    "perso",
    "persa",
    "przegrana",
    "tabt",
    "abandoned",
    "cancelled",
} | {"canceled", "dead", "rejected", "disqualified", "declined", "annule", "annulee", "storniert", "cancelado"}
_VOID = {"deleted", "duplicate", "error", "geloscht", "supprime", "eliminado"}
_CLOSED = {
    "closed",
    "gesloten",
    "geschlossen",
    "abgeschlossen",
    "cerrado",
    "cerrada",
    "cloture",
    "cloturee",
    "ferme",
    "fermee",
    "fechado",
    "chiuso",
    "chiusa",
}
_OPEN = {
    "open",
    "offen",
    "ouvert",
    "ouverte",
    "abierto",
    "abierta",
    "aberto",
    "aperto",
    "active",
    "progress",
    "pending",
    "hold",
    "new",
}
_NOT = re.compile(r"\b(not|no|un|never|nicht|non)\b")

MONTHS: dict[str, int] = {}
for _number, _names in enumerate(
    (
        "january jan januar janner januari janvier janv enero ene gennaio gen janeiro",
        "february feb februar februari fevrier fevr fev febrero febbraio fevereiro",
        "march mar marz maerz mrz maart mrt mars marzo marco",
        "april apr avril avr abril abr aprile",
        "may mai mei mayo maggio mag maio",
        "june jun juni juin junio giugno giu junho",
        "july jul juli juillet juil julio luglio lug julho",
        "august aug augustus aout agosto ago",
        "september sep sept septembre septiembre settembre set setembro",
        "october oct oktober okt octobre octubre ottobre ott outubro out",
        "november nov novembre noviembre novembro",
        "december dec dezember dez decembre diciembre dic dicembre dezembro",
    ),
    start=1,
):
    MONTHS |= dict.fromkeys(_names.split(), _number)


def plain(text: str) -> str:
    """Lower case, without accents, runs of white space made one space."""
    text = unicodedata.normalize("NFKD", text)
    return " ".join("".join(c for c in text if not unicodedata.combining(c)).casefold().split())


def outcome(text: str | None) -> Outcome | None:
    """What a status or stage name says about the outcome; None when it says nothing.

    "Closed Lost to Competition" is lost, "Closed" alone does not tell, "Not won yet" says nothing.
    """
    words = set(re.findall(r"[^\W\d_]+", plain((text or "")[:200])))
    if not words:
        return None
    if words & _VOID:
        return "void"
    if words & _LOST:
        return "lost"
    if words & _WON:
        return None if _NOT.search(plain((text or "")[:200])) else "won"
    if words & _CLOSED:
        return "closed"
    return "open" if words & _OPEN else None
