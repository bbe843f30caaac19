"""What the phases of a study will take, in floating-point operations and in time: what an ETA is made of."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from amla.reports.numbers import count, duration, percent
from amla.spec.costs import training_flops
from amla.spec.values import value
from amla.study import plan
from amla.study.arrangement import Arranged
from amla.study.baselines import DEPTHS
from amla.study.phases import BASELINES, FINAL, SEARCH, TUNING
from amla.study.remaining import search_limit
from amla.study.study import Study
from amla.study.tempo import Tempo
from amla.tasks.recipe import Recipe

AXES = 2  # of images, which recipes may make smaller at first
OVERHEAD = 0.3  # seconds of a trial besides training and scoring: a plan under a limit allows for more
DIGITS = 2  # of a time that is foretold: others would mean nothing


@value
class Expected:
    """What a phase is expected to take: floating-point operations, steps, and seconds if those can be told."""

    flops: float
    steps: float = 0.0
    seconds: float | None = None

    def times(self, factor: float) -> "Expected":
        """Return what so many times as much takes."""
        return Expected(factor * self.flops, factor * self.steps, self.seconds and factor * self.seconds)

    def at_most(self, flops: float) -> "Expected":
        """Return what is left of it, if it ends after so many operations."""
        return self if self.flops <= flops else self.times(flops / self.flops)


@value
class Forecast:
    """What phases are expected to take, by name, and by which tempo, if steps were timed."""

    phases: Mapping[str, Expected]
    tempo: Tempo | None = None

    @property
    def flops(self) -> float:
        """The operations of all of them."""
        return sum(phase.flops for phase in self.phases.values())

    @property
    def steps(self) -> float:
        """The steps of all of them."""
        return sum(phase.steps for phase in self.phases.values())

    @property
    def seconds(self) -> float | None:
        """The seconds of all of them, None if they cannot be told of each."""
        told = [phase.seconds for phase in self.phases.values() if phase.seconds is not None]
        return sum(told) if len(told) == len(self.phases) else None

    def __str__(self) -> str:
        """Return one line about a whole study."""
        final, operations = self.phases[FINAL], f"{count(max(self.flops, 1.0))} operations"
        if self.seconds is None or final.seconds is None:
            share = percent(final.flops / max(self.flops, 1.0), 0)
            return f"it takes {operations} at most, {share} of them in the final training"
        time = duration(float(f"{self.seconds:.{DIGITS}g}"))
        share = percent(final.seconds / max(self.seconds, 1e-9), 0)
        return f"it takes about {time} at most on this machine, {share} of that in the final training ({operations})"


@dataclass(frozen=True)
class Sizes:
    """How many examples a step of the search and of the final training has, and the parts that score networks."""

    batch: int
    final_batch: int
    validation: int = 0
    test: int = 0


@dataclass(frozen=True)
class Foreseen:
    """The legs that a search asks for ahead, and how many `times` as many it has in all."""

    legs: tuple[plan.Leg, ...]
    times: float = 1.0


Foretold = Callable[[], Forecast]


def forecast(
    study: Study,
    search: Foreseen,
    steps: int,
    sizes: Sizes,
    arranged: Arranged,
    speed: plan.Speed | None,
    tempo: Tempo | None = None,
    left: float | None = None,
) -> Forecast:
    """Return what each phase takes at most, if the `search` is this one, a whole leg of which has so many `steps`.

    `speed` is None where no limit of seconds is kept; where one is that does not bound the final training, it tells
    the time for want of a tempo. `left` are the operations that a limit of whole runs leaves for the final training,
    where that is known.
    """
    if tempo is None and speed is not None and study.final.steps is not None:
        tempo = Tempo(0.0, speed.flops)
    legs = search.legs
    largest = max(legs, key=lambda leg: leg.work, default=plan.Leg(0))
    compared = len(DEPTHS) + 1 + study.baselines.random if study.baselines else 0
    trials, given = (study.tuning.trials, study.tuning.steps) if study.tuning else (0, None)
    recipes = [replace(largest, share=1.0 if given else largest.share)] * trials
    workers, pace = arranged.search.workers, arranged.pace
    short = _Trainings(study.recipe, sizes.batch, sizes.validation, tempo, workers, pace)
    tuning = replace(short, recipe=study.final_recipe, batch=sizes.final_batch)
    found = {
        SEARCH: short.expected(legs, steps).times(search.times),
        BASELINES: short.expected([largest] * compared, steps),
        TUNING: tuning.expected(recipes, given or steps),
    }
    if study.final.steps is not None or speed is None:
        wider = study.final.macs if isinstance(study.final.macs, int) else 0
        last = plan.Leg(max([wider, *(leg.macs for leg in legs)]))
        final = replace(tuning, scored=sizes.test, workers=1, pace=1.0)
        last_steps = study.final.steps or 0
        if (most := search_limit(study).flops) is not None:
            found[SEARCH] = found[SEARCH].at_most(most)
        if study.whole_flops is not None:
            rest = study.whole_flops - sum(phase.flops for phase in found.values()) if left is None else left
            # The smaller the network, the more steps the rest pays for, and each takes time of its own.
            last = last if study.final.macs else plan.Leg(min((leg.macs for leg in legs if leg.macs), default=0))
            last_steps = int(max(0.0, rest) / max(final.flops(last, 1), 1.0))
        return Forecast({**found, FINAL: final.expected([last], last_steps)}, tempo)
    seconds = study.limit.seconds or 0.0
    shares = plan.BASELINE_SHARE * bool(compared) + plan.TUNING_SHARE * bool(trials and not given)
    searching = plan.makespan([short.flops(leg, steps) for leg in legs], workers)
    tuned = found[TUNING].flops / workers if given else 0.0
    spent = (searching + tuned) / (speed.flops * pace) + shares * seconds
    return Forecast({**found, FINAL: Expected(plan.final_seconds(seconds, spent) * speed.flops)})


@dataclass(frozen=True)
class _Trainings:
    """Trainings by a recipe, each scored on so many examples, on workers of which each has a share of the tempo."""

    recipe: Recipe
    batch: int
    scored: int
    tempo: Tempo | None
    workers: int = 1
    pace: float = 1.0

    def expected(self, legs: Sequence[plan.Leg], steps: int) -> Expected:
        """Return what these legs take, a whole one of so many steps."""
        flops = sum(self.flops(leg, steps) for leg in legs)
        many = sum(leg.share * steps for leg in legs)
        if self.tempo is None:
            return Expected(flops, many)
        lengths = [self._seconds(leg, steps, self.tempo) for leg in legs]
        return Expected(flops, many, plan.makespan(lengths, self.workers))

    def flops(self, leg: plan.Leg, steps: int) -> float:
        """Return the operations of a leg's training."""
        small = self.recipe.small
        share = 1 - small.until * (1 - small.scale**AXES) if small else 1.0
        return training_flops(1, self.batch) * leg.work * steps * share

    def _seconds(self, leg: plan.Leg, steps: int, tempo: Tempo) -> float:
        passes = self.scored * (2 if self.recipe.score_mirrored else 1)
        scoring = plan.SCORING * tempo.seconds(training_flops(leg.macs, passes), passes / self.batch)
        return (
            min(leg.seconds, OVERHEAD)
            + (tempo.seconds(self.flops(leg, steps), leg.share * steps) + scoring) / self.pace
        )
