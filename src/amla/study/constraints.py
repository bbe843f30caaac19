"""What constraints leave of a space: whether they can be met, and how what they limit is spread over it."""

from dataclasses import dataclass, replace
from statistics import median
from typing import Literal

from numpy.random import default_rng

from amla.spaces.envelope import Envelope
from amla.spaces.guide import Guide
from amla.spec.constraints import COUNTED, Constraints, counts
from amla.spec.costs import costs
from amla.spec.ops import Size
from amla.study.settings.searches import FixedSettings
from amla.study.settings.spaces import SpaceSettings
from amla.study.spaces import Found, space_of
from amla.study.study import Study
from amla.tasks.task import Task

DRAWN = 100  # random networks for a median
LABELS = {"parameters": "parameters", "macs": "MACs an image", "memory": "activations, bytes"}


@dataclass(frozen=True)
class Reach:
    """What one constraint limits, over the networks of a space without constraints.

    `least` and `most` are of networks that were found, by descent and ascent from random ones; `middle` is the median
    of a hundred random ones. `is_met` says whether some network is within the limit.
    """

    name: str
    limit: int
    least: int
    middle: float
    most: int

    def __str__(self) -> str:
        spread = f"the space has {self.least:,} to {self.most:,}, its median is {self.middle:,.0f}"
        return f"{LABELS[self.name]}: {self.limit:,} at most; {spread}" + ("" if self.is_met else "; cannot be met")

    @property
    def is_met(self) -> bool:
        """Whether some network is within."""
        return self.least <= self.limit


def check_met(space: Found) -> None:
    """Raise SpaceError, which tells of the smallest network, where none is within the constraints of a space."""
    if isinstance(space, Envelope) and space.beginning() is not None:
        return
    if not space.space.accepts(space.space.close(space.space.fullest())):
        _ = space.space.guide.leanest


def reaches_of(study: Study, task: Task) -> list[Reach]:
    """Return what each constraint of a study limits in its space; nothing where its networks are given.

    Raises SpaceError.
    """
    if isinstance(study.algorithm, FixedSettings):
        return []
    return reaches(study.space, task.shape, task.classes, study.constraints)


def reaches(settings: SpaceSettings, shape: Size, classes: int, constraints: Constraints) -> list[Reach]:
    """Return what each constraint limits in the space that `settings` describe. Raises SpaceError."""
    if not set(COUNTED) & constraints.given.keys():
        return []
    free = space_of(settings, shape, classes).space
    narrow = space_of(settings, shape, classes, constraints).space.narrow
    rng, found = default_rng(0), list[Reach]()
    drawn = [counts(costs(free.sample(rng))) for _ in range(DRAWN)]
    for name in COUNTED:
        if (limit := constraints.given.get(name)) is None:
            continue
        numbers, one = [each[name] for each in drawn], constraints.only_of(name)
        smallest = _counted(Guide(replace(free, within=one, narrow=narrow)), "smallest", name)
        largest = None if free.sized else _counted(Guide(replace(free, within=one, narrow=None)), "largest", name)
        found.append(Reach(name, limit, min(smallest, *numbers), median(numbers), max(largest or 0, *numbers)))
    return found


def _counted(guide: Guide, which: Literal["smallest", "largest"], name: str) -> int:
    found = guide.counted(guide.smallest if which == "smallest" else guide.largest)
    assert found is not None  # noqa: S101
    return found[name]
