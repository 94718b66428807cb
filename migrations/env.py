"""Runs the versions on the connection that `governance.storage.schema` hands over.

Knows nothing of our packages: `target_metadata` is whatever the caller compares with, or None.
There is no alembic.ini; the only doors are `vigil db upgrade` and `vigil db check`.
"""

from __future__ import annotations

from alembic import context

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=context.config.attributes.get("target_metadata"),
    version_table=context.config.attributes["version_table"],
    render_as_batch=True,
    compare_type=True,
)
with context.begin_transaction():
    context.run_migrations()
