"""A whole search: arrange it, rehearse if time is limited, search, train the network found to the end, test it once.

All that is decided on the way is a function of what the store holds, so a search that was cut off at any moment goes
on as if it had not been.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from amla.algorithms.finish import Finish
from amla.algorithms.fixed import Fixed
from amla.algorithms.paced import Paced
from amla.algorithms.protocol import Algorithm
from amla.spec.architecture import Architecture
from amla.spec.costs import costs
from amla.spec.text import to_json
from amla.study import plan
from amla.study.ahead import Ahead, foreseen
from amla.study.baselines import keep, networks
from amla.study.conductor import Conductor
from amla.study.executors import cluster
from amla.study.folder import BEST
from amla.study.gauged import in_time
from amla.study.gauged import recorded as latencies_in
from amla.study.phases import BASELINES, BASELINES_SEED, FINAL, REHEARSAL, SEARCH, TUNING
from amla.study.prefer import preferred
from amla.study.remaining import final_flops, final_seconds, search_limit
from amla.study.resolve import algorithm_of, space_of
from amla.study.run import Limit
from amla.study.spaces import Found
from amla.study.study import Study, StudyError
from amla.study.timetable import Timetable
from amla.study.trained import notes_of
from amla.study.tuned import tuning_of
from amla.study.underway import Underway
from amla.study.widen import widened
from amla.tasks.dials import Changes
from amla.trials.history import History
from amla.trials.trial import Failure, Measurement


@dataclass(frozen=True)
class Search:
    """A study that is under way, to be run to its end."""

    underway: Underway

    @property
    def study(self) -> Study:
        """Its settings."""
        return self.underway.study

    @cached_property
    def conductor(self) -> Conductor:
        """What runs its phases."""
        return Conductor(self.underway)

    def run(self) -> None:
        """Run the study to its end, from wherever it was cut off. Raises StudyError where nothing could be trained."""
        with cluster(self.study.executor):
            self._run()

    def _run(self) -> None:
        space = space_of(self.study, self.underway.task)
        self.underway.listener.arranged(self.conductor.arranged)
        steps, table = self._steps(space)
        speed = table.speed if table else None
        algorithm = algorithm_of(self.study, space, steps)
        ahead = Ahead(self.underway, self.conductor, space, steps, speed)
        if not self.underway.looks_up:
            self.underway.listener.expects(ahead.whole)
        limit = search_limit(self.study, self.conductor.arranged.search.workers)
        searched = self.conductor.run(SEARCH, algorithm, limit)
        for trial in searched.done:  # from which nothing can start any more
            self.underway.files.drop(f"{SEARCH}/{trial.id}")
        choice = preferred(self.study.prefer, searched, self.study.metric)
        winner = choice.trial.proposal.architecture if choice else algorithm.recommend(searched)
        if winner is None:
            raise StudyError(_why_nothing(searched))
        self._beside(space, winner, searched, table)
        changes = self._tuned(winner, searched, table)
        narrow = winner
        winner, speed = self._widened(narrow, speed)
        winner = self._in_time(winner, narrow, searched)
        if broken := self.study.constraints.broken(self.study.constraints.of(winner)):
            raise StudyError(f"The network to be trained to the end has {broken}; take another algorithm or space.")
        files, text = self.underway.files, to_json(winner, indent=1) + "\n"
        files.write_text(BEST, text)  # also if cut off after the last one was told
        if not self.underway.looks_up:
            self.underway.listener.expects(lambda: ahead.final(winner, speed))
        trained = self.conductor.run(FINAL, self._final(winner, changes, self._left, speed), Limit())
        if not trained.done or trained.done[-1].proposal.budget:
            raise StudyError(_why_nothing(trained))
        if not self.underway.looks_up:  # a table has no weights
            weights = files.load(f"{FINAL}/{trained.done[-1].proposal.start}")
            files.save_weights("best", weights, notes_of(self.underway.task))

    def _in_time(self, winner: Architecture, narrow: Architecture, searched: History) -> Architecture:
        """Return the network to train to the end: the `narrow` one, where this one was made wider and is too slow."""
        latency = self.study.latency
        if latency is None or latency.at_most is None or self.underway.meter is None:
            return winner
        if len(begun := self.underway.store.history(FINAL)):  # another measurement might say otherwise
            return begun[0].proposal.architecture
        self.underway.meter.known.update(latencies_in(searched))
        return in_time(latency.at_most, self.underway.meter, winner, narrow, self.underway.notice)

    def _steps(self, space: Found) -> tuple[int, Timetable | None]:
        """Return the steps of a leg of the search, and what its limit pays for, by a rehearsal, if it has one."""
        limit, given = self.study.limit.seconds, self.study.algorithm.steps
        if limit is None or self.underway.looks_up:
            return given or self._steps_within(space), None
        rehearsed = self._rehearse(algorithm_of(self.study, space, plan.LEAST_STEPS))
        table = Timetable(
            self.study, self.underway.task, self.conductor.arranged, limit, plan.speed(rehearsed, self.underway.batch)
        )
        legs = list(foreseen(self.study, space, plan.LEAST_STEPS).legs)
        steps = table.search_steps(legs, rehearsed.seconds)
        if given is None and (few := table.too_few(legs, rehearsed.seconds, steps)):
            self.underway.notice(few)
        return given or steps, table

    def _steps_within(self, space: Found) -> int:
        """Return the steps of a leg that the search's limit of operations pays for; 0 if it has none."""
        flops, examples = search_limit(self.study).flops, len(self.underway.task.fitting.labels)
        ahead = foreseen(self.study, space, plan.LEAST_STEPS)
        return 0 if flops is None else plan.steps_within(flops / ahead.times, ahead.legs, self.underway.batch, examples)

    def _rehearse(self, algorithm: Algorithm) -> Measurement:
        first = plan.first(algorithm)
        if first is None:
            raise StudyError("The space has no network to begin with; loosen its constraint.")
        fixed = Fixed((first,), plan.REHEARSAL_STEPS, (self.study.seed,), keep=False)
        history = self.conductor.run(REHEARSAL, fixed, Limit())
        if not history.done:
            raise StudyError(_why_nothing(history))
        return history.done[0].measurement

    def _beside(self, space: Found, winner: Architecture, searched: History, table: Timetable | None) -> None:
        """Train what was found, and networks that nobody searched for, alike, if the study asks for that."""
        if self.study.baselines is None:
            return
        named = networks(self.study, self.underway.task, space, winner)
        beside, begun = list(named.values()), len(self.underway.store.history(BASELINES))
        if table and not begun and not table.affords(beside):
            self.underway.notice("the budget does not pay for baselines: whether the search is worth it remains open")
            return
        most = plan.longest(searched)
        steps = self._short(beside, plan.BASELINE_SHARE, most, self.underway.batch, table)
        keep(self.underway.files, named)
        trained = Fixed(tuple(beside), steps, (self.study.seed + BASELINES_SEED,), keep=False)
        self.conductor.run(BASELINES, trained, Limit())

    def _tuned(self, winner: Architecture, searched: History, table: Timetable | None) -> Changes:
        """Return which numbers of the final recipe are other ones: as they were best, if the study asks for that."""
        if (tuning := self.study.tuning) is None:
            return {}
        batch, networks, most = self.underway.final_batch, [winner] * tuning.trials, plan.longest(searched)
        steps = tuning.steps or self._short(networks, plan.TUNING_SHARE, most, batch, table)
        algorithm = tuning_of(self.study, self.underway.task, winner, steps)
        return algorithm.chosen(self.conductor.run(TUNING, algorithm, Limit()))

    def _short(
        self, networks: Sequence[Architecture], share: float, most: int, batch: int, table: Timetable | None
    ) -> int:
        """Return for how many steps each of some networks trains: `most`, or what a share of the limit allows."""
        if table:
            return table.short_steps(networks, share, most, batch)
        if (flops := self.study.whole_flops) is not None:
            legs = [plan.Leg(costs(network).training_macs) for network in networks]
            return min(most, plan.steps_within(share * flops, legs, batch, 0))
        return max(most, plan.LEAST_STEPS)

    def _widened(self, winner: Architecture, speed: plan.Speed | None) -> tuple[Architecture, plan.Speed | None]:
        """Return the network to train to the end, and how fast the machine trains such networks.

        Wide ones train with more operations a second than narrow ones. So what the time pays for is seen in a second
        rehearsal, of a network about as wide.
        """
        if self.study.final.macs != "auto" or speed is None:
            return widened(self.study, self.underway.task, winner, self._left_flops), speed
        guess = widened(self.study, self.underway.task, winner, self._left * speed.flops)
        history = self.conductor.run(
            REHEARSAL, Fixed((winner, guess), plan.WIDE_STEPS, (self.study.seed,), keep=False), Limit()
        )
        if len(history.done) > 1:
            speed = plan.speed(history.done[-1].measurement, self.underway.batch)
        return widened(self.study, self.underway.task, winner, self._left * speed.flops), speed

    def _final(self, winner: Architecture, changes: Changes, left: float, speed: plan.Speed | None) -> Algorithm:
        study, batch = self.study, self.underway.final_batch
        if speed is None or study.final.steps is not None:
            steps = study.final.steps or plan.final_steps(self._left_flops, winner, study.final_recipe, batch)
            if study.whole_flops is not None and steps == plan.LEAST_STEPS:
                self.underway.notice("the limit of operations left next to nothing for the final training")
            return Finish(Fixed((winner,), steps, (study.seed,), recipe=changes))
        pace = speed.steps_a_second(costs(winner).macs, batch)
        return Finish(Paced(winner, left, pace, study.seed, recipe=changes))

    @property
    def _left(self) -> float:
        """The seconds that a limit leaves for the final training."""
        return final_seconds(self.study, self.conductor.arranged, self.underway.store.history)

    @property
    def _left_flops(self) -> float:
        """The operations that a limit leaves for the final training."""
        return final_flops(self.study, self.underway.store.history)


def _why_nothing(history: History) -> str:
    """Say why a phase has nothing to show."""
    if not len(history):
        return "The search proposed no network; loosen the space's constraint."
    if not history.failed:
        return "Networks were trained, but of none the metric is a number, so none can be chosen; look at the data."
    reasons = {f"trial {t.id}: {t.outcome.message}" for t in history.failed if isinstance(t.outcome, Failure)}
    return "No network could be trained:\n" + "\n".join(sorted(reasons))
