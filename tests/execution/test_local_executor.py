"""What dies, hangs or misbehaves in a worker, and what its parent makes of it."""

import errno
import os
import selectors
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import count
from pathlib import Path

import pytest
from faulty_work import trial, work

from amla.execution.local import LOSSES, LocalExecutor
from amla.execution.work import Work
from amla.trials.progress import Progress
from amla.trials.trial import Failure, Measurement, Outcome, TrialId

linux = pytest.mark.skipif(sys.platform != "linux", reason="needs process file descriptors")


def answers(executor: LocalExecutor, *trial_ids: TrialId) -> dict[TrialId, Outcome]:
    """Run trials, as many at once as can, and return what they came to; each must be answered once."""
    waiting, outcomes = list(trial_ids), {}
    while len(outcomes) < len(trial_ids):
        while waiting and executor.idle:
            executor.submit(trial(waiting.pop(0)))
        for trial_id, outcome in executor.wait():
            assert trial_id not in outcomes
            outcomes[trial_id] = outcome
    return outcomes


def pid(outcome: Outcome) -> int:
    assert isinstance(outcome, Measurement), outcome
    return int(outcome.metrics["pid"])


def failure(outcome: Outcome) -> Failure:
    assert isinstance(outcome, Failure), outcome
    return outcome


def kill(progress: Progress) -> None:
    """Kill the worker whose process id is the step."""
    os.kill(progress.step, signal.SIGKILL)


def files() -> int:
    """Return how many files, pipes and handles of processes are open, where the system says what is."""
    found = 0
    for file in os.listdir("/dev/fd"):
        with suppress(OSError):  # a Ray that other tests share has sockets and events, which come and go
            found += not os.readlink(f"/dev/fd/{file}").startswith(("socket:", "anon_inode:[event"))
    return found


@pytest.fixture(autouse=True)
def nothing_left(nobody_left: Callable[[], bool]) -> Iterator[None]:
    """Check that a test leaves neither a process nor a pipe to one nor a file."""
    before = files()
    yield
    assert nobody_left()
    assert files() == before


