"""What a call to a service carries besides its question: the trace that it belongs to, and who calls."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from secrets import token_hex

TRACEPARENT = "TRACEPARENT"  # the variable by which a process is told its trace, as other tracing programs do
TOKEN = "AMLA_TOKEN"  # noqa: S105 - the name of the variable
_HEADER = re.compile(r"[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}(-.*)?", re.ASCII)


@dataclass(frozen=True)
class Trace:
    """What joins the log lines of several services: the `id` of the whole, from a study to its trials, and of one call.

    As W3C Trace Context has them: 32 and 16 hexadecimal digits.
    """

    id: str
    span: str

    @property
    def header(self) -> str:
        """The value of the header `traceparent`."""
        return f"00-{self.id}-{self.span}-01"

    def next(self) -> "Trace":
        """Return another call of the same trace."""
        return Trace(self.id, token_hex(8))


_current: ContextVar[Trace | None] = ContextVar("trace", default=None)


def begun() -> Trace:
    """Return a trace that nobody has yet."""
    return Trace(token_hex(16), token_hex(8))


def parsed(header: str | None) -> Trace | None:
    """Return the trace that a header `traceparent` names, None if it names none."""
    found = _HEADER.fullmatch(header or "")
    if found is None or not found[1].strip("0") or not found[2].strip("0"):
        return None
    return Trace(found[1], found[2])


def current() -> Trace | None:
    """Return the trace that this code runs for: of the request that it answers, else that of its process, if any."""
    return _current.get() or parsed(os.environ.get(TRACEPARENT))


@contextmanager
def within(trace: Trace) -> Iterator[None]:
    """Have a trace be the current one."""
    token = _current.set(trace)
    try:
        yield
    finally:
        _current.reset(token)


def headers() -> dict[str, str]:
    """Return the headers of a call to a service: `traceparent`, and the token of the environment variable AMLA_TOKEN.

    A token comes from nowhere else: a study file is copied and published, and must hold no secret.
    """
    found = {"traceparent": (current() or begun()).next().header}
    if token := os.environ.get(TOKEN):
        found["authorization"] = f"Bearer {token}"
    return found
