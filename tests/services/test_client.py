"""The client: an answer that is lost is asked for again, and what a server says is told in its words."""

from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

import amla
from amla.services import client as module
from amla.services.client import Client
from amla.services.errors import ServiceError
from amla.services.wire import Standing
from amla.study.study import from_plain

STANDING = {"key": "mine-1", "name": "mine", "state": "queued", "created": 1.0, "trace": "0" * 32}
STUDY = {"name": "mine", "data": {"source": "digits"}, "limit": {"seconds": 60}}
Answer = Callable[[httpx.Request], httpx.Response]


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PAUSE", 0.0)
    monkeypatch.delenv("AMLA_TOKEN", raising=False)


class Server:
    """Gives prepared answers, one after another, the last one again and again; what is no answer is raised."""

    def __init__(self, *answers: httpx.Response | Exception) -> None:
        self.answers, self.heard = list(answers), list[httpx.Request]()

    def client(self, token: str | None = None) -> Client:
        return Client("http://server:8000", token, transport=httpx.MockTransport(self._answer))

    def _answer(self, request: httpx.Request) -> httpx.Response:
        self.heard.append(request)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer


def says(status: int, plain: object = None) -> httpx.Response:
    return httpx.Response(status, json=plain)


LOST = httpx.ReadError("the line was cut")


def test_amla_client_is_the_client():
    assert amla.Client is Client


def test_a_study_whose_answer_was_lost_is_sent_again_with_the_same_key():
    server = Server(LOST, says(503, {"detail": "starting"}), says(201, STANDING))
    with server.client() as client:
        assert client.create(STUDY) == Standing("mine-1", "mine", "queued", 1.0, "0" * 32)
    keys = {request.headers["idempotency-key"] for request in server.heard}
    assert (len(server.heard), len(keys)) == (3, 1)
    assert len({request.content for request in server.heard}) == 1


def test_two_studies_have_two_keys():
    server = Server(says(201, STANDING))
    with server.client() as client:
        for given in (STUDY, from_plain(STUDY)):
            client.create(given)
    assert len({request.headers["idempotency-key"] for request in server.heard}) == 2


def test_a_study_in_a_file_is_read_here(tmp_path: Path):
    (tmp_path / "study.yaml").write_text("{name: mine, data: {source: digits}, limit: {seconds: 60}}")
    server = Server(says(201, STANDING))
    with server.client() as client:
        client.create(tmp_path / "study.yaml")
    assert b'"mine"' in server.heard[0].content


def test_a_server_that_is_silent_is_asked_six_times():
    server = Server(httpx.ConnectError("refused"))
    with server.client() as client, pytest.raises(ServiceError, match=r"did not answer in 6 attempts .*refused"):
        client.studies()
    assert len(server.heard) == 6


def test_what_a_server_refuses_is_told_in_its_words_and_not_asked_again():
    server = Server(says(422, {"detail": "seed is -1; it must be 0 or more."}))
    with server.client() as client, pytest.raises(ServiceError, match="it must be 0 or more"):
        client.create(STUDY)
    assert len(server.heard) == 1


def test_a_deletion_whose_answer_was_lost_is_one():
    with Server(LOST, says(404, {"detail": "gone"})).client() as client:
        client.delete("mine-1")
    with Server(says(404, {"detail": "There is no study"})).client() as client, pytest.raises(ServiceError):
        client.delete("mine-1")


@pytest.mark.parametrize("answer", [httpx.Response(200, text="<html>"), says(200, {"a": 1}), says(200, [])])
def test_an_answer_that_is_none_of_amlas_is_said(answer: httpx.Response):
    with Server(answer).client() as client, pytest.raises(ServiceError, match="none of amla's"):
        client.study("mine-1")


def test_the_token_comes_from_the_environment_or_is_given(monkeypatch: pytest.MonkeyPatch):
    server = Server(says(200, STANDING))
    with server.client() as client:
        client.study("x")
        monkeypatch.setenv("AMLA_TOKEN", "amla_own")
        client.study("x")
    with server.client("amla_given") as client:
        client.study("x")
    sent = [request.headers.get("authorization") for request in server.heard]
    assert sent == [None, "Bearer amla_own", "Bearer amla_given"]


@pytest.mark.parametrize("key", ["a/b", "../..", "a b", "ü", "?x=1", "#"])
def test_a_key_leads_nowhere_else(key: str):
    server = Server(says(200, STANDING))
    with server.client() as client:
        client.study(key)
    path = server.heard[0].url.raw_path.decode()
    assert path.startswith("/v1/studies/")
    assert path.count("/") == 3
    assert "?" not in path
    for nothing in ("", ".", ".."):
        with Server(says(200, STANDING)).client() as client, pytest.raises(ServiceError, match="names nothing"):
            client.study(nothing)


@pytest.mark.parametrize("url", ["server", "ftp://server", "http://x:port", ""])
def test_what_is_no_url_is_said(url: str):
    with pytest.raises(ServiceError, match="no URL of a server"):
        Client(url).studies()


def event(kind: str, number: str, body: str) -> str:
    return f"event: {kind}\nid: {number}\ndata: {body}\n\n"


def test_a_stream_that_was_cut_is_taken_up_where_it_was():
    happened = '{"phase":"search","sequence":%d,"trial":0,"proposal":null,"outcome":null}'
    over = str({**STANDING, "state": "done"}).replace("'", '"')
    first = event("trial", "0-1-0", happened % 0) + ": still here\n\n" + event("trial", "0-2-0", happened % 1)[:-1]
    second = event("trial", "0-2-0", happened % 1) + event("study", "0-2-0", over)
    server = Server(httpx.Response(200, text=first), says(200, STANDING), LOST, httpx.Response(200, text=second))
    with server.client() as client:
        found = [number for number, _ in client.events("mine-1")]
    assert found == ["0-1-0", "0-2-0", "0-2-0"]
    streams = [request for request in server.heard if request.url.path.endswith("/events")]
    assert [request.headers.get("last-event-id") for request in streams] == [None, "0-1-0", "0-1-0"]


def test_a_file_is_there_whole_or_not_at_all(tmp_path: Path):
    with Server(httpx.Response(200, content=b"weights")).client() as client:
        assert client.download("mine-1", "weights/best.safetensors", tmp_path / "w" / "best").read_bytes() == b"weights"
    with Server(LOST).client() as client, pytest.raises(ServiceError):
        client.download("mine-1", "report.html", tmp_path / "report.html")
    assert [path.name for path in tmp_path.iterdir()] == ["w"]
