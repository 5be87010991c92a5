"""What every engine does alike, and the little that each does in its own way."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import Executor, Future
from copy import copy
from dataclasses import dataclass
from itertools import count
from threading import Lock, RLock
from typing import Any, Literal, Self, TypeVar
from weakref import WeakValueDictionary, finalize

import narwhals.stable.v2 as nw
import pandas as pd
import pyarrow as pa

from kpis import memory
from kpis.errors import AssumptionError

Type = Literal["int", "int32", "float", "text", "category"]
"""Of a column that leaves the engine: whole numbers have 64 bits, or 32 where a table has millions of rows."""

_NUMBERS = {"int": "int64", "int32": "int32", "float": "double"}
_Made = TypeVar("_Made")

LARGE = 2**27
"""Bytes of a result from which on its freed memory is given back at once."""

REMEMBERED = 4
"""How many of the latest intermediate results an engine keeps: with copies of the largest tables they cost memory."""

NEVER = 1_000_000
"""A whole-number day no data reach (the year 4707): stands for "has not happened" where null would."""


class Engine(ABC):
    """Where the tables of one dataset are; what is stored in it is nobody else's.

    An engine says what its frames come from, and how their rows are stored and fetched. Everything else asks it
    through a cursor, in narwhals, and does not know which engine it is.
    """

    dialects: tuple[str, ...] = ()
    """Of SQL, that its queries can be put in."""

    def __init__(self) -> None:
        self._begin("")

    def _begin(self, layer: str) -> None:
        """Nothing is stored or remembered yet."""
        self._layer = layer
        self._layers: dict[str, Self] = {}
        self._names: dict[str, str] = {}
        # one derived table may be made from another
        self._storing = RLock()
        self._stored: set[str] = set()
        self._remembering = Lock()
        self._remembered: list[tuple[Any, Any]] = []
        self._kept: WeakValueDictionary[str, Kept] = WeakValueDictionary()
        self._dropped: list[str] = []
        self._numbers = count(1)

    @abstractmethod
    def source(self) -> Any:
        """What all frames of one query come from."""

    @abstractmethod
    def native(self, table: str, source: Any) -> Any:
        """A stored table as the engine's own lazy frame."""

    @abstractmethod
    def create(self, table: str, frame: Any) -> None:
        """Store the rows of one of the engine's own frames."""

    @abstractmethod
    def drop(self, table: str) -> None:
        """Forget a stored table."""

    @abstractmethod
    def put(self, table: str, rows: pa.Table | pd.DataFrame) -> None:
        """Store rows that are in this process."""

    @abstractmethod
    def text(self, frame: Any) -> str:
        """What one of the engine's own frames asks: equal for equal questions."""

    @abstractmethod
    def prepared(self, frame: Any) -> Callable[[], pa.Table]:
        """What fetches the rows of one of the engine's own frames, in any thread."""

    @abstractmethod
    def close(self) -> None:
        """Free what the engine holds."""

    def worded(self, dialect: str) -> Engine:
        """The same tables behind queries in a dialect of SQL.

        Raises
        ------
        AssumptionError
            When this engine does not speak it.
        """
        raise AssumptionError(
            f"{type(self).__name__} does not put its queries in {dialect}",
            place="--sql",
            way_out=f"Known: {', '.join(self.dialects) or 'none'}",
        )

    def layer(self, name: str) -> Self:
        """The same tables, except those registered or stored in the layer: there they hide the ones of their name."""
        if name not in self._layers:
            self._layers[name] = copy(self)
            self._layers[name]._begin(f"{name}_")  # noqa: SLF001 - its own
        return self._layers[name]

    def register(self, name: str, rows: pa.Table | pd.DataFrame) -> None:
        """Store rows as table ``name``."""
        self.put(self._layer + name, rows)
        self._names[name] = self._layer + name

    def store(self, name: str, build: Callable[[Cursor], nw.LazyFrame]) -> None:
        """Store a derived table once: the first caller builds it, the others wait and find it."""
        with self._storing:
            if name not in self._stored:
                self.create(self._layer + name, build(self.cursor()).to_native())
                self._names[name] = self._layer + name
                self._stored.add(name)

    def remember(self, key: Any, make: Callable[[], _Made]) -> _Made:
        """What ``make`` gave when it was last asked for under an equal key; beyond REMEMBERED the oldest is forgotten.

        The stored tables never change, so what was made of them stays true. ``make`` must return at once.
        """
        with self._remembering:
            found = next((entry for entry in self._remembered if entry[0] == key), None) or (key, make())
            others = [entry for entry in self._remembered if entry is not found]
            self._remembered = [*others, found][-REMEMBERED:]
            return found[1]

    def cursor(self) -> Cursor:
        """A cursor of its own: all frames of one query come from one cursor."""
        return Cursor(self, self.source())

    def frame(self, table: str, source: Any) -> nw.LazyFrame:
        """A stored table of this layer, or else of the engine."""
        return nw.from_native(self.native(self._names.get(table, table), source))

    def keep(self, frame: Any) -> Kept:
        """The rows of a frame, stored once for all who hold them; what nobody holds any more is dropped here."""
        question = self.text(frame)
        with self._storing:
            while self._dropped:
                self.drop(self._dropped.pop())
            kept = self._kept.get(question)
            if kept is None:
                kept = self._kept[question] = Kept(f"_{self._layer}kept_{next(self._numbers)}")
                self.create(kept.name, frame)
                # Only noted when the last holder lets go: that may happen in the middle of another query.
                finalize(kept, self._dropped.append, kept.name)
            return kept


