"""Learns how the latency of a space's networks follows from what can be counted of them, by measuring some of them.

So a limit of latency becomes a constraint like others: networks are drawn, pruned, grown and made as wide as it allows
by a linear estimate, with a margin. What is trained is measured besides (`amla.study.gauged`).
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from time import monotonic

import numpy as np
from numpy.random import Generator, default_rng

from amla.reports.numbers import milliseconds
from amla.spaces.envelope import Envelope
from amla.spaces.errors import SpaceError
from amla.spec.architecture import Architecture
from amla.spec.constraints import Constraints
from amla.spec.costs import costs
from amla.spec.digest import digest
from amla.spec.estimate import Estimate, amounts
from amla.study.constraints import check_met
from amla.study.folder import STUDY
from amla.study.latency import Meter
from amla.study.settings.latency import Learned
from amla.study.settings.searches import FixedSettings
from amla.study.spaces import Found, space_of
from amla.study.study import Study, StudyError, load
from amla.tasks.task import Task

LEVELS = 5  # sizes, from the smallest networks of the space to its median, at which networks are measured
MIDDLE = 25  # random networks for that median
SLOW = 4.0  # times the limit: networks of that latency and beyond say little about those near it
NEAR = 4  # of the networks, one in so many is drawn near the limit, once an estimate says where that is
SAFE = 0.9, 0.75, 0.5, 0.25  # of the networks that an estimate admits, the share that should be within when measured:
# the first for which there are any, as near the fastest networks a wide margin leaves none
RIDGE = 1e-3  # of the fit, in squared columns of unit length
SWEEPS = 300  # of its coordinate descent
NANO = 1e9
UNBOUNDED = 10**15

Tell = Callable[[str], None]


@dataclass(frozen=True)
class _Seen:
    """A network that was measured: what it has of each term, and the nanoseconds that it took."""

    key: str  # its digest
    amounts: dict[str, int]
    took: float


def calibrated(study: Study, task: Task, folder: Path, meter: Meter | None, tell: Tell) -> Study:
    """Return the study with an estimate of latency among its constraints, and with what was learned for it.

    It is that of the run in `folder` if there is one, so that this goes on as it began. Nothing is measured where the
    study has an estimate, no limit of latency, or given networks. `tell` is told what is being measured.

    Raises StudyError where none of the networks measured is within the limit, and what `Meter` raises.
    """
    latency = study.latency
    if latency is None or latency.at_most is None or isinstance(study.algorithm, FixedSettings):
        return study
    if study.constraints.latency is not None or meter is None:
        return study
    if (found := held(study, folder)) is not None:
        return found
    began = monotonic()
    estimate, error, seen = _Calibrating(study, task, meter, tell, latency.at_most * NANO).run()
    took = sorted(each.took / NANO for each in seen)
    learned = Learned(len(took), took[0], median(took), took[-1], error, meter.device, round(monotonic() - began, 1))
    return replace(
        study,
        constraints=replace(study.constraints, latency=estimate),
        latency=replace(latency, learned=learned),
    )


def held(study: Study, folder: Path) -> Study | None:
    """Return the study with what its run has learned before it was cut off, None if there is no such run."""
    if not (folder / STUDY).is_file():
        return None
    there = load(folder / STUDY)
    if there.latency is None or study.latency is None or there.space != study.space:
        return None
    if replace(there.latency, learned=None) != replace(study.latency, learned=None):
        return None
    constraints = replace(study.constraints, latency=study.constraints.latency or there.constraints.latency)
    return replace(study, constraints=constraints, latency=there.latency)


@dataclass(frozen=True)
class _Calibrating:
    study: Study
    task: Task
    meter: Meter
    tell: Tell
    limit: float  # nanoseconds

    def run(self) -> tuple[Estimate, float, list[_Seen]]:
        """Return the estimate, its error as a share, and all networks that were measured."""
        latency = self.study.latency
        assert latency is not None  # noqa: S101
        rng, known = default_rng(0), dict[str, _Seen]()
        each = max(1, latency.networks // LEVELS)
        for level in self._levels():
            with_it = self.study.constraints.tightened(Constraints(macs=level))
            found = [self._seen(network, len(known)) for network in self._drawn(with_it, each, rng)]
            known |= {one.key: one for one in found}
            if found and median(one.took for one in found) > SLOW * self.limit:
                break
        if not (seen := list(known.values())):
            raise StudyError("The space has no network within the other constraints; loosen them.")
        first = fitted(seen, self.limit)
        drawn = self._drawn(self._within(first), max(2, latency.networks // NEAR), rng)
        near = list({one.key: one for one in (self._seen(network, len(seen)) for network in drawn)}.values())
        near = [one for one in near if one.key not in known]
        if min(one.took for one in (*seen, *near)) > self.limit:
            raise StudyError(self._hopeless([*seen, *near]))
        ratios = [one.took / max(1, first.sum(one.amounts)) for one in near or seen]
        error = float(np.sqrt(np.mean([(ratio - 1) ** 2 for ratio in ratios])))
        whole = fitted([*seen, *near], self.limit)
        for margin in (*(max(1.0, float(np.quantile(ratios, share))) for share in SAFE), 1.0):
            estimate = replace(whole, at_most=max(1, int(self.limit / margin)))
            if self._is_met(estimate):
                return estimate, error, [*seen, *near]
        raise StudyError(self._hopeless([*seen, *near]))

    def _levels(self) -> list[int]:
        """Return bounds on multiply-accumulates, from twice those of the smallest network to those of half of all."""
        bounded = self._space(Constraints(macs=UNBOUNDED)).space
        smallest = bounded.guide.counted(bounded.guide.smallest)
        free = self._space(Constraints()).space
        middle = median(costs(free.sample(default_rng(number))).macs for number in range(MIDDLE))
        low = max(1, 2 * smallest["macs"]) if smallest else 1
        high = max(low, middle)
        return sorted({int(np.ceil(low * (high / low) ** (step / (LEVELS - 1)))) for step in range(LEVELS)})

    def _drawn(self, constraints: Constraints, count: int, rng: Generator) -> Iterator[Architecture]:
        """Yield networks within some constraints: that where NAC begins, and random ones; none where there are none."""
        try:
            found = self._space(constraints)
            begins = found.beginning() if isinstance(found, Envelope) else None
            if begins is not None:
                yield found.space.close(begins)
            for _ in range(count - (begins is not None)):
                yield found.space.sample(rng)
        except SpaceError:
            return

    def _seen(self, network: Architecture, number: int) -> _Seen:
        self.tell(f"measuring the latency of network {number + 1}")
        return _Seen(digest(network), amounts(network.trunk), self.meter(network).median * NANO)

    def _within(self, estimate: Estimate) -> Constraints:
        return replace(self.study.constraints, latency=estimate)

    def _space(self, constraints: Constraints) -> Found:
        return space_of(self.study.space, self.task.shape, self.task.classes, constraints)

    def _is_met(self, estimate: Estimate) -> bool:
        try:
            check_met(self._space(self._within(estimate)))
        except SpaceError:
            return False
        return True

    def _hopeless(self, seen: Sequence[_Seen]) -> str:
        took = sorted(one.took for one in seen)
        least, middle, most = (milliseconds(each / NANO) for each in (took[0], median(took), took[-1]))
        measured = (
            f"of {len(seen)} that were measured, from the smallest ones on, the fastest took {least}, the median is "
            f"{middle}, the slowest took {most}"
            if len(seen) > 1
            else f"the smallest took {least}"
        )
        return (
            f"No network of the space is known to be within {milliseconds(self.limit / NANO)}: {measured}. Allow more, "
            "or take a space with fewer cells or kinds of branches, a larger space.stem_stride, or smaller images "
            "(data.size)."
        )


def fitted(seen: Sequence[_Seen], limit: float) -> Estimate:
    """Return the estimate whose relative errors are the least in the mean square, with no term below 0.

    A ridge regression by coordinate descent: each term in turn is set to its best number, or to 0 if that is below.
    """
    names = sorted({name for one in seen for name in one.amounts})
    rows = np.array([[1.0, *(one.amounts.get(name, 0) for name in names)] for one in seen])
    rows /= np.array([one.took for one in seen])[:, None]
    lengths = np.linalg.norm(rows, axis=0)
    rows, found = rows / lengths, np.zeros(len(lengths))
    rest = np.ones(len(seen)) - rows @ found
    for _ in range(SWEEPS):
        for place in range(len(found)):
            better = max(0.0, float(rows[:, place] @ rest + found[place]) / (1 + RIDGE))
            rest -= rows[:, place] * (better - found[place])
            found[place] = better
    base, *terms = (float(f"{number:.6g}") for number in found / lengths)
    used = {name: number for name, number in zip(names, terms, strict=True) if number}
    return Estimate(max(1, int(limit)), base, used)
