"""The store: its workspaces, and the transactions in which anything of it is read or changed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Self

import sqlalchemy
from sqlalchemy import func, select
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.orm import Session

from kpis.store import models
from kpis.store.database import connected, unreachable, writing
from kpis.store.files import Files
from kpis.store.place import Place


@dataclass(frozen=True)
class Store:
    """Everything that is kept, in one database and one place for files. Threads and processes may share it."""

    engine: sqlalchemy.Engine
    files: Files

    @classmethod
    def open(cls, place: Place) -> Self:
        """Open the store at a place, made or brought up to date where that is needed; orphaned files are deleted.

        Raises
        ------
        StoreError
            When it cannot be reached or written to, or a newer Tandem has been there.
        """
        store = cls(connected(place.database), Files(place.files))
        with store.reading() as session:
            kept = session.scalars(select(models.Snapshot.id)).all()
            now = session.scalar(select(func.now()))
        store.files.sweep(kept, now)
        return store

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """A transaction that only reads."""
        with self._told(), Session(self.engine, expire_on_commit=False) as session:
            yield session

    @contextmanager
    def writing(self) -> Iterator[Session]:
        """A transaction that is kept as a whole when the block ends, and not at all when it fails.

        A row that another one excludes raises SQLAlchemy's IntegrityError: whoever writes it knows what that means.
        """
        with self._told(), Session(writing(self.engine), expire_on_commit=False) as session, session.begin():
            yield session

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except IntegrityError:
            raise
        except DBAPIError as error:
            raise unreachable(error, self.engine.url) from error
