"""How an event is appended: by one statement, which writes once, and only for whoever may write."""

from typing import Any

from sqlalchemy import Select, bindparam, exists, select
from sqlalchemy.engine import Connection
from sqlalchemy.exc import DBAPIError

from amla.storage.database import Database
from amla.storage.errors import StoreError
from amla.storage.lease import leases
from amla.storage.tables import event, lease


class Appending:
    """Appends rows to the table of events.

    Whoever gives the token of a lease writes only while that is the token of the study; anybody else only while nobody
    has the lease. The statement itself looks, and locks the lease where others could change it meanwhile: so one who
    has lost it can write nothing later. Of two who write without a lease, the key of the table refuses one.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        study, token = bindparam("study", type_=event.c.study.type), bindparam("token", type_=lease.c.token.type)
        row = select(*(bindparam(column.name, type_=column.type) for column in event.c))
        self._leased = self._sql(row.where(lease.c.study == study, lease.c.token == token).with_for_update(read=True))
        self._free = self._sql(row.where(~exists().where(lease.c.study == study)))

    def append(self, connection: Connection, row: dict[str, Any], token: str | None, was_lost: bool) -> None:
        """Append a row; `was_lost`: an attempt to append it was cut off, so it may be there. Raises StoreError."""
        try:
            sent = connection.exec_driver_sql(self._leased if token else self._free, {**row, "token": token})
        except DBAPIError as error:
            if error.connection_invalidated or not self._database.is_taken(error):
                raise
            if not was_lost or not _is_there(connection, row):
                raise StoreError(
                    f"Another process is writing study {row['study']!r} to '{self._database.address}': its event "
                    f"{row['sequence']} is there already. A study has one writer: let the other process finish or end "
                    "it, then run this again."
                ) from None
        else:
            if sent.rowcount == 0:
                raise StoreError(self._refused(connection, str(row["study"]), token))

    def _sql(self, rows: Select[Any]) -> str:
        insert = event.insert().from_select([column.name for column in event.c], rows)
        return str(insert.compile(self._database.engine))

    def _refused(self, connection: Connection, study: str, token: str | None) -> str:
        found, where = leases(self._database, connection, (study,)), f"study {study!r} in '{self._database.address}'"
        if token is None:
            who = str(found[0]) if found else "another process"
            return f"This process has no lease of {where}, which is being written by {who}. Let it finish, or end it."
        now = f"{found[0]}" if found else "nobody any more"
        return (
            f"This process has lost the lease of {where}: it did not renew it in time (was it suspended, or cut off "
            f"from the database?), and another one took it over. Now it is held by {now}. Nothing more is written from "
            "here, and nothing that was written is lost; start again once the other has ended."
        )


def _is_there(connection: Connection, row: dict[str, Any]) -> bool:
    """Return whether the row of the same key is the same: its time, too, which no two writers share."""
    key = (event.c.study == row["study"]) & (event.c.sequence == row["sequence"])
    found = connection.execute(select(event).where(key)).mappings().first()
    return found is not None and dict(found) == row
