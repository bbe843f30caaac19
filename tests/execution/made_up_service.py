"""A worker service within this process that evaluates at once, or misbehaves as a test says."""

import json
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from amla.execution import orders
from amla.execution.orders import Capacity, Kept, Order, Status
from amla.testing import Synthetic
from amla.trials.trial import Outcome, TrialId

Reply = tuple[int, bytes]


class MadeUpService:
    """A server on a port of its own. `meets` is asked of every request first: it may answer, block, or raise Cut.

    `heard` are the requests, `ran` the trials that were run, `keys` what for which key.
    """

    def __init__(self, slots: int = 1, port: int = 0) -> None:
        self.slots, self.heard, self.ran = slots, list[tuple[str, str]](), list[TrialId]()
        self.jobs, self.keys, self.snapshots = dict[str, Status](), dict[str, str](), dict[str, bytes]()
        self.headers: dict[str, str] = {}
        self.connections = 0
        self.meets: Callable[[str, str], Reply | None] = lambda method, path: None
        self.evaluates: Callable[[Order], Outcome] = lambda order: Synthetic().evaluate(order.trial)
        self.keeps: Callable[[Order], bytes | None] = lambda order: None
        self._server = ThreadingHTTPServer(("127.0.0.1", port), self._handler())
        self._server.daemon_threads = True
        self._server.handle_error = lambda request, address: None  # type: ignore[method-assign] # cut connections
        self.port = self._server.server_port
        self.url = f"http://127.0.0.1:{self.port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def answer(self, method: str, path: str, headers: Any, body: bytes) -> Reply:
        """Return the answer to a request."""
        address = path.partition("?")[0].removeprefix("/v1/").split("/")
        match method, address:
            case "GET", ["worker"]:
                return 200, orders.capacity.dump_json(Capacity(self.slots, self.slots))
            case "POST", ["trials"]:
                return self._taken(headers[orders.KEY], orders.order.validate_json(body))
            case "GET", ["trials", job] if job in self.jobs:
                return 200, orders.status.dump_json(self.jobs[job])
            case "DELETE", ["trials", job]:
                return (204, b"") if self.jobs.pop(job, None) else (404, b"{}")
            case "PUT", ["snapshots", digest]:
                self.snapshots[digest] = self.snapshots.get(digest, b"") + body
                return 204, b""
            case "GET", ["snapshots", digest] if digest in self.snapshots:
                return 200, self.snapshots[digest]
        return 404, b"{}"

    def _taken(self, key: str, order: Order) -> Reply:
        if order.start is not None and order.start not in self.snapshots:
            return 409, b"{}"
        if key not in self.keys:
            job = self.keys[key] = f"{len(self.ran):032x}"
            self.ran.append(order.trial.id)
            kept = None
            if (content := self.keeps(order)) is not None:
                kept = Kept(orders.key(content), len(content))
                self.snapshots[kept.digest] = content
            self.jobs[job] = Status(job, "done", outcome=self.evaluates(order), snapshot=kept)
        return 202, orders.status.dump_json(Status(self.keys[key]))

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        service = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def setup(self) -> None:
                service.connections += 1
                super().setup()

            def meet(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length", 0)))
                service.heard.append((self.command, self.path))
                service.headers = {name.lower(): text for name, text in self.headers.items()}
                try:
                    reply = service.meets(self.command, self.path)
                    status, text = reply or service.answer(self.command, self.path, self.headers, body)
                except Cut as cut:
                    if cut.after:
                        service.answer(self.command, self.path, self.headers, body)
                    self.close_connection = True
                    return
                try:
                    self.send_response(status)
                    self.send_header("content-length", str(len(text)))
                    self.end_headers()
                    self.wfile.write(text)
                except OSError:  # nobody waits for it any more
                    self.close_connection = True

            do_GET = do_POST = do_PUT = do_DELETE = meet  # noqa: N815

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        return Handler


class Cut(Exception):
    """The connection is cut, before a request is seen to, or `after`."""

    def __init__(self, after: bool = False) -> None:
        super().__init__()
        self.after = after


def problem(detail: str) -> bytes:
    """Return the body of a refusal."""
    return json.dumps({"title": "Refused", "detail": detail}).encode()
