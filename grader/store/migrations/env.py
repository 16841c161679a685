"""Alembic's environment: the connection comes from `grader.store.database`, which holds the lock."""

from __future__ import annotations

from alembic import context

from grader.store.schema import Base

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    render_as_batch=True,
    compare_type=True,
)
context.run_migrations()
