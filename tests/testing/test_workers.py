"""The law of worker services catches those that break it, and says in words how. They are made up, and run nothing."""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from made_up_service import MadeUpService, Reply

from amla.execution import orders
from amla.execution.orders import KEY, Order
from amla.execution.service import Gone
from amla.testing import workers
from amla.testing.workers import check_worker
from amla.trials.trial import Failure, Measurement, Outcome

TASK = {"fingerprint": None}


class Lawful(MadeUpService):
    """One that keeps the law, in the simplest way: nothing is trained, and a long trial runs until it is cancelled."""

    def __init__(self) -> None:
        super().__init__(slots=2)
        self.bodies: dict[str, bytes] = {}
        self.keeps = lambda order: b"weights"
        self.evaluates = evaluated

    def answer(self, method: str, path: str, headers: Any, body: bytes) -> Reply:
        if method == "PUT" and orders.key(body) not in path:
            return 422, b"{}"
        if (method, path) != ("POST", "/v1/trials"):
            return super().answer(method, path, headers, body)
        try:
            order = orders.order.validate_json(body)
        except ValueError:
            return 422, b"{}"
        if self.bodies.setdefault(headers[KEY], body) != body or order.task["fingerprint"]:
            return 422, b"{}"
        reply = super().answer(method, path, headers, body)
        if order.trial.proposal.budget == workers.LONG:
            running = orders.status.validate_json(reply[1])
            self.jobs[running.id] = running
        return reply


def evaluated(order: Order) -> Outcome:
    sizes = [getattr(node.op, "channels", 0) or 0 for node in order.trial.proposal.architecture]
    if max(sizes) > 10**9 or len(sizes) > 5:
        return Failure("infeasible", "no")
    return Measurement({"accuracy": 0.5, "loss": 0.7})


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Iterator[Lawful]:
    monkeypatch.setattr("amla.testing.questions.SOON", 1.0)
    found = Lawful()
    yield found
    found.close()


def check(service: MadeUpService) -> str:
    return check_worker(service.url, TASK, shape=(1, 4, 4), classes=2, seconds=10)


def test_one_that_keeps_it_passes(service):
    assert check(service).startswith("It runs 2 at once.")


def unlike(service: Lawful) -> None:
    count = iter(range(100))
    service.evaluates = lambda order: (
        found if isinstance(found := evaluated(order), Failure) else Measurement({"accuracy": 0.5, "loss": next(count)})
    )


def not_idempotent(service: Lawful) -> None:
    answer = service.answer

    def answers(method: str, path: str, headers: Any, body: bytes) -> Reply:
        service.keys.clear()
        return answer(method, path, headers, body)

    service.answer = answers  # type: ignore[method-assign]


def replies(method: str, path: str, reply: Reply) -> Callable[[Lawful], None]:
    def change(service: Lawful) -> None:
        service.meets = lambda asked, where: reply if asked == method and where.startswith(path) else None

    return change


def forgets_keys(service: Lawful) -> None:
    service.bodies = type("Forgetful", (dict,), {"setdefault": lambda self, key, body: body})()


def evaluates(outcome: Outcome) -> Callable[[Lawful], None]:
    def change(service: Lawful) -> None:
        service.evaluates = lambda order: outcome

    return change


def keeps_nothing(service: Lawful) -> None:
    service.keeps = lambda order: None


def never_forgets(service: Lawful) -> None:
    service.meets = lambda method, path: (204, b"") if method == "DELETE" else None


def trains_on_anything(service: Lawful) -> None:
    answer = service.answer

    def answers(method: str, path: str, headers: Any, body: bytes) -> Reply:
        if b'"fingerprint":"0' in body:
            body = json.dumps({**json.loads(body), "task": {"fingerprint": None}}).encode()
        return answer(method, path, headers, body)

    service.answer = answers  # type: ignore[method-assign]


def takes_anything(service: Lawful) -> None:
    taken = orders.status.dump_json(orders.Status("a" * 32))
    answer = service.answer

    def answers(method: str, path: str, headers: Any, body: bytes) -> Reply:
        status, text = answer(method, path, headers, body)
        is_json = body.startswith(b"{") and b'"trial"' in body
        return (202, taken) if method == "POST" and status == 422 and not is_json else (status, text)

    service.answer = answers  # type: ignore[method-assign]


@pytest.mark.parametrize(
    ("break_it", "said"),
    [
        (unlike, "The same training with the same seed had loss"),
        (not_idempotent, "A trial was sent twice with one Idempotency-Key"),
        (forgets_keys, "another trial with the same Idempotency-Key"),
        (evaluates(Measurement({"accuracy": 7.0})), "A measurement needs an accuracy from 0 to 1"),
        (evaluates(Measurement({"accuracy": 0.5})), "should fail, infeasible"),
        (evaluates(Failure("crashed", "so it is")), "A small trial should be measured"),
        (keeps_nothing, "has left no snapshot"),
        (never_forgets, "A trial that was cancelled is still known"),
        (trains_on_anything, "on data of another fingerprint should be refused"),
        (takes_anything, "has status 202; 4xx is expected"),
        (replies("GET", "/v1/worker", (200, b'{"slots": 0, "free": 0}')), "0 of 0 slots are free"),
        (replies("GET", "/v1/worker", (200, b"hello")), "breaks a rule"),
        (replies("GET", "/v1/trials", (404, b"{}")), "GET /v1/trials has status 404, of what must be there"),
        (replies("DELETE", "/v1/trials", (400, b"{}")), "DELETE /v1/trials"),
        (replies("POST", "/v1/trials", (503, b"{}")), "says that there is no room"),
        (replies("PUT", "/v1/snapshots", (400, b"{}")), "PUT /v1/snapshots"),
    ],
)
def test_one_that_breaks_it_is_caught_in_words(service, break_it, said):
    break_it(service)
    with pytest.raises(AssertionError) as raised:
        check(service)
    assert said in str(raised.value)


def test_one_that_is_not_there_is_said():
    with pytest.raises(Gone, match="does not answer"):
        check_worker("http://127.0.0.1:9", TASK, seconds=1)


def test_lines_of_a_curve_must_come_once(service):
    answer = service.answer

    def answers(method: str, path: str, headers: Any, body: bytes) -> Reply:
        status, text = answer(method, path, headers, body)
        if method == "GET" and "trials" in path and status == 200:
            text = orders.status.dump_json(replace(orders.status.validate_json(text), next=3))
        return status, text

    service.answer = answers  # type: ignore[method-assign]
    with pytest.raises(AssertionError, match="0 lines of a curve have come, but `next` is 3"):
        check(service)
