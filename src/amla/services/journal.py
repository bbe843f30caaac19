"""The journal of a server: a line of JSON for each request, with its trace, and metrics for Prometheus."""

import json
import logging
import sys
from datetime import UTC, datetime
from time import perf_counter
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from amla.services.problems import of_error
from amla.trials.calls import Trace, begun, current, parsed, within

log = logging.getLogger("amla.services")

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 60.0)  # of the histogram
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
PLAIN = set(vars(logging.makeLogRecord({}))) | {"message", "taskName", "asctime"}  # what every record has


class Journal:
    """The ASGI application `app`, each of whose answers is written down; an exception is answered and written down too.

    It takes the trace of the header `traceparent`, or begins one, and answers with it.
    """

    def __init__(self, app: ASGIApp, registry: CollectorRegistry) -> None:
        self._app = app
        labels = ("method", "route")
        self._count = Counter("amla_requests", "Requests answered.", (*labels, "status"), registry=registry)
        self._seconds = Histogram(
            "amla_request_seconds", "Seconds until they were answered.", labels, buckets=SECONDS, registry=registry
        )
        self._under_way = Gauge("amla_requests_under_way", "Requests being answered now.", registry=registry)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, and write down what became of it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        given = parsed(Headers(scope=scope).get("traceparent"))
        trace = given.next() if given else begun()
        with within(trace), self._under_way.track_inprogress():
            await self._answered(scope, receive, send, trace)

    async def _answered(self, scope: Scope, receive: Receive, send: Send, trace: Trace) -> None:
        status, begin = 0, perf_counter()

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message["headers"], *_always(trace)]
            await send(message)

        try:
            await self._app(scope, receive, sending)
        except Exception as error:
            problem = of_error(error)
            if problem.status >= 500:
                log.exception("bug", extra={"method": scope["method"], "path": scope["path"]})
            if not status:
                await problem.response(scope, receive, sending)
        finally:
            self._write(scope, status, perf_counter() - begin)

    def _write(self, scope: Scope, status: int, seconds: float) -> None:
        route = _route(scope)
        method = scope["method"] if scope["method"] in METHODS else "other"  # others could be without number
        self._count.labels(method, route, str(status)).inc()
        self._seconds.labels(method, route).observe(seconds)
        said = {
            "method": method,
            "path": scope["path"],
            "status": status,
            "seconds": round(seconds, 6),
            "client": (scope.get("client") or ("",))[0],
            "caller": scope.get("state", {}).get("caller"),
        }
        log.info("answered", extra=said)


class Lines(logging.Formatter):
    """A record as a line of JSON."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        line: dict[str, Any] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "said": record.getMessage(),
        }
        if trace := current():
            line |= {"trace": trace.id, "span": trace.span}
        line |= {name: found for name, found in vars(record).items() if name not in PLAIN and found is not None}
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)


def written_to_stderr(level: int = logging.INFO) -> None:
    """Have everything that is logged in this process written to standard error as lines of JSON."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(Lines())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    log.setLevel(level)


def _route(scope: Scope) -> str:
    """Return the address that a request was for, as the OpenAPI document has it; "none" if there is none such."""
    path = getattr(scope.get("route"), "path", None)
    if path is None:
        return "none"
    prefix = "/v1" if scope["path"].startswith("/v1/") and not path.startswith("/v1/") else ""
    return f"{prefix}{path}"  # a route knows its address within its role


def _always(trace: Trace) -> list[tuple[bytes, bytes]]:
    """Return the headers of every answer: the trace; and that no browser may guess what it is, or keep it."""
    return [
        (b"traceparent", trace.header.encode()),
        (b"x-content-type-options", b"nosniff"),
        (b"cache-control", b"no-store"),
        (b"referrer-policy", b"no-referrer"),
        (b"x-frame-options", b"DENY"),
    ]
