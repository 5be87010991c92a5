"""The tables of the store. ``migrations`` makes them; a test holds that both say the same."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Any, ClassVar

from sqlalchemy import JSON, BigInteger, Double, ForeignKey, MetaData, String, Text, UniqueConstraint, func, text
from sqlalchemy.orm import DeclarativeBase, Mapped, declared_attr, mapped_column, relationship

NAME = 80
"""Characters of a name."""

# The database stamps what it stores, in UTC: kpis reads no clock.
Made = Annotated[datetime, mapped_column(server_default=func.now())]
Changed = Annotated[datetime, mapped_column(server_default=func.now(), onupdate=func.now())]
Number = Annotated[int, mapped_column(primary_key=True)]
Of = Annotated[int, mapped_column(ForeignKey("workspaces.id", ondelete="CASCADE"))]
Name = Annotated[str, mapped_column(String(NAME))]
Long = Annotated[str, mapped_column(Text)]


_NEVER_AGAIN = {"sqlite_autoincrement": True}


class Base(DeclarativeBase):
    """What all tables share: names of constraints that do not depend on the database."""

    metadata = MetaData(
        naming_convention={
            "pk": "pk_%(table_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s",
            "uq": "uq_%(table_name)s_%(column_0_name)s",
            "ix": "ix_%(table_name)s_%(column_0_name)s",
        }
    )
    type_annotation_map: ClassVar[dict[Any, Any]] = {float: Double, list[float]: JSON}
    # The number of what was deleted is not given again: whoever still holds it would change something else.
    __table_args__: ClassVar[Any] = _NEVER_AGAIN
    __mapper_args__: ClassVar[dict[str, Any]] = {"eager_defaults": True}


class Versioned:
    """What several people may edit: who saved it last and when; ``version`` counts the saves."""

    saved_by: Mapped[Name]
    version: Mapped[int]
    saved_at: Mapped[Changed]

    @declared_attr.directive
    def __mapper_args__(cls) -> dict[str, Any]:  # noqa: N805 - SQLAlchemy calls it with the class
        return {"version_id_col": cls.version, "eager_defaults": True}


class Scoped:
    """What was made from the rows that its author saw, and is seen by those who see the same rows.

    ``scope`` is the text of a ``Scope``.
    """

    scope: Mapped[Long] = mapped_column(server_default=text("''"))


class Workspace(Base):
    """What a group of people works on: one company's data, with what was assumed, decided and predicted."""

    __tablename__ = "workspaces"

    id: Mapped[Number]
    name: Mapped[Name] = mapped_column(unique=True)
    made_by: Mapped[Name]
    made_at: Mapped[Made]


class Member(Base):
    """Who takes part in a workspace, as viewer, editor or owner, and which rows they see (the text of a ``Scope``)."""

    __tablename__ = "members"

    workspace_id: Mapped[Of] = mapped_column(primary_key=True)
    person: Mapped[Name] = mapped_column(primary_key=True)
    role: Mapped[str] = mapped_column(String(10))
    scope: Mapped[Long] = mapped_column(server_default=text("''"))
    since: Mapped[Made]


class Snapshot(Base):
    """A dataset as it was read, kept with the files it was read from.

    ``id`` names its folder and begins with the moment it was made; ``size`` is in bytes.
    """

    __tablename__ = "snapshots"
    __table_args__ = (UniqueConstraint("workspace_id", "fingerprint"),)

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    workspace_id: Mapped[Of]
    name: Mapped[Long]
    fingerprint: Mapped[str] = mapped_column(String(64))
    newest: Mapped[date]
    rows: Mapped[int]
    size: Mapped[int] = mapped_column(BigInteger)
    kept_by: Mapped[Name]
    kept_at: Mapped[Made]


