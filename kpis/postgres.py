"""Connections to PostgreSQL that are given up when the server falls silent, instead of waited for without end."""

from __future__ import annotations

from collections.abc import Generator
from time import monotonic
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg.conninfo import conninfo_to_dict

if TYPE_CHECKING:
    from sqlalchemy import Engine

REACHABLE = 10
"""Seconds after which a server that does not answer is given up."""

GRACE = 10
"""Seconds that a server has beyond its own time for a statement: one that works has ended it by then, and says so."""


class _Heard(psycopg.Connection[Any]):
    """A connection that is closed once the server has said nothing for too long: frozen, it would never.

    The network does not tell: the machine of a process that is stopped goes on acknowledging what it is sent.
    """

    patience: float = REACHABLE

    def wait(self, gen: Generator[Any, Any, Any], *args: Any, **options: Any) -> Any:
        try:
            return super().wait(_heard(gen, self.patience), *args, **options)
        except TimeoutError as error:
            self.close()
            raise psycopg.OperationalError(str(error)) from None


def connect(address: str = "", *, seconds: float, **options: Any) -> psycopg.Connection[Any]:
    """A connection to a server that ends each statement after so many seconds (statement_timeout).

    Raises
    ------
    psycopg.OperationalError
        When the server cannot be reached; from then on also when it is silent for GRACE seconds longer than that.
    """
    waits = {"connect_timeout": REACHABLE, "tcp_user_timeout": REACHABLE * 1000}
    connection = _Heard.connect(**waits | conninfo_to_dict(address) | options)
    connection.patience = seconds + GRACE
    return connection


def listen(engine: Engine, seconds: float) -> None:
    """Have an engine of SQLAlchemy make its connections so, where it goes through psycopg."""
    from sqlalchemy import event

    if engine.driver == "psycopg":
        event.listen(engine, "do_connect", lambda _, __, args, options: connect(*args, seconds=seconds, **options))


def _heard(gen: Generator[Any, Any, Any], seconds: float) -> Generator[Any, Any, Any]:
    """What psycopg waits for, which ends in a TimeoutError when so many seconds have brought nothing.

    It yields what to wait for on the socket, and is sent what became ready: nothing, several times a second.
    """
    try:
        wanted, heard = next(gen), monotonic()
        while True:
            ready = yield wanted
            if ready:
                heard = monotonic()
            elif monotonic() > heard + seconds:
                raise TimeoutError(f"the server has been silent for {seconds:g} seconds")
            wanted = gen.send(ready)
    except StopIteration as done:
        return done.value