class TestWarmWorkers:
    def test_a_worker_is_kept_for_the_next_trial(self):
        with LocalExecutor(work(), workers=1) as executor:
            assert len({pid(outcome) for outcome in answers(executor, *range(20)).values()}) == 1

    def test_trials_run_at_once(self, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        os.mkfifo("meeting")
        with LocalExecutor(work(do0="meet", do1="meet"), workers=2) as executor:
            assert executor.idle == 2
            executor.submit(trial(0))
            assert executor.idle == 1
            executor.submit(trial(1))
            assert executor.idle == 0
            with pytest.raises(RuntimeError, match="call wait"):
                executor.submit(trial(2))
            over = dict(executor.wait())
            assert executor.idle == len(over)
            over |= dict(executor.wait())
            assert pid(over[0]) != pid(over[1])

    def test_waiting_for_nothing_returns_at_once(self):
        with LocalExecutor(work(), workers=1) as executor:
            assert executor.wait() == []

    def test_no_worker_is_started_before_it_is_needed(self, nobody_left: Callable[[], bool]):
        with LocalExecutor(work(), workers=8):
            assert nobody_left()

    @pytest.mark.parametrize(("given", "pinned"), [(3, 3), (None, max(1, len(os.sched_getaffinity(0)) // 2))])
    def test_threads_are_pinned(self, given, pinned):
        with LocalExecutor(work(do0="threads"), workers=2, threads=given) as executor:
            assert answers(executor, 0)[0] == Measurement(dict.fromkeys(("OMP", "MKL", "OPENBLAS"), float(pinned)))

    def test_progress_is_reported_here(self):
        heard = []
        with LocalExecutor(work(do0="progress"), workers=1, report=heard.append) as executor:
            answers(executor, 0)
        assert [progress.step for progress in heard] == list(range(100))

    def test_progress_from_several_threads_stays_in_lines(self):
        heard = []
        with LocalExecutor(work(do0="report_from_threads"), workers=1, report=heard.append) as executor:
            pid(answers(executor, 0)[0])
        assert sorted(progress.step for progress in heard) == sorted(4 * list(range(100)))

    def test_a_report_that_fails_is_raised_and_no_answer_is_lost(self):
        def report(progress: Progress) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

        with LocalExecutor(work(do0="progress"), workers=1, report=report) as executor:
            executor.submit(trial(0))
            told = []
            with suppress(OSError):
                told += executor.wait()
            while not told:
                with suppress(OSError):
                    told += executor.wait()
            assert [trial_id for trial_id, _ in told] == [0]

    @pytest.mark.parametrize("wrong", [{"workers": 0}, {"workers": 1, "threads": 0}, {"workers": 1, "seconds": -1.0}])
    def test_impossible_settings_are_refused(self, wrong):
        with pytest.raises(ValueError, match="must be more than 0"):
            LocalExecutor(work(), **wrong)


class TestWhatWorkersPrint:
    def test_it_does_not_disturb(self, tmp_path):
        with LocalExecutor(work(do0="print_much"), workers=1, logs=tmp_path / "logs") as executor:
            assert pid(answers(executor, 0)[0]) == pid(answers(executor, 1)[1])
        assert "from a child" in (tmp_path / "logs" / "worker-1.log").read_text()

    def test_unasked_for_it_does_not_pile_up(self):
        actions = {f"do{trial_id}": "print_much" for trial_id in range(8)}
        with LocalExecutor(work(**actions, do8="crash"), workers=1) as executor:
            outcomes = answers(executor, *range(9))
        assert "about to fall" in failure(outcomes[8]).message


class TestWhatDies:
    @linux
    def test_a_trial_whose_worker_somebody_kills_runs_again(self, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)  # where the trial looks for "go"
        killed: list[int] = []

        def report(progress: Progress) -> None:
            if len(killed) < LOSSES - 1:
                ((worker, _),) = executor._workers.items()
                killed.append(executor._workers[worker]._process.pid)
                executor._workers[worker].kill()
            else:
                Path("go").touch()

        with LocalExecutor(work(do0="linger"), workers=1, report=report) as executor:
            outcomes = answers(executor, 0, 1)
        assert pid(outcomes[0]) == pid(outcomes[1])
        assert len({*killed, pid(outcomes[0])}) == LOSSES

    def test_a_trial_that_loses_worker_after_worker_is_answered(self):
        with LocalExecutor(work(do0="hang"), workers=1, report=kill) as executor:
            outcomes = answers(executor, 0, 1)
        assert failure(outcomes[0]).reason == "out_of_memory"
        assert "killed by SIGKILL" in failure(outcomes[0]).message
        pid(outcomes[1])

    def test_a_worker_killed_while_the_system_kills_for_want_of_memory_costs_its_trial_at_once(self, monkeypatch):
        counts = count()
        monkeypatch.setattr("amla.execution.process.starved", lambda: next(counts))
        killed: list[int] = []

        def report(progress: Progress) -> None:
            killed.append(progress.step)
            kill(progress)

        with LocalExecutor(work(do0="hang"), workers=1, report=report) as executor:
            assert failure(answers(executor, 0)[0]).reason == "out_of_memory"
        assert len(killed) == 1

    def test_a_worker_killed_while_idle_costs_no_trial(self):
        with LocalExecutor(work(), workers=1) as executor:
            seen = set()
            for trial_id in range(5):
                seen.add(worker := pid(answers(executor, trial_id)[trial_id]))
                os.kill(worker, signal.SIGKILL)
            assert len(seen) == 5

    def test_a_worker_stopped_while_idle_and_killed_later_costs_no_trial(self):
        with LocalExecutor(work(), workers=1) as executor:
            worker = pid(answers(executor, 0)[0])
            os.kill(worker, signal.SIGSTOP)  # so that it is sure not to read the trial
            executor.submit(trial(1))
            os.kill(worker, signal.SIGKILL)
            ((trial_id, outcome),) = executor.wait()
            assert (trial_id, pid(outcome) != worker) == (1, True)

    def test_a_crash_tells_the_signal_and_the_last_words(self):
        with LocalExecutor(work(do1="crash"), workers=1) as executor:
            outcome = failure(answers(executor, 0, 1, 2)[1])
        assert outcome.reason == "crashed"
        assert "SIGSEGV" in outcome.message
        assert "Segmentation fault" in outcome.message  # from the interpreter's fault handler

    def test_an_exit_is_a_crash(self):
        with LocalExecutor(work(do0="leave"), workers=1) as executor:
            outcome = failure(answers(executor, 0, 1)[0])
        assert outcome.reason == "crashed"
        assert "exit code 3" in outcome.message

    @linux
    def test_a_death_is_noticed_though_a_child_holds_the_pipes(self):
        with LocalExecutor(work(do0="die_before_child"), workers=1) as executor:
            assert "SIGKILL" in failure(answers(executor, 0)[0]).message

    def test_a_worker_that_closes_its_pipes_is_killed(self):
        with LocalExecutor(work(do0="close_pipes"), workers=1) as executor:
            outcome = failure(answers(executor, 0, 1)[0])
        assert outcome.reason == "crashed"
        assert "closed its pipe" in outcome.message

    def test_an_exception_leaves_the_worker_warm(self):
        with LocalExecutor(work(do1="fail", do2="answer_nonsense"), workers=1) as executor:
            outcomes = answers(executor, 0, 1, 2, 3)
        assert "ValueError: no \\udcff such thing" in failure(outcomes[1]).message
        assert failure(outcomes[2]).reason == "crashed"
        assert pid(outcomes[0]) == pid(outcomes[3])

    def test_everything_at_once_is_told_once(self):
        actions = {"do1": "crash", "do2": "leave", "do4": "fail", "do5": "hang", "do8": "close_pipes", "do9": "bomb"}
        with LocalExecutor(work(**actions), workers=3, report=kill) as executor:
            outcomes = answers(executor, *range(12))
            assert executor.idle == 3
        assert {i for i, outcome in outcomes.items() if isinstance(outcome, Failure)} == {1, 2, 4, 5, 8, 9}


class TestTime:
    def test_a_hanging_trial_is_killed_at_its_limit(self):
        with LocalExecutor(work(do0="hang_deaf"), workers=1, seconds=0.3) as executor:
            outcomes = answers(executor, 0, 1)
        assert failure(outcomes[0]).reason == "timeout"
        assert "0.3 s" in failure(outcomes[0]).message
        assert 0.3 <= failure(outcomes[0]).seconds < 3
        pid(outcomes[1])

    @linux
    def test_what_a_hanging_trial_started_ends_with_it(self):
        heard: list[int] = []
        watched = selectors.DefaultSelector()

        def report(progress: Progress) -> None:
            heard.append(os.pidfd_open(progress.step))
            watched.register(heard[-1], selectors.EVENT_READ)

        with LocalExecutor(work(do0="hang_with_child"), workers=1, seconds=0.5, report=report) as executor:
            assert failure(answers(executor, 0)[0]).reason == "timeout"
        while watched.get_map():
            ended = watched.select(10)
            assert ended, "a child of the worker outlived it"
            for key, _ in ended:
                watched.unregister(key.fd)
        watched.close()
        for file in heard:
            os.close(file)


class TestMemory:
    @linux
    @pytest.mark.parametrize("action", ["bomb", "swell"])
    def test_a_bomb_is_a_failure_that_names_the_limit(self, action):
        with LocalExecutor(work(do1=action), workers=1, memory=300_000_000) as executor:
            outcomes = answers(executor, 0, 1, 2)
        assert failure(outcomes[1]).reason == "out_of_memory"
        assert "the limit is 300,000,000 bytes" in failure(outcomes[1]).message
        assert pid(outcomes[0]) != pid(outcomes[2])  # a fresh one, that holds nothing

    @pytest.mark.parametrize("action", ["torch_without_memory", "leave_without_memory", "say_without_memory"])
    def test_the_ways_in_which_libraries_run_out_of_it(self, action):
        with LocalExecutor(work(do0=action), workers=1) as executor:
            assert failure(answers(executor, 0, 1)[0]).reason == "out_of_memory"

    @linux
    def test_a_limit_too_small_to_start_with(self):
        with (
            LocalExecutor(work(), workers=1, memory=1_000_000) as executor,
            pytest.raises(RuntimeError, match="Allow it more memory: the limit is 1,000,000 bytes"),
        ):
            answers(executor, 0)


class TestWhatCannotStart:
    def test_a_factory_that_does_not_import(self):
        with LocalExecutor(Work("no_such_module:evaluator"), workers=2) as executor:
            executor.submit(trial(0))
            for _ in range(2):  # the trial stays submitted, and may be tried again
                with pytest.raises(RuntimeError, match="No module named 'no_such_module'"):
                    executor.wait()
                assert executor.idle == 1

    def test_a_factory_that_finds_a_broken_disk(self):
        with LocalExecutor(Work("faulty_work:without_disk"), workers=1) as executor:
            executor.submit(trial(0))
            for _ in range(3):
                with pytest.raises(OSError, match="could not read") as raised:
                    executor.wait()
                assert (raised.value.errno, raised.value.filename) == (errno.EIO, "/data/cifar10")

    def test_a_worker_killed_while_starting_is_replaced(self, tmp_path):
        with LocalExecutor(Work("faulty_work:killed_while_starting", f'"{tmp_path}/once"'), workers=1) as executor:
            pid(answers(executor, 0)[0])

    def test_workers_killed_while_starting_again_and_again(self):
        with LocalExecutor(Work("faulty_work:killed_always"), workers=1) as executor:
            executor.submit(trial(0))
            with pytest.raises(RuntimeError, match="SIGKILL"):
                executor.wait()


class TestFaultsOfTheMachine:
    def test_a_full_disk_is_raised_here_and_the_trial_stays_submitted(self):
        with LocalExecutor(work(do0="without_space"), workers=1) as executor:
            executor.submit(trial(0))
            for _ in range(2):
                with pytest.raises(OSError, match="could not write") as raised:
                    executor.wait()
                assert (raised.value.errno, raised.value.filename) == (errno.ENOSPC, "/runs/snapshot")
                assert executor.idle == 0

    def test_answers_come_before_faults(self):
        with LocalExecutor(work(do0="without_space"), workers=2) as executor:
            executor.submit(trial(0))
            executor.submit(trial(1))
            told, faults = [], 0
            while not (told and faults):
                try:
                    told += executor.wait()
                except OSError:
                    faults += 1
            assert [trial_id for trial_id, _ in told] == [1]


class TestEnds:
    def test_closing_ends_idle_busy_and_starting_workers(self):
        heard = threading.Event()
        executor = LocalExecutor(work(do1="hang"), workers=3, report=lambda progress: heard.set())
        answers(executor, 0)
        executor.submit(trial(1))
        executor.submit(trial(2))
        while not heard.is_set():
            executor.wait()
        executor.submit(trial(3))
        executor.close()  # the fixture finds what is left
        executor.close()
        with pytest.raises(RuntimeError, match="closed"):
            executor.submit(trial(4))

    def test_an_exception_ends_them_too(self):
        def interrupt(progress: Progress) -> None:
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt), LocalExecutor(work(do0="hang"), workers=1, report=interrupt) as executor:
            answers(executor, 0)

    @linux
    @pytest.mark.parametrize("action", ["hang", "hang_deaf"])
    def test_workers_end_when_their_parent_is_killed(self, action):
        script = (
            "from faulty_work import trial, work\n"
            "from amla.execution.local import LocalExecutor\n"
            f"with LocalExecutor(work(do1={action!r}), workers=2, report=lambda p: print(p.step, flush=True)) as e:\n"
            "    e.submit(trial(0))\n"
            "    print(int(e.wait()[0][1].metrics['pid']), flush=True)\n"
            "    e.submit(trial(1))\n"
            "    e.submit(trial(2))\n"
            "    e.wait(); e.wait()\n"
        )
        folder = Path(__file__).parent
        command = [sys.executable, "-c", script]
        paths = {**os.environ, "PYTHONPATH": os.pathsep.join([str(folder), *sys.path])}
        with subprocess.Popen(command, env=paths, stdout=subprocess.PIPE, text=True) as parent:
            assert parent.stdout
            workers = [os.pidfd_open(int(parent.stdout.readline())) for _ in range(2)]
            parent.kill()
        with selectors.DefaultSelector() as watched:
            for worker in workers:
                watched.register(worker, selectors.EVENT_READ)
            while watched.get_map():
                ended = watched.select(10)
                assert ended, "a worker outlived its parent"
                for key, _ in ended:
                    watched.unregister(key.fd)
                    os.close(key.fd)
