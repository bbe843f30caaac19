"""Revision 1: the table of events, as amla 0.1 wrote it into SQLite files."""

import sqlalchemy as sa
from alembic import op

revision = "1"
down_revision = None


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "event",
        sa.Column("study", sa.Text, primary_key=True),
        sa.Column("sequence", sa.Integer, primary_key=True),
        sa.Column("kind", sa.Text, sa.CheckConstraint("kind IN ('asked', 'told')"), nullable=False),
        sa.Column("trial", sa.Integer, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("at", sa.Float, nullable=False),
    )
