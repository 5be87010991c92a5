"""Addresses of databases: written without a secret, shown without one, and told apart by their driver."""

from __future__ import annotations

import os
import re
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from kpis.errors import InputError

if TYPE_CHECKING:
    import sqlalchemy

DRIVERS = {
    "sqlite": ("sqlite", ""),
    "postgres": ("postgresql+psycopg", "psycopg[binary]"),
    "postgresql": ("postgresql+psycopg", "psycopg[binary]"),
    "mysql": ("mysql+pymysql", "pymysql"),
}
"""Scheme of an address -> SQLAlchemy's driver, and the package that ships it."""
_PLACEHOLDER = re.compile(r"\$\{(\w+)\}")
SECRETS = Path(".streamlit") / "secrets.toml"
"""Where Streamlit keeps secrets, below the folder that the app or a command is started in."""


def shown(url: str) -> str:
    """An address as it may be printed: without user, password and parameters."""
    scheme, parted, _ = url.partition("://")
    if not parted:
        return url
    import sqlalchemy

    try:
        address = sqlalchemy.make_url(url)
    except (sqlalchemy.exc.ArgumentError, ValueError):
        return f"{scheme}://..."
    # a password with an unescaped @ ends up in the host
    where = (address.host or "").rpartition("@")[2], address.database or ""
    return f"{scheme.partition('+')[0]}://{'/'.join(filter(None, where))}"


def filled(url: str) -> str:
    """The address with secrets in place of their names.

    ``${NAME}`` stands for an environment variable, else for an entry of Streamlit's secrets, so that a password need
    not be written down where others read it.

    Raises
    ------
    InputError
        When a secret is not set.
    """
    secrets = {name: _secret(name) for name in _PLACEHOLDER.findall(url)}
    for name, secret in secrets.items():
        if secret is None:
            raise InputError(
                f"{name} is not set", place=shown(url), way_out=f"Set it in the environment, or in {SECRETS.as_posix()}"
            )
    return _PLACEHOLDER.sub(lambda found: quote(str(secrets[found[1]]), safe=""), url)


def parsed(url: str) -> sqlalchemy.URL:
    """The address of a database in its parts, with its driver and its secrets.

    Raises
    ------
    InputError
        When a secret is not set, or it is no address of a database that is known; a password is never named.
    """
    import sqlalchemy

    whole, scheme = filled(url), url.partition("://")[0]
    try:
        address = sqlalchemy.make_url(whole)
        return address if "+" in scheme else address.set(drivername=DRIVERS[scheme][0])
    except (sqlalchemy.exc.ArgumentError, ValueError, KeyError):
        # what the error says may hold a part of the password
        raise InputError(
            "This is no address of a database",
            place=shown(url),
            way_out="Write it as postgresql://user:${PASSWORD}@host/database; signs such as @ and : in a password as "
            "%40 and %3A",
        ) from None


def _secret(name: str) -> str | None:
    """A secret by its name; None when there is none."""
    if name in os.environ:
        return os.environ[name]
    try:
        found = tomllib.loads(SECRETS.read_text(encoding="utf-8")).get(name)
    except (OSError, ValueError):
        return None
    return None if found is None or isinstance(found, dict | list) else str(found)


def no_driver(url: str) -> InputError:
    """The error for an address whose driver is not installed, with the package that ships it."""
    package = DRIVERS[url.partition("://")[0].partition("+")[0]][1]
    return InputError(f"The driver for {shown(url)} is not installed", way_out=f"Install it: pip install '{package}'")


def said(error: Exception, password: object) -> str:
    """The first line of what a driver says about an error, without the password."""
    text = next(iter(str(getattr(error, "orig", None) or error).splitlines()), type(error).__name__)
    return (text.replace(str(password), "***") if password else text)[:200]
