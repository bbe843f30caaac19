"""Latencies are measured once and kept; a cache that is damaged is named and not believed. They are learned before."""

import json
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from made_up_runs import task_for

from amla.backends.latency import Latency, measured
from amla.spaces.envelope import envelope
from amla.spec.architecture import Architecture
from amla.spec.estimate import Estimate, amounts
from amla.storage.files import Files
from amla.study.amounts import latency_of
from amla.study.calibration import _Seen, calibrated, fitted, held
from amla.study.constraints import check_met
from amla.study.folder import STUDY
from amla.study.latency import Meter
from amla.study.resolve import space_of
from amla.study.settings.latency import LatencySettings
from amla.study.settings.searches import EnasSettings, NacSettings, Nsga2Settings, RandomSettings
from amla.study.settings.spaces import EnvelopeSettings
from amla.study.study import Data, Final, Study, StudyError, from_yaml, to_yaml

LIMIT = 15e-6
TRUTH = Estimate(1, 5_000.0, {"conv": 900.0, "conv.macs": 0.04, "depthwise.macs": 0.3, "merge": 400.0})
SPACE = EnvelopeSettings(width=16, cells=(1,), max_cells=(2,), branches=("1x1", "3x3sep", "5x5"))
STUDY_IN_TIME = Study(
    "made-up", Data("made-up"), space=SPACE, algorithm=RandomSettings(3, 5), final=Final(5),
    latency=LatencySettings(LIMIT, networks=20),
)  # fmt: skip
NETWORK = envelope((1, 8, 8), 2, width=6, cells=(1,), max_cells=(1,)).space


@dataclass
class Library:
    """Stands for what measures: a network takes what the truth says, but for a little noise."""

    noise: float = 0.02
    measured: list[Architecture] = field(default_factory=list)

    def device(self, runtime: str, batch: int, threads: int) -> str:
        return f"made up, {runtime}, threads {threads}, batch {batch}"

    def of_network(self, architecture: Architecture, runtime: str, batch: int, threads: int) -> Latency:
        self.measured.append(architecture)
        rng = np.random.default_rng(len(self.measured))
        seconds = TRUTH.of(architecture.trunk) * 1e-9 * float(1 + self.noise * rng.standard_normal())
        return Latency(seconds, 0.99 * seconds, 1.01 * seconds, 30, self.device(runtime, batch, threads))


