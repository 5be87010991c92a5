"""Which rows a member sees, and from which rows a thing was made; what is there already is of all rows."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Add the columns; a scenario's name stands once for each part."""
    for table in ("members", "scenarios", "decisions", "predictions"):
        op.add_column(table, sa.Column("scope", sa.Text, nullable=False, server_default=sa.text("''")))
    # SQLite cannot change a constraint: the table is copied. No other table refers to it, so nothing goes with the old.
    with op.batch_alter_table("scenarios", table_kwargs={"sqlite_autoincrement": True}) as scenarios:
        scenarios.drop_constraint("uq_scenarios_workspace_id", type_="unique")
        scenarios.create_unique_constraint("uq_scenarios_workspace_id", ["workspace_id", "scope", "name"])
