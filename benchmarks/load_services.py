"""The worker services of load.py: made up, in one process, each at a port of its own; a trial takes them no time."""

import asyncio
import json
from multiprocessing.connection import Connection

from load_readers import END

OUTCOME = {
    "kind": "measurement",
    "metrics": {"accuracy": 0.5, "loss": 0.7, "parameters": 1e5, "macs": 1e7},
    "statistics": {"taylor": {f"stage0/cell0/{place}": 0.5 for place in range(6)}},
    "seconds": 0.01,
    "cost": {"device": "none", "flops": 1e9},
}


class MadeUp(asyncio.Protocol):
    """A connection to a made-up worker service, which has every trial done when it is asked after."""

    frozen: set[int] = set()  # noqa: RUF012 - ports of services that answer nothing any more

    def __init__(self) -> None:
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport, self._port = transport, transport.get_extra_info("sockname")[1]

    def data_received(self, data: bytes) -> None:
        self._received += data
        while (end := self._received.find(END)) >= 0:
            head = self._received[:end].decode("ascii").lower()
            _, found, rest = head.partition("content-length:")
            whole = end + len(END) + (int(rest.partition("\r")[0]) if found else 0)
            if len(self._received) < whole:
                return
            self._received = self._received[whole:]
            if self._port not in self.frozen:
                self._transport.write(self._answer(head))  # type: ignore[attr-defined]

    def _answer(self, head: str) -> bytes:
        method, path, _ = head.partition("\r")[0].split(" ")
        body: dict[str, object]
        if path == "/v1/worker":
            status, body = 200, {"slots": 1, "free": 1}
        elif method == "post":
            key = head.partition("idempotency-key:")[2].partition("\r")[0].strip()
            status, body = 202, {"id": key[:32], "state": "running"}
        else:
            trial = path.partition("?")[0].rpartition("/")[2]
            status, body = 200, {"id": trial, "state": "done", "outcome": OUTCOME}
        text = json.dumps(body).encode()
        return f"HTTP/1.1 {status} OK\r\nContent-Length: {len(text)}\r\n\r\n".encode() + text


def serve(count: int, told: Connection) -> None:
    """Be so many worker services, and tell their ports; freeze those that are named."""

    async def serving() -> None:
        loop = asyncio.get_running_loop()
        servers = [await loop.create_server(MadeUp, "127.0.0.1", 0) for _ in range(count)]
        told.send([server.sockets[0].getsockname()[1] for server in servers])
        over = asyncio.Event()

        def hear() -> None:
            try:
                MadeUp.frozen.add(told.recv())
            except EOFError:  # whoever started this is gone
                over.set()

        loop.add_reader(told.fileno(), hear)
        await over.wait()

    asyncio.run(serving())
