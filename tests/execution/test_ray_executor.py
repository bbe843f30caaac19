"""What is lost, dies or misbehaves on a Ray cluster, and what the study's process makes of it."""

import errno
import fcntl
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from faulty_work import trial, work

pytest.importorskip("ray")

import ray

from amla.backends.processor import cores
from amla.execution import cluster
from amla.execution.cluster import connected, room
from amla.execution.ray import LOSSES, RayExecutor
from amla.execution.work import Work, WorkerError
from amla.trials.progress import Progress
from amla.trials.trial import Failure, Measurement, Outcome, TrialId

pytestmark = [pytest.mark.ray, pytest.mark.xdist_group("ray"), pytest.mark.usefixtures("started_ray")]


def answers(executor: RayExecutor, *trial_ids: TrialId) -> dict[TrialId, Outcome]:
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
    """Kill the process whose id is the step."""
    os.kill(progress.step, signal.SIGKILL)


def has_ended(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] in "ZX"
    except OSError:
        return True


def until_ended(process: int) -> None:
    """Wait until a process has ended, which takes an actor a moment."""
    until = time.monotonic() + 20
    while not has_ended(process):
        assert time.monotonic() < until, f"process {process} goes on"
        time.sleep(0.01)


class TestWorkers:
    def test_a_worker_is_kept_for_the_next_trial_and_ends_with_the_executor(self):
        with RayExecutor(work(do1="fail"), workers=1) as executor:
            outcomes = answers(executor, *range(5))
            assert "ValueError" in failure(outcomes.pop(1)).message
            (worker,) = {pid(outcome) for outcome in outcomes.values()}
        assert has_ended(worker)

    def test_what_a_worker_has_as_threads_are_its_cpus(self):
        with RayExecutor(work(do0="threads"), workers=1, cpus=2) as executor:
            assert answers(executor, 0)[0] == Measurement(dict.fromkeys(("OMP", "MKL", "OPENBLAS"), 2.0))

    def test_without_gpus_none_are_seen(self):
        with RayExecutor(work(do0="without_gpus"), workers=1) as executor:
            assert answers(executor, 0)[0] == Measurement({"hidden": 1.0})

    def test_progress_is_reported_here(self):
        heard: list[Progress] = []
        with RayExecutor(work(do0="progress"), workers=1, report=heard.append) as executor:
            answers(executor, 0)
        assert [progress.step for progress in heard] == list(range(100))

    def test_a_report_that_fails_is_raised_and_no_answer_is_lost(self):
        def report(progress: Progress) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

        told, faults = [], 0
        with RayExecutor(work(do0="progress"), workers=1, report=report) as executor:
            executor.submit(trial(0))
            while not (told and faults):
                try:
                    told += executor.wait()
                except OSError:
                    faults += 1
        assert [trial_id for trial_id, _ in told] == [0]

    def test_more_than_are_asked_for_are_refused(self):
        with RayExecutor(work(), workers=1) as executor:
            assert executor.wait() == []
            executor.submit(trial(0))
            with pytest.raises(RuntimeError, match="call wait"):
                executor.submit(trial(1))
        with pytest.raises(RuntimeError, match="closed"):
            executor.submit(trial(2))

    def test_what_workers_print_is_kept(self, tmp_path):
        with RayExecutor(work(do0="print_much"), workers=1, logs=tmp_path / "logs") as executor:
            pid(answers(executor, 0)[0])
        assert "from a child" in (tmp_path / "logs" / "ray-1" / "worker-1.log").read_text()

    @pytest.mark.parametrize("wrong", [{"workers": 0}, {"workers": 1, "cpus": 0}, {"workers": 1, "memory": -1}])
    def test_impossible_settings_are_refused(self, wrong):
        with pytest.raises(ValueError, match="must be more than 0"):
            RayExecutor(work(), **wrong)

    def test_closing_ends_busy_workers(self, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)

        class Seen(Exception):
            pass

        running: list[int] = []

        def report(progress: Progress) -> None:
            running.append(progress.step)
            raise Seen

        executor = RayExecutor(work(do0="linger"), workers=1, report=report)
        executor.submit(trial(0))
        with pytest.raises(Seen):
            executor.wait()
        family = descendants(running[0])  # the actor and its worker
        assert len(family) == 2
        executor.close()
        executor.close()
        for process in family:
            until_ended(process)