@pytest.fixture
def library(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Library:
    monkeypatch.setenv("AMLA_CACHE", str(tmp_path / "cache"))
    found = Library()
    modules = {"amla.export.latency": found}
    monkeypatch.setattr("amla.study.latency.import_module", lambda name: modules[name])
    return found


def network() -> Architecture:
    return NETWORK.close(NETWORK.fullest())


def unheard(line: str) -> None:
    raise AssertionError(line)


def test_a_latency_is_measured_once_and_then_in_the_cache(library: Library):
    first = Meter(LatencySettings(), unheard)(network())
    assert Meter(LatencySettings(), unheard)(network()) == first
    assert len(library.measured) == 1
    Meter(LatencySettings(threads=2), unheard)(network())
    assert len(library.measured) == 2


def test_a_damaged_cache_is_named_and_not_believed(library: Library, tmp_path: Path):
    honest = Meter(LatencySettings(), unheard)(network())
    (path,) = (tmp_path / "cache" / "latencies").iterdir()
    for damage in ("no JSON", path.read_text().replace('"median": ', '"median": 1')):
        path.write_text(damage)
        said = list[str]()
        assert Meter(LatencySettings(), said.append)(network()).median < 10 * honest.median
        assert len(said) == 1
        assert str(path) in said[0]
        assert "not believed" in said[0]
    forged = json.loads(path.read_text())
    forged["latency"]["median"] = honest.median / 2
    path.write_text(json.dumps(forged))
    said = list[str]()
    assert Meter(LatencySettings(), said.append)(network()).median > 0.9 * honest.median
    assert said


def test_what_is_not_installed_is_told(library: Library, monkeypatch: pytest.MonkeyPatch):
    def lacks(*_: object) -> Latency:
        raise ModuleNotFoundError("No module named 'onnxruntime'", name="onnxruntime")

    monkeypatch.setattr(library, "of_network", lacks)
    with pytest.raises(StudyError, match=r"pip install 'amla\[onnx\]'.*latency.runtime=torch"):
        Meter(LatencySettings(), unheard)(network())


def test_goes_that_others_disturb_do_not_count(monkeypatch: pytest.MonkeyPatch):
    clock = SimpleNamespace(now=0.0, busy=0.0, goes=0)

    def work() -> None:
        clock.goes += 1
        clock.busy += 0.01
        clock.now += 0.01 if clock.goes % 2 else 0.05

    monkeypatch.setattr("amla.backends.latency.perf_counter", lambda: clock.now)
    monkeypatch.setattr("amla.backends.latency.thread_time", lambda: clock.busy)
    alone = measured(work, "made up", alone=True)
    assert (alone.median, alone.spread) == (pytest.approx(0.01), pytest.approx(0.0, abs=1e-9))
    clock.now = clock.busy = clock.goes = 0
    assert measured(work, "made up", alone=False).spread > 0.02


def test_a_slow_network_is_not_waited_for_endlessly(monkeypatch: pytest.MonkeyPatch):
    clock = SimpleNamespace(now=0.0)

    def work() -> None:
        clock.now += 20.0

    monkeypatch.setattr("amla.backends.latency.perf_counter", lambda: clock.now)
    assert measured(work, "made up", alone=False).goes == 1
    assert clock.now == 40.0


def test_a_fit_finds_what_latency_follows_from():
    rng = np.random.default_rng(0)
    space = envelope((1, 8, 8), 3, width=32, cells=(1, 1), max_cells=(3, 3)).space
    networks = [space.sample(rng) for _ in range(40)]
    seen = [
        _Seen(str(number), amounts(one.trunk), float(TRUTH.of(one.trunk))) for number, one in enumerate(networks[:30])
    ]
    found = fitted(seen, 1.0)
    for one in networks[30:]:
        assert found.of(one.trunk) == pytest.approx(TRUTH.of(one.trunk), rel=0.1)


def test_what_is_learned_becomes_a_constraint_that_nearly_all_that_is_drawn_keeps(library: Library, tmp_path: Path):
    study, task = STUDY_IN_TIME, task_for(STUDY_IN_TIME)
    found = calibrated(study, task, tmp_path / "run", Meter(study.latency, unheard), lambda line: None)
    assert found.latency is not None
    assert found.latency.learned is not None
    assert found.latency.learned.networks == len(library.measured)
    assert found.latency.learned.least <= found.latency.learned.middle <= found.latency.learned.most
    assert found.latency.learned.error < 0.2
    assert from_yaml(to_yaml(found)) == found
    space = space_of(found, task)
    check_met(space)
    rng = np.random.default_rng(1)
    took = [TRUTH.of(space.space.sample(rng).trunk) * 1e-9 for _ in range(30)]
    assert sum(seconds <= LIMIT for seconds in took) >= 20
    assert max(took) > 0.7 * LIMIT  # networks use what they may


def test_the_same_is_learned_again_without_measuring_again(library: Library, tmp_path: Path):
    study, task = STUDY_IN_TIME, task_for(STUDY_IN_TIME)
    one, two = (
        calibrated(study, task, tmp_path / "run", Meter(study.latency, unheard), lambda line: None) for _ in range(2)
    )
    assert one.constraints == two.constraints
    assert calibrated(one, task, tmp_path / "run", Meter(study.latency, unheard), unheard) == one


def test_a_run_goes_on_with_what_it_had_learned(library: Library, tmp_path: Path):
    study, task, meter = STUDY_IN_TIME, task_for(STUDY_IN_TIME), Meter(STUDY_IN_TIME.latency, unheard)
    learned = calibrated(study, task, tmp_path, meter, lambda line: None)
    Files(tmp_path).write_text(STUDY, to_yaml(learned))
    library.measured.clear()
    assert calibrated(study, task, tmp_path, meter, unheard) == learned
    assert not library.measured
    other = replace(study, latency=LatencySettings(1e-3))
    assert held(other, tmp_path) is None


def test_a_limit_that_nothing_meets_is_told_with_what_there_is(library: Library, tmp_path: Path):
    study = replace(STUDY_IN_TIME, latency=LatencySettings(5e-6, networks=8))
    with pytest.raises(StudyError, match=r"within 0.005\u202fms: of \d+ that were measured.*the fastest took"):
        calibrated(study, task_for(study), tmp_path, Meter(study.latency, unheard), lambda line: None)


@pytest.mark.parametrize(
    ("written", "seconds"),
    [("5ms", 5e-3), ("800us", 8e-4), ("0.2s", 0.2), ("0.01", 0.01), (0.5, 0.5), ("1.5 ms", 1.5e-3)],
)
def test_times_are_read_as_people_write_them(written: str | float, seconds: float):
    found = latency_of(written)
    assert found is not None
    assert found.at_most == pytest.approx(seconds)


@pytest.mark.parametrize("written", ["soon", "5 apples", "-1ms", "0ms", "2h", ""])
def test_what_is_no_time_for_a_network_is_refused(written: str):
    with pytest.raises(StudyError, match="write for example 5ms"):
        latency_of(written)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"algorithm": EnasSettings(5)}, "a one-shot search trains all networks as one"),
        ({"algorithm": NacSettings(2, 5, mode="paper")}, "networks of 2018 know no limits"),
        ({"latency": LatencySettings(0.1, url="file:///etc/passwd")}, r"latency\.url"),
        ({"latency": LatencySettings(0.0)}, r"latency\.at_most is 0"),
        ({"latency": None, "algorithm": Nsga2Settings(steps=5, costs=("latency",))}, "algorithm.costs names 'latency'"),
    ],
)
def test_a_study_that_cannot_have_it_says_so_before_it_begins(changes: dict[str, object], said: str):
    with pytest.raises(StudyError, match=said):
        replace(STUDY_IN_TIME, **changes)
