"""REINFORCE (Williams 1992; Zoph and Le 2017, section 3.2) over decisions, each network trained by itself.

The policy keeps, for every gene, some of its inputs: a set S of an allowed size with probability proportional to
exp(sum of theta_i over S), all genes alone. Where one input is kept that is the softmax. Theta follows the gradient of
log p(S), which is [i in S] - P(i in S), times how much better a network is than those before it. A Pick that is tied to
a gene keeps what that keeps: it is no choice of its own, and has no theta.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import inf, sqrt

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from amla.algorithms.protocol import best, reached
from amla.spaces.space import MAX_TRIES, Space
from amla.spec.architecture import Architecture, NodeId
from amla.spec.decisions import Decisions, in_order
from amla.trials.history import History
from amla.trials.trial import Proposal, Trial

BOUND = 5.0  # of theta, from its mean: no input is ever lost for good, and products over inputs stay numbers
MOST_ADVANTAGE = 3.0  # standard deviations
Vector = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Reinforce:
    """Train networks drawn from a policy, each for `steps`; the policy learns from each one that finishes.

    `rate` is the learning rate, per standard deviation of the metric; the baseline and that deviation are means that
    decay by `decay` a trial. A trial that fails counts as the worst so far. Raises ValueError for numbers out of range.
    """

    space: Space
    steps: int
    rate: float = 0.1
    decay: float = 0.9
    seed: int = 0
    metric: str = "accuracy"

    def __post_init__(self) -> None:
        if not (self.rate > 0 and 0 <= self.decay < 1):
            raise ValueError(
                f"rate is {self.rate} and decay {self.decay}; say more than 0, and at least 0 and below 1."
            )

    def ask(self, history: History) -> Proposal:
        """Return a network drawn from the policy, or at random where the space accepts none of those; never ends.

        With constraints a draw beyond them is brought within (`Space.nearest`): the policy learns from what it became.
        """
        policy, rng = history.replayed(self, lambda: _Policy(self), _Policy.hear), history.rng(self.seed)
        drawn = (self.space.nearest(policy.draw(rng), rng) for _ in range(MAX_TRIES))
        network = next((network for network in drawn if network is not None), None)
        return Proposal(network or self.space.sample(rng), self.steps, seed=self.seed, keep=False)

    def recommend(self, history: History) -> Architecture | None:
        """Return the network with the best metric."""
        winner = best(history, self.metric)
        return winner.proposal.architecture if winner else None


@dataclass
class _Policy:
    """A theta for every input of every gene that is not fixed; and the mean and variance of the metric so far."""

    search: Reinforce
    theta: dict[NodeId, Vector] = field(init=False)
    mean: float | None = None
    variance: float = 0.0
    worst: float = inf

    def __post_init__(self) -> None:
        template, genes = self.search.space.template, self.search.space.genes
        self.theta = {gene: np.zeros(len(template[gene].inputs) - template.picks[gene].fixed) for gene in genes}

    def hear(self, trial: Trial) -> None:
        """Learn from a trial that is over."""
        value = reached(trial, self.search.metric)
        if value == -inf:
            value = self.worst
        if value == inf:
            return  # nothing to compare it with
        self.worst = min(self.worst, value)
        if self.mean is not None and (advantage := self._advantage(value)):
            self._learn(self.search.space.read(trial.proposal.architecture), advantage)
        self._remember(value)

    def draw(self, rng: Generator) -> Decisions:
        """Return a decision for every gene."""
        template, found = self.search.space.template, dict[NodeId, tuple[NodeId, ...]]()
        for gene, theta in self.theta.items():
            op, inputs = template.picks[gene], template[gene].inputs
            chosen = drawn(theta, op.at_least - op.fixed, op.at_most - op.fixed, rng)
            found[gene] = in_order(template, gene, (*inputs[: op.fixed], *(inputs[op.fixed + i] for i in chosen)))
        return found

    def _advantage(self, value: float) -> float:
        assert self.mean is not None  # noqa: S101
        deviation = sqrt(self.variance) or abs(value - self.mean)
        return float(np.clip((value - self.mean) / deviation, -MOST_ADVANTAGE, MOST_ADVANTAGE)) if deviation else 0.0

    def _remember(self, value: float) -> None:
        before, decay = value if self.mean is None else self.mean, self.search.decay
        self.variance = decay * (self.variance + (1 - decay) * (value - before) ** 2)
        self.mean = decay * before + (1 - decay) * value

    def _learn(self, kept: Mapping[NodeId, tuple[NodeId, ...]], advantage: float) -> None:
        template = self.search.space.template
        for gene, chosen in kept.items():
            op, theta = template.picks[gene], self.theta[gene]
            free = template[gene].inputs[op.fixed :]
            was = np.array([source in chosen for source in free], float)
            expected = marginals(theta, op.at_least - op.fixed, op.at_most - op.fixed)
            theta += self.search.rate * advantage * (was - expected)
            theta -= theta.mean() if len(theta) else 0.0
            np.clip(theta, -BOUND, BOUND, out=theta)


def drawn(theta: Vector, least: int, most: int, rng: Generator) -> list[int]:
    """Return places drawn with probability proportional to exp(sum of their theta), from `least` to `most` of them."""
    weights = np.exp(theta)
    sums = _sums(weights)
    sizes = sums[-1][least : most + 1]
    size, chosen = least + int(rng.choice(len(sizes), p=sizes / sizes.sum())), list[int]()
    for place in range(len(theta) - 1, -1, -1):
        if size and rng.random() * sums[place + 1][size] < weights[place] * sums[place][size - 1]:
            chosen.append(place)
            size -= 1
    return chosen[::-1]


def marginals(theta: Vector, least: int, most: int) -> Vector:
    """Return how likely each place is to be among those drawn."""
    weights = np.exp(theta)
    before, after = _sums(weights), _sums(weights[::-1])[::-1]
    whole = before[-1][least : most + 1].sum()
    others = [np.convolve(before[i], after[i + 1])[max(least - 1, 0) : most].sum() for i in range(len(theta))]
    found: Vector = weights * np.array(others) / whole
    return found


def _sums(weights: Vector) -> list[Vector]:
    """Return, for the first n weights, the sums of products of k of them, k from 0 to all (symmetric polynomials)."""
    found = [np.zeros(len(weights) + 1)]
    found[0][0] = 1.0
    for weight in weights:
        found.append(found[-1].copy())
        found[-1][1:] += weight * found[-2][:-1]
    return found
