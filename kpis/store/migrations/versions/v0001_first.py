"""The first tables: workspaces and what is kept in them, and the audit log."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "workspaces",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("name", sa.String(80), nullable=False),
        sa.Column("made_by", sa.String(80), nullable=False),
        _stamp("made_at"),
        sa.PrimaryKeyConstraint("id", name="pk_workspaces"),
        sa.UniqueConstraint("name", name="uq_workspaces_name"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "audit_log",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("person", sa.String(80), nullable=False),
        sa.Column("workspace_id", sa.Integer, nullable=False),
        sa.Column("workspace", sa.String(80), nullable=False),
        sa.Column("action", sa.String(20), nullable=False),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("what", sa.Text, nullable=False),
        _stamp("at"),
        sa.PrimaryKeyConstraint("id", name="pk_audit_log"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "members",
        *_of_a_workspace("members"),
        sa.Column("person", sa.String(80), nullable=False),
        sa.Column("role", sa.String(10), nullable=False),
        _stamp("since"),
        sa.PrimaryKeyConstraint("workspace_id", "person", name="pk_members"),
    )
    op.create_table(
        "snapshots",
        sa.Column("id", sa.String(40), nullable=False),
        *_of_a_workspace("snapshots"),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("fingerprint", sa.String(64), nullable=False),
        sa.Column("newest", sa.Date, nullable=False),
        sa.Column("rows", sa.Integer, nullable=False),
        sa.Column("size", sa.BigInteger, nullable=False),
        sa.Column("kept_by", sa.String(80), nullable=False),
        _stamp("kept_at"),
        sa.PrimaryKeyConstraint("id", name="pk_snapshots"),
        sa.UniqueConstraint("workspace_id", "fingerprint", name="uq_snapshots_workspace_id"),
    )
    op.create_table(
        "settings",
        *_of_a_workspace("settings"),
        sa.Column("toml", sa.Text, nullable=False),
        *_versioned(),
        sa.PrimaryKeyConstraint("workspace_id", name="pk_settings"),
    )
    op.create_table(
        "scenarios",
        sa.Column("id", sa.Integer, nullable=False),
        *_of_a_workspace("scenarios"),
        sa.Column("name", sa.String(80), nullable=False),
        sa.Column("levers", sa.Text, nullable=False),
        *_versioned(),
        sa.PrimaryKeyConstraint("id", name="pk_scenarios"),
        sa.UniqueConstraint("workspace_id", "name", name="uq_scenarios_workspace_id"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "decisions",
        sa.Column("id", sa.Integer, nullable=False),
        *_of_a_workspace("decisions"),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("owner", sa.Text, nullable=False),
        sa.Column("due", sa.Date),
        sa.Column("page", sa.Text, nullable=False),
        sa.Column("taken_by", sa.String(80), nullable=False),
        _stamp("taken_at"),
        sa.PrimaryKeyConstraint("id", name="pk_decisions"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "predictions",
        sa.Column("id", sa.Integer, nullable=False),
        *_of_a_workspace("predictions"),
        sa.Column("identity", sa.String(64), nullable=False),
        sa.Column("made_on", sa.Date, nullable=False),
        sa.Column("grain", sa.String(10), nullable=False),
        sa.Column("fiscal_start", sa.Integer, nullable=False),
        sa.Column("currency", sa.String(10), nullable=False),
        sa.Column("data", sa.Text, nullable=False),
        sa.Column("fingerprint", sa.String(64), nullable=False),
        sa.Column("name", sa.String(80), nullable=False),
        sa.Column("assumptions", sa.Text, nullable=False),
        sa.Column("levers", sa.Integer, nullable=False),
        sa.Column("method", sa.Text, nullable=False),
        sa.Column("saved_by", sa.String(80), nullable=False),
        _stamp("saved_at"),
        sa.PrimaryKeyConstraint("id", name="pk_predictions"),
        sa.UniqueConstraint("workspace_id", "identity", name="uq_predictions_workspace_id"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "predicted_periods",
        sa.Column("prediction_id", sa.Integer, nullable=False),
        sa.Column("window", sa.Integer, autoincrement=False, nullable=False),
        sa.Column("label", sa.String(20), nullable=False),
        sa.Column("starts", sa.Date, nullable=False),
        sa.Column("ends", sa.Date, nullable=False),
        sa.Column("target", sa.Double),
        *(sa.Column(name, sa.Double, nullable=False) for name in ("won", "expected", "p10", "p50", "p90")),
        sa.Column("p_hit", sa.Double),
        sa.Column("verified", sa.Boolean, nullable=False),
        sa.Column("method", sa.Text, nullable=False),
        sa.Column("quantiles", sa.JSON, nullable=False),
        sa.ForeignKeyConstraint(
            ["prediction_id"], ["predictions.id"], "fk_predicted_periods_prediction_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("prediction_id", "window", name="pk_predicted_periods"),
    )


def _stamp(name: str) -> sa.Column[sa.DateTime]:
    """A moment in UTC, stamped by the database."""
    return sa.Column(name, sa.DateTime, server_default=sa.func.now(), nullable=False)


def _of_a_workspace(table: str) -> tuple[sa.SchemaItem, ...]:
    """What belongs to a workspace goes with it."""
    key = f"fk_{table}_workspace_id"
    return (
        sa.Column("workspace_id", sa.Integer, nullable=False),
        sa.ForeignKeyConstraint(["workspace_id"], ["workspaces.id"], key, ondelete="CASCADE"),
    )


def _versioned() -> tuple[sa.SchemaItem, ...]:
    """What several people may edit at once."""
    return (
        sa.Column("saved_by", sa.String(80), nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        _stamp("saved_at"),
    )
