"""The tables of an event log as a database has them: made where they are missing, and brought up to date."""

from sqlalchemy import select
from sqlalchemy.engine import Connection

from amla.storage.database import Database
from amla.storage.errors import StoreError
from amla.storage.tables import VERSION, metadata, version


def prepare(database: Database) -> None:
    """Have the tables of today in a database. Raises StoreError if it is another program's, or of a newer amla.

    Until today every migration has added a table or an index alone, so an older amla that is still writing is not
    disturbed.
    """
    with database.engine.connect() as connection:
        if checked(database, connection) == VERSION:
            return
    with database.exclusive() as connection:
        match checked(database, connection):  # another process may have been faster
            case 0:
                metadata.create_all(connection)
                connection.execute(version.insert().values(version_num=str(VERSION)))
                database.mark(connection)
            case older if older < VERSION:
                _migrate(connection, older)
                database.mark(connection)


def checked(database: Database, connection: Connection) -> int:
    """Return the version of the tables, 0 if there are none. Raises StoreError if they cannot be used."""
    found = database.version(connection)
    if found > VERSION:
        raise StoreError(
            f"'{database.address}' was written by a newer amla (version {found} of the records; this one reads up to "
            f"{VERSION}). Update amla."
        )
    return found


def _migrate(connection: Connection, older: int) -> None:
    from amla.storage.migrations import upgrade  # takes longer to load than all else here, and is needed once

    version.create(connection, checkfirst=True)  # version 1 was in the header of the file alone
    if connection.execute(select(version)).first() is None:
        connection.execute(version.insert().values(version_num=str(older)))
    upgrade(connection)
