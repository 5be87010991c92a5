"""The data a command is about: files or an address, or what is kept in a workspace; and the levers it is asked with."""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kpis.errors import AssumptionError, NotEnoughData

# What takes long to import is imported where it is needed, so that --help answers at once.
if TYPE_CHECKING:
    from kpis.answers.outlook import Outlook
    from kpis.assumptions import Assumptions
    from kpis.dataset import Dataset
    from kpis.intake import Intake
    from kpis.intake.sources import Upload
    from kpis.settings import Settings
    from kpis.store import Workspace


@dataclass(frozen=True)
class Source:
    """The data a command is about: where they are, how they are read, as of which day.

    Parameters
    ----------
    data
        Files, folders or an address; without any, the newest data that are kept in the workspace.
    settings
        How files are read.
    calendar
        The settings of the calendar that were asked for: they hold for kept data too, which are not read again.
    """

    data: list[str]
    settings: Settings
    as_of: date | None
    calendar: dict[str, Any]
    workspace: Workspace | None = None

    def read(self) -> Intake:
        """What was read, and what became of every row."""
        from kpis.intake import read

        return read(self.data, settings=self.settings) if self.data else self._kept()

    def dataset(self) -> Dataset:
        """The dataset as known at the end of the as-of day; the newest day when that lies after the data."""
        return self.known(self.read().dataset)

    def known(self, found: Dataset) -> Dataset:
        """What was read, as known at the end of the as-of day."""
        if self.as_of is None:
            return found
        if self.as_of > found.newest:
            newest = found.newest
            tell(f"The newest date in the data is {newest}: {newest} is used, not {self.as_of}.")
        return found.known_at(min(self.as_of, found.newest))

    def outlook(self, assumptions: Assumptions | None = None, dataset: Dataset | None = None) -> Outlook:
        """The outlook of the data under the assumptions, calibrated on its own past; of a dataset that is there."""
        from kpis.answers.outlook import outlook
        from kpis.forecast.backtest import record
        from kpis.forecast.model import fit

        dataset = dataset or self.dataset()
        model = fit(dataset)
        return outlook(dataset, model, assumptions, record(dataset, model))

    def levers(self, scenario: str | None, target: str | None) -> Assumptions:
        """The assumptions of a scenario, with ``target`` in place of its targets.

        Parameters
        ----------
        scenario
            Name of one in the workspace, else a file; a file that bears no name is called after itself.
        """
        from kpis.assumptions import Assumptions

        values = self._scenario(scenario) if scenario else {}
        if target:
            try:
                values["targets"] = tuple(float(part) for part in target.split(","))
            except ValueError:
                raise AssumptionError(f"'{target}' is no target", place="--target", way_out="Give N or N,N,N") from None
        return Assumptions.checked(values)

    def in_workspace(self, why: str) -> Workspace:
        """The workspace; AssumptionError where none is named."""
        if self.workspace is None:
            raise AssumptionError(f"{why} needs a workspace", place="--workspace", way_out="Name it")
        return self.workspace

    def _scenario(self, scenario: str) -> dict[str, Any]:
        from kpis.scenarios import read_scenario

        path = Path(scenario)
        if self.workspace is not None and not path.is_file():
            from kpis.store import scenarios

            row = scenarios.named(self.workspace, scenario)
            return scenarios.read(row).model_dump(exclude_unset=True)
        if not path.is_file():
            way_out = "Name a file, or with --workspace a scenario that is saved there"
            raise AssumptionError(f"There is no file '{scenario}'", place="--scenario", way_out=way_out)
        return {"name": path.stem, **read_scenario(path.read_bytes(), scenario).model_dump(exclude_unset=True)}

    def _kept(self) -> Intake:
        """The newest data of the workspace, as they were read."""
        found, _ = newest(self.in_workspace("A command without DATA"))
        if not self.calendar:
            return found
        settings = found.dataset.settings.revised(**self.calendar)
        return replace(found, dataset=replace(found.dataset, settings=settings))


def newest(there: Workspace) -> tuple[Intake, list[Upload]]:
    """The newest data of a workspace, as they were read, and their files; NotEnoughData where none are kept."""
    from kpis.intake import archive
    from kpis.store import snapshots

    row = next(iter(snapshots.listed(there)), None)
    if row is None:
        raise NotEnoughData(f"No data are kept in '{there.name}'", way_out="Keep some: python -m kpis keep")
    return archive.opened(there, row.id)


def tell(text: str) -> None:
    """A message beside the result, on standard error."""
    sys.stderr.write(text + "\n")
