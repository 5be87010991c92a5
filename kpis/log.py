"""The log: one line an event, ``event key=value ...``, that a monitor can read.

The line of a failure holds what stands in the source and nothing that was put in while running: the words of the
error with an ellipsis for each value, classes, and places in the code. So no cell, name, address or password can get
into it. The person concerned is told the values.
"""

from __future__ import annotations

import ast
import errno
import json
import logging
import threading
from collections.abc import Callable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from kpis.errors import AssumptionError, Failure, InputError, NotEnoughData, StoreError, TandemError, mark, places, told

LOG = logging.getLogger("tandem")

_MARKS = set(' "=\n')
"""What a bare value may not hold."""
_VALUE = "…"
_DEEP = 6
"""Places of the code that are named."""
_USUALLY: Mapping[type[TandemError], str] = {
    InputError: "Correct the file, or export it again",
    AssumptionError: "Correct the value",
    NotEnoughData: "Upload what is missing",
    StoreError: "Check that the store is there, may be written to and has room",
    Failure: "Report it with its mark",
    TandemError: "Read what the person was told",
}
"""What to do where an error's own words are all values."""


def line(event: str, **values: Any) -> str:
    """``event key=value ...``, values with spaces in quotes."""
    said = ((key, "" if value is None else str(value)) for key, value in values.items())
    parts = (f"{key}={json.dumps(value, ensure_ascii=False) if _MARKS & set(value) else value}" for key, value in said)
    return " ".join((event, *parts))


def failure(error: BaseException, **where: str) -> str:
    """The line of a failure: where it happened, what it is, what to do, and where in the code it comes from."""
    words = _words(told(error))
    return line(
        "failure",
        **where,
        **words,
        kind=" < ".join(map(_kind, _chain(error))),
        mark=mark(error),
        code=" < ".join(places(error)[:_DEEP]),
    )


def note(error: BaseException) -> None:
    """Log a failure that a person is told of, once. What the data do not support is an answer and no failure."""
    if not isinstance(error, NotEnoughData) and not getattr(error, "is_noted", False):
        LOG.warning("A person was told", exc_info=error)


def without_values(where: Callable[[], Mapping[str, str]] = dict) -> None:
    """From now on whatever this process logs of an exception, in whichever library, is the line of a failure.

    Parameters
    ----------
    where
        Says where the process is when it fails.
    """
    make = logging.getLogRecordFactory()

    def record(*args: Any, **kwargs: Any) -> logging.LogRecord:
        made = make(*args, **kwargs)
        error = made.exc_info[1] if made.exc_info else None
        if error is not None:
            made.msg, made.args, made.exc_info = failure(error, **where()), (), None
            error.is_noted = True
        return made

    logging.setLogRecordFactory(record)
    threading.excepthook = lambda ended: LOG.error("", exc_info=ended.exc_value)


def _words(error: TandemError) -> dict[str, str]:
    """Problem, place and way out as the source has them."""
    call = _call(*error.written_at, type(error).__name__)
    given = {"problem": call.args[0]} if call and call.args else {}
    given |= {word.arg: word.value for word in (call.keywords if call else ())}
    said = {key: _constant(given[key]) for key in ("problem", "place", "way_out") if key in given}
    what, place, way_out = (said.get(key, "") for key in ("problem", "place", "way_out"))
    is_own = next(kind for kind in _USUALLY if isinstance(error, kind))
    return {
        "what": what if _has_words(what) else (type(error).__doc__ or "").partition("\n")[0].rstrip("."),
        **({"at": place} if _has_words(place) else {}),
        "do": way_out if _has_words(way_out) else _USUALLY[is_own],
    }


def _call(file: str, number: int, name: str) -> ast.Call | None:
    """The call that begins in a line and makes an error: by its class, or by that of its base in ``__init__``."""
    calls = (node for node in ast.walk(_tree(file)) if isinstance(node, ast.Call) and node.lineno == number)
    names = {name, "__init__"}
    return next((c for c in calls if getattr(c.func, "id", getattr(c.func, "attr", "")) in names), None)


@lru_cache(16)
def _tree(file: str) -> ast.Module:
    path = Path(file)
    return ast.parse(path.read_text(encoding="utf-8") if path.is_file() else "")


def _constant(node: ast.AST) -> str:
    """A text as it stands in the source, with an ellipsis for each value."""
    match node:
        case ast.Constant(value=str() as text):
            return text
        case ast.JoinedStr(values=parts):
            return "".join(map(_constant, parts))
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            return _constant(left) + _constant(right)
        case _:
            return _VALUE


def _has_words(text: str) -> bool:
    return any(map(str.isalpha, text))


def _chain(error: BaseException) -> list[BaseException]:
    """An exception and what it came from."""
    found = [error]
    while (cause := found[-1].__cause__ or found[-1].__context__) is not None and cause not in found:
        found.append(cause)
    return found


def _kind(error: BaseException) -> str:
    """``OSError ENOSPC``, ``KeyError``."""
    number = error.errno if isinstance(error, OSError) else None
    return " ".join((type(error).__name__, *([errno.errorcode[number]] if number in errno.errorcode else [])))
