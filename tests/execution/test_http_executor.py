"""What worker services lose, forget, repeat or refuse, and what the study's process makes of it."""

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from made_up_service import Cut, MadeUpService, Reply, problem
from worker_service import Started

from amla.execution import http as executor_module
from amla.execution import orders
from amla.execution.errand import Terms
from amla.execution.http import HttpExecutor
from amla.execution.orders import Order, Status
from amla.execution.sites import slots
from amla.execution.work import WorkerError
from amla.testing import Synthetic
from amla.testing.executors import _trial as trial
from amla.trials.progress import Progress
from amla.trials.trial import Failure, Measurement, Outcome, Proposal, Trial, TrialId

TERMS = Terms("0" * 32, "search", {})
SHORT = 0.5  # seconds, for leases that are to run out; others must not, however busy the machine
NOWHERE = "http://127.0.0.1:9"


class InMemory(dict[TrialId, bytes]):
    """Snapshots by trial."""

    def read(self, trial_id: TrialId) -> bytes:
        if trial_id not in self:
            raise FileNotFoundError(f"Trial {trial_id} left nothing.")
        return self[trial_id]

    def write(self, trial_id: TrialId, content: bytes) -> None:
        if content == b"torn":
            raise ValueError("it is torn")
        self[trial_id] = content


@pytest.fixture
def services() -> Iterator[Callable[..., MadeUpService]]:
    """Make services that end with the test, once whatever `meets` waits for has been let go."""
    made: list[MadeUpService] = []

    def make(**settings: Any) -> MadeUpService:
        made.append(MadeUpService(**settings))
        return made[-1]

    yield make
    for service in made:
        service.close()


def over(*services: MadeUpService | str, **settings: Any) -> HttpExecutor:
    urls = [service if isinstance(service, str) else service.url for service in services]
    told: dict[str, Any] = {"workers": 2, "lease": 30.0, "patience": 30.0, **settings}
    return HttpExecutor(urls, told.pop("terms", TERMS), told.pop("snapshots", InMemory()), **told)


def answers(executor: HttpExecutor, *trials: Trial) -> dict[TrialId, Outcome]:
    """Run trials, as many at once as can, and return what they came to; each must be answered once."""
    waiting, outcomes = list(trials), dict[TrialId, Outcome]()
    while len(outcomes) < len(trials):
        while waiting and executor.idle:
            executor.submit(waiting.pop(0))
        for trial_id, outcome in executor.wait():
            assert trial_id not in outcomes
            outcomes[trial_id] = outcome
    return outcomes


def as_here(outcomes: dict[TrialId, Outcome]) -> bool:
    return all(outcome == Synthetic().evaluate(trial(trial_id)) for trial_id, outcome in outcomes.items())


def once(what: Callable[[], Reply | None], method: str) -> Callable[[str, str], Reply | None]:
    """Return what does `what` at the first request of a method, and nothing later."""
    done: list[bool] = []

    def meets(asked: str, path: str) -> Reply | None:
        if asked == method and "worker" not in path and not done:
            done.append(True)
            return what()
        return None

    return meets


def cut(after: bool) -> Reply | None:
    raise Cut(after)


def is_running(service: MadeUpService) -> Callable[[str, str], Reply | None]:
    """Say of every trial that it runs."""

    def meets(method: str, path: str) -> Reply | None:
        if method == "GET" and "trials" in path:
            return 200, orders.status.dump_json(Status(path.partition("?")[0].rpartition("/")[2]))
        if method == "POST":
            return 202, orders.status.dump_json(Status("a" * 32))
        return None

    return meets


