"""Questions to a worker service that is checked: what must be answered, and what refused, said in words."""

from collections.abc import Callable, Mapping
from math import isfinite
from secrets import token_hex
from time import monotonic, sleep
from typing import TypeVar

from amla.execution import orders
from amla.execution.errand import Terms
from amla.execution.orders import Capacity, Kept, Status
from amla.execution.service import Connection, Forgotten, Full, Missing, Refused
from amla.trials.trial import Measurement, Trial

T = TypeVar("T")

SOON = 20.0  # seconds in which a refusal must come, and a slot be free whose trial was cancelled


class Questions:
    """One connection to a service, which is told `terms`, and may take `seconds` for a small trial.

    Everything raises AssertionError where the service breaks its law.
    """

    def __init__(self, connection: Connection, terms: Terms, seconds: float) -> None:
        self.connection, self.terms, self.seconds = connection, terms, seconds

    def capacity(self) -> Capacity:
        """Return how many trials it runs at once, and how many more now."""
        found = _said(self.connection.capacity, "GET /v1/worker")
        if not 0 <= found.free <= found.slots or not found.slots:
            raise AssertionError(f"GET /v1/worker says {found.free} of {found.slots} slots are free.")
        return found

    def download(self, kept: Kept) -> bytes:
        """Return a snapshot that it keeps."""
        return _said(lambda: self.connection.download(kept), "GET /v1/snapshots")

    def upload(self, digest: str, content: bytes) -> None:
        """Give it a snapshot."""
        _said(lambda: self.connection.upload(digest, content), "PUT /v1/snapshots")

    def cancel(self, trial: str) -> None:
        """End a trial."""
        _said(lambda: self.connection.cancel(trial, SOON), "DELETE /v1/trials")

    def send(self, trial: Trial, start: str | None = None) -> Status:
        """Return what is said of a trial that is sent, once there is room for it."""
        order = self.terms.order(trial, start)
        until = monotonic() + SOON
        while True:
            try:
                return _said(lambda: self.connection.send(order, orders.key(order), SOON), "POST /v1/trials")
            except Full:
                if monotonic() > until:
                    raise AssertionError("No trial runs, but POST /v1/trials says that there is no room.") from None
                sleep(0.1)

    def status(self, trial: str, after: int = 0, wait: float = 0.0) -> Status:
        """Return what has become of a trial."""
        return _said(lambda: self.connection.status(trial, after, wait, wait + SOON), "GET /v1/trials")

    def over(self, status: Status, seconds: float | None = None) -> Status:
        """Return what is said of a trial once it is over; lines of its curve must come once each."""
        until, heard = monotonic() + (seconds or self.seconds), 0
        steps: list[int] = []
        while True:
            steps += [line.step for line in status.lines]
            heard += len(status.lines)
            if status.next != heard:
                raise AssertionError(f"{heard} lines of a curve have come, but `next` is {status.next}.")
            if status.state != "running":
                break
            if monotonic() > until:
                raise AssertionError(f"A small trial is not over after {seconds or self.seconds:g} s.")
            status = self.status(status.id, heard, 1.0)
        if steps != sorted(set(steps)):
            raise AssertionError(f"The lines of a curve are those of steps {steps}.")
        return status

    def measured(self, status: Status) -> Measurement:
        """Return the measurement of a trial that must have one."""
        outcome = status.outcome
        if status.state != "done" or not isinstance(outcome, Measurement):
            raise AssertionError(f"A small trial should be measured; it is {status.state}: {outcome or status.message}")
        accuracy = outcome.metrics.get("accuracy", -1.0)
        if not (0 <= accuracy <= 1 and isfinite(outcome.metrics.get("loss", 0.0))):
            raise AssertionError(
                f"A measurement needs an accuracy from 0 to 1; its metrics are {dict(outcome.metrics)}."
            )
        return outcome

    def refused(self, what: str, method: str, path: str, body: bytes, headers: Mapping[str, str]) -> None:
        """Raise AssertionError unless something is refused with a status of 400 to 499."""
        with_key = {"Content-Type": "application/json", orders.KEY: token_hex(8), **headers}
        status, _ = self.connection.ask(method, path, body, with_key, SOON)
        if not 400 <= status < 500:
            address = f"{method} /v1/{path.partition('?')[0]}"
            raise AssertionError(f"{address} of {what} has status {status}; 4xx is expected.")

    def until(self, what: Callable[[], bool], otherwise: str) -> None:
        """Wait until something is so. Raises AssertionError if it is not soon."""
        until = monotonic() + SOON
        while not what():
            if monotonic() > until:
                raise AssertionError(f"After {SOON:g} s {otherwise}.")
            sleep(0.05)


def _said(call: Callable[[], T], what: str) -> T:
    """Return what a call returns. Raises AssertionError where a request is refused that must be answered."""
    try:
        return call()
    except Refused as error:
        raise AssertionError(f"{what}: {error}") from None
    except Forgotten:
        raise AssertionError(f"{what} has status 404, of what must be there.") from None
    except Missing:
        raise AssertionError(f"{what} has status 409, though it has the snapshot.") from None
