"""The HTTP API is what its OpenAPI document says, and whatever is sent, nothing breaks.

AMLA_REQUESTS says about how many requests are sent, by default some hundred; with --log-cli-level=INFO it is said.
"""

import json
import logging
import os
import shutil
from collections import Counter
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import httpx
import pytest
import schemathesis
from asked import URL, running
from drivers import MadeUp
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from made_up_runs import finished
from schemathesis import GenerationMode
from worker_service import MadeUp as Unneeded

from amla.algorithms import wire
from amla.algorithms.remote import Remote
from amla.services import scheduler as module
from amla.services.app import application
from amla.services.generate import Generator
from amla.services.scheduler import Scheduler
from amla.services.trials import Worker
from amla.services.workshop import Workshop
from amla.spaces.envelope import envelope
from amla.study.study import from_plain, to_plain
from amla.trials.history import History
from amla.trials.trial import Measurement, Proposal

log = logging.getLogger(__name__)

REQUESTS = int(os.environ.get("AMLA_REQUESTS", "400"))
DOCUMENT = Path(__file__).parents[2] / "docs/reference/openapi.json"
STUDY = to_plain(from_plain({"name": "x", "data": {"source": "digits"}, "limit": {"seconds": 60}}))
NUMBERS = (0, -1, 1, 2**31, 2**63, 10**30, -(10**30), 0.5, -0.0, 1e308)
TEXTS = ("", "x", "\x00", "../..", "é", "\U0001f600", "NaN", "Infinity", "x" * 5_000)
NASTY = st.sampled_from([None, True, *NUMBERS, *TEXTS, [], [[]], {}, {"": 0}])


class Ending(MadeUp):
    """Drivers that end at once, as of a study that cannot be run: a stream of its events ends, too."""

    def start(self, folder: Path, trace: str) -> tuple[int, str]:
        found = super().start(folder, trace)
        self.codes[found[0]] = 2
        return found


def question() -> dict[str, Any]:
    found = envelope((1, 8, 8), 2, width=6, cells=(1,), max_cells=(2,), branches=("1x1", "3x3"))
    network = found.space.close(found.initial())
    history = History().asked(Proposal(network, 10)).told(0, Measurement({"accuracy": 0.5}))
    asked = Remote("http://x", found.space, 10).question(history.asked(Proposal(network, 10)))
    return dict(wire.question.dump_python(asked, mode="json"))


@st.composite
def spoiled(draw: st.DrawFn, whole: Any) -> Any:
    """Draw a document of which one to three places hold something else, or nothing."""
    copy = json.loads(json.dumps(whole))
    for _ in range(draw(st.integers(1, 3))):
        place, steps = copy, draw(st.integers(1, 6))
        for _ in range(steps):
            keys = list(place) if isinstance(place, dict) else list(range(len(place)))
            if not keys:
                break
            key = draw(st.sampled_from(keys))
            if isinstance(place[key], dict | list) and steps > 1 and place[key] and draw(st.booleans()):
                place = place[key]
                continue
            if draw(st.booleans()):
                place[key] = deepcopy(draw(NASTY))  # the next place may be in it
            else:
                del place[key]
            break
    return copy


class Sending:
    """Sends requests and checks what is answered: never by a bug, and as the document says."""

    busy: frozenset[int] = frozenset()  # statuses that say to come again

    def __init__(self, transport: httpx.BaseTransport, key: str) -> None:
        self.client, self.key = httpx.Client(transport=transport, base_url=URL), key
        self.statuses: Counter[int] = Counter()

    def send(self, **request: Any) -> None:
        try:
            built = self.client.build_request(**request)
        except (ValueError, TypeError, httpx.InvalidURL, UnicodeError):  # what no client can send
            return
        answer = self.client.send(built)
        self.statuses[answer.status_code] += 1
        said = f"{request}: {answer.status_code} {answer.text[:500]}"
        assert answer.status_code < 500 or answer.status_code in self.busy, said
        if answer.status_code >= 400:
            assert answer.headers["content-type"] == "application/problem+json", said
            assert answer.json()["status"] == answer.status_code, said


@pytest.fixture
def sending(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sending]:
    monkeypatch.setattr(module, "Drivers", lambda *_, **__: Ending())
    monkeypatch.setattr(module, "LOOKING", 0.01)
    root = tmp_path / "runs"
    with running(application({"scheduler": Scheduler(root), "generate": Generator(root)})) as transport:
        with httpx.Client(transport=transport, base_url=URL) as client:
            key = client.post("/v1/studies?start=false", json=STUDY).json()["key"]
        shutil.copytree(finished(tmp_path / "run"), root / key, dirs_exist_ok=True)
        sender = Sending(transport, key)
        yield sender
        log.info("%d requests, by status: %s", sender.statuses.total(), dict(sorted(sender.statuses.items())))
        sender.client.close()


def drawing(examples: int) -> Any:
    quiet = {"database": None, "deadline": None, "suppress_health_check": list(HealthCheck)}
    return settings(max_examples=examples, phases=[Phase.generate], **quiet)


def test_the_document_is_the_one_in_the_reference(tmp_path: Path):
    """If it is not: AMLA_WRITE=1 python -m pytest tests/services/test_openapi.py writes it."""
    worker = Worker(Workshop(Unneeded(), tmp_path))
    document = application({"scheduler": Scheduler(tmp_path), "generate": Generator(), "worker": worker}).openapi()
    text = json.dumps(document, indent=1, ensure_ascii=False, sort_keys=True) + "\n"
    if os.environ.get("AMLA_WRITE"):
        DOCUMENT.write_text(text, encoding="utf-8")
    assert DOCUMENT.read_text(encoding="utf-8") == text, "docs/reference/openapi.json is of another version"


def test_whatever_the_document_allows_or_forbids_is_answered(sending: Sending):
    schema = schemathesis.openapi.from_dict(sending.client.get("/v1/openapi.json").json())
    operations = [found.ok() for found in schema.get_all_operations()]
    share = max(1, REQUESTS * 3 // 5 // (2 * len(operations)))
    for operation in operations:
        modes = [GenerationMode.POSITIVE]
        if operation.path_parameters or operation.query or operation.headers or operation.body:
            modes.append(GenerationMode.NEGATIVE)
        for mode in modes:

            @seed(0)
            @drawing(share)
            @given(case=operation.as_strategy(generation_mode=mode), is_known=st.booleans())
            def sent(case: schemathesis.Case, is_known: bool) -> None:
                if is_known and "key" in (case.path_parameters or {}) and case.method != "DELETE":
                    case.path_parameters["key"] = sending.key
                request = case.as_transport_kwargs(base_url=URL)
                request["headers"] = dict(request["headers"])
                request.pop("cookies", None)
                if isinstance(data := request.pop("data", None), bytes | str):
                    request["content"] = data
                sending.send(**request)

            sent()
    assert sending.statuses.total() > REQUESTS // 5
    assert {200, 404, 422} <= sending.statuses.keys()


@pytest.mark.parametrize(
    ("path", "whole"), [("/v1/ask", question()), ("/v1/recommend", question()), ("/v1/studies?start=false", STUDY)]
)
def test_documents_that_are_right_but_for_a_place_or_three_are_answered(path: str, whole: Any, sending: Sending):
    @seed(0)
    @drawing(max(1, REQUESTS * 2 // 5 // 3))
    @given(spoiled(whole))
    def sent(body: Any) -> None:
        sending.send(method="POST", url=path, json=body)

    sent()
    sending.send(method="POST", url=path, json=whole)
    assert {422} < sending.statuses.keys()
