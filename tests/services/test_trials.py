"""The role of a worker: what it answers over HTTP, and what it refuses."""

import json
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from time import monotonic, sleep
from typing import Any
from uuid import uuid4

import pytest
from asked import Ask, asking, problem
from hypothesis import given, settings
from hypothesis import strategies as st
from worker_service import MadeUp

from amla.execution import orders
from amla.execution.orders import Order
from amla.execution.work import Work
from amla.services.app import application
from amla.services.problems import Problem
from amla.services.slots import Trade
from amla.services.trials import LARGEST, ORDER, Worker
from amla.services.workshop import Bounds, Crowded, Lacking, Workshop
from amla.spec import ops
from amla.spec.architecture import Architecture, Node
from amla.testing import Synthetic
from amla.testing.workers import small
from amla.trials.trial import Proposal, Trial

NETWORK = small((1, 4, 4), 2)
JSON = {"content-type": "application/json"}
NOWHERE = "/v1/trials/" + "0" * 32


class Faulty(MadeUp):
    """A trade whose trials do what the task says, as in `faulty_work`."""

    factory = "faulty_work:evaluator"


class Unready(MadeUp):
    """A trade that can do nothing."""

    def work(self, order: Order, folder: Path) -> Work:
        raise ValueError("my data have gone")


Opened = Callable[..., Ask]


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Opened]:
    """Open worker services, each with its workshop; they are closed with the test."""
    made: list[Workshop] = []

    def make(trade: Trade | None = None, **settings: Any) -> Ask:
        made.append(Workshop(trade or MadeUp(), tmp_path / f"worker{len(made)}", **settings))
        return asking(application({"worker": Worker(made[-1])}))

    yield make
    for workshop in made:
        workshop.close()


def order(trial_id: int = 0, task: dict[str, Any] | None = None, **proposal: Any) -> bytes:
    ask = Proposal(proposal.pop("architecture", NETWORK), 10, **proposal)
    return orders.order.dump_json(Order("0" * 32, "search", task or {}, Trial(trial_id, ask)))


def posted(ask: Ask, body: bytes, key: str | None = None) -> Any:
    answer = ask("POST", "/v1/trials", content=body, headers=JSON | {"idempotency-key": key or orders.key(body)})
    assert answer.status_code == 202, answer.text
    return answer.json()


def over(ask: Ask, trial: str) -> Any:
    """Return what is said of a trial that is over; a few waits are enough for a process to start."""
    for _ in range(10):
        said = ask("GET", f"/v1/trials/{trial}?wait=10").json()
        if said["state"] != "running":
            return said
    raise AssertionError("it is not over")


def test_a_trial_is_taken_run_and_remembered(opened):
    ask = opened()
    assert ask("GET", "/v1/worker").json() == {"slots": 1, "free": 1, "version": 1}
    taken = posted(ask, order())
    assert (taken["state"], taken["outcome"], taken["lines"]) == ("running", None, [])
    said = over(ask, taken["id"])
    outcome = orders.status.validate_json(json.dumps(said)).outcome
    assert outcome == Synthetic().evaluate(Trial(0, Proposal(NETWORK, 10)))
    assert [line["step"] for line in said["lines"]] == [2, 5, 7, 10]
    assert said["next"] == 4
    assert [line["step"] for line in ask("GET", f"/v1/trials/{taken['id']}?after=2").json()["lines"]] == [7, 10]
    assert ask("GET", "/v1/worker").json()["free"] == 1


def test_the_same_trial_sent_twice_is_run_once_and_another_with_its_key_refused(opened):
    ask = opened()
    first = posted(ask, order(), "key")
    assert posted(ask, order(), "key")["id"] == first["id"]
    said = over(ask, first["id"])
    assert posted(ask, order(), "key")["outcome"] == said["outcome"]
    answer = ask("POST", "/v1/trials", content=order(1), headers=JSON | {"idempotency-key": "key"})
    assert "This key is that of another trial" in problem(answer, 422)


def test_with_all_slots_busy_it_says_come_again_and_a_cancelled_trial_frees_one(opened):
    ask = opened(Faulty())
    running = posted(ask, order(0, {"0": "hang"}))
    answer = ask("POST", "/v1/trials", content=order(1), headers=JSON)
    assert (problem(answer, 503), answer.headers["retry-after"]) == ("All slots are busy; come again.", "1")
    assert ask("DELETE", f"/v1/trials/{running['id']}").status_code == 204
    assert "There is no trial" in problem(ask("GET", f"/v1/trials/{running['id']}"), 404)
    assert "There is no trial" in problem(ask("DELETE", f"/v1/trials/{running['id']}"), 404)
    until = monotonic() + 60
    while (answer := ask("POST", "/v1/trials", content=order(1), headers=JSON)).status_code == 503:
        assert monotonic() < until
        sleep(0.01)
    assert over(ask, answer.json()["id"])["state"] == "done"


def test_failures_are_data_and_faults_of_the_machine_are_not(opened):
    ask = opened(Faulty())
    failed = over(ask, posted(ask, order(0, {"0": "crash"}))["id"])
    assert (failed["state"], failed["outcome"]["reason"]) == ("done", "crashed")
    unable = over(ask, posted(ask, order(0, {"0": "without_space"}))["id"])
    assert (unable["state"], unable["outcome"]) == ("unable", None)
    assert "No space left on device" in unable["message"]
    again = posted(ask, order(0, {"0": "without_space"}))
    assert again["id"] != unable["id"]  # whoever sends it again has mended something


