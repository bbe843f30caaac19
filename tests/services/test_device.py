"""A device measures networks for others: counted before they are built, one at a time, on loopback or with a token."""

import asyncio
from contextlib import suppress
from pathlib import Path
from threading import Barrier, BrokenBarrierError
from types import SimpleNamespace

import httpx
import pytest
from asked import asking, problem, running

from amla.backends.latency import Latency, latencies
from amla.backends.probing import Asked
from amla.backends.probing import asking as question
from amla.services import tokens
from amla.services.app import application
from amla.services.device import Probe
from amla.services.guard import Guard
from amla.spec import ops
from amla.spec.architecture import Architecture, Node
from amla.study.latency import Meter
from amla.study.settings.latency import LatencySettings
from amla.testing.workers import small

FOUND = Latency(2e-3, 1e-3, 3e-3, 30, "a phone")
NETWORK = small((1, 4, 4), 2)


def library(**changes: object) -> SimpleNamespace:
    made_up = {
        "device": lambda runtime, batch, threads: f"a phone, {runtime}, threads {threads}, batch {batch}",
        "of_network": lambda *asked: FOUND,
        "of_file": lambda *asked: FOUND,
    }
    return SimpleNamespace(**(made_up | changes))


def ask(library: SimpleNamespace, guard: Guard | None = None):
    app = application({"device": Probe(library)}, guard) if guard else application({"device": Probe(library)})
    return asking(app)


def sent(asked: Asked) -> dict[str, object]:
    return {"content": question.dump_json(asked), "headers": {"content-type": "application/json"}}


def test_it_says_what_it_measures_on_and_how_long_a_network_takes():
    asked = ask(library())
    where = asked("GET", "/v1/latency", params={"runtime": "torch", "threads": 2})
    assert where.json() == {"device": "a phone, torch, threads 2, batch 1"}
    answer = asked("POST", "/v1/latency", **sent(Asked(NETWORK)))
    assert latencies.validate_json(answer.content) == FOUND
    answer = asked("POST", "/v1/latency/onnx", content=b"a file", params={"batch": 4})
    assert latencies.validate_json(answer.content) == FOUND


def test_a_network_is_counted_before_it_is_built():
    def never(*asked: object) -> Latency:
        raise AssertionError("it was built")

    huge = Architecture(
        (
            Node("in", ops.Input((64, 1024, 1024))),
            Node("conv", ops.Conv(64, (9, 9)), ("in",)),
            Node("head", ops.GlobalPool(), ("conv",)),
            Node("out", ops.Classify(2), ("head",)),
        )
    )
    answer = ask(library(of_network=never))("POST", "/v1/latency", **sent(Asked(huge)))
    assert "multiply-accumulates a batch; this device measures up to" in problem(answer, 422)


def test_what_is_no_network_is_refused():
    asked = ask(library(of_file=lambda *asked: (_ for _ in ()).throw(ValueError("ONNX Runtime cannot run this file"))))
    opened = question.dump_json(Asked(NETWORK)).replace(b'"batch":1', b'"batch":0')
    answer = asked("POST", "/v1/latency", content=opened, headers={"content-type": "application/json"})
    assert "batch is 0" in problem(answer, 422)
    assert "cannot run this file" in problem(asked("POST", "/v1/latency/onnx", content=b"junk"), 422)
    assert problem(asked("POST", "/v1/latency/onnx", content=b"0" * ((8 << 20) + 1)), 413)


def test_off_loopback_it_asks_for_a_token(tmp_path: Path):
    file = tmp_path / "tokens.json"
    secret = tokens.add(file, "lab", "run", None)
    asked = ask(library(), Guard("0.0.0.0", file))  # noqa: S104 - nothing listens
    assert asked("GET", "/v1/latency").status_code == 401
    bearer = {"authorization": f"Bearer {secret}"}
    assert asked("GET", "/v1/latency", headers=bearer).status_code == 200


def test_one_is_measured_at_a_time():
    together, met = Barrier(2), list[int]()

    def measure(*asked: object) -> Latency:
        with suppress(BrokenBarrierError):  # once nobody has come for a second
            met.append(together.wait(timeout=1.0))
        return FOUND

    app = application({"device": Probe(library(of_network=measure))})

    async def all_at_once() -> list[httpx.Response]:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://127.0.0.1:8000") as client:
            return await asyncio.gather(*(client.post("/v1/latency", **sent(Asked(NETWORK))) for _ in range(8)))

    assert {answer.status_code for answer in asyncio.run(all_at_once())} == {200}
    assert together.broken
    assert not met


def test_a_search_measures_there(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setenv("AMLA_CACHE", str(tmp_path))
    with running(application({"device": Probe(library())})) as transport:
        client = httpx.Client(transport=transport, base_url="http://127.0.0.1:8000")

        class Connected:
            def __init__(self, url: str, seconds: float, headers: object) -> None:
                assert url == "http://device:8020"

            def ask(self, method: str, path: str, body: bytes | None, headers: dict[str, str], seconds: float):
                answer = client.request(method, f"/v1/{path}", content=body, headers=headers)
                return answer.status_code, answer.content

            def close(self) -> None:
                pass

        monkeypatch.setattr("amla.study.latency.Connection", Connected)
        meter = Meter(LatencySettings(url="http://device:8020"), print)
        assert meter(NETWORK) == FOUND
        assert meter.device == "a phone, onnx, threads 1, batch 1"
        client.close()
