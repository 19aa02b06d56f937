"""What Alembic runs: migrations over the connection that `migrate.upgrade` hands in, never over one of its own."""

from __future__ import annotations

from alembic import context

from swiftclaw_local.storage.tables import METADATA

connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=METADATA, render_as_batch=True, transactional_ddl=True)
with context.begin_transaction():
    context.run_migrations()