class TestWhatIsLost:
    @pytest.mark.parametrize("method", ["POST", "GET"])
    @pytest.mark.parametrize("after", [False, True])
    def test_a_connection_that_is_cut_is_opened_again_and_a_trial_is_run_once(self, services, method, after):
        service = services()
        service.meets = once(lambda: cut(after), method)
        with over(service) as executor:
            assert as_here(answers(executor, *map(trial, range(4))))
        assert service.ran == [0, 1, 2, 3]

    def test_the_trial_of_a_silent_service_runs_elsewhere_and_its_late_answer_is_not_heard(self, services):
        silent, other, go = services(), services(), threading.Event()
        silent.meets = once(lambda: go.wait(60) and None, "POST")
        silent.evaluates = lambda order: Measurement({"accuracy": 0.0})  # what must not be heard
        with over(silent, other, lease=SHORT) as executor:
            outcomes = answers(executor, trial(0), trial(1))
            go.set()
            assert as_here(outcomes)
            assert executor.wait() == []
        assert sorted(other.ran) == [0, 1]

    def test_a_service_that_has_forgotten_a_trial_is_sent_it_anew(self, services):
        service = services()
        service.meets = is_running(service)
        forgotten = threading.Event()

        def meets(method: str, path: str) -> Reply | None:
            if method == "GET" and "trials" in path and not forgotten.is_set():
                forgotten.set()
                service.meets = lambda method, path: None
                return 404, b"{}"
            return is_running(service)(method, path)

        service.meets = meets
        with over(service) as executor:
            assert as_here(answers(executor, trial(0)))
        assert [request for request in service.heard if request[0] == "POST"] == [("POST", "/v1/trials")] * 2

    def test_a_trial_that_every_service_is_lost_with_has_failed(self, services, monkeypatch):
        monkeypatch.setattr(executor_module, "LOSSES", 3)
        service = services()
        running = is_running(service)
        service.meets = lambda method, path: (
            (404, b"{}") if method == "GET" and "trials" in path else running(method, path)
        )
        with over(service) as executor:
            (outcome,) = answers(executor, trial(0)).values()
        assert isinstance(outcome, Failure)
        assert outcome.reason == "crashed"
        assert "3 worker services were lost with this trial" in outcome.message

    def test_a_service_that_comes_back_is_told_to_end_what_runs_elsewhere_now(self, services):
        away, other, is_away = services(), services(), threading.Event()
        running, cancelled, was_away = is_running(away), threading.Event(), threading.Event()

        def meets(method: str, path: str) -> Reply | None:
            if method == "DELETE":
                cancelled.set()
            if is_away.is_set():
                raise Cut
            if method == "GET" and "trials" in path:
                is_away.set()
                was_away.set()
                raise Cut
            return running(method, path)

        away.meets = meets
        other.meets = lambda method, path: None if was_away.is_set() else (503, b"")  # so that the trial begins away
        with over(away, other, workers=1, lease=2.0) as executor:
            assert as_here(answers(executor, trial(0)))
            is_away.clear()
            away.meets = lambda method, path: cancelled.set() if method == "DELETE" else None
            while not cancelled.is_set():
                answers(executor, trial(1))
        assert ("DELETE", "/v1/trials/" + "a" * 32) in away.heard


class TestRealServices:
    def test_a_killed_service_loses_no_trial_and_is_used_again(self, tmp_path: Path):
        terms, told = Terms("0" * 32, "search", {"seconds": 0.05}), dict[TrialId, Outcome]()
        with ExitStack() as stack:
            one, two = (stack.enter_context(Started(tmp_path / name)) for name in ("one", "two"))
            executor = stack.enter_context(over(one.url, two.url, terms=terms, lease=3.0))
            executor.submit(trial(0))
            executor.submit(trial(1))
            told |= dict(executor.wait())
            one.kill()
            again = stack.enter_context(Started(tmp_path / "one", port=int(one.url.rpartition(":")[2])))
            assert again.url == one.url
            two.kill()  # now the first one must be used again
            waiting = list(map(trial, range(2, 8)))
            while len(told) < 8:
                while waiting and executor.idle:
                    executor.submit(waiting.pop(0))
                for trial_id, outcome in executor.wait():
                    assert trial_id not in told
                    told[trial_id] = outcome
        assert all(isinstance(outcome, Measurement) for outcome in told.values())


class TestNobodyThere:
    def test_it_is_waited_for_and_said_then_an_error_and_the_trial_stays(self, services, caplog):
        with over(NOWHERE, patience=0.3) as executor:
            executor.submit(trial(0))
            for _ in range(2):
                with pytest.raises(WorkerError, match=r"No worker service was there for 0\.3 s:\n  http://127.0.0.1:9"):
                    executor.wait()
            assert executor.idle == 1
        assert "No worker service is there; waiting for one" in caplog.text

    def test_one_that_starts_late_is_found(self, services, caplog):
        late = services()
        port = late.port
        late.close()
        with over(f"http://127.0.0.1:{port}") as executor, caplog.at_level(logging.WARNING):
            executor.submit(trial(0))
            threading.Timer(0.4, lambda: services(port=port)).start()
            assert as_here(dict(executor.wait()))

    def test_slots_are_counted_where_somebody_answers(self, services):
        found, silent = slots([services(slots=3).url, services(slots=2).url, NOWHERE], 1.0, {})
        assert found == 5
        (why,) = silent
        assert why.startswith(f"{NOWHERE} does not answer")


