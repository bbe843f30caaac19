"""An algorithm behind a URL: what it is told, what it may answer, and what is said where it breaks a rule."""

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import numpy as np
import pytest

from amla.algorithms import remote
from amla.algorithms.errors import RemoteError
from amla.algorithms.remote import ATTEMPTS, Remote
from amla.spaces.envelope import envelope
from amla.spaces.space import Space
from amla.trials.history import History
from amla.trials.trial import Failure, Measurement, Proposal

SPACE = envelope((1, 8), 2, width=4, cells=(1,), max_cells=(3,), branches=("1", "3")).space
NETWORK = SPACE.sample(np.random.default_rng(0))
DECISIONS = {pick: list(kept) for pick, kept in SPACE.read(NETWORK).items()}
WANTED = {"decisions": DECISIONS, "budget": 7}

Reply = tuple[int, bytes]


class Service:
    """A server on a port of its own that gives prepared answers, the last one again and again."""

    def __init__(self) -> None:
        self.replies: list[Reply] = []
        self.heard: list[tuple[str, Any]] = []
        service = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                service.heard.append((self.path, json.loads(body)))
                status, text = service.replies.pop(0) if len(service.replies) > 1 else service.replies[0]
                self.send_response(status)
                self.send_header("content-length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()

    def says(self, *answers: object) -> None:
        self.replies = [(200, json.dumps(answer).encode()) for answer in answers]

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Iterator[Service]:
    monkeypatch.setattr(remote, "PAUSE", 0.001)
    found = Service()
    yield found
    found.close()


def generator(service: Service, space: Space = SPACE) -> Remote:
    return Remote(service.url, space, steps=9, seed=3, study="mine", options={"trials": 4})


def past() -> History:
    history = (
        History().asked(Proposal(NETWORK, 9, seed=3)).asked(Proposal(NETWORK, 9, start=0)).asked(Proposal(NETWORK, 5))
    )
    return history.told(1, Failure("crashed", "killed")).told(0, Measurement({"accuracy": float("nan")}))


def test_it_is_told_all_there_is_to_know(service: Service):
    service.says({"proposal": None})
    assert generator(service).ask(past()) is None
    ((path, question),) = service.heard
    assert path == "/v1/ask"
    assert (question["study"], question["seed"], question["steps"]) == ("mine", 3, 9)
    assert (question["options"], question["version"]) == ({"trials": 4}, 1)
    assert question["picks"].keys() == SPACE.template.picks.keys()
    assert [node["id"] for node in question["template"]["nodes"]] == [node.id for node in SPACE.template]
    first, second, third = question["trials"]
    assert first["decisions"] == DECISIONS
    assert first["outcome"]["metrics"] == {"accuracy": "NaN"}
    assert (second["start"], second["outcome"]["reason"]) == (0, "crashed")
    assert third["outcome"] is None
    assert question["finished"] == [1, 0]


def test_decisions_become_a_proposal(service: Service):
    service.says({"proposal": WANTED | {"start": 0, "horizon": 20, "seed": 5, "keep": True, "probes": {"msss": []}}})
    expected = Proposal(NETWORK, 7, start=0, horizon=20, seed=5, keep=True, probes={"msss": ()})
    assert generator(service).ask(past()) == expected


def test_what_is_not_said_has_its_default(service: Service):
    service.says({"proposal": WANTED})
    assert generator(service).ask(History()) == Proposal(NETWORK, 7, keep=False)


def test_decisions_about_what_is_not_reached_do_no_harm(service: Service):
    everything = {pick: list(kept) for pick, kept in SPACE.fullest().items()}
    service.says({"proposal": WANTED | {"decisions": everything | DECISIONS}})
    found = generator(service).ask(History())
    assert found is not None
    assert found.architecture == NETWORK


def test_it_recommends(service: Service):
    service.says({"decisions": DECISIONS}, {"decisions": None})
    assert generator(service).recommend(past()) == NETWORK
    assert generator(service).recommend(past()) is None
    assert {path for path, _ in service.heard} == {"/v1/recommend"}


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (b"no JSON", "Invalid JSON"),
        (b"[]", "breaks a rule"),
        (b'{"proposal": {"decisions": {}}}', "budget"),
        (b'{"proposal": null, "wait": true}', "wait"),
        (json.dumps({"proposal": WANTED | {"decisions": {}}}).encode(), "No decision for"),
        (json.dumps({"proposal": WANTED | {"budget": -1}}).encode(), "budget is -1"),
        (json.dumps({"proposal": WANTED | {"budget": "7"}}).encode(), "budget"),
        (json.dumps({"proposal": WANTED | {"start": 3}}).encode(), "proposal.start is 3, but there are 3 trials"),
        (json.dumps({"proposal": WANTED | {"probes": {"msss": ["nowhere"]}}}).encode(), "nowhere"),
        (
            json.dumps({"proposal": WANTED | {"decisions": DECISIONS | {"stage0": ["stage0/cell9"]}}}).encode(),
            "'stage0' may keep 1 to 1 of",
        ),
    ],
)
def test_an_answer_that_breaks_a_rule_is_said_in_words(service: Service, answer: bytes, said: str):
    service.replies = [(200, answer)]
    with pytest.raises(RemoteError, match=r"The answer of the generator at http://.* to ask breaks a rule: ") as raised:
        generator(service).ask(past())
    assert said in str(raised.value)
    assert len(service.heard) == 1


def test_a_network_that_the_space_does_not_accept_is_refused(service: Service):
    service.says({"proposal": WANTED})
    with pytest.raises(RemoteError, match="the space does not accept"):
        generator(service, Space(SPACE.template, lambda _: False)).ask(History())


def test_a_server_error_is_asked_again(service: Service):
    service.replies = [(503, b"busy"), (500, b""), (200, b'{"proposal": null}')]
    assert generator(service).ask(History()) is None
    assert len(service.heard) == 3
    assert service.heard[0] == service.heard[1] == service.heard[2]


def test_but_not_for_ever(service: Service):
    service.replies = [(500, b"broken")]
    with pytest.raises(RemoteError, match=rf"did not answer ask in {ATTEMPTS} attempts \(status 500, 'broken'\)"):
        generator(service).ask(History())
    assert len(service.heard) == ATTEMPTS


def test_a_refusal_is_not_asked_again(service: Service):
    service.replies = [(404, b"There is no such thing.")]
    with pytest.raises(RemoteError, match=r"status 404, 'There is no such thing\.'; 200 is expected"):
        generator(service).ask(History())
    assert len(service.heard) == 1


def test_an_answer_without_end_is_cut_off(service: Service, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(remote, "LARGEST", 1000)
    service.replies = [(200, b" " * 100_000)]
    with pytest.raises(RemoteError, match="longer than 1,000 bytes"):
        generator(service).ask(History())


@pytest.mark.parametrize(
    ("call", "said"),
    [(lambda found: found.ask(History()), "did not answer ask"), (Remote.check_health, "Nothing answers at")],
)
def test_nobody_there(service: Service, call: Callable[[Remote], object], said: str):
    found = generator(service)
    service.close()
    with pytest.raises(RemoteError, match=said):
        call(found)


@pytest.mark.parametrize("url", ["", "nonsense", "ftp://127.0.0.1", "http://127.0.0.1:99999"])
def test_an_address_that_is_none(url: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(remote, "PAUSE", 0.001)
    with pytest.raises(RemoteError):
        Remote(url, SPACE, 1).ask(History())


def test_health_is_asked_for(service: Service):
    service.says({})
    with pytest.raises(RemoteError, match="to health breaks a rule: status 501"):  # it answers POST alone
        generator(service).check_health()
