"""What Alembic runs around the revisions; `upgrade` lends the connection."""

from alembic import context

from amla.storage.tables import VERSION_TABLE, metadata

context.configure(
    connection=context.config.attributes["connection"], target_metadata=metadata, version_table=VERSION_TABLE
)
context.run_migrations()
