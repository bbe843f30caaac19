"""The readers of `load.py`, who ask one scheduler over raw connections, so that little of the CPU time is theirs."""

import asyncio
import json
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import cycle
from multiprocessing.connection import Connection
from time import monotonic
from typing import TypeVar

PERIOD = 1.0  # seconds between the reads of one reader
NEWEST = 20  # trials that a reader looks at
FOLLOWING = 5  # every fifth reader follows the stream
END = b"\r\n\r\n"
TRIAL = b"event: trial\n"
P = TypeVar("P", bound=asyncio.BaseProtocol)


class Line(asyncio.Protocol):
    """A connection of a reader that asks one thing after another: as little of HTTP as that takes."""

    def __init__(self) -> None:
        self._received = bytearray()
        self._answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._answer.set_result(b"")  # nothing was asked

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: asyncio.Transport = transport  # type: ignore[assignment]

    async def ask(self, request: bytes) -> bytes:
        """Return the body of an answer."""
        self._received.clear()
        self._answer = asyncio.get_running_loop().create_future()
        self.transport.write(request)
        return await self._answer

    def data_received(self, data: bytes) -> None:
        if self._answer.done():
            return
        try:
            whole = self._whole(data)
        except ValueError as error:
            self._answer.set_exception(error)
            return
        if whole is not None:
            self._answer.set_result(whole)

    def _whole(self, data: bytes) -> bytes | None:
        self._received += data
        head = self._received.find(END)
        if head < 0:
            return None
        if not self._received.startswith(b"HTTP/1.1 200"):
            raise ValueError(bytes(self._received[:300]))
        length = self._received[:head].lower().partition(b"content-length:")[2].partition(b"\r")[0]
        body = head + len(END)
        return bytes(self._received[body:]) if len(self._received) >= body + int(length) else None

    def connection_lost(self, error: Exception | None) -> None:
        if not self._answer.done():
            self._answer.set_exception(ConnectionError(str(error or "closed")))


class Follower(asyncio.Protocol):
    """A connection that a stream of events comes by. One that `counts` unpacks it, which others do elsewhere."""

    def __init__(self, request: bytes, counts: bool) -> None:
        self.bytes = self.events = 0
        self.is_over, self._request, self._rest = False, request, b""
        self._unpacked = Unpacked() if counts else None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        transport.write(self._request)  # type: ignore[attr-defined]

    def data_received(self, data: bytes) -> None:
        self.bytes += len(data)
        if self._unpacked:
            text = self._rest + self._unpacked.feed(data)
            self.events += text.count(TRIAL)
            self._rest = text[1 - len(TRIAL) :]

    def connection_lost(self, error: Exception | None) -> None:
        self.is_over = True


class Unpacked:
    """The body of an answer in chunks, which is compressed."""

    def __init__(self) -> None:
        self._received, self._unpacker, self._is_body = b"", zlib.decompressobj(zlib.MAX_WBITS | 16), False

    def feed(self, data: bytes) -> bytes:
        """Return what becomes readable with more of it. Raises ValueError if it is none."""
        self._received += data
        if not self._is_body:
            head, end, self._received = self._received.partition(END)
            if not end:
                self._received = head
                return b""
            if not head.startswith(b"HTTP/1.1 200") or b"content-encoding: gzip" not in head.lower():
                raise ValueError(head[:300])
            self._is_body = True
        text = b""
        while (line := self._received.find(b"\r\n")) >= 0:
            over = line + 2 + int(self._received[:line], 16)
            if len(self._received) < over + 2:
                break
            text += self._unpacker.decompress(self._received[line + 2 : over])
            self._received = self._received[over + 2 :]
        return text


@dataclass
class Readers:
    """So many readers of one study, as tasks of one process: what they have seen, and how long it took them."""

    port: int
    study: str
    took: list[float] = field(default_factory=list)  # seconds
    errors: list[str] = field(default_factory=list)
    asked: int = 0  # trials, as somebody has seen last
    began: dict[int, float] = field(default_factory=dict)  # when each reader sent what has no answer yet
    followers: list[Follower] = field(default_factory=list)

    async def read(self, number: int, count: int) -> None:
        """Read as one reader does, until it is cancelled."""
        await asyncio.sleep(PERIOD * number / count)
        if number % FOLLOWING == 0:
            request, counts = self._request("/events", "Accept-Encoding: gzip\r\n"), not self.followers
            self.followers.append(await self._connected(lambda: Follower(request, counts)))
            return
        kinds = cycle((self._standing, self._newest))
        for _ in range(number):
            next(kinds)
        line = await self._connected(Line)
        for kind in kinds:  # without end
            self.began[number] = began = monotonic()
            try:
                if line.transport.is_closing():  # it was idle for long: clients of HTTP then open another one
                    line = await self._connected(Line)
                await kind(line)
                self.took.append(monotonic() - began)
            except (OSError, ValueError) as error:
                self.errors.append(f"{type(error).__name__}: {error}"[:200])
                line.transport.close()
            del self.began[number]
            await asyncio.sleep(max(0.0, PERIOD - (monotonic() - began)))

    def over(self) -> list[float]:
        """Return what all reads took; one that has no answer yet, as long as it has waited."""
        now = monotonic()
        return self.took + [now - began for began in self.began.values()]

    async def _standing(self, line: Line) -> None:
        found = json.loads(await line.ask(self._request("")))
        count = found["phases"].get("search", {"asked": 0, "told": 0})
        self.asked = max(self.asked, count["asked"])

    async def _newest(self, line: Line) -> None:
        path = f"/history?first={max(0, self.asked - NEWEST)}&most={NEWEST}"
        text = await line.ask(self._request(path))
        if not text.startswith(b'{"phase":"search","trials":['):
            raise ValueError(text[:100])

    async def _connected(self, make: Callable[[], P]) -> P:
        return (await asyncio.get_running_loop().create_connection(make, "127.0.0.1", self.port))[1]

    def _request(self, path: str, more: str = "") -> bytes:
        head = f"GET /v1/studies/{self.study}{path} HTTP/1.1\r\nHost: 127.0.0.1:{self.port}\r\n{more}\r\n"
        return head.encode()


def read(port: int, study: str, count: int, told: Connection) -> None:
    """Read as so many readers do, until told to stop; then tell how that went."""

    async def reading() -> None:
        readers, over = Readers(port, study), asyncio.Event()
        tasks = [asyncio.create_task(readers.read(number, count)) for number in range(count)]
        asyncio.get_running_loop().add_reader(told.fileno(), over.set)
        await over.wait()
        took = readers.over()
        for task in tasks:
            task.cancel()
        failed = [str(found) for found in await asyncio.gather(*tasks, return_exceptions=True) if found and str(found)]
        failed += ["A stream ended before its study." for each in readers.followers if each.is_over]
        got = [each.bytes for each in readers.followers]
        counted = readers.followers[0].events if got else 0
        told.send((took, len(readers.took), readers.errors + failed, counted, min(got, default=0), sum(got)))

    asyncio.run(reading())
