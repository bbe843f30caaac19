"""What dies or misbehaves in one of several workers that train a network together, and what becomes of the others."""

import errno
import json
import os
import signal
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from faulty_work import trial, work

from amla.execution.crew import CrewExecutor
from amla.execution.work import Work
from amla.trials.progress import Progress, Report, silent
from amla.trials.trial import Failure, Measurement, Outcome, Trial

Crew = Callable[..., CrewExecutor]


@pytest.fixture
def crew(tmp_path: Path, nobody_left: Callable[[], bool]) -> Iterator[Crew]:
    """Return what makes a crew of which each member does its own work; nothing of it must be left in the end."""
    made = list[CrewExecutor]()

    def make(*works: Work, report: Report = silent) -> CrewExecutor:
        def of(number: int, meeting: Path) -> Work:
            assert meeting.parent == tmp_path / "crew"
            assert list(meeting.iterdir()) == []
            return works[number]

        executor = CrewExecutor(
            of, size=len(works), meetings=tmp_path / "crew", threads=1, report=report, logs=tmp_path / "logs"
        )
        made.append(executor)
        return executor

    yield make
    for executor in made:
        executor.close()
    assert not (tmp_path / "crew").exists()
    assert nobody_left()


def outcome(executor: CrewExecutor, which: Trial) -> Outcome:
    executor.submit(which)
    ((trial_id, found),) = executor.wait()
    assert trial_id == which.id
    assert executor.idle == 1
    return found


def test_the_first_ones_outcome_is_that_of_all(crew: Crew, tmp_path: Path):
    executor = crew(work(do0="threads"), work())
    assert outcome(executor, trial(0)) == Measurement(dict.fromkeys(("OMP", "MKL", "OPENBLAS"), 1.0))
    assert (tmp_path / "logs/crew-1/worker-1.log").exists()
    assert (tmp_path / "logs/crew-2/worker-1.log").exists()


def test_members_run_at_once_and_are_kept(crew: Crew, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    os.mkfifo("meeting")
    both = [Work("faulty_crew:meets", json.dumps(number)) for number in range(2)]
    executor = crew(*both)
    assert outcome(executor, trial(0)) == outcome(executor, trial(1))


def test_the_first_one_alone_reports_and_has_what_trains_nothing(crew: Crew):
    heard = []
    executor = crew(work(do0="progress"), work(do0="progress", do1="crash"), report=heard.append)
    assert isinstance(outcome(executor, trial(0)), Measurement)
    assert [line.step for line in heard] == list(range(100))
    testing = trial(1)
    assert isinstance(outcome(executor, replace(testing, proposal=replace(testing.proposal, budget=0))), Measurement)


def test_the_death_of_one_ends_all_and_is_the_outcome(crew: Crew, tmp_path: Path, nobody_left: Callable[[], bool]):
    executor = crew(work(do0="hang"), work(do0="crash"))
    found = outcome(executor, trial(0))
    assert isinstance(found, Failure)
    assert found.reason == "crashed"
    assert found.message.startswith("In process 2 of 2: The worker was killed by SIGSEGV.")
    assert nobody_left()
    assert not (tmp_path / "crew").exists()
    assert isinstance(outcome(executor, trial(1)), Measurement)


def test_one_that_is_killed_from_outside_ends_all_and_a_new_crew_takes_the_trial(crew: Crew):
    killed = []

    def kill(line: Progress) -> None:
        killed.append(line.step)
        os.kill(line.step, signal.SIGKILL)

    executor = crew(work(do0="hang"), work(do0="hang"), report=kill)
    found = outcome(executor, trial(0))
    assert isinstance(found, Failure)
    assert found.reason == "crashed"
    assert found.message == "3 crews lost a process with this trial, each of them killed."
    assert len(set(killed)) == 3


def test_an_exception_in_one_ends_all(crew: Crew):
    found = outcome(crew(work(do0="hang_deaf"), work(do0="fail")), trial(0))
    assert isinstance(found, Failure)
    assert found.message.startswith(r"In process 2 of 2: ValueError: no \udcff such thing")


def test_one_that_dies_before_it_begins_is_replaced(crew: Crew, tmp_path: Path):
    dying = Work("faulty_work:killed_while_starting", json.dumps(str(tmp_path / "killed")))
    assert isinstance(outcome(crew(work(), dying), trial(0)), Measurement)


def test_one_that_dies_between_trials_is_replaced(crew: Crew):
    executor = crew(work(), work())
    first = outcome(executor, trial(0))
    assert isinstance(first, Measurement)
    os.kill(int(first.metrics["pid"]), signal.SIGKILL)
    second = outcome(executor, trial(1))
    assert isinstance(second, Measurement)
    assert second.metrics["pid"] != first.metrics["pid"]


def test_what_the_machine_is_at_fault_for_can_be_tried_again(
    crew: Crew, tmp_path: Path, nobody_left: Callable[[], bool]
):
    lacking = Work("faulty_crew:without_disk_once", json.dumps(str(tmp_path / "tried")))
    executor = crew(work(), lacking)
    executor.submit(trial(0))
    with pytest.raises(OSError, match="could not read") as raised:
        executor.wait()
    assert raised.value.errno == errno.EIO
    assert executor.idle == 0
    assert nobody_left()
    ((_, found),) = executor.wait()
    assert isinstance(found, Measurement)


def test_ctrl_c_ends_all(crew: Crew, nobody_left: Callable[[], bool]):
    def interrupt(line: object) -> None:
        raise KeyboardInterrupt

    executor = crew(work(do0="hang"), work(do0="hang"), report=interrupt)
    executor.submit(trial(0))
    with pytest.raises(KeyboardInterrupt):
        executor.wait()
    assert nobody_left()


def test_a_second_trial_is_refused_and_waiting_for_none_returns(crew: Crew):
    executor = crew(work(), work())
    assert executor.wait() == []
    executor.submit(trial(0))
    with pytest.raises(RuntimeError, match="call wait"):
        executor.submit(trial(1))


def test_a_crew_of_none_is_refused(tmp_path: Path):
    with pytest.raises(ValueError, match="size is 0"):
        CrewExecutor(lambda number, meeting: work(), size=0, meetings=tmp_path / "crew", threads=1)


def test_meetings_of_a_crew_that_was_killed_go_away(crew: Crew, tmp_path: Path):
    old = tmp_path / "crew" / "old"
    old.mkdir(parents=True)
    (old / "0").write_text("who came")
    assert isinstance(outcome(crew(work(), work()), trial(0)), Measurement)
    assert not old.exists()
