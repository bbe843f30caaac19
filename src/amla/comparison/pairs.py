"""Contenders of a task, two by two: what can be said of their difference, all pairs that are shown counted."""

from collections.abc import Mapping, Sequence

from amla.evidence.improvement import Improvement, improvement
from amla.evidence.paired import Difference, difference, holm
from amla.evidence.power import needed
from amla.spec.values import value

LEVEL = 0.05

Accuracies = Mapping[int, float]  # by seed


@value
class Pair:
    """What can be said of two contenders on a task: their difference over the seeds that both have run.

    `adjusted` is p after Holm's correction for all pairs of the task, `family` how many those are. `needed` is how many
    seeds would tell a difference as large as this one, None if it is told or no number would.
    """

    ours: str
    theirs: str
    difference: Difference
    adjusted: float
    family: int
    improvement: Improvement
    needed: int | None

    @property
    def is_real(self) -> bool:
        """Whether chance would seldom bring such a difference: at most one time in twenty among all pairs."""
        return self.adjusted <= LEVEL


def pairs(contenders: Sequence[str], by_name: Mapping[str, Accuracies]) -> tuple[Pair, ...]:
    """Return each contender against all that come after it, other contenders first, then controls."""
    names = [*(name for name in contenders if name in by_name), *(name for name in by_name if name not in contenders)]
    compared = [
        (ours, theirs, *_both(by_name[ours], by_name[theirs]))
        for place, ours in enumerate(names)
        for theirs in names[place + 1 :]
        if ours in contenders and by_name[ours].keys() & by_name[theirs].keys()
    ]
    differences = [difference(one, other) for _, _, one, other in compared]
    adjusted = holm([apart.p for apart in differences])
    found = []
    for (ours, theirs, one, other), apart, p in zip(compared, differences, adjusted, strict=True):
        family, gains = len(compared), [a - b for a, b in zip(one, other, strict=True)]
        seeds = None if p <= LEVEL else needed(gains, family)
        found.append(Pair(ours, theirs, apart, p, family, improvement(one, other), seeds))
    return tuple(found)


def _both(ours: Accuracies, theirs: Accuracies) -> tuple[list[float], list[float]]:
    """Return the accuracies of two contenders with the seeds that both have run."""
    seeds = sorted(ours.keys() & theirs.keys())
    return [ours[seed] for seed in seeds], [theirs[seed] for seed in seeds]
