"""The levers: what a person may assume differently from what the data say.

A multiplier of 1 (or None, or an empty mapping) means "as estimated from the data". Field metadata
carry the label, help and bounds of each slider, so page, command and scenario file share one
description; a value from anywhere is validated here.
"""

from __future__ import annotations

from typing import Annotated, Any, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from kpis.errors import AssumptionError

Multiplier = Annotated[float, Field(ge=0.25, le=4.0, allow_inf_nan=False)]
Share = Annotated[float, Field(gt=0.0, lt=1.0, allow_inf_nan=False)]
Target = Annotated[float, Field(ge=0.0, allow_inf_nan=False)]


class Conversion(NamedTuple):
    """What decides how deals fare, before any volume, size or slip: the cycle and the close rates of a scenario."""

    sales_cycle: float
    close_rate: float
    close_rates: tuple[tuple[str, float], ...]

    def alone(self) -> Assumptions:
        """The scenario that assumes nothing else."""
        return Assumptions(sales_cycle=self.sales_cycle, close_rate=self.close_rate, close_rates=dict(self.close_rates))


class Assumptions(BaseModel):
    """A scenario: one value per lever. Unknown names and impossible values are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field("as estimated", max_length=80, title="Scenario name")
    sales_cycle: Multiplier = Field(
        1.0, title="Sales cycle length", description="How long deals take from creation to won, against the estimate."
    )
    close_rate: Multiplier = Field(
        1.0,
        title="Close rate, overall",
        description="Share of new opportunities that are won in the end, against the estimate.",
    )
    close_rates: dict[str, Share] = Field(
        default_factory=dict,
        title="Close rate per stage",
        description="Share of opportunities that enter the stage and are won in the end.",
    )
    new_opportunities: Multiplier = Field(
        1.0, title="New opportunities", description="Opportunities created per month from now on, against the estimate."
    )
    new_opportunities_by_source: dict[str, Multiplier] = Field(
        default_factory=dict,
        title="New opportunities by source",
        description="Opportunities from one source created per month from now on, against the estimate.",
    )
    deal_size: Multiplier = Field(
        1.0, title="Deal size", description="Average amount of a won deal, against the estimate."
    )
    deal_size_open: bool = Field(
        False, title="Deal size also for open deals", description="Also scale the amounts of deals that are open today."
    )
    slippage: Annotated[float, Field(ge=0.0, le=0.9, allow_inf_nan=False)] = Field(
        0.0,
        title="Slippage",
        description="Deals due in a period and still open after it. More than usual moves expected wins of this period "
        "into the next.",
    )
    targets: tuple[Target | None, ...] = Field(
        (), max_length=3, title="Targets", description="Bookings target of the current and the next two periods."
    )

    @classmethod
    def checked(cls, values: dict[str, Any]) -> Assumptions:
        """Validate ``values``; raises AssumptionError naming the lever and its limits."""
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            first = error.errors()[0]
            lever = ".".join(str(part) for part in first["loc"])
            if first["type"] == "extra_forbidden":
                raise AssumptionError(
                    f"There is no lever called '{lever}'",
                    place="scenario",
                    way_out=f"Known levers: {', '.join(cls.model_fields)}",
                ) from None
            raise AssumptionError(
                f"{lever} = {first['input']!r}: {first['msg'].lower()}", place="scenario", way_out="Correct the value"
            ) from None

    @property
    def conversion(self) -> Conversion:
        """Its cycle and close rates."""
        return Conversion(self.sales_cycle, self.close_rate, tuple(sorted(self.close_rates.items())))

    def changed(self) -> dict[str, Any]:
        """The levers that differ from "as estimated", without name and targets."""
        base = Assumptions()
        return {
            field: getattr(self, field)
            for field in type(self).model_fields
            if field not in ("name", "targets") and getattr(self, field) != getattr(base, field)
        }