def test_what_a_machine_cannot_do_at_all_is_said_in_words(opened):
    ask = opened(Unready())
    said = over(ask, posted(ask, order())["id"])
    assert (said["state"], said["message"]) == ("unable", "my data have gone")


@pytest.mark.parametrize("bounds", [Bounds(nodes=3), Bounds(parameters=10), Bounds(macs=10)])
def test_a_network_that_is_too_large_has_failed_before_anything_is_built(opened, bounds):
    ask = opened(bounds=bounds)
    said = posted(ask, order())
    assert (said["state"], said["outcome"]["reason"]) == ("done", "infeasible")
    assert "the most here is" in said["outcome"]["message"]
    assert ask("GET", "/v1/worker").json()["free"] == 1


def test_a_bomb_is_refused_at_once(opened):
    bomb = Architecture(
        (
            Node("image", ops.Input((10**9, 10**9, 10**9))),
            Node("conv", ops.Conv(2**31 - 1, (10**9, 10**9)), ("image",)),
            Node("flat", ops.Flatten(), ("conv",)),
            Node("logits", ops.Classify(2**31 - 1), ("flat",)),
        )
    )
    assert posted(opened(), order(architecture=bomb))["outcome"]["reason"] == "infeasible"


class TestSnapshots:
    CONTENT = b"weights of trial 0"
    DIGEST = orders.key(CONTENT)

    def test_one_that_is_missing_is_asked_for_and_fetched_again(self, opened):
        ask = opened()
        leg = Order("0" * 32, "search", {}, Trial(1, Proposal(NETWORK, 10, start=0)), self.DIGEST)
        body = orders.order.dump_json(leg)
        assert self.DIGEST in problem(ask("POST", "/v1/trials", content=body, headers=JSON), 409)
        for offset in (0, 10):
            part = self.CONTENT[offset : offset + 10]
            answer = ask("PUT", f"/v1/snapshots/{self.DIGEST}?offset={offset}&bytes=18", content=part)
            assert answer.status_code == 204
        assert ask("GET", f"/v1/snapshots/{self.DIGEST}").content == self.CONTENT
        assert over(ask, posted(ask, body)["id"])["state"] == "done"

    def test_what_is_none_is_refused(self, opened):
        ask = opened()
        address = f"/v1/snapshots/{self.DIGEST}"
        assert "not " + self.DIGEST in problem(ask("PUT", f"{address}?offset=0&bytes=4", content=b"none"), 422)
        assert "is not here" in problem(ask("GET", address), 404)
        for path in ("/v1/snapshots/..%2f..%2fetc", "/v1/snapshots/x", f"{address}?offset=-1&bytes=1", address):
            assert 400 <= ask("PUT", path, content=b"x").status_code < 500


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"run": "../../x"}, "run is '../../x'; it must match"),
        ({"phase": "../x"}, "phase is"),
        ({"start": "../x"}, "start is"),
        ({"threads": 0}, "threads is 0; it must be more than 0"),
        ({"seconds": -1.0}, "seconds is -1.0"),
        ({"memory": 0}, "memory is 0"),
        ({"version": 2}, "version"),
        ({"factory": "os:system"}, "factory"),
    ],
)
def test_an_order_that_breaks_a_rule_is_refused_in_words(opened, change, said):
    body = json.dumps(json.loads(order()) | change)
    assert said in problem(opened()("POST", "/v1/trials", content=body, headers=JSON), 422)


def test_what_is_unknown_or_too_large_is_refused(opened):
    ask = opened()
    assert problem(ask("GET", NOWHERE), 404)
    assert problem(ask("DELETE", NOWHERE), 404)
    assert problem(ask("GET", NOWHERE + "?wait=1e9"), 422)
    assert problem(ask("GET", "/v1/trials/x"), 422)
    assert problem(ask("POST", "/v1/trials", content=b" " * (LARGEST + 1), headers=JSON), 413)
    assert problem(ask("POST", "/v1/trials", content=order()), 415)


nested = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=20,
)


@pytest.fixture(scope="module")
def unready(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workshop]:
    with closing(Workshop(Unready(), tmp_path_factory.mktemp("unready"))) as workshop:
        yield workshop


@settings(max_examples=200, deadline=None)
@given(where=st.sampled_from(["run", "task", "trial", "start", "architecture", "op"]), what=nested)
def test_hostile_orders_are_refused_in_words_or_taken(unready, where, what):
    plain = json.loads(order())
    place = plain
    if where in ("architecture", "op"):
        place = plain["trial"]["proposal"]
        place = place["architecture"]["nodes"][1] if where == "op" else place
    place[where] = what
    try:
        unready.take(uuid4().hex, ORDER.parsed(json.dumps(plain).encode()))
    except Crowded:
        return
    except (Problem, ValueError, Lacking) as error:
        assert str(error)  # noqa: PT017 - either is good


def test_metrics_count_what_trials_came_to(opened):
    ask = opened(Faulty())
    for what in ("crash", "measure"):
        over(ask, posted(ask, order(0, {"0": what}))["id"])
    text = ask("GET", "/metrics").text
    assert 'amla_worker_trials_total{outcome="crashed"} 1.0' in text
    assert 'amla_worker_trials_total{outcome="measured"} 1.0' in text
    assert "amla_worker_free_slots 1.0" in text
