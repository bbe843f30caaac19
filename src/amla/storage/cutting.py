"""Cuts the connections of a run to its PostgreSQL server, as a network or a server that starts anew would."""

import sqlalchemy as sa


def named(url: str, name: str) -> str:
    """Return a URL by which connections are called `name` on the server."""
    return sa.make_url(url).update_query_dict({"application_name": name}).render_as_string(hide_password=False)


def cut(url: str, name: str) -> int:
    """End all connections of that name, and return how many there were; a role may end its own.

    Raises StoreError or OSError if the server cannot be reached.
    """
    from amla.storage.postgres import Postgres  # which needs a library that those without a server lack

    server = Postgres(url, read_only=True)
    ended = sa.text(
        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity "
        "WHERE application_name = :name AND pid <> pg_backend_pid()"
    )
    try:
        with server.explaining("cut connections"), server.engine.connect() as connection:
            return int(connection.execute(ended, {"name": name}).scalar_one())
    finally:
        server.engine.dispose()
