"""How Alembic runs the migrations: on the connection, and in the transaction, of whoever opens the store."""

from __future__ import annotations

from alembic import context

from kpis.store.models import Base

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    transactional_ddl=True,
    render_as_batch=True,
)
context.run_migrations()
