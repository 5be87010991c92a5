"""Many scenarios of one model: what they have in common is worked out once."""

from __future__ import annotations

from kpis.assumptions import Assumptions
from kpis.forecast.calibration import Calibration
from kpis.forecast.model import Model
from kpis.forecast.projection import Course, Projection, course, project


class Trials:
    """Projections of one model under many assumptions.

    The recursion depends on the cycle and the close rates alone, so scenarios that differ in volume, size or
    slippage share it.

    Parameters
    ----------
    model, calibration
        As of the outlook that the scenarios vary.
    """

    def __init__(self, model: Model, calibration: Calibration | None) -> None:
        self._model, self._calibration = model, calibration
        self._courses: dict[str, Course] = {}

    def project(self, assumptions: Assumptions) -> Projection:
        """The projection under the assumptions."""
        paced = Assumptions(
            sales_cycle=assumptions.sales_cycle, close_rate=assumptions.close_rate, close_rates=assumptions.close_rates
        )
        key = paced.model_dump_json()
        if key not in self._courses:
            self._courses[key] = course(self._model, paced)
        return project(self._model, assumptions, self._calibration, self._courses[key])

    def expected(self, assumptions: Assumptions) -> float:
        """Expected landing of the three periods together."""
        return sum(window.expected for window in self.project(assumptions).windows)
