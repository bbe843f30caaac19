"""Bayesian optimisation: a Gaussian process over decisions predicts networks; the most promising is trained.

The kernel is exp(-d / length), d the share of decisions in which two networks differ (that of NAS-BOWL, Ru et al. 2021,
with the simplest features there are), and the next network has the most expected improvement among mutations of the
best and random ones (the optimiser of BANANAS, White et al. 2021).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import product
from math import erf, isfinite, pi, sqrt
from statistics import NormalDist

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from amla.algorithms.evolution import mutated
from amla.algorithms.protocol import best, check_least, reached
from amla.spaces.space import Space
from amla.spec.architecture import Architecture
from amla.trials.history import History
from amla.trials.trial import Proposal, Trial

LENGTHS, NOISES = (0.1, 0.2, 0.4, 0.8), (0.01, 0.1, 0.4)  # of which the likeliest are taken; variances, of 1 in all
MOST = 400  # networks that are learned from, the best and the newest: the cost grows with their cube
Rows = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Bayes:
    """Train `begin` random networks, then what promises most; each for `steps`.

    The next is chosen from `candidates`: half of them random, half one or two mutations from the `parents` best so far.
    Those that are being trained count as if they had reached what is predicted of them. Raises ValueError for numbers
    below 1.
    """

    space: Space
    steps: int
    begin: int = 10
    candidates: int = 100
    parents: int = 5
    seed: int = 0
    metric: str = "accuracy"

    def __post_init__(self) -> None:
        check_least(self, 1, "begin", "candidates", "parents")

    def ask(self, history: History) -> Proposal:
        """Return a random network or the most promising; never ends."""
        known, rng = (
            history.replayed(self, _Known, lambda found, trial: found.hear(self, trial)),
            history.rng(self.seed),
        )
        if len(known.trials) < self.begin:
            return Proposal(self.space.sample(rng), self.steps, seed=self.seed, keep=False)
        running = [trial.proposal.architecture for trial in history.running]
        met = known.met.union(running)
        drawn = [network for network in self._candidates(known, rng) if network not in met]
        if not drawn:
            return Proposal(self.space.sample(rng), self.steps, seed=self.seed, keep=False)
        rows, values = known.learned()
        model = Model.fitted(rows, values).believing(self._rows(running))
        promise = model.improvement(self._rows(drawn), values.max())
        return Proposal(drawn[int(promise.argmax())], self.steps, seed=self.seed, keep=False)

    def recommend(self, history: History) -> Architecture | None:
        """Return the network with the best metric."""
        winner = best(history, self.metric)
        return winner.proposal.architecture if winner else None

    def _candidates(self, known: "_Known", rng: Generator) -> list[Architecture]:
        top = sorted(known.trials, key=lambda trial: -reached(trial, self.metric))[: self.parents]
        found = [self.space.sample(rng) for _ in range(self.candidates // 2)]
        while len(found) < self.candidates:
            child = top[rng.integers(len(top))].proposal.architecture
            for _ in range(rng.integers(1, 3)):
                child = mutated(self.space, child, rng)
            found.append(child)
        return list(dict.fromkeys(found))

    def _rows(self, networks: Sequence[Architecture]) -> Rows:
        return encoded(self.space, networks)


def encoded(space: Space, networks: Sequence[Architecture]) -> Rows:
    """Return a row for each network: for every input of every Pick, its share of what the Pick keeps.

    They are scaled so that the absolute differences of two rows add up to 1 where all decisions differ.
    """
    columns = {
        (pick, source): place
        for place, (pick, source) in enumerate((p, s) for p in space.template.picks for s in space.template[p].inputs)
    }
    rows = np.zeros((len(networks), len(columns)))
    for row, network in zip(rows, networks, strict=True):
        for pick, kept in space.read(network).items():
            for source in kept:
                row[columns[pick, source]] = 0.5 / len(kept) / len(space.template.picks)
    return rows


@dataclass
class _Known:
    """The trials that are done, and the rows of their networks."""

    trials: list[Trial] = field(default_factory=list)
    rows: list[Rows] = field(default_factory=list)
    values: list[float] = field(default_factory=list)
    met: set[Architecture] = field(default_factory=set)

    def hear(self, search: Bayes, trial: Trial) -> None:
        """Take in a trial that is over; one that failed is not tried again."""
        self.met.add(trial.proposal.architecture)
        if isfinite(value := reached(trial, search.metric)):
            self.trials.append(trial)
            self.rows.append(encoded(search.space, [trial.proposal.architecture])[0])
            self.values.append(value)

    def learned(self) -> tuple[Rows, Rows]:
        """Return rows, and values spread as a standard normal by rank, so that outliers count no more than others."""
        ranks = np.argsort(np.argsort(self.values, kind="stable"), kind="stable")
        values = np.array([NormalDist().inv_cdf((rank + 0.5) / len(ranks)) for rank in ranks])
        chosen = np.arange(len(ranks))
        if len(ranks) > MOST:
            best_half = np.argsort(-values, kind="stable")[: MOST // 2]
            chosen = np.union1d(best_half, chosen[-MOST // 2 :])
        return np.array(self.rows)[chosen], values[chosen]


@dataclass(frozen=True)
class Model:
    """A Gaussian process of mean 0 and variance 1, of which `noise` is not repeated, and what it has seen."""

    rows: Rows
    values: Rows
    length: float
    noise: float

    @staticmethod
    def fitted(rows: Rows, values: Rows) -> "Model":
        """Return the process of the marginal likelihood that is the highest of a few."""
        apart, found = distances(rows, rows), dict[float, tuple[float, float]]()
        for length, noise in product(LENGTHS, NOISES):
            root = np.linalg.cholesky((1 - noise) * np.exp(-apart / length) + noise * np.eye(len(rows)))
            half = np.linalg.solve(root, values)
            found[float(-0.5 * half @ half - np.log(np.diag(root)).sum())] = (length, noise)
        return Model(rows, values, *found[max(found)])

    def believing(self, rows: Rows) -> "Model":
        """Return the process that has seen its own predictions for some rows."""
        if not len(rows):
            return self
        predicted, _ = self.predicted(rows)
        return replace(self, rows=np.vstack([self.rows, rows]), values=np.concatenate([self.values, predicted]))

    def predicted(self, rows: Rows) -> tuple[Rows, Rows]:
        """Return the mean and the standard deviation at some rows, noise aside."""
        root = np.linalg.cholesky(self._kernel(self.rows) + self.noise * np.eye(len(self.rows)))
        half, seen = (np.linalg.solve(root, side) for side in (self._kernel(rows).T, self.values))
        return half.T @ seen, np.sqrt(np.maximum(1 - self.noise - (half**2).sum(axis=0), 1e-12))

    def improvement(self, rows: Rows, least: float) -> Rows:
        """Return by how much each row is expected to exceed `least` (expected improvement)."""
        mean, deviation = self.predicted(rows)
        over = (mean - least) / deviation
        below = np.array([0.5 * (1 + erf(z / sqrt(2))) for z in over])
        expected: Rows = deviation * (over * below + np.exp(-(over**2) / 2) / sqrt(2 * pi))
        return expected

    def _kernel(self, rows: Rows) -> Rows:
        """Return how alike rows are to those that it has seen, at most 1 - noise."""
        alike: Rows = np.exp(-distances(rows, self.rows) / self.length)
        return alike * (1 - self.noise)


def distances(ones: Rows, others: Rows) -> Rows:
    """Return the sum of absolute differences between each two rows."""
    return np.array([np.abs(others - row).sum(axis=1) for row in ones])
