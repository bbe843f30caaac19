"""Looks ahead in a study: the trainings its algorithm will ask for, and what they and the others will take."""

from dataclasses import dataclass, replace
from functools import cached_property
from itertools import cycle, islice

from amla.spec.architecture import Architecture
from amla.spec.costs import costs
from amla.study import plan
from amla.study.conductor import Conductor
from amla.study.forecast import Forecast, Sizes, forecast
from amla.study.phases import FINAL
from amla.study.remaining import final_flops
from amla.study.resolve import algorithm_of
from amla.study.settings.searches import OpenEnded, RandomSettings
from amla.study.spaces import Found
from amla.study.study import Study
from amla.study.tempo import Tempo, is_worth_it
from amla.study.underway import Underway
from amla.study.widen import widened


@dataclass(frozen=True)
class Ahead:
    """What is ahead of a study that is under way, in a space; legs of its search have so many `steps`.

    `speed` is None where no limit of seconds is kept.
    """

    underway: Underway
    conductor: Conductor
    space: Found
    steps: int
    speed: plan.Speed | None

    @cached_property
    def legs(self) -> list[plan.Leg]:
        """The legs of the search if none of them ends early."""
        return foreseen(self.underway.study, self.space, self.steps)

    def whole(self) -> Forecast:
        """Return what all phases are expected to take."""
        return self._forecast(self.underway.study, self.legs, self._tempo)

    def final(self, winner: Architecture, speed: plan.Speed | None) -> Forecast:
        """Return what the final training of a network is expected to take, by the speed that is known by then."""
        study, legs = self.underway.study, [plan.Leg(costs(winner).macs)]
        as_it_is = replace(study, final=replace(study.final, macs=None))
        left = final_flops(study, self.underway.store.history)
        found = replace(self, speed=speed)._forecast(as_it_is, legs, self._tempo, left)
        return replace(found, phases={FINAL: found.phases[FINAL]})

    @cached_property
    def _tempo(self) -> Tempo | None:
        """How long steps take, timed where nothing else tells it and the study takes long enough for that."""
        study = self.underway.study
        if study.limit.seconds is not None:
            return None
        networks, counted = [leg.network for leg in self.legs if leg.network], self._forecast(study, self.legs)
        if not networks or not is_worth_it(counted.flops, counted.steps):
            return None
        largest = max(networks, key=lambda network: costs(network).macs)
        return self.conductor.tempo((networks[0], widened(study, self.underway.task, largest, 0.0)))

    def _forecast(
        self, study: Study, legs: list[plan.Leg], tempo: Tempo | None = None, left: float | None = None
    ) -> Forecast:
        underway, parts = self.underway, self.underway.task.parts
        sizes = Sizes(underway.batch, underway.final_batch, len(parts.validation.labels), len(parts.test.labels))
        return forecast(study, legs, self.steps, sizes, self.conductor.arranged, self.speed, tempo, left)


def foreseen(study: Study, space: Found, steps: int) -> list[plan.Leg]:
    """Return the legs of a study's search if none ends early.

    Without a limit of seconds there are as many as it asks for: beyond those that are asked for ahead, they cost what
    these do.
    """
    legs = plan.foreseen(algorithm_of(study, space, steps, early=False), steps)
    most = study.limit.trials
    if isinstance(study.algorithm, RandomSettings | OpenEnded) and study.algorithm.trials is not None:
        trials = study.algorithm.trials * (study.terms.seeds if study.terms else 1)
        most = trials if most is None else min(most, trials)
    if study.limit.seconds is None and most is not None and len(legs) >= plan.FORESEEN:
        return list(islice(cycle(legs), most))
    return legs[: study.limit.trials]
