"""What a company has agreed on: calendar, currency, stages, definitions, targets (a TOML file)."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from kpis.definitions import Definitions
from kpis.errors import AssumptionError
from kpis.periods import Calendar, Grain


class Stage(BaseModel):
    """A stage of the pipeline; ``position`` from 1 in the order of the process."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    stage: str
    position: int
    is_qualified: bool = True
    is_won: bool = False
    is_lost: bool = False
    default_probability: float | None = Field(None, ge=0, le=1)


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
        default_factory=dict, description="Corrections to the automatic mapping: file name -> column -> table.field."
    )

    @property
    def calendar(self) -> Calendar:
        """The fiscal calendar these settings describe."""
        return Calendar(self.grain, self.fiscal_start)

    @classmethod
    def read(cls, path: str | Path) -> Settings:
        """Read a TOML file; AssumptionError names the entry that is wrong."""
        try:
            return cls.model_validate(tomllib.loads(Path(path).read_text(encoding="utf-8")))
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise AssumptionError(
                f"The settings file is not TOML: {error}", place=str(path), way_out="Correct it in a text editor"
            ) from None
        except ValidationError as error:
            first = error.errors()[0]
            entry = ".".join(str(part) for part in first["loc"])
            raise AssumptionError(
                f"{entry}: {first['msg'].lower()}", place=str(path), way_out="Correct the entry"
            ) from None
