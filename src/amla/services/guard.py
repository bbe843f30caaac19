"""The guard: who may ask what, how much, and how often. It stands before every route, and reads no body itself."""

import ipaddress
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from math import inf
from pathlib import Path
from time import monotonic

from anyio import fail_after
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Send
from starlette.types import Scope as Asked

from amla.services.documents import too_large
from amla.services.errors import ServiceError
from amla.services.problems import Problem
from amla.services.tokens import Scope, Token, Tokens, read

LARGEST = 16 << 20  # bytes of a body
BURST = 5  # seconds' worth of requests that a client may send at once
FAILURES = 1.0  # a second that an address may answer with a wrong token, on average
CLIENTS = 10_000  # whose rates are remembered
BODY_SECONDS = 60.0  # that a part of a body may be waited for
OPEN = ("/v1/health", "/v1/ready")  # what whoever watches over processes may ask without a token
LOCAL = ("localhost", "127.0.0.1", "[::1]")


@dataclass(frozen=True)
class Guard:
    """What a server that listens on `host` lets pass.

    With `tokens`, a file of `amla.services.tokens`, a request needs one of them; off loopback that must be. `names` are
    those by which it is called besides `host`. `rate` bounds the requests a second of each client, by token or address;
    None: as many as come on loopback, and 200 elsewhere. `largest` bounds the bytes of a body. Raises ServiceError.
    """

    host: str = "127.0.0.1"
    tokens: Path | None = None
    names: tuple[str, ...] = ()
    largest: int = LARGEST
    rate: float | None = None

    def __post_init__(self) -> None:
        if not self.is_local and self.tokens is None:
            raise ServiceError(
                f"Listening on {self.host!r}, others can reach this server, so it needs tokens: make one with "
                "`amla token add NAME --file tokens.json`, and start it with --tokens tokens.json. Or listen on "
                "127.0.0.1."
            )
        if self.tokens is not None and not any(not token.is_over for token in read(self.tokens)):
            raise ServiceError(
                f"'{self.tokens}' has no token that holds; make one with `amla token add NAME --file {self.tokens}`."
            )

    @property
    def is_local(self) -> bool:
        """Whether only this machine can reach it."""
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"

    @property
    def most(self) -> float:
        """How many requests a second a client may send."""
        return self.rate if self.rate is not None else inf if self.is_local else 200.0

    def is_called(self, host: str) -> bool:
        """Return whether this is a name of the server, as a header `Host` has it.

        On loopback a page of any site could otherwise reach it, by a name that leads to 127.0.0.1 (DNS rebinding). Off
        loopback, where a request needs a token, no name is refused unless `names` are given.
        """
        if not self.is_local and not self.names:
            return True
        name = host.lower()
        name = name.partition("]")[0] + "]" if name.startswith("[") else name.partition(":")[0]
        return name in (*LOCAL, self.host.lower(), f"[{self.host.lower()}]", *(name.lower() for name in self.names))


@dataclass
class _Buckets:
    """How many requests each client may still send: `rate` more each second, up to `burst`. Full ones are forgotten."""

    rate: float
    burst: float
    clock: Callable[[], float] = monotonic
    _left: dict[str, tuple[float, float]] = field(default_factory=dict)

    def take(self, client: str, count: float = 1.0) -> float:
        """Take so many, and return 0; or return how many seconds to wait until there is one to take."""
        if self.rate == inf:
            return 0.0
        now = self.clock()
        if len(self._left) > CLIENTS:
            self._left = {
                name: (left, at) for name, (left, at) in self._left.items() if self._at(now, left, at) < self.burst
            }
        left = self._at(now, *self._left.get(client, (self.burst, now)))
        if left < max(count, 1.0):
            return (1.0 - left) / self.rate
        self._left[client] = left - count, now
        return 0.0

    def _at(self, now: float, left: float, at: float) -> float:
        return min(self.burst, left + (now - at) * self.rate)


