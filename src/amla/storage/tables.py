"""The tables of an event log, the same in every database."""

from sqlalchemy import CheckConstraint, Column, Float, Index, Integer, MetaData, String, Table, Text

VERSION = 3  # of these tables; the last revision in `amla.storage.migrations`
VERSION_TABLE = "amla_version"  # not Alembic's own name: other programs may use Alembic in the same database

metadata = MetaData()

event = Table(
    "event",
    metadata,
    Column("study", Text, primary_key=True),
    Column("sequence", Integer, primary_key=True),  # 0, 1, ... within a study
    Column("kind", Text, CheckConstraint("kind IN ('asked', 'told')"), nullable=False),
    Column("trial", Integer, nullable=False),
    Column("body", Text, nullable=False),  # JSON of the Proposal or the Outcome
    Column("at", Float, nullable=False),  # seconds since 1970, UTC, by the writer's clock
)

of_trial = Index("event_of_trial", event.c.study, event.c.trial)  # readers look for a few trials among very many

lease = Table(
    "lease",
    metadata,
    Column("study", Text, primary_key=True),
    Column("token", Text, nullable=False),  # random: who knows it may write
    Column("host", Text, nullable=False),
    Column("pid", Integer, nullable=False),
    Column("process", Text, nullable=False),  # tells whether that process lives; see `amla.storage.process`
    Column("since", Float, nullable=False),  # seconds since 1970, UTC, by the clock of the database
    Column("until", Float, nullable=False),
)

version = Table(VERSION_TABLE, metadata, Column("version_num", String(32), primary_key=True))
