"""Revision 3: an index by which the events of a trial are found, however many others there are."""

from alembic import op

revision = "3"
down_revision = "2"


def upgrade() -> None:
    """Make the index."""
    op.create_index("event_of_trial", "event", ["study", "trial"])