class Agreement(Versioned, Base):
    """The settings of a workspace, as their file has them (TOML)."""

    __tablename__ = "settings"

    workspace_id: Mapped[int] = mapped_column(ForeignKey("workspaces.id", ondelete="CASCADE"), primary_key=True)
    toml: Mapped[Long]

    @property
    def edition(self) -> str:
        """Which save this is."""
        return f"{self.workspace_id}.{self.version}"


class Scenario(Scoped, Versioned, Base):
    """A scenario under its name, as its file has it (JSON)."""

    __tablename__ = "scenarios"
    __table_args__ = (UniqueConstraint("workspace_id", "scope", "name"), _NEVER_AGAIN)

    id: Mapped[Number]
    workspace_id: Mapped[Of]
    name: Mapped[Name]
    levers: Mapped[Long]

    @property
    def edition(self) -> str:
        """Which save this is; no other one has the same, not even after a scenario of that name was deleted."""
        return f"{self.id}.{self.version}"


class Decision(Scoped, Base):
    """A decision or note of a meeting."""

    __tablename__ = "decisions"

    id: Mapped[Number]
    workspace_id: Mapped[Of]
    text: Mapped[Long]
    owner: Mapped[Long]
    due: Mapped[date | None]
    page: Mapped[Long]
    taken_by: Mapped[Name]
    taken_at: Mapped[Made]


class Period(Base):
    """What a prediction said of one period.

    Parameters
    ----------
    window
        0 for the period that was running, 1 and 2 for those after it.
    starts, ends
        First and last day.
    won
        Won in the period by the day of the prediction.
    expected, p10, p50, p90
        Of the whole landing, ``p_hit`` the chance of its target.
    quantiles
        Landings at ``ledger.LEVELS``.
    """

    __tablename__ = "predicted_periods"

    prediction_id: Mapped[int] = mapped_column(ForeignKey("predictions.id", ondelete="CASCADE"), primary_key=True)
    window: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    label: Mapped[str] = mapped_column(String(20))
    starts: Mapped[date]
    ends: Mapped[date]
    target: Mapped[float | None]
    won: Mapped[float]
    expected: Mapped[float]
    p10: Mapped[float]
    p50: Mapped[float]
    p90: Mapped[float]
    p_hit: Mapped[float | None]
    verified: Mapped[bool]
    method: Mapped[Long]
    quantiles: Mapped[list[float]]


class Prediction(Scoped, Base):
    """A forecast as it was made: of which data, as of which day, under which assumptions.

    Parameters
    ----------
    identity
        Hash of what it follows from: a forecast that is made again is the same prediction.
    made_on
        As-of day.
    assumptions
        The scenario as its file has it (JSON).
    levers
        How many levers were moved: a prediction with none is the method's own.
    """

    __tablename__ = "predictions"
    __table_args__ = (UniqueConstraint("workspace_id", "identity"), _NEVER_AGAIN)

    id: Mapped[Number]
    workspace_id: Mapped[Of]
    identity: Mapped[str] = mapped_column(String(64))
    made_on: Mapped[date]
    grain: Mapped[str] = mapped_column(String(10))
    fiscal_start: Mapped[int]
    currency: Mapped[str] = mapped_column(String(10))
    data: Mapped[Long]
    fingerprint: Mapped[str] = mapped_column(String(64))
    name: Mapped[Name]
    assumptions: Mapped[Long]
    levers: Mapped[int]
    method: Mapped[Long]
    periods: Mapped[list[Period]] = relationship(
        order_by=Period.window, lazy="selectin", cascade="all, delete-orphan", passive_deletes=True
    )
    saved_by: Mapped[Name]
    saved_at: Mapped[Made]


class Entry(Base):
    """A line of the audit log: who did what. It outlives what it is about, and holds no more of it than its name."""

    __tablename__ = "audit_log"

    id: Mapped[Number]
    person: Mapped[Name]
    workspace_id: Mapped[int]
    workspace: Mapped[Name]
    action: Mapped[str] = mapped_column(String(20))
    kind: Mapped[str] = mapped_column(String(20))
    what: Mapped[Long]
    at: Mapped[Made]