class TestRefusals:
    def test_a_service_that_is_unable_is_left_alone(self, services, caplog):
        unable, able = services(slots=4), services()
        unable.meets = lambda method, path: (
            (202, orders.status.dump_json(Status("b" * 32, "unable", message="my disk is full")))
            if method == "POST"
            else None
        )
        with over(unable, able) as executor:
            assert as_here(answers(executor, *map(trial, range(4))))
        assert sorted(able.ran) == [0, 1, 2, 3]
        assert "my disk is full" in caplog.text

    @pytest.mark.parametrize(
        ("reply", "said"),
        [
            ((401, problem("This needs a token.")), "This needs a token. Set AMLA_TOKEN"),
            ((422, problem("task.data: Field required")), "task.data: Field required"),
            ((202, b'{"id": 7}'), "breaks a rule: id"),
            ((202, b"no JSON"), "breaks a rule"),
            ((302, b""), "status 302"),
        ],
    )
    def test_if_none_is_able_it_is_said_why_and_the_trial_stays(self, services, reply, said):
        service = services()
        service.meets = lambda method, path: reply if method == "POST" else None
        with over(service) as executor:
            executor.submit(trial(0))
            for _ in range(2):
                with pytest.raises(WorkerError) as raised:
                    executor.wait()
                assert said in str(raised.value)
                assert "Nothing is lost." in str(raised.value)
            assert executor.idle == 1
            service.meets = lambda method, path: None
            assert as_here(dict(executor.wait()))

    def test_one_that_is_full_is_asked_again(self, services):
        service = services()
        service.meets = once(lambda: (503, b""), "POST")
        with over(service) as executor:
            assert as_here(answers(executor, trial(0)))
        assert service.ran == [0]

    @pytest.mark.parametrize(
        "url", ["", "nonsense", "ftp://x", "http://user:secret@x", "http://x/?a=1", "http://x:99999"]
    )
    def test_an_address_that_is_none(self, url):
        with pytest.raises(ValueError, match="is no URL"):
            over(url)

    @pytest.mark.parametrize("wrong", [{"workers": 0}, {"lease": 0.0}, {"patience": -1.0}])
    def test_impossible_settings_are_refused(self, wrong):
        with pytest.raises(ValueError, match="must be more than 0"):
            over(NOWHERE, **wrong)

    def test_more_than_are_asked_for_are_refused(self, services):
        with over(services(), workers=1) as executor:
            assert executor.wait() == []
            executor.submit(trial(0))
            with pytest.raises(RuntimeError, match="call wait"):
                executor.submit(trial(1))
        with pytest.raises(RuntimeError, match="closed"):
            executor.submit(trial(2))


class TestWeights:
    START = Trial(1, Proposal(trial(0).proposal.architecture, 5, start=0))

    def test_what_a_trial_starts_from_is_sent_once_and_what_it_leaves_is_fetched(self, services):
        service, kept = services(), InMemory({0: b"weights of trial 0"})
        service.keeps = lambda order: b"weights of trial %d" % order.trial.id
        with over(service, snapshots=kept) as executor:
            answers(executor, self.START)
            answers(executor, Trial(2, self.START.proposal))
        assert kept == {number: b"weights of trial %d" % number for number in range(3)}
        assert [path.partition("?")[0] for method, path in service.heard if method == "PUT"] == [
            f"/v1/snapshots/{orders.key(kept[0])}"
        ]

    def test_long_ones_are_sent_in_parts(self, services, monkeypatch):
        monkeypatch.setattr("amla.execution.service.PART", 7)
        service, kept = services(), InMemory({0: b"weights of trial 0"})
        with over(service, snapshots=kept) as executor:
            answers(executor, self.START)
        assert service.snapshots == {orders.key(kept[0]): kept[0]}
        assert [path.partition("?")[2] for method, path in service.heard if method == "PUT"] == [
            f"offset={offset}&bytes=18" for offset in (0, 7, 14)
        ]

    def test_a_start_that_is_not_here_is_that_trials_failure(self, services):
        with over(services()) as executor:
            (outcome,) = answers(executor, self.START).values()
        assert isinstance(outcome, Failure)
        assert "Trial 0 left nothing" in outcome.message

    def test_what_is_no_snapshot_is_not_kept_and_said(self, services):
        service = services()
        service.keeps = lambda order: b"torn"
        with over(service) as executor:
            executor.submit(trial(0))
            with pytest.raises(WorkerError, match="has kept of trial 0 is no snapshot: it is torn"):
                executor.wait()

    def test_a_full_disk_here_is_raised_and_the_trial_stays(self, services):
        service, kept = services(), InMemory()
        service.keeps = lambda order: b"weights"

        def write(trial_id: TrialId, content: bytes) -> None:
            raise OSError(28, "No space left on device", "/runs/snapshot")

        kept.write = write  # type: ignore[method-assign]
        with over(service, snapshots=kept) as executor:
            executor.submit(trial(0))
            with pytest.raises(OSError, match="No space left"):
                executor.wait()
            assert executor.idle == 1


