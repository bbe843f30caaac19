"""A whole search: arrange it, rehearse if time is limited, search, train the network found to the end, test it once.

All that is decided on the way is a function of what the store holds, so a search that was cut off at any moment goes
on as if it had not been.
"""

import json
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from amla.algorithms.finish import Finish
from amla.algorithms.fixed import Fixed
from amla.algorithms.paced import Paced
from amla.algorithms.protocol import Algorithm
from amla.spec.architecture import Architecture
from amla.spec.costs import costs, training_flops
from amla.spec.text import to_json
from amla.storage.files import Files
from amla.study import plan
from amla.study.arrangement import Arranged, arrange, record, recorded
from amla.study.executors import arranged_elsewhere, cluster, executor
from amla.study.folder import BEST
from amla.study.heard import Curves, Heard, Listener
from amla.study.mending import Mending
from amla.study.resolve import FINAL, REHEARSAL, SEARCH, TIMING, algorithm_of, space_of
from amla.study.run import Executor, Limit, Store, run
from amla.study.settings.places import Http, Ray, Simulated, TabularSettings
from amla.study.spaces import Found
from amla.study.study import Study, StudyError
from amla.study.timing import Arrangement
from amla.study.widen import widened
from amla.tasks.task import Task
from amla.trials.history import History
from amla.trials.progress import Report
from amla.trials.trial import Failure, Measurement, TrialId