class Guarding:
    """The ASGI application `app` behind a guard."""

    def __init__(self, app: ASGIApp, guard: Guard) -> None:
        self._app, self._guard = app, guard
        self._tokens = Tokens(guard.tokens) if guard.tokens else None
        self._requests = _Buckets(guard.most, BURST * guard.most)
        self._failures = _Buckets(FAILURES, 20.0)

    async def __call__(self, scope: Asked, receive: Receive, send: Send) -> None:
        """Pass a request on, or say why not."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        try:
            self._check_name(headers)
            self._check_rate(self._check_token(scope, headers))
            self._check_length(headers)
        except Problem as problem:
            await problem.response(scope, receive, send)
            return
        await self._app(scope, self._limited(receive), send)

    def _check_name(self, headers: Headers) -> None:
        if not self._guard.is_called(host := headers.get("host", "")):
            raise Problem(
                HTTPStatus.MISDIRECTED_REQUEST,
                f"This server is not called {host!r}. Ask for it by the address it listens on; --name gives it another "
                "name.",
            )
        origin = headers.get("origin")  # a browser says where the page comes from that asks
        if origin is not None and origin.partition("://")[2] != host:
            raise Problem(HTTPStatus.FORBIDDEN, f"A page of {origin!r} may not use this server; no other site may.")

    def _check_token(self, scope: Asked, headers: Headers) -> str:
        """Return who asks. Raises Problem for one who may not."""
        address = str((scope.get("client") or ("unknown",))[0])
        if self._tokens is None or scope["path"] in OPEN:
            return address
        if wait := self._failures.take(address, 0.0):
            raise _too_many(wait)
        kind, _, secret = headers.get("authorization", "").partition(" ")
        token = self._tokens.find(secret.strip()) if kind.lower() == "bearer" else None
        if token is None:
            self._failures.take(address)
            raise Problem(
                HTTPStatus.UNAUTHORIZED,
                "This needs a token that holds, in the header 'Authorization: Bearer TOKEN'. The clients of amla take "
                "it from the environment variable AMLA_TOKEN.",
                {"www-authenticate": 'Bearer realm="amla"'},
            )
        self._check_scope(token, needed(scope["method"], scope["path"]))
        scope.setdefault("state", {})["caller"] = token.name
        return f"token {token.name}"

    def _check_scope(self, token: Token, scope: Scope) -> None:
        if not token.may(scope):
            raise Problem(
                HTTPStatus.FORBIDDEN,
                f"The token {token.name!r} has the scope {token.scope!r}, and this needs {scope!r}; ask with another.",
            )

    def _check_rate(self, client: str) -> None:
        if wait := self._requests.take(client):
            raise _too_many(wait)

    def _check_length(self, headers: Mapping[str, str]) -> None:
        length = headers.get("content-length", "0")
        if not length.isdecimal() or len(length) > 18 or int(length) > self._guard.largest:
            raise too_large(self._guard.largest)

    def _limited(self, receive: Receive) -> Receive:
        """Return what receives a body, but not more of it than is allowed, nor endlessly slowly."""
        received, is_whole = 0, False

        async def limited() -> Message:
            nonlocal received, is_whole
            if is_whole:  # now it waits for the client to go away, as streams do
                return await receive()
            try:
                with fail_after(BODY_SECONDS):
                    message = await receive()
            except TimeoutError:
                raise Problem(HTTPStatus.REQUEST_TIMEOUT, "The rest of the body did not come; send it again.") from None
            received += len(message.get("body", b""))
            is_whole = not message.get("more_body", False)
            if received > self._guard.largest:
                raise too_large(self._guard.largest)
            return message

        return limited


def needed(method: str, path: str) -> Scope:
    """Return the scope that a request needs: to look, to set going or end, or to delete what is kept."""
    if method in ("GET", "HEAD", "OPTIONS"):
        return "read"
    return "admin" if method == "DELETE" and path.startswith("/v1/studies") else "run"


def _too_many(wait: float) -> Problem:
    seconds = max(1, round(wait + 0.5))
    return Problem(
        HTTPStatus.TOO_MANY_REQUESTS, f"Too many requests; go on in {seconds} s.", {"retry-after": str(seconds)}
    )
