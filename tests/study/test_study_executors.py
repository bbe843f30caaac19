"""What a study's executor becomes, where that is a Ray cluster. Nothing is run here."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from types import SimpleNamespace

import pytest
from made_up_runs import task_for

from amla.algorithms.fixed import Fixed
from amla.backends.energy import Counter, Energy
from amla.backends.protocol import Member
from amla.evaluation.train import Training
from amla.execution.work import WorkerError
from amla.storage.files import Files
from amla.storage.memory import Memory
from amla.study.arrangement import Arranged
from amla.study.conductor import Conductor
from amla.study.executors import arranged_on, cluster
from amla.study.folder import provenance
from amla.study.heard import Silence
from amla.study.moment import Moment
from amla.study.phases import BASELINES, FINAL, PHASES, REHEARSAL, SEARCH, TUNING
from amla.study.resolve import algorithm_of, clock_of, energy_of, evaluation_of
from amla.study.run import Limit
from amla.study.settings.places import Inline, Local, Ray
from amla.study.settings.searches import NacSettings, RandomSettings
from amla.study.settings.spaces import EnvelopeSettings
from amla.study.spaces import envelope_of
from amla.study.study import Data, Final, Study, StudyError
from amla.study.timing import Arrangement
from amla.study.underway import Underway

RANDOM = Study("made-up", Data("made-up"), algorithm=RandomSettings(8, 10), final=Final(10))
NAC = replace(RANDOM, algorithm=NacSettings(3, 10))


@pytest.fixture
def nodes(monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    """Return how many workers a made-up cluster has room for, as "room"."""
    found = {"room": 4}
    module = SimpleNamespace(room=lambda cpus, gpus, memory: found["room"])
    monkeypatch.setitem(sys.modules, "amla.execution.cluster", module)  # type: ignore[arg-type]
    return found


def arranged(study: Study, ray: Ray) -> Arranged:
    space = envelope_of(EnvelopeSettings(), (1, 8, 8), 10)
    return arranged_on(ray, study, algorithm_of(study, space, 10))


@pytest.mark.parametrize(
    ("study", "ray", "workers"),
    [
        (RANDOM, Ray(), 4),
        (RANDOM, Ray(workers=2), 2),
        (RANDOM, Ray(workers=20), 8),  # that many are searched
        (replace(RANDOM, limit=Limit(trials=3)), Ray(), 3),
        (NAC, Ray(), 1),
    ],
)
def test_there_are_as_many_workers_as_have_room_and_something_to_do(nodes, study, ray, workers):
    assert arranged(study, ray) == Arranged(Arrangement(workers, 1), Arrangement(1, 1))


def test_only_trials_of_the_search_end_when_their_time_is_over(tmp_path):
    study = replace(RANDOM, trial_seconds=60.0, executor=Inline())
    made = {phase: evaluation_of(study, phase, task_for(), Files(tmp_path)) for phase in PHASES if phase != FINAL}
    assert {phase: training.seconds for phase, training in made.items()} == {  # type: ignore[attr-defined]
        phase: 60.0 if phase == SEARCH else None for phase in made
    }


def test_networks_are_compared_on_a_share_of_the_data_and_tuned_and_finished_on_all(tmp_path):
    study = replace(RANDOM, data=Data("made-up", share=0.25), executor=Inline())
    task = task_for(study)
    fitted = {
        phase: len(made.task.fitting.labels)
        for phase in PHASES
        if isinstance(made := evaluation_of(study, phase, task, Files(tmp_path)), Training)
    }
    assert fitted == {REHEARSAL: 36, SEARCH: 36, BASELINES: 36, TUNING: 140}
    assert len(task.final().fitting.labels) == 160
    assert task.fitting.inputs.shape[0] == 36
    assert provenance(task).task != provenance(task_for()).task


def test_shares_are_drawn_by_the_seed_of_the_split(tmp_path):
    tasks = [task_for(replace(RANDOM, data=Data("made-up", share=0.25, split_seed=seed))) for seed in (0, 1)]
    one, other = (task.some for task in tasks)
    assert one is not None
    assert other is not None
    assert one.tolist() != other.tolist()


@pytest.mark.parametrize(
    ("phase", "share", "workers", "examples"),
    [
        (SEARCH, None, 4, 140),
        ("subset-0.25", 0.25, 4, 36),
        ("reference", None, 4, 140),
        (REHEARSAL, None, 1, 140),
        (FINAL, None, 1, 140),
    ],
)
def test_what_is_compared_trains_several_at_once(monkeypatch, tmp_path, phase, share, workers, examples):
    """Whatever its phase is called, and on the share that was asked for."""
    opened = []

    @contextmanager
    def executor(underway: Underway, phase: str, arrangement: Arrangement, report: object) -> Iterator[SimpleNamespace]:
        opened.append((arrangement.workers, underway.study.data.share, len(underway.task.fitting.labels)))
        yield SimpleNamespace(idle=0)

    monkeypatch.setattr("amla.study.conductor.executor", executor)
    underway = Underway(RANDOM, task_for(RANDOM), Memory(), Files(tmp_path), tmp_path, Silence(), Moment.now())
    conductor = Conductor(underway)
    conductor.__dict__["arranged"] = Arranged(Arrangement(4, 1), Arrangement(1, 4))
    conductor.run(phase, Fixed((), 1), Limit(), share)
    assert opened == [(workers, share or 1.0, examples)]


def test_a_worker_has_as_many_threads_as_cpus(nodes):
    found = arranged(RANDOM, Ray(cpus=3))
    assert (found.search.threads, found.final.threads, found.pace) == (3, 3, 1.0)


def test_what_no_node_has_is_told_unless_nodes_may_come(nodes):
    nodes["room"] = 0
    for ray in (Ray(gpus=2, workers=3), Ray("auto", gpus=2)):
        with pytest.raises(WorkerError, match="No node of Ray has 1 CPUs, 2 GPUs"):
            arranged(RANDOM, ray)
    assert arranged(RANDOM, Ray("auto", 3, gpus=2)).search.workers == 3


def test_without_ray_it_is_told_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    monkeypatch.delitem(sys.modules, "amla.execution.cluster", raising=False)
    with pytest.raises(StudyError, match=r"install it with: pip install 'amla\[ray\]'"), cluster(Ray()):
        pass
    with cluster(Inline()):
        pass


def test_cpu_seconds_are_shared_by_the_cpus_of_a_worker(monkeypatch):
    monkeypatch.setattr("amla.study.resolve.process_time", lambda: 12.0)
    assert clock_of(replace(RANDOM, executor=Ray(cpus=3), limit=Limit(clock="cpu")), 2)() == 4.0


@pytest.mark.parametrize(
    ("executor", "workers", "member", "joules"),
    [
        (Local(), 1, None, 12.0),
        (Local(), 4, None, 3.0),
        (Local(), 2, Member(1, 2, ""), 12.0),
        (Ray(cpus=2), 5, None, 3.0),
        (Ray(cpus=16), 1, None, 12.0),
    ],
)
def test_a_trial_has_the_energy_of_its_share_of_the_machine(
    monkeypatch, executor: Local | Ray, workers: int, member: Member | None, joules: float
):
    counters = iter((100.0, 112.0))
    monkeypatch.setattr("amla.study.resolve.Energy", partial(Energy, read=lambda: {"cpu": (Counter(next(counters)),)}))
    monkeypatch.setattr("amla.backends.processor.cores", lambda: 8)
    assert energy_of(replace(RANDOM, executor=executor), workers, member)().joules("cpu") == joules


@pytest.mark.parametrize(
    ("ray", "rule"),
    [
        (Ray(workers=0), "executor.workers is 0; it must be from 1 to 1024"),
        (Ray(cpus=0), "executor.cpus is 0; it must be from 1 to 1024"),
        (Ray(gpus=-1.0), "executor.gpus is -1.0; it must be from 0 to 1024"),
        (Ray(memory=0), "executor.memory is 0; it must be 1 or more, in bytes"),
    ],
)
def test_impossible_settings_are_refused(ray, rule):
    with pytest.raises(StudyError, match=rule):
        replace(RANDOM, executor=ray)
