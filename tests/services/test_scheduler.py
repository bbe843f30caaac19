"""The scheduler as it is asked: what it answers, and that no path and no header leads anywhere else."""

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from asked import URL, problem, running
from drivers import MadeUp
from made_up_runs import finished

from amla.services import scheduler as module
from amla.services.app import application
from amla.services.client import Client
from amla.services.scheduler import Scheduler
from amla.services.wire import Happened, Standing
from amla.study.folder import read
from amla.study.phases import PHASES
from amla.study.study import from_plain, to_plain

STUDY = from_plain({"name": "mine", "data": {"source": "digits"}, "limit": {"seconds": 60}})


@dataclass
class Served:
    """A server that runs, what asks it, and its drivers."""

    transport: httpx.BaseTransport
    drivers: MadeUp
    root: Path

    def ask(self, method: str, path: str, **sent: object) -> httpx.Response:
        with httpx.Client(transport=self.transport, base_url=URL) as client:
            return client.request(method, path, **sent)  # type: ignore[arg-type]

    def client(self) -> Client:
        return Client(URL, transport=self.transport)


@pytest.fixture
def served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    drivers = MadeUp()
    monkeypatch.setattr(module, "Drivers", lambda *_, **__: drivers)
    monkeypatch.setattr(module, "LOOKING", 0.01)
    root = tmp_path / "runs"
    with running(application({"scheduler": Scheduler(root)})) as transport:
        yield Served(transport, drivers, root)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of which all trials are told; its weights were not written."""
    folder = finished(tmp_path_factory.mktemp("run"))
    (folder / "report.html").write_text("<h1>report</h1>")
    return folder


@pytest.fixture
def key(served: Served, run: Path) -> str:
    """A study with such a run, which is not to go on."""
    with served.client() as client:
        made = client.create(STUDY, start=False).key
    shutil.copytree(run, served.root / made, dirs_exist_ok=True)
    return made


def test_a_study_is_made_as_a_study_file_has_it(served: Served):
    answer = served.ask(
        "POST", "/v1/studies", json={"name": "x", "data": {"source": "digits"}, "limit": {"seconds": 9}}
    )
    assert answer.status_code == 201
    assert answer.headers["location"] == f"/v1/studies/{answer.json()['key']}"
    given = served.ask("GET", f"{answer.headers['location']}/study").json()
    assert given["limit"] == {
        "trials": None,
        "seconds": 9.0,
        "clock": "wall",
        "steps": None,
        "flops": None,
        "search": 0.25,
    }
    assert [each["state"] for each in served.ask("GET", "/v1/studies").json()["studies"]] == ["running"]


def test_kinds_may_be_left_out_as_in_a_study_file(served: Served):
    text = {"name": "mine", "data": {"source": "digits"}, "space": {"width": 6}, "limit": {"seconds": 60}}
    made = served.ask("POST", "/v1/studies", json=text)
    assert made.status_code == 201, made.text
    with served.client() as client:
        assert client.settings(made.json()["key"]) == from_plain(text)
    assert "space.width" in problem(served.ask("POST", "/v1/studies", json={**text, "space": {"width": "x"}}), 422)


def test_what_is_sent_twice_with_a_key_is_made_once(served: Served):
    sent = {"json": to_plain(STUDY), "headers": {"idempotency-key": "one"}}
    first, again = (served.ask("POST", "/v1/studies", **sent) for _ in range(2))
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json()["key"] == again.json()["key"]
    other = {"json": {**to_plain(STUDY), "seed": 1}, "headers": {"idempotency-key": "one"}}
    assert "another body" in problem(served.ask("POST", "/v1/studies", **other), 422)


@pytest.mark.parametrize(
    "text", [b"", b"[]", b'{"name": 1}', b"[" * 100_000, b'{"a":' * 100_000, b"\xff", b'"\\ud800"', b"NaN"]
)
def test_what_is_no_study_is_said(text: bytes, served: Served):
    problem(served.ask("POST", "/v1/studies", content=text, headers={"content-type": "application/json"}), 422)


def test_a_study_that_is_too_long_is_refused(served: Served):
    text = json.dumps({**to_plain(STUDY), "name": "x" * (1 << 20)})
    problem(served.ask("POST", "/v1/studies", content=text, headers={"content-type": "application/json"}), 413)
    assert served.ask("GET", "/v1/studies").json()["total"] == 0


@pytest.mark.parametrize("key", ["nothing", "..", "%2e%2e", "a%2F..%2Fb", "%00", "ü", "x" * 65, ".scheduler.lock"])
def test_a_key_of_no_study_is_said_everywhere(key: str, served: Served):
    (served.root / "no-study").mkdir()
    for path in ("", "/study", "/history", "/events", "/report", "/artifacts", "/artifacts/study.yaml"):
        answer = served.ask("GET", f"/v1/studies/{key}{path}")
        assert answer.status_code in (404, 422), path
        problem(answer, answer.status_code)
    for act in ("start", "stop", "resume"):
        assert served.ask("POST", f"/v1/studies/{key}/{act}").status_code in (404, 422)
    assert served.ask("DELETE", f"/v1/studies/{key}").status_code in (404, 405, 422)


def test_artifacts_are_the_files_of_the_run_and_no_others(served: Served, key: str, tmp_path: Path):
    folder = served.root / key
    (tmp_path / "secret").write_text("secret")
    (folder / "link").symlink_to(tmp_path / "secret")
    (folder / "elsewhere").symlink_to(tmp_path)
    (folder / ".hidden").write_text("hidden")
    names = [each["name"] for each in served.ask("GET", f"/v1/studies/{key}/artifacts").json()["artifacts"]]
    assert {"study.yaml", "upload.yaml", "report.html", "best.arch.json", "curves/search/0.jsonl"} <= set(names)
    for name in names:
        got = served.ask("GET", f"/v1/studies/{key}/artifacts/{name}")
        assert got.content == (folder / name).read_bytes()
    for name in (
        "../secret", "..%2Fsecret", "%2e%2e/%2e%2e/secret", "link", "elsewhere/secret", ".hidden", "events.sqlite",
        "scheduler.json", "nothing", "curves", "%2Fetc%2Fpasswd", "curves//search/0.jsonl", "a%00b", "x" * 2_000,
        "%FF", "..%5csecret",
    ):  # fmt: skip
        assert name not in names
        problem(served.ask("GET", f"/v1/studies/{key}/artifacts/{name}"), 404)


def test_a_report_is_a_page_that_can_do_nothing_on_this_server(served: Served, key: str):
    answer = served.ask("GET", f"/v1/studies/{key}/report")
    assert answer.text == "<h1>report</h1>"
    assert answer.headers["content-security-policy"].startswith("sandbox allow-scripts; default-src 'none'")
    assert answer.headers["x-content-type-options"] == "nosniff"
    (served.root / key / "report.html").unlink()
    assert "no report yet" in problem(served.ask("GET", f"/v1/studies/{key}/report"), 404)


def test_the_history_is_told_in_pages_and_put_together_by_the_client(
    served: Served, key: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("amla.services.client.PAGE", 2)
    run = read(served.root / key)
    with served.client() as client:
        assert client.history(key) == run.search
        assert client.history(key, "final") == run.final
        assert len(client.history(key, "rehearsal")) == 0
    page = served.ask("GET", f"/v1/studies/{key}/history?first=1&most=1").json()
    assert ([past["trial"]["id"] for past in page["trials"]], page["total"]) == ([1], 3)
    for phase in PHASES:
        assert served.ask("GET", f"/v1/studies/{key}/history?phase={phase}").status_code == 200
    for wrong in ("first=-1", "most=0", "most=99999", "phase=none", "first=x", f"first={10**30}"):
        problem(served.ask("GET", f"/v1/studies/{key}/history?{wrong}"), 422)


def test_events_are_told_in_order_and_taken_up_where_they_were(served: Served, key: str):
    with served.client() as client:
        told = list(client.events(key))
        happened = [event for _, event in told if isinstance(event, Happened)]
        assert [(each.phase, each.sequence) for each in happened] == [
            *(("search", n) for n in range(6)), *(("final", n) for n in range(4)),
        ]  # fmt: skip
        assert isinstance(told[-1][1], Standing)
        for number, (after, _) in enumerate(told[:-1]):
            assert [event for _, event in client.events(key, after)][:-1] == happened[number + 1 :]


def test_a_stream_that_was_seen_to_its_end_is_not_told_again(served: Served, key: str):
    stream = served.ask("GET", f"/v1/studies/{key}/events")
    assert stream.headers["content-type"].startswith("text/event-stream")
    last = [line for line in stream.text.splitlines() if line.startswith("id: ")][-1].removeprefix("id: ")
    assert served.ask("GET", f"/v1/studies/{key}/events", headers={"last-event-id": last}).status_code == 204
    for wrong in ("x", "1", "1-2", "-1-2-3", f"{10**30}-0-0-0-0", "1-2-3", "1-2-3-4-5-6"):
        problem(served.ask("GET", f"/v1/studies/{key}/events", headers={"last-event-id": wrong}), 400)


def test_a_damaged_log_is_said_in_words(served: Served, key: str):
    (served.root / key / "events.sqlite").write_bytes(b"no database at all")
    for path in ("/history", "/events", ""):
        assert "is damaged" in problem(served.ask("GET", f"/v1/studies/{key}{path}"), 503)


def test_a_server_counts_its_studies_and_is_ready(served: Served, key: str):
    assert 'amla_studies{state="stopped"} 1.0' in served.ask("GET", "/metrics").text
    assert served.ask("GET", "/v1/ready").status_code == 200


def test_after_its_end_a_server_has_given_its_folder_back(tmp_path: Path):
    for _ in range(2):
        app = application({"scheduler": Scheduler(tmp_path / "runs")})
        with running(app) as transport, Client(URL, transport=transport) as client:
            assert client.studies() == ()


def test_a_study_that_is_deleted_leaves_nothing_elsewhere(served: Served, key: str, tmp_path: Path):
    place = tmp_path / "elsewhere" / key
    place.mkdir(parents=True)
    (place / "weights").write_text("what came out")
    (served.root / key / "files.json").write_text(json.dumps({"url": f"file://{place}"}))
    with served.client() as client:
        client.delete(key)
    assert not place.exists()
    assert not (served.root / key).exists()


def test_a_study_whose_files_elsewhere_cannot_be_deleted_stays(served: Served, key: str):
    (served.root / key / "files.json").write_text(json.dumps({"url": "s3://user:secret@bucket"}))
    problem(served.ask("DELETE", f"/v1/studies/{key}"), 422)
    assert (served.root / key / "files.json").exists()
