"""How does alembic run a step? Over the connection that `migrate` hands it, in one transaction."""

from __future__ import annotations

from alembic import context

context.configure(connection=context.config.attributes["connection"], version_table_schema="gpt_trader")
with context.begin_transaction():
    context.run_migrations()
