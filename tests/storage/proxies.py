"""A way to a PostgreSQL server that can be cut at a moment of one's choice."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Thread

from sqlalchemy import make_url

COMMITTED = b"INSERT 0 1"  # how the server answers that a row was written


class Proxy:
    """Passes on what clients and the server say, but for `answers` to INSERT: those it withholds, and hangs up."""

    def __init__(self, url: str, folder: Path) -> None:
        found = make_url(url)
        self._server = f"{found.query['host']}/.s.PGSQL.5432"
        self._door = socket.socket(socket.AF_UNIX)
        self._door.bind(str(folder / ".s.PGSQL.5432"))
        self._door.listen()
        self._open: list[socket.socket] = []
        self.url = found.update_query_dict({"host": str(folder)}).render_as_string(hide_password=False)
        self.withheld = 0  # answers so far
        self.answers = 0  # to withhold
        self.refuses = False  # everybody who comes
        Thread(target=self._welcome, daemon=True).start()

    def close(self) -> None:
        self._door.close()
        for end in self._open:
            _hang_up(end)

    def _welcome(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._door.accept()
                if self.refuses:
                    client.close()
                    continue
                server = socket.socket(socket.AF_UNIX)
                server.connect(self._server)
                self._open += [client, server]
                Thread(target=self._pass_on, args=(client, server), daemon=True).start()
                Thread(target=self._pass_on, args=(server, client), daemon=True).start()

    def _pass_on(self, source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while said := source.recv(1 << 16):
                if COMMITTED in said and self.answers:
                    self.answers -= 1
                    self.withheld += 1
                    break
                target.sendall(said)
        _hang_up(source)
        _hang_up(target)


def _hang_up(end: socket.socket) -> None:
    with suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)
    end.close()


@contextmanager
def proxy(url: str, folder: Path) -> Iterator[Proxy]:
    made = Proxy(url, folder)
    try:
        yield made
    finally:
        made.close()
