"""What every server does: it says how it is, and what is wrong, and writes down what it was asked."""

import io
import json
import logging

import pytest
from asked import asking, problem
from fastapi import APIRouter, Request
from fastapi.responses import Response

from amla.services.app import Core, application
from amla.services.documents import Document
from amla.services.guard import Guard
from amla.services.journal import Lines
from amla.spec.values import value
from amla.trials.calls import begun, current, headers, parsed

TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


@value
class Pair:
    """Two numbers."""

    left: int
    right: tuple[int, ...] = ()


PAIR: Document[Pair] = Document(Pair, largest=100)


def role(core: Core) -> APIRouter:
    router = APIRouter()

    @router.post("/pairs", openapi_extra=PAIR.asked("A pair."), responses=PAIR.answered("The same."))
    async def pairs(request: Request) -> Response:
        return PAIR.answer(await PAIR.read(request))

    @router.get("/trace")
    def trace() -> str:
        found = current()
        return found.id if found else "none"

    @router.get("/bug")
    def bug() -> str:
        raise KeyError("a secret")

    @router.get("/things/{number}")
    def things(number: int) -> int:
        return number

    return router


def broken(core: Core) -> APIRouter:
    core.checks["disk"] = lambda: "it is full"
    return APIRouter()


ask = asking(application({"pairs": role}, Guard(largest=1000)))


def test_a_server_says_that_it_is_well_and_what_it_does():
    for path in ("/v1/health", "/v1/ready"):
        assert ask("GET", path).json()["roles"] == ["pairs"]


def test_a_server_that_cannot_work_says_why():
    assert "disk: it is full" in problem(asking(application({"broken": broken}))("GET", "/v1/ready"), 503)


def test_values_are_read_strictly_from_json():
    assert ask("POST", "/v1/pairs", json={"left": 1, "right": [2]}).json() == {"left": 1, "right": [2]}
    assert "left: Field required" in problem(ask("POST", "/v1/pairs", json={}), 422)
    assert "left: Input should be" in problem(ask("POST", "/v1/pairs", json={"left": "1"}), 422)
    assert "wrong" in problem(ask("POST", "/v1/pairs", json={"left": 1, "wrong": 2}), 422)


@pytest.mark.parametrize(
    "text", [b"", b"{", b"\xff\xfe", b"[" * 90, b'{"left": 1e999}', b'{"left": NaN}', b'{"\\ud800": 1}']
)
def test_what_is_no_json_is_said(text: bytes):
    problem(ask("POST", "/v1/pairs", content=text, headers={"content-type": "application/json"}), 422)


def test_a_body_must_say_that_it_is_json():
    """What a page of another site may send without being asked has another type."""
    assert "content-type" in problem(
        ask("POST", "/v1/pairs", content=b"{}", headers={"content-type": "text/plain"}), 415
    )


def test_a_body_may_not_be_longer_than_its_document_or_the_server_takes():
    for length in (101, 1001):
        answer = ask("POST", "/v1/pairs", content=b" " * length, headers={"content-type": "application/json"})
        assert "longer than" in problem(answer, 413)


def test_what_is_not_there_and_what_is_no_number_are_problems():
    problem(ask("GET", "/nothing"), 404)
    problem(ask("PUT", "/v1/health"), 405)
    assert "path.number" in problem(ask("GET", "/v1/things/x"), 422)


def test_a_bug_is_written_down_and_not_told(caplog: pytest.LogCaptureFixture):
    """The journal has it with the trace that the client may give."""
    written, lines = logging.StreamHandler(io.StringIO()), list[dict[str, object]]()
    written.setFormatter(Lines())
    written.emit = lambda record: lines.append(json.loads(written.format(record)))  # type: ignore[method-assign]
    logging.getLogger("amla.services").addHandler(written)
    with caplog.at_level(logging.INFO, "amla.services"):
        answer = ask("GET", "/v1/bug", headers={"traceparent": TRACE})
    logging.getLogger("amla.services").removeHandler(written)
    assert "secret" not in problem(answer, 500)
    assert answer.headers["traceparent"].startswith(TRACE[:35])
    first, second = lines
    assert "KeyError: 'a secret'" in str(first["exception"])
    assert (second["path"], second["status"], second["trace"]) == ("/v1/bug", 500, TRACE[3:35])


def test_a_trace_is_taken_over_and_passed_on():
    assert ask("GET", "/v1/trace", headers={"traceparent": TRACE}).json() == TRACE[3:35]
    own = ask("GET", "/v1/trace")
    found = parsed(own.headers["traceparent"])
    assert found is not None
    assert own.json() == found.id != TRACE[3:35]


@pytest.mark.parametrize("header", [None, "", "00-1-2-01", f"00-{'0' * 32}-{'1' * 16}-01", "x" * 10_000])
def test_what_is_no_trace_is_none(header: str | None):
    assert parsed(header) is None


def test_calls_carry_the_trace_of_their_process_and_its_token(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("AMLA_TOKEN", raising=False)
    trace = begun()
    monkeypatch.setenv("TRACEPARENT", trace.header)
    found = headers()
    assert found.keys() == {"traceparent"}
    passed = parsed(found["traceparent"])
    assert passed is not None
    assert (passed.id, passed.span != trace.span) == (trace.id, True)
    monkeypatch.setenv("AMLA_TOKEN", "amla_x")
    assert headers()["authorization"] == "Bearer amla_x"


def test_requests_are_counted_by_route_and_never_by_what_a_stranger_sends():
    ask("GET", "/v1/things/7")
    ask("GET", "/made-up")
    ask("MADEUP", "/v1/health")
    text = ask("GET", "/metrics").text
    assert 'amla_requests_total{method="GET",route="/v1/things/{number}",status="200"} ' in text
    assert "made-up" not in text
    assert "MADEUP" not in text


def test_the_openapi_document_is_whole():
    whole = ask("GET", "/v1/openapi.json").json()
    assert whole["openapi"].startswith("3.1")
    operation = whole["paths"]["/v1/pairs"]["post"]
    assert operation["requestBody"]["content"]["application/json"]["schema"]["required"] == ["left"]
    assert operation["responses"].keys() == {"200", "4XX", "5XX"}
    assert "x-amla" not in json.dumps(whole)
    assert "Problem" in whole["components"]["schemas"]
