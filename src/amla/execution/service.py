"""A connection of a driver to one worker service: what it asks for, and what may become of that.

It is kept open from one request to the next. `http.client` is what Python has for that; for short requests from many
threads it takes a quarter of the CPU time of httpx (see decision 17).
"""

import json
import ssl
from collections.abc import Mapping
from contextlib import suppress
from functools import cache
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from re import fullmatch
from socket import SHUT_RDWR
from time import monotonic
from types import MappingProxyType
from typing import NamedTuple, TypeVar
from urllib.parse import urlsplit

from pydantic import TypeAdapter, ValidationError

from amla.execution import orders
from amla.execution.orders import Capacity, Kept, Status
from amla.spec.text import explain

T = TypeVar("T")

LARGEST = 64 << 20  # bytes of an answer that is no snapshot: a learning curve of 400,000 lines
LARGEST_SNAPSHOT = 8 << 30  # bytes
PART = 8 << 20  # bytes of a snapshot that are sent in one request
BYTES = "application/octet-stream"
NONE: Mapping[str, str] = MappingProxyType({})
SHOWN = 300  # characters of an answer that are repeated in a message
_CHUNK = 1 << 16  # bytes


class Gone(Exception):
    """No answer, or none that can be read: the service, or the network, is away."""


class Full(Exception):
    """The service runs as many trials as it can."""


class Forgotten(Exception):
    """The service knows nothing of what it is asked for."""


class Missing(Exception):
    """The service lacks the snapshot that a trial starts from."""


class Refused(Exception):
    """The service will not do what it is asked for, or its answers break a rule; asking again does not help."""


class Address(NamedTuple):
    """Where a service listens."""

    secure: bool
    host: str
    port: int
    path: str


