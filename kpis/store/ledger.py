"""The ledger: forecasts as they were made, to be held against what came."""

from __future__ import annotations

import hashlib
from typing import Any

from sqlalchemy.exc import IntegrityError

from kpis.store import models
from kpis.store.workspace import Workspace

LEVELS = (0.001, *(n / 100 for n in range(1, 100)), 0.999)
"""Probabilities whose landings are stored: enough to tell where in the distribution what came has fallen."""


def identity(prediction: models.Prediction) -> str:
    """Hash of what a prediction follows from: data, day, calendar and assumptions.

    It is stored with the rows that its author sees, so that the same forecast may be saved for each part.
    """
    parts = (
        prediction.fingerprint, prediction.made_on, prediction.grain, prediction.fiscal_start, prediction.assumptions,
        *(period.target for period in prediction.periods),
    )  # fmt: skip
    return hashlib.sha256("\n".join(map(str, parts)).encode()).hexdigest()


def listed(workspace: Workspace) -> list[models.Prediction]:
    """The predictions with their periods, the latest first."""
    with workspace.reading() as session:
        latest = models.Prediction.made_on.desc(), models.Prediction.id.desc()
        return list(session.scalars(workspace.rows(models.Prediction).order_by(*latest)))


def same(workspace: Workspace, prediction: models.Prediction) -> models.Prediction | None:
    """The stored prediction that follows from the same; None where there is none."""
    with workspace.reading() as session:
        is_same = models.Prediction.identity == _stored(workspace, prediction)
        return session.scalar(workspace.rows(models.Prediction).where(is_same))


def save(workspace: Workspace, prediction: models.Prediction) -> models.Prediction:
    """Store a prediction; one that follows from the same is there already and stays as it was."""
    found = same(workspace, prediction)
    if found is not None:
        return found
    prediction.workspace_id, prediction.scope = workspace.id, workspace.scope.text
    prediction.saved_by = workspace.person
    prediction.identity = _stored(workspace, prediction)
    try:
        with workspace.writing("saved", "prediction", _called(prediction)) as session:
            session.add(prediction)
    except IntegrityError:
        found = same(workspace, prediction)
        if found is None:
            raise
        return found  # somebody else saved it this moment
    return prediction


def _stored(workspace: Workspace, prediction: models.Prediction) -> str:
    return workspace.scope.mark(identity(prediction))


def copy(prediction: models.Prediction) -> models.Prediction:
    """The same prediction, not stored yet."""
    periods = [models.Period(**_values(period, "prediction_id")) for period in prediction.periods]
    own = _values(prediction, "id", "workspace_id", "scope", "identity", "saved_by", "saved_at")
    return models.Prediction(**own, periods=periods)


def delete(workspace: Workspace, number: int) -> None:
    """Delete a prediction; one that is not there is deleted already."""
    with workspace.writing("deleted", "prediction", f"prediction {number}") as session:
        row = session.scalar(workspace.rows(models.Prediction).where(models.Prediction.id == number))
        if row is not None:
            session.delete(row)


def _values(row: models.Base, *without: str) -> dict[str, Any]:
    """What the columns of a row hold."""
    return {each.key: getattr(row, each.key) for each in row.__mapper__.column_attrs if each.key not in without}


def _called(prediction: models.Prediction) -> str:
    return f"{prediction.name}, as of {prediction.made_on}"