class Remote(Engine):
    """An engine whose tables lie outside this process, and are used where they are."""

    @abstractmethod
    def schema(self, table: str) -> nw.Schema:
        """The columns of a table as they lie there; empty where there is no such table."""

    @abstractmethod
    def place(self, table: str, columns: Collection[str]) -> None:
        """Use the named columns of a table, in the types of the dictionary; those it lacks are null, days beside dates.

        Nothing is read before it is asked for.
        """


@dataclass(frozen=True, eq=False)
class Kept:
    """A stored copy of the rows of a query, there for as long as anyone holds this."""

    name: str


class Cursor:
    """One query's way into the engine."""

    def __init__(self, engine: Engine, source: Any) -> None:
        self._engine = engine
        self._source = source
        self._held: list[Kept] = []

    def frame(self, table: str) -> nw.LazyFrame:
        """A lazy frame over a stored table."""
        return self._engine.frame(table, self._source)

    def keep(self, frame: nw.LazyFrame) -> nw.LazyFrame:
        """The same rows, stored for the life of this cursor: for a frame that many queries start from."""
        copy_of = self._engine.keep(frame.to_native())
        self._held.append(copy_of)
        return nw.from_native(self._engine.native(copy_of.name, self._source))

    def ahead(self, frame: nw.LazyFrame, schema: Mapping[str, Type], pool: Executor) -> Future[pd.DataFrame]:
        """What ``collect`` gives, fetched in the background."""
        fetch = self._engine.prepared(_narrowed(frame, schema).to_native())
        return pool.submit(lambda: _typed(fetch(), schema))


def collect(frame: nw.LazyFrame, schema: Mapping[str, Type]) -> pd.DataFrame:
    """Fetch the columns of ``schema``, cast to its types: the one place where rows leave the engine.

    ``int`` columns must hold no null (fill them in the query); ``float`` turns null into NaN.
    """
    return _typed(_narrowed(frame, schema).collect("pyarrow").to_native(), schema)


def _narrowed(frame: nw.LazyFrame, schema: Mapping[str, Type]) -> nw.LazyFrame:
    """Only the columns of the schema, in its order."""
    return frame if frame.columns == list(schema) else frame.select(*schema)


def _typed(native: pa.Table, schema: Mapping[str, Type]) -> pd.DataFrame:
    """The columns of the schema in its types."""
    is_large, columns = native.nbytes > LARGE, {}
    for name, kind in schema.items():
        column = native.column(name)
        # of a table of millions of rows each column goes as its copy comes
        native = native.drop_columns(name)
        if kind == "category":
            columns[name] = column.cast("string").dictionary_encode().to_pandas()
        elif kind == "text":
            columns[name] = column.cast("string").to_pandas().astype("str")
        else:
            columns[name] = column.cast(_NUMBERS[kind]).to_pandas()
        del column
    if is_large:
        memory.give_back()
    return pd.DataFrame(columns, copy=False)