@dataclass(frozen=True)
class Search:
    """One study with all it needs to run."""

    study: Study
    task: Task
    store: Store
    files: Files
    folder: Path
    listener: Listener
    data_dir: Path | None = None

    def run(self) -> None:
        """Run the study to its end, from wherever it was cut off. Raises StudyError where nothing could be trained."""
        with cluster(self.study.executor):
            self._run()

    def _run(self) -> None:
        space = space_of(self.study, self.task)
        self.listener.arranged(self.arranged)
        steps, speed = self._steps(space)
        algorithm = algorithm_of(self.study, space, steps)
        if not self._looks_up:
            self.listener.expects(self._flops(self._foreseen(space, steps), steps, speed))
        searched = self.phase(SEARCH, algorithm, self._search_limit())
        for trial in searched.done:  # from which nothing can start any more
            self.files.drop(f"{SEARCH}/{trial.id}")
        winner = algorithm.recommend(searched)
        if winner is None:
            raise StudyError(_why_nothing(searched))
        winner, speed = self._widened(winner, searched, speed)
        if broken := self.study.constraints.broken(self.study.constraints.of(winner)):
            raise StudyError(f"The network to be trained to the end has {broken}; take another algorithm or space.")
        self.files.write_text(BEST, to_json(winner, indent=1) + "\n")  # also if cut off after the last one was told
        self.listener.expects({FINAL: self._flops([plan.Leg(costs(winner).macs)], steps, speed)[FINAL]})
        trained = self.phase(FINAL, self._final(winner, self._left(searched), speed), Limit())
        if not trained.done or trained.done[-1].proposal.budget:
            raise StudyError(_why_nothing(trained))
        if self._looks_up:  # there are no weights
            return
        self.files.save_weights("best", self.files.load(f"{FINAL}/{trained.done[-1].proposal.start}"), self._notes())

    def phase(self, name: str, algorithm: Algorithm, limit: Limit) -> History:
        """Run an algorithm as a phase of this study, from wherever it was cut off, and return its history."""
        self.listener.begins(name, self.store.history(name))
        arrangement = self.arranged.search if name == SEARCH else self.arranged.final
        curves, heard = Curves(name, self.files, self.listener), Heard(self.store, self.files, self.listener, algorithm)

        def mends(trial_id: TrialId, why: str) -> None:
            curves.mended.add(trial_id)
            self.listener.mends(name, trial_id, why)

        with executor(self, name, arrangement, curves) as running:
            if self._looks_up:  # there are no weights
                return run(name, algorithm, running, heard, limit)
            mending = Mending(running, name, self.files, lambda: heard.known, mends)
            history = run(name, algorithm, mending, heard, limit)
            if name == FINAL and history.done and not (tested := history.done[-1].proposal).budget:
                mending.sound(tested.start)  # its weights are what the search was for
            return history

    @cached_property
    def arranged(self) -> Arranged:
        """How many trials train at once, with how many threads: as before if anything was trained, else as is best."""
        algorithm = algorithm_of(self.study, space_of(self.study, self.task), plan.LEAST_STEPS)
        settings = self.study.executor
        if isinstance(settings, Simulated):
            return Arranged(Arrangement(settings.workers, 1), Arrangement(1, 1))
        if isinstance(settings, Ray | Http):  # whose nodes may be others than before
            return arranged_elsewhere(settings, self.study, algorithm)
        begun = any(len(self.store.history(phase)) for phase in (REHEARSAL, SEARCH))
        if begun and (known := recorded(self.files)):
            return known

        def opened(arrangement: Arrangement, report: Report) -> AbstractContextManager[Executor]:
            return executor(self, TIMING, arrangement, report)

        found = arrange(self.study, settings, algorithm, self._batch, opened, self.listener.times)
        record(self.files, found)
        return found

    def _steps(self, space: Found) -> tuple[int, plan.Speed | None]:
        """Return the steps of a leg of the search, and the speed that a rehearsal shows if one was needed."""
        study, given = self.study, self.study.algorithm.steps
        if study.limit.seconds is None or self._looks_up:
            return given or 0, None
        algorithm = algorithm_of(study, space, plan.LEAST_STEPS)
        rehearsed = self._rehearse(algorithm)
        speed = plan.speed(rehearsed, self._batch)
        legs = self._foreseen(space, plan.LEAST_STEPS)
        seconds = plan.SEARCH_SHARE * study.limit.seconds - rehearsed.seconds - self._preparing
        examples, scored = len(self.task.parts.train.labels), len(self.task.parts.validation.labels)
        each, workers = speed.times(self.arranged.pace), self.arranged.search.workers
        steps = plan.search_steps(seconds, each, legs, self._batch, examples, scored, workers)
        return given or steps, speed

    @property
    def _looks_up(self) -> bool:
        """Whether a table answers the trials."""
        return isinstance(self.study.backend, TabularSettings)

    def _notes(self) -> dict[str, str]:
        """Return what a user of the weights needs besides: how inputs are normalised, and what outputs mean."""
        mean, deviation = self.task.moments
        return {
            "mean": json.dumps(mean),
            "deviation": json.dumps(deviation),
            "classes": json.dumps(self.task.dataset.classes),
            **self._units(),
        }

    def _units(self) -> dict[str, str]:
        """Return in what units the outputs are, where they are numbers."""
        if not self.task.are_numbers:
            return {}
        mean, deviation = self.task.targets
        return {"target_mean": json.dumps(mean), "target_deviation": json.dumps(deviation)}

    def _rehearse(self, algorithm: Algorithm) -> Measurement:
        first = plan.first(algorithm)
        if first is None:
            raise StudyError("The space has no network to begin with; loosen its constraint.")
        fixed = Fixed((first,), plan.REHEARSAL_STEPS, (self.study.seed,), keep=False)
        history = self.phase(REHEARSAL, fixed, Limit())
        if not history.done:
            raise StudyError(_why_nothing(history))
        return history.done[0].measurement

    def _widened(
        self, winner: Architecture, searched: History, speed: plan.Speed | None
    ) -> tuple[Architecture, plan.Speed | None]:
        """Return the network to train to the end, and how fast the machine trains such networks.

        Wide ones train with more operations a second than narrow ones. So what the time pays for is seen in a second
        rehearsal, of a network about as wide.
        """
        if self.study.final.macs != "auto" or speed is None:
            return widened(self.study, self.task, winner, 0.0), speed
        guess = widened(self.study, self.task, winner, self._left(searched) * speed.flops)
        history = self.phase(
            REHEARSAL, Fixed((winner, guess), plan.WIDE_STEPS, (self.study.seed,), keep=False), Limit()
        )
        if len(history.done) > 1:
            speed = plan.speed(history.done[-1].measurement, self._batch)
        return widened(self.study, self.task, winner, self._left(searched) * speed.flops), speed

    def _search_limit(self) -> Limit:
        limit = self.study.limit
        if limit.seconds is None:
            return limit
        share = 1 if self._looks_up else plan.SEARCH_SHARE
        return replace(limit, seconds=limit.seconds * share * self.arranged.search.workers)

    def _final(self, winner: Architecture, left: float, speed: plan.Speed | None) -> Algorithm:
        study = self.study
        if study.final.steps is not None or speed is None:
            return Finish(Fixed((winner,), study.final.steps or 0, (study.seed,)))
        return Finish(Paced(winner, left, speed.steps_a_second(costs(winner).macs, self._final_batch), study.seed))

    def _left(self, searched: History) -> float:
        """Return the seconds that a limit leaves for the final training."""
        study = self.study
        lengths = [trial.outcome.seconds for trial in searched.trials if trial.outcome]
        spent = self._preparing + self.store.history(REHEARSAL).seconds
        spent += self.arranged.starting(self.arranged.final) if study.limit.clock == "wall" else 0.0
        spent += plan.makespan(lengths, self.arranged.search.workers)
        return plan.final_seconds(study.limit.seconds or 0.0, spent)

    def _foreseen(self, space: Found, steps: int) -> list[plan.Leg]:
        """Return the legs of the search if none of them ends early."""
        return plan.foreseen(algorithm_of(self.study, space, steps, early=False), steps)

    def _flops(self, legs: list[plan.Leg], steps: int, speed: plan.Speed | None) -> dict[str, float]:
        work = [leg.work for leg in legs]
        searching = training_flops(int(sum(work)), steps * self._batch)
        if self.study.final.steps is None and speed is not None:
            longest = training_flops(int(plan.makespan(work, self.arranged.search.workers)), steps * self._batch)
            spent = longest / (speed.flops * self.arranged.pace)
            left = plan.final_seconds(self.study.limit.seconds or 0.0, spent)
            return {SEARCH: searching, FINAL: left * speed.flops}
        return {
            SEARCH: searching,
            FINAL: training_flops(
                max((leg.macs for leg in legs), default=0), (self.study.final.steps or 0) * self._final_batch
            ),
        }

    @property
    def _preparing(self) -> float:
        """The seconds that finding the arrangement took, and starting workers to rehearse and to search."""
        found = self.arranged
        if self.study.limit.clock == "cpu":  # waiting for workers takes none
            return max(0.0, found.seconds - sum(timing.starting for timing in found.timings))
        return found.seconds + found.starting(found.final) + found.starting(found.search)

    @property
    def _batch(self) -> int:
        return min(self.study.recipe.batch, len(self.task.parts.train.labels))

    @property
    def _final_batch(self) -> int:
        return min(self.study.final_recipe.batch, len(self.task.parts.train.labels))


def _why_nothing(history: History) -> str:
    """Say why a phase has nothing to show."""
    if not len(history):
        return "The search proposed no network; loosen the space's constraint."
    reasons = {f"trial {t.id}: {t.outcome.message}" for t in history.failed if isinstance(t.outcome, Failure)}
    return "No network could be trained:\n" + "\n".join(sorted(reasons))
