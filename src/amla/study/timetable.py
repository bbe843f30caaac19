"""What a limit of seconds pays for: how many steps the networks of a search, its baselines and recipes train."""

from collections.abc import Sequence
from dataclasses import dataclass

from amla.reports.numbers import duration, plural
from amla.spec.architecture import Architecture
from amla.spec.costs import costs
from amla.study import plan
from amla.study.arrangement import Arranged
from amla.study.remaining import preparing
from amla.study.study import Study
from amla.tasks.task import Task


@dataclass(frozen=True)
class Timetable:
    """A study of so many `seconds`, on a machine that trains with some `speed`, one trial at a time, as arranged."""

    study: Study
    task: Task
    arranged: Arranged
    seconds: float
    speed: plan.Speed

    def search_steps(self, legs: list[plan.Leg], spent: float) -> int:
        """Return the steps of a whole leg with which these legs fit into the search, which has `spent` some seconds."""
        seconds, examples = self._for_search(spent), len(self.task.fitting.labels)
        return plan.search_steps(seconds, self._each, legs, self._batch, examples, self._scored, self._workers)

    def too_few(self, legs: list[plan.Leg], spent: float, steps: int) -> str | None:
        """Return that so few steps tell little, and which limit would pay for more; None where there are enough."""
        if steps >= plan.FEW_STEPS:
            return None
        useful = plan.legs_seconds(plan.USEFUL_STEPS, self._each, legs, self._batch, self._scored, self._workers)
        wanted = self.seconds + (useful - self._for_search(spent)) / self.study.limit.search
        return (
            f"a budget of {duration(self.seconds)} pays for {plural(steps, 'step')} of each network in the search, "
            f"which tell little of how good it is; {plan.USEFUL_STEPS} would take {duration(wanted)} in all"
        )

    def short_steps(self, networks: Sequence[Architecture], share: float, most: int, batch: int) -> int:
        """Return for how many steps each of some networks trains in a share of the limit, `most` at most."""
        legs, seconds = _legs(networks), share * self.seconds
        return min(most, plan.search_steps(seconds, self._each, legs, batch, 0, self._scored, self._workers))

    def affords(self, networks: Sequence[Architecture]) -> bool:
        """Whether the limit pays for the fewest steps of all baselines, or nearly so."""
        least, legs = plan.LEAST_STEPS, _legs(networks)
        seconds = plan.legs_seconds(least, self._each, legs, self._batch, self._scored, self._workers)
        return seconds <= plan.MOST_BASELINE_SHARE * self.seconds

    def _for_search(self, spent: float) -> float:
        return self.study.limit.search * self.seconds - spent - preparing(self.study, self.arranged)

    @property
    def _each(self) -> plan.Speed:
        return self.speed.times(self.arranged.pace)

    @property
    def _workers(self) -> int:
        return self.arranged.search.workers

    @property
    def _scored(self) -> int:
        return len(self.task.parts.validation.labels)

    @property
    def _batch(self) -> int:
        return min(self.study.recipe.batch, len(self.task.fitting.labels))


def _legs(networks: Sequence[Architecture]) -> list[plan.Leg]:
    return [plan.Leg(costs(network).macs) for network in networks]