def address(url: str) -> Address:
    """Return where `url` leads. Raises ValueError for what is no URL of a service."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise ValueError(f"{url!r} is no URL ({error}); write http://HOST:PORT.") from None
    plain = parts.username is None and not parts.query and not parts.fragment and fullmatch(r"[!-~]+", url)
    if parts.scheme not in ("http", "https") or not parts.hostname or not plain:
        raise ValueError(f"{url!r} is no URL of a service; write http://HOST:PORT, with a token in AMLA_TOKEN.")
    secure = parts.scheme == "https"
    return Address(secure, parts.hostname, port or (443 if secure else 80), parts.path.rstrip("/"))


class Connection:
    """One connection to the service at `url`, for one thread; each call is one request, and may take `seconds`.

    `headers` go with all of them: who asks, and for what trace.

    Calls raise Gone, and Refused where nothing else is said. `interrupt` may be called from any thread: a call that is
    under way, and every later one, raises Gone.
    """

    def __init__(self, url: str, seconds: float, headers: Mapping[str, str] = NONE) -> None:
        self.url, self._address, self._seconds = url, address(url), seconds
        self._headers = {"Accept": "application/json", **headers}
        self._http: HTTPConnection | None = None
        self._ended = False

    def capacity(self) -> Capacity:
        """Return how many trials the service runs at once."""
        return self._json("GET", "worker", orders.capacity, seconds=self._seconds)

    def send(self, order: bytes, key: str, seconds: float) -> Status:
        """Send an order. Raises Full and Missing."""
        headers = {"Content-Type": "application/json", orders.KEY: key}
        return self._json("POST", "trials", orders.status, order, headers, seconds, expected=202)

    def status(self, trial: str, after: int, wait: float, seconds: float) -> Status:
        """Return what has become of a trial, once it is over, or after `wait` seconds. Raises Forgotten."""
        return self._json("GET", f"trials/{trial}?after={after}&wait={wait:g}", orders.status, seconds=seconds)

    def cancel(self, trial: str, seconds: float) -> None:
        """End a trial, which the service then forgets. That it has forgotten already is as well."""
        status, text = self.ask("DELETE", f"trials/{trial}", seconds=seconds)
        if status not in (200, 202, 204, 404):
            raise self._broken("DELETE", f"trials/{trial}", status, text)

    def upload(self, digest: str, snapshot: bytes) -> None:
        """Give the service a snapshot, in parts."""
        for offset in range(0, len(snapshot), PART):
            path = f"snapshots/{digest}?offset={offset}&bytes={len(snapshot)}"
            part = snapshot[offset : offset + PART]
            status, text = self.ask("PUT", path, part, {"Content-Type": BYTES}, self._seconds)
            if status >= 500 or status == 429:
                raise Gone(f"{self.url} answered PUT with status {status}, {_shown(text)}")
            if status not in (200, 201, 204):
                raise self._broken("PUT", path, status, text)

    def download(self, kept: Kept) -> bytes:
        """Return a snapshot that the service keeps, whole. Raises Forgotten."""
        if kept.bytes > LARGEST_SNAPSHOT:
            raise Refused(f"{self.url} keeps a snapshot of {kept.bytes:,} bytes; the most is {LARGEST_SNAPSHOT:,}.")
        status, content = self.ask("GET", f"snapshots/{kept.digest}", seconds=None, largest=kept.bytes)
        if status == 404:
            raise Forgotten
        if status != 200:
            raise self._broken("GET", f"snapshots/{kept.digest}", status, content)
        if len(content) != kept.bytes or orders.key(content) != kept.digest:
            raise Gone(f"{self.url} sent {len(content):,} bytes as snapshot {kept.digest}, which are not what it is.")
        return content

    def interrupt(self) -> None:
        """Let a call that another thread waits for, and all later ones, raise Gone."""
        self._ended = True
        http = self._http
        if http and (socket := http.sock):
            with suppress(OSError):  # it was not connected
                socket.shutdown(SHUT_RDWR)

    def close(self) -> None:
        """Close the connection; the next call opens another one."""
        if self._http:
            self._http.close()
        self._http = None

    def _json(
        self,
        method: str,
        path: str,
        answer: TypeAdapter[T],
        body: bytes | None = None,
        headers: Mapping[str, str] = NONE,
        seconds: float | None = None,
        expected: int = 200,
    ) -> T:
        status, text = self.ask(method, path, body, headers, seconds)
        if status == 404 and method == "GET" and path.startswith("trials/"):
            raise Forgotten
        if status in (429, 503) and method == "POST":
            raise Full
        if status == 429:
            raise Gone(f"{self.url} answered {method} with status {status}, {_shown(text)}")
        if status >= 500:
            raise Gone(f"{self.url} answered {method} with status {status}, {_shown(text)}")
        if status == 409 and method == "POST":
            raise Missing
        if status != expected:
            raise self._broken(method, path, status, text)
        try:
            return answer.validate_json(text)
        except ValidationError as error:
            what = f"{explain(error)}; it was {_shown(text)}"
            raise Refused(f"The answer of {self.url} to {method} /v1/{path} breaks a rule: {what}.") from None

    def ask(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        headers: Mapping[str, str] = NONE,
        seconds: float | None = None,
        largest: int = LARGEST,
    ) -> tuple[int, bytes]:
        """Return status and body of an answer that is complete after `seconds` (None: whose parts are each in time).

        A connection that was open may have been closed meanwhile by the other side; so one request is then sent again.
        Nothing that is asked for here does harm if it is done twice.
        """
        while True:
            was_open = self._http is not None
            try:
                return self._sent(method, path, body, headers, seconds, largest)
            except (OSError, HTTPException) as error:
                self.close()
                if not was_open or isinstance(error, TimeoutError) or self._ended:
                    raise Gone(f"{self.url} does not answer ({type(error).__name__}: {error})") from None

    def _sent(
        self,
        method: str,
        path: str,
        body: bytes | None,
        headers: Mapping[str, str],
        seconds: float | None,
        largest: int,
    ) -> tuple[int, bytes]:
        if self._ended:
            raise Gone("the connection was ended")
        until = None if seconds is None else monotonic() + seconds
        http = self._http = self._http or self._opened()
        http.timeout = seconds or self._seconds
        if http.sock:
            http.sock.settimeout(http.timeout)
        http.request(method, f"{self._address.path}/v1/{path}", body, {**self._headers, **headers})
        response = http.getresponse()
        text = _read(http, response, until, largest)
        if response.will_close:
            self.close()
        return response.status, text

    def _opened(self) -> HTTPConnection:
        where = self._address
        if where.secure:
            return HTTPSConnection(where.host, where.port, timeout=self._seconds, context=_certificates())
        return HTTPConnection(where.host, where.port, timeout=self._seconds)

    def _broken(self, method: str, path: str, status: int, text: bytes) -> Refused:
        problem = _problem(text)
        said = ": ".join(str(problem[name]) for name in ("title", "detail") if problem.get(name)) or _shown(text)
        more = " Set AMLA_TOKEN to its token." if status in (401, 403) else ""
        return Refused(f"{self.url} refuses {method} /v1/{path} with status {status}: {said}{more}")


def _read(http: HTTPConnection, response: HTTPResponse, until: float | None, largest: int) -> bytes:
    """Return the body of an answer. Raises TimeoutError, HTTPException, and Refused for one that is too long."""
    parts, length = [], 0
    while chunk := response.read1(_CHUNK) if until is not None else response.read(_CHUNK):
        parts.append(chunk)
        length += len(chunk)
        if length > largest:
            http.close()
            raise Refused(f"An answer is longer than {largest:,} bytes.")
        if until is not None and http.sock:
            left = until - monotonic()
            if left <= 0:
                raise TimeoutError("its answer does not end")
            http.sock.settimeout(left)
    if response.length:  # bytes that were announced and did not come
        raise HTTPException("its answer was cut off")
    response.close()  # which leaves the connection open, for the next request
    return b"".join(parts)


def _problem(text: bytes) -> dict[str, object]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _shown(text: bytes) -> str:
    return repr(text[:SHOWN].decode(errors="replace"))


@cache
def _certificates() -> ssl.SSLContext:
    """Return what servers are trusted by; reading it for each connection would take longer than the connection."""
    return ssl.create_default_context()
