"""Looks ahead in a study: the trainings its algorithm will ask for, and what they and the others will take."""

from dataclasses import dataclass, replace
from functools import cached_property

from amla.spec.architecture import Architecture
from amla.spec.costs import costs
from amla.study import plan
from amla.study.conductor import Conductor
from amla.study.forecast import Forecast, Foreseen, Sizes, forecast
from amla.study.phases import FINAL
from amla.study.remaining import final_flops
from amla.study.resolve import algorithm_of
from amla.study.settings.searches import OpenEnded, RandomSettings
from amla.study.spaces import Found
from amla.study.study import Final, Study
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
    def search(self) -> Foreseen:
        """The search if none of its legs ends early."""
        return foreseen(self.underway.study, self.space, self.steps)

    def whole(self) -> Forecast:
        """Return what all phases are expected to take."""
        return self._forecast(self.underway.study.final, self.search, self._tempo)

    def final(self, winner: Architecture, speed: plan.Speed | None) -> Forecast:
        """Return what the final training of a network is expected to take, by the speed that is known by then."""
        study, alone = self.underway.study, Foreseen((plan.Leg(costs(winner).macs),))
        as_it_is = replace(study.final, macs=None, stem_stride=None)
        left = final_flops(study, self.underway.store.history)
        found = replace(self, speed=speed)._forecast(as_it_is, alone, self._tempo, left)
        return replace(found, phases={FINAL: found.phases[FINAL]})

    @cached_property
    def _tempo(self) -> Tempo | None:
        """How long steps take, timed where nothing else tells it and the study takes long enough for that."""
        study = self.underway.study
        if study.limit.seconds is not None:
            return None
        networks = [leg.network for leg in self.search.legs if leg.network]
        counted = self._forecast(study.final, self.search)
        if not networks or not is_worth_it(counted.flops, counted.steps):
            return None
        largest = max(networks, key=lambda network: costs(network).macs)
        return self.conductor.tempo((networks[0], widened(study, self.underway.task, largest, 0.0)))

    def _forecast(
        self, final: Final, search: Foreseen, tempo: Tempo | None = None, left: float | None = None
    ) -> Forecast:
        study = replace(self.underway.study, final=final)
        underway, parts = self.underway, self.underway.task.parts
        sizes = Sizes(underway.batch, underway.final_batch, len(parts.validation.labels), len(parts.test.labels))
        return forecast(study, search, self.steps, sizes, self.conductor.arranged, self.speed, tempo, left)


def foreseen(study: Study, space: Found, steps: int) -> Foreseen:
    """Return a study's search if none of its legs ends early.

    Without a limit of seconds it has as many as it asks for: beyond those that are asked for ahead, they cost what
    these do.
    """
    legs = plan.foreseen(algorithm_of(study, space, steps, early=False), steps)
    most = study.limit.trials
    if isinstance(study.algorithm, RandomSettings | OpenEnded) and study.algorithm.trials is not None:
        trials = study.algorithm.trials * (study.terms.seeds if study.terms else 1)
        most = trials if most is None else min(most, trials)
    if study.limit.seconds is None and most is not None and len(legs) >= plan.FORESEEN:
        return Foreseen(tuple(legs[:most]), max(1.0, most / len(legs)))
    return Foreseen(tuple(legs[: study.limit.trials]))
