"""What a company has agreed on: calendar, currency, stages, definitions, targets (a TOML file)."""

from __future__ import annotations

import tomllib
from datetime import date
from pathlib import Path
from typing import Any, Literal, Self

import tomli_w
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from kpis.definitions import Definitions
from kpis.errors import AssumptionError
from kpis.periods import Calendar, Grain

ABOUT_FILES = frozenset({"mapping", "dates", "connection"})
"""Entries that tell how files are written or which tables are read, not what words mean."""


class Stage(BaseModel):
    """A stage of the pipeline; ``position`` from 1 in the order of the process."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    stage: str
    position: int
    is_qualified: bool = True
    is_won: bool = False
    is_lost: bool = False
    default_probability: float | None = Field(None, ge=0, le=1)


class Agreement(BaseModel):
    """Who agreed on these settings, and when."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    by: str = Field(min_length=1)
    on: date


class Connection(BaseModel):
    """What is read of a database, and how much at once; its address is given beside the files."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    tables: dict[str, str] = Field(default_factory=dict, description="Table of the dictionary -> its name there.")
    rows: int = Field(5_000_000, gt=0, description="The most rows that one query may give.")
    seconds: int = Field(300, gt=0, description="The longest that one query may take.")


class Settings(BaseModel):
    """The agreed definitions. Everything has a default, so that a bare export is enough to start."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    grain: Grain = "quarter"
    fiscal_start: int = Field(1, ge=1, le=12, description="First month of the fiscal year.")
    currency: str | None = Field(None, description="The currency to report in; needed when the data hold several.")
    stages: tuple[Stage, ...] = Field((), description="Stages in order; read from the data when empty.")
    targets: dict[str, float] = Field(default_factory=dict, description="Bookings target by period label.")
    confidence: float = Field(
        0.8, gt=0.5, lt=1, description="How sure 'enough pipeline' means: P(hit) that the required pipeline gives."
    )
    definitions: Definitions = Field(default_factory=Definitions, description="What the measures mean by their words.")
    dates: Literal["day-first", "month-first"] | None = Field(
        None, description="Order of day and month where the files do not tell."
    )
    mapping: dict[str, dict[str, str]] = Field(
        default_factory=dict,
        description="Corrections to the automatic mapping: file name -> column -> table.field, or nothing where a "
        "column is not used; a file of another name is read like the one that has the same columns.",
    )
    agreed: Agreement | None = Field(None, description="Who agreed on these definitions, and when.")

    connection: Connection = Field(default_factory=Connection, description="What is read of a database.")

    @property
    def calendar(self) -> Calendar:
        """The fiscal calendar these settings describe."""
        return Calendar(self.grain, self.fiscal_start)

    @classmethod
    def read(cls, path: str | Path) -> Self:
        """Read a TOML file; AssumptionError names the entry that is wrong."""
        return cls.parse(Path(path).read_bytes(), str(path))

    @classmethod
    def parse(cls, text: bytes, place: str) -> Self:
        """The settings in the bytes of a TOML file; AssumptionError names the entry that is wrong."""
        try:
            entries = tomllib.loads(text.decode("utf-8-sig"))
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise AssumptionError(
                f"The settings file is not TOML: {error}", place=place, way_out="Correct it in a text editor"
            ) from None
        return cls._checked(entries, place)

    def revised(self, **changes: Any) -> Self:
        """These settings with other entries; a changed definition is agreed by nobody yet, unless the changes say so.

        Raises
        ------
        AssumptionError
            For an impossible value; the entry is named.
        """
        kept = self.model_dump(exclude_unset=True)
        if changes.keys() - ABOUT_FILES:
            kept.pop("agreed", None)
        return self._checked({**kept, **changes}, "settings")

    def of_a_part(self) -> Self:
        """These settings for whoever sees a part of the rows: the targets are of all of them."""
        return type(self).model_validate(self.model_dump(exclude_unset=True, exclude={"targets"}))

    def as_toml(self) -> str:
        """The settings file that gives these settings again: what was set, and no default.

        Examples
        --------
        >>> print(Settings(currency="EUR", mapping={"deals.csv": {"Wert": "opportunities.amount"}}).as_toml(), end="")
        currency = "EUR"
        <BLANKLINE>
        [mapping."deals.csv"]
        Wert = "opportunities.amount"
        """
        return tomli_w.dumps(self.model_dump(exclude_unset=True, exclude_none=True))

    @classmethod
    def _checked(cls, entries: dict[str, Any], place: str) -> Self:
        try:
            return cls.model_validate(entries)
        except ValidationError as error:
            first = error.errors()[0]
            entry = ".".join(str(part) for part in first["loc"])
            raise AssumptionError(
                f"{entry}: {first['msg'].lower()}", place=place, way_out="Correct the entry"
            ) from None
