"""Which arrangement a study gets: what is possible, what is best, and what is known from earlier."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amla.algorithms.protocol import Algorithm
from amla.storage.files import Files
from amla.study.arrangement import FILE, Arranged, arrange, candidates, record, recorded
from amla.study.resolve import algorithm_of
from amla.study.run import Limit
from amla.study.settings.places import Inline, Local, Ray
from amla.study.settings.searches import NacSettings, RandomSettings
from amla.study.settings.spaces import EnvelopeSettings
from amla.study.spaces import envelope_of
from amla.study.study import Data, Final, Study
from amla.study.timing import Arrangement, Timing

SPACE = EnvelopeSettings(width=6, cells=(1,), max_cells=(3,))
NAC = Study("x", Data("x"), space=SPACE, algorithm=NacSettings(2, 10), final=Final(10), executor=Local())
RANDOM = replace(NAC, algorithm=RandomSettings(32, 10))
ONE, TWO, THREE = Arrangement(1, 2), Arrangement(2, 1), Arrangement(1, 1)


def algorithm(study: Study) -> Algorithm:
    return algorithm_of(study, envelope_of(SPACE, (1, 8, 8), 2), 10)


class Machine:
    """Two cores and what is found out about them; every timing is noted."""

    def __init__(self, **rates: float | None) -> None:
        self.rates = {"1x2": 10.0, "2x1": 17.0, "1x1": 9.0} | rates
        self.timed: list[Sequence[Arrangement]] = []
        self.allowed: list[float] = []

    def __call__(self, arrangements: Sequence[Arrangement], *rest: Any) -> tuple[tuple[Timing, ...], float]:
        self.timed.append(arrangements)
        self.allowed.append(rest[-1])
        return tuple(Timing(a, self.rates[f"{a.workers}x{a.threads}"]) for a in arrangements), 3.0


@pytest.fixture(autouse=True)
def cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setattr("amla.backends.processor.cores", lambda: 2)
    monkeypatch.setenv("AMLA_CACHE", str(tmp_path))
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    return tmp_path / "arrangements"


def found(monkeypatch: pytest.MonkeyPatch, study: Study, machine: Machine, batch: int = 64) -> Arranged:
    monkeypatch.setattr("amla.study.arrangement.timed", machine)
    settings = study.executor
    assert not isinstance(settings, Ray)

    def opened(*_: object) -> NoReturn:
        pytest.fail("nothing is run here")

    return arrange(study, settings, algorithm(study), batch, opened, lambda _: None)


class TestCandidates:
    def test_they_are_the_powers_of_two_and_all_cores_the_usual_one_first(self):
        assert candidates(Local(), 2, 9) == (ONE, TWO, THREE)
        assert candidates(Local(), 6, 1) == tuple(Arrangement(1, threads) for threads in (6, 4, 2, 1))
        assert Arrangement(6, 1) in candidates(Local(), 6, 9)

    def test_the_widest_and_the_most_parallel_are_tried_first_and_few_workers_of_few_threads_not_at_all(self):
        pairs = [(1, 8), (8, 1), (1, 4), (4, 1), (1, 2), (1, 1), (2, 4), (4, 2), (2, 2)]
        assert candidates(Local(), 8, 9) == tuple(Arrangement(*pair) for pair in pairs)

    def test_no_more_trials_at_once_than_there_are(self):
        assert max(a.workers for a in candidates(Local(), 8, 3)) == 3

    def test_what_is_said_is_done_whatever_the_cores(self):
        assert candidates(Local(5, 3), 2, 9) == (Arrangement(5, 3),)
        assert candidates(Local(5), 2, 9) == (Arrangement(5, 1),)
        assert candidates(Local(2), 8, 9) == (Arrangement(2, 4), Arrangement(2, 1), Arrangement(2, 2))
        assert candidates(Local(2, None), 8, 9) == (Arrangement(2, 4),)
        assert candidates(Local("auto", 4), 2, 9) == (Arrangement(1, 4),)
        assert candidates(Inline(3), 2, 9) == (Arrangement(1, 3),)

    def test_inline_has_one_trial_and_a_choice_of_threads(self):
        assert candidates(Inline(), 2, 9) == (ONE, THREE)

    def test_the_environment_bounds_threads_not_workers(self, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setenv("OMP_NUM_THREADS", "1")
        assert candidates(Local(), 2, 9) == (TWO, THREE)
        monkeypatch.setenv("OMP_NUM_THREADS", "2,1")  # nested, as OpenMP allows; not our affair
        assert candidates(Inline(), 2, 1) == (ONE, THREE)

    @given(
        executor=st.builds(Inline, st.just("auto") | st.integers(1, 9))
        | st.builds(Local, st.just("auto") | st.integers(1, 9), st.just("auto") | st.none() | st.integers(1, 9)),
        cores=st.integers(1, 128),
        trials=st.integers(1, 64),
    )
    def test_there_is_one_and_none_uses_more_cores_than_there_are_unasked(
        self, executor: Inline | Local, cores: int, trials: int
    ):
        possible = candidates(executor, cores, trials)
        assert possible
        assert len(set(possible)) == len(possible)
        for arrangement in possible if executor.threads in ("auto", None) else ():
            assert arrangement.workers * arrangement.threads <= max(cores, arrangement.workers)


class TestChoice:
    def test_a_search_that_can_use_several_takes_what_trains_most_and_the_final_training_the_fastest_step(
        self, monkeypatch: pytest.MonkeyPatch
    ):
        arranged = found(monkeypatch, RANDOM, Machine())
        assert (arranged.search, arranged.final) == (TWO, ONE)
        assert arranged.pace == pytest.approx(17 / 2 / 10)

    def test_a_sequential_one_takes_the_fastest_step_for_both(self, monkeypatch: pytest.MonkeyPatch):
        machine = Machine(**{"1x1": 25.0})
        arranged = found(monkeypatch, NAC, machine)
        assert (arranged.search, arranged.final, arranged.pace) == (THREE, THREE, 1.0)
        assert machine.timed == [(ONE, THREE)]

    def test_of_equals_the_one_with_fewer_cores_is_best(self, monkeypatch: pytest.MonkeyPatch):
        assert found(monkeypatch, NAC, Machine(**{"1x1": 9.9})).final == THREE

    def test_two_workers_are_no_use_for_three_networks_if_the_last_trains_alone(self, monkeypatch: pytest.MonkeyPatch):
        few = replace(RANDOM, limit=Limit(trials=1))
        assert found(monkeypatch, few, Machine()).search == ONE

    def test_where_there_are_no_figures_it_is_as_usual(self, monkeypatch: pytest.MonkeyPatch, cache: Path):
        arranged = found(monkeypatch, RANDOM, Machine(**dict.fromkeys(("1x2", "2x1", "1x1"))))
        assert (arranged.search, arranged.final, arranged.pace) == (ONE, ONE, 1.0)
        assert not cache.exists()

    @pytest.mark.parametrize("executor", [Local(1, 1), Local(2, 1), Inline(1)])
    def test_nothing_is_timed_where_there_is_no_choice(self, monkeypatch: pytest.MonkeyPatch, executor: Inline | Local):
        machine = Machine()
        assert found(monkeypatch, replace(RANDOM, executor=executor), machine).timings == ()
        assert machine.timed == []

    def test_but_a_plan_needs_to_know_how_much_workers_slow_each_other_down(self, monkeypatch: pytest.MonkeyPatch):
        machine = Machine()
        study = replace(RANDOM, executor=Local(2, 1), limit=Limit(seconds=100.0))
        assert found(monkeypatch, study, machine).pace == pytest.approx(17 / 2 / 9)
        assert (machine.timed, machine.allowed) == ([(TWO, THREE)], [10.0])


class TestMemory:
    def test_the_next_study_of_such_a_network_times_nothing(self, monkeypatch: pytest.MonkeyPatch):
        machine = Machine()
        first = found(monkeypatch, RANDOM, machine)
        again = found(monkeypatch, replace(RANDOM, name="y", final=Final(20)), machine)
        assert (again.timings, first.seconds, again.seconds) == (first.timings, 3.0, 0.0)
        assert len(machine.timed) == 1
        found(monkeypatch, RANDOM, machine, batch=32)
        assert len(machine.timed) == 2

    def test_figures_of_two_moments_are_not_compared(self, monkeypatch: pytest.MonkeyPatch):
        machine = Machine()
        found(monkeypatch, replace(RANDOM, executor=Inline()), machine)
        found(monkeypatch, RANDOM, machine)
        assert machine.timed == [(ONE, THREE), (ONE, TWO, THREE)]

    @pytest.mark.parametrize("content", [b"", b"{}", b"\xff", b'{"of": {}, "timings": []}', b"[1, 2", None])
    def test_a_damaged_or_foreign_file_is_ignored_and_replaced(
        self, monkeypatch: pytest.MonkeyPatch, cache: Path, content: bytes | None
    ):
        machine = Machine()
        found(monkeypatch, RANDOM, machine)
        (file,) = cache.iterdir()
        right = file.read_bytes()
        file.write_bytes(right.replace(b'"64"', b'"65"') if content is None else content)
        assert found(monkeypatch, RANDOM, machine).search == TWO
        assert len(machine.timed) == 2
        assert [path.read_bytes() for path in cache.iterdir()] == [right]

    def test_what_a_short_limit_left_out_is_timed_next_time(self, monkeypatch: pytest.MonkeyPatch, cache: Path):
        class Slow(Machine):
            def __call__(self, arrangements: Sequence[Arrangement], *rest: Any) -> tuple[tuple[Timing, ...], float]:
                timings, seconds = super().__call__(arrangements, *rest)
                return timings[:2], seconds

        assert found(monkeypatch, replace(RANDOM, limit=Limit(seconds=60.0)), Slow()).search == TWO
        assert not cache.exists()

    def test_a_cache_that_cannot_be_written_does_no_harm(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
        (tmp_path / "file").write_text("")
        monkeypatch.setenv("AMLA_CACHE", str(tmp_path / "file"))
        assert found(monkeypatch, RANDOM, Machine()).search == TWO

    def test_a_run_folder_says_how_its_study_was_arranged(self, tmp_path: Path):
        files, arranged = Files(tmp_path), Arranged(TWO, ONE, (Timing(ONE, 10.0), Timing(TWO, None)), 3.0)
        assert recorded(files) is None
        record(files, arranged)
        assert recorded(files) == arranged
        (tmp_path / FILE).write_text("{")
        assert recorded(files) is None
