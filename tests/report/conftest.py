"""A small demo company, read, forecast and packed once for all tests of the report."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from kpis import demo
from kpis.answers.outlook import Outlook, outlook
from kpis.forecast.backtest import backtest, record
from kpis.forecast.model import fit
from kpis.intake import Intake, read
from kpis.report.pack import Pack, pack

TABLES = ("opportunities", "opportunity_history", "stages", "leads", "spend", "targets")


@dataclass(frozen=True)
class Company:
    folder: Path
    intake: Intake
    found: Outlook
    pack: Pack


@pytest.fixture(scope="session")
def company(tmp_path_factory, root) -> Company:
    written, folder = tmp_path_factory.mktemp("all"), tmp_path_factory.mktemp("small")
    for path in demo.write(written, opportunities=350, seed=3, years=2.5, truth=False):
        if path.stem in TABLES:
            path.rename(folder / path.name)
    intake = read([folder])
    model = fit(intake.dataset)
    found = outlook(intake.dataset, model, None, record(intake.dataset, model))
    origins = backtest(intake.dataset, model.calendar)
    return Company(folder, intake, found, pack(intake, found, origins, [str(folder)], str(root)))


@pytest.fixture(scope="session")
def made(company) -> Pack:
    return company.pack