class TestWhatDies:
    def test_a_worker_killed_in_a_trial_costs_that_trial(self):
        with RayExecutor(work(do0="hang"), workers=1, report=kill) as executor:
            outcomes = answers(executor, 0, 1)
        assert failure(outcomes[0]).reason == "out_of_memory"
        assert "killed by SIGKILL" in failure(outcomes[0]).message
        pid(outcomes[1])

    def test_a_trial_whose_actor_is_lost_runs_again(self, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)  # where the actors go, too
        lost: list[int] = []

        def report(progress: Progress) -> None:
            if lost:
                Path("go").touch()
            else:
                kill(progress)
            lost.append(progress.step)

        with RayExecutor(work(do0="linger"), workers=1, report=report) as executor:
            pid(answers(executor, 0)[0])
        assert len(set(lost)) == 2

    def test_a_trial_that_loses_every_actor_is_answered(self, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        with RayExecutor(work(do0="linger"), workers=1, report=kill) as executor:
            outcomes = answers(executor, 0, 1)
        assert failure(outcomes[0]).reason == "crashed"
        assert f"{LOSSES} workers were lost" in failure(outcomes[0]).message
        pid(outcomes[1])

    def test_a_full_disk_is_raised_here_and_the_trial_stays_submitted(self):
        with RayExecutor(work(do0="without_space"), workers=1) as executor:
            executor.submit(trial(0))
            for _ in range(2):
                with pytest.raises(OSError, match="could not write") as raised:
                    executor.wait()
                assert (raised.value.errno, raised.value.filename) == (errno.ENOSPC, "/runs/snapshot")
                assert executor.idle == 0

    def test_a_factory_that_does_not_import(self):
        with RayExecutor(Work("no_such_module:evaluator"), workers=1) as executor:
            executor.submit(trial(0))
            with pytest.raises(WorkerError, match="No module named 'no_such_module'"):
                executor.wait()
            assert executor.idle == 0

    def test_a_folder_that_is_not_on_the_node(self, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        with RayExecutor(work(), workers=1) as executor:
            tmp_path.rmdir()
            executor.submit(trial(0))
            with pytest.raises(WorkerError, match="No such file or directory"):
                executor.wait()
            monkeypatch.undo()


class TestRay:
    def test_there_is_room_for_as_many_as_the_nodes_have_resources(self):
        whole = max(4, cores())
        assert [room(1, 0, None), room(3, 0, None), room(1, 0, 1 << 60)] == [whole, whole // 3, 0]

    def test_one_that_is_there_is_used_and_left(self):
        with connected("auto"):
            assert ray.is_initialized()
        assert ray.is_initialized()


def test_what_processes_that_were_killed_have_left_goes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(cluster, "PLACE", str(tmp_path))
    left, held, young, without = (tmp_path / f"amla-ray-{number}" for number in range(1, 5))
    other = tmp_path / "x"
    for folder in (left, held, young, without, other):
        (folder / "session").mkdir(parents=True)
        if folder != without:
            (folder / cluster.LOCK).touch()
        if folder != young:
            os.utime(folder, (0, 0))
    (tmp_path / "amla-ray-5").symlink_to(other)
    os.utime(tmp_path / "amla-ray-5", (0, 0), follow_symlinks=False)
    with open(held / cluster.LOCK, "rb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        cluster._sweep()
    assert {path.name for path in tmp_path.iterdir()} == {"amla-ray-2", "amla-ray-3", "amla-ray-4", "amla-ray-5", "x"}
    assert (other / "session").is_dir()


def test_a_ray_that_does_not_start_is_said_whatever_it_raises(monkeypatch: pytest.MonkeyPatch):
    def init(*_: object, **__: object) -> None:
        raise Exception("The current node timed out during startup.")  # word for word, and type for type

    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    monkeypatch.setattr(ray, "shutdown", lambda: None)
    monkeypatch.setattr(ray, "init", init)
    with pytest.raises(WorkerError, match="There is no Ray at this machine: The current node timed out"), connected():
        raise AssertionError("unreachable")


@pytest.fixture
def script(tmp_path: Path) -> Iterator["subprocess.Popen[str]"]:
    """Yield a process that has run a trial on a Ray of its own, and waits for a line on its standard input."""
    text = (
        "import sys\n"
        "from faulty_work import trial, work\n"
        "from amla.execution.ray import RayExecutor\n"
        "import ray\n"
        "with RayExecutor(work(), workers=1, report=print) as executor:\n"
        "    executor.submit(trial(0))\n"
        "    print(int(executor.wait()[0][1].metrics['pid']), flush=True)\n"
        "    print(ray._private.worker._global_node.get_session_dir_path(), flush=True)\n"
        "    sys.stdin.readline()\n"
    )
    paths = {**os.environ, "PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), *sys.path])}
    paths.pop("RAY_ADDRESS", None)
    paths["HOME"] = str(tmp_path)
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen([sys.executable, "-c", text], env=paths, cwd=tmp_path, **pipes) as process:
        yield process
        process.kill()


@pytest.mark.skipif(sys.platform != "linux", reason="processes and sockets are looked for in /proc")
class TestRayOfOurOwn:
    def test_it_is_heard_on_the_loopback_only_and_leaves_nothing(self, script, tmp_path):
        assert script.stdout
        assert script.stdin
        int(script.stdout.readline())
        folder = Path(script.stdout.readline().strip()).parent
        family = descendants(script.pid)
        assert len(family) > 3
        addresses = {address for process in family for address in listening(process)}
        assert addresses
        assert addresses <= {"0100007F", "0000000000000000FFFF00000100007F"}
        script.communicate("\n", timeout=60)
        assert script.returncode == 0
        assert [process for process in family if not has_ended(process)] == []
        assert not folder.exists()
        assert not list(tmp_path.iterdir())  # such as a token


def descendants(parent: int) -> list[int]:
    """Return the processes that a process has started, and those that these have."""
    parents = {}
    for place in Path("/proc").iterdir():
        try:
            parents[int(place.name)] = int((place / "stat").read_text().rpartition(")")[2].split()[1])
        except (OSError, ValueError):
            continue
    found = [parent]
    for process in found:
        found += [child for child, its in parents.items() if its == process]
    return found


def listening(process: int) -> Iterator[str]:
    """Yield the addresses that a process listens on, as /proc writes them."""
    sockets = set()
    for file in Path(f"/proc/{process}/fd").iterdir():
        try:
            sockets.add(os.readlink(file))
        except OSError:
            continue
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/{process}/net/{table}").read_text().splitlines()[1:]:
            _, local, _, state, *_, inode = line.split()[:10]
            if state == "0A" and f"socket:[{inode}]" in sockets:
                yield local.partition(":")[0]