class TestProgress:
    def lines(self, *steps: int) -> tuple[Progress, ...]:
        return tuple(Progress(0, step, 10, float("nan"), 0.5, 0.1, 0.0) for step in steps)

    def test_lines_are_reported_here_in_order_and_a_service_that_does_not_wait_is_not_pestered(self, services):
        service, heard = services(), list[int]()
        said = [Status("a" * 32, lines=self.lines(step), next=step) for step in range(1, 5)]
        said.append(Status("a" * 32, "done", next=4, outcome=Synthetic().evaluate(trial(0))))

        def meets(method: str, path: str) -> Reply | None:
            if method == "POST":
                return 202, orders.status.dump_json(Status("a" * 32))
            return (200, orders.status.dump_json(said.pop(0))) if "trials" in path else None

        service.meets = meets
        with over(service, report=lambda progress: heard.append(progress.step)) as executor:
            assert as_here(answers(executor, trial(0)))
        assert heard == [1, 2, 3, 4]
        asked = [path for method, path in service.heard if method == "GET" and "trials" in path]
        assert [path.partition("after=")[2].partition("&")[0] for path in asked] == ["0", "1", "2", "3", "4"]

    def test_a_report_that_fails_is_raised_and_no_answer_is_lost(self, services):
        service = services()
        said = Status("a" * 32, "running", lines=self.lines(1), next=1)

        def meets(method: str, path: str) -> Reply | None:
            if method == "GET" and "trials" in path and path.find("after=0") > 0:
                return 200, orders.status.dump_json(said)
            if method == "GET" and "trials" in path:
                done = Status("a" * 32, "done", next=1, outcome=Synthetic().evaluate(trial(0)))
                return 200, orders.status.dump_json(done)
            return (202, orders.status.dump_json(Status("a" * 32))) if method == "POST" else None

        def report(progress: Progress) -> None:
            raise OSError(28, "No space left on device")

        service.meets = meets
        with over(service, report=report) as executor:
            executor.submit(trial(0))
            with pytest.raises(OSError, match="No space left"):
                executor.wait()
            assert as_here(dict(executor.wait()))


class TestWhatIsTold:
    def test_an_order_says_all_there_is_to_know(self, services):
        service, told = services(), list[Order]()
        service.evaluates = lambda order: told.append(order) or Synthetic().evaluate(order.trial)
        terms = Terms("1" * 32, "final", {"data": {"source": "digits"}}, 2, 60.0, 10**9)
        with over(service, terms=terms, headers={"Authorization": "Bearer x", "traceparent": "00-1"}) as executor:
            answers(executor, trial(0))
        assert told == [Order("1" * 32, "final", {"data": {"source": "digits"}}, trial(0), None, 2, 60.0, 10**9)]
        assert (service.headers["authorization"], service.headers["traceparent"]) == ("Bearer x", "00-1")

    def test_connections_are_kept_and_nothing_is_sent_twice(self, services):
        service = services()
        with over(service, workers=1) as executor:
            answers(executor, *map(trial, range(3)))
        jobs = [f"{number:032x}" for number in range(3)]
        asked = [request for job in jobs for request in (("POST", "/v1/trials"), ("GET", f"/v1/trials/{job}"))]
        assert [(method, path.partition("?")[0]) for method, path in service.heard if "worker" not in path] == asked
        assert service.connections == 2  # one of them asked how many slots there are

    def test_a_service_may_live_below_a_path(self, services):
        service = services()
        service.meets = lambda method, path: None if path.startswith("/v1/") else (404, b"")
        with over(f"{service.url}/team", patience=0.2) as executor:
            executor.submit(trial(0))
            with pytest.raises(WorkerError):
                executor.wait()
        assert ("GET", "/team/v1/worker") in service.heard

    def test_closing_ends_what_runs(self, services):
        class Seen(Exception):
            pass

        def report(progress: Progress) -> None:
            raise Seen

        service = services()
        running = is_running(service)
        said = Status("a" * 32, lines=(Progress(0, 1, 10, 1.0, 0.5, 0.1, 0.0),), next=1)

        def meets(method: str, path: str) -> Reply | None:
            return (200, orders.status.dump_json(said)) if "after=0" in path else running(method, path)

        service.meets = meets
        executor = over(service, report=report)
        executor.submit(trial(0))
        with pytest.raises(Seen):
            executor.wait()
        executor.close()
        executor.close()
        assert ("DELETE", "/v1/trials/" + "a" * 32) in service.heard

    def test_a_bug_is_raised_where_somebody_waits(self, services):
        class Buggy(InMemory):
            def read(self, trial_id: TrialId) -> bytes:
                raise RuntimeError("this is a bug")

        with over(services(), snapshots=Buggy()) as executor:
            executor.submit(TestWeights.START)
            with pytest.raises(RuntimeError, match="this is a bug"):
                executor.wait()
