"""Random search with weight sharing (Li and Talwalkar 2019): train the space one random path a step, then score paths.

The baseline of one-shot methods: every other must choose better than chance does with the same shared weights.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

from amla.algorithms.legs import legs
from amla.algorithms.protocol import check_least
from amla.spaces.paths import draw_path
from amla.spaces.space import MAX_TRIES, Space
from amla.spec.architecture import Architecture
from amla.spec.decisions import Decisions
from amla.trials.history import History
from amla.trials.trial import Logits, Measurement, Proposal, SamplePaths, Trial

SCORED = 50  # paths in one trial at most


@dataclass(frozen=True)
class RandomSharing:
    """Train for `steps` in so many `legs`, then score `paths` random ones on `examples` held out (None: on all)."""

    space: Space
    steps: int
    legs: int = 10
    paths: int = 100
    examples: int | None = None
    seed: int = 0
    metric: str = "accuracy"

    def __post_init__(self) -> None:
        check_least(self, 1, "steps", "legs", "paths")

    def ask(self, history: History) -> Proposal | None:
        """Return the next leg of training, then of scoring, or None while one runs and when all are done."""
        found = legs(history)
        if not found.ready:
            return None
        template, tied = self.space.template, self.space.tied
        if (left := self.steps - found.steps) > 0:
            budget = min(left, -(-self.steps // self.legs))
            return Proposal(template, budget, SamplePaths(tied=tied), found.last, horizon=self.steps, seed=self.seed)
        scored = sum(len(paths_of(leg)) for leg in found.done)
        if scored >= self.paths:
            return None
        rng = np.random.default_rng((self.seed, scored))
        drawn = draw(self.space, rng, {}, min(SCORED, self.paths - scored))
        method = SamplePaths(drawn, examples=self.examples, tied=tied)
        return Proposal(template, 0, method, found.last, seed=self.seed) if drawn else None

    def recommend(self, history: History) -> Architecture | None:
        """Return the best path by the shared weights, or None before any is scored."""
        found = max(scores(self.metric, *legs(history).done), key=lambda pair: pair[1], default=None)
        return self.space.close(found[0]) if found else None


def draw(space: Space, rng: Generator, logits: Logits, count: int) -> tuple[Decisions, ...]:
    """Return `count` accepted paths, drawn by `logits`; fewer where a thousand draws in a row find none.

    With constraints a path beyond them is brought within (`Space.nearest`).
    """
    found, tries = list[Decisions](), 0
    while len(found) < count and tries < MAX_TRIES:
        path, tries = draw_path(space.template, rng, logits, space.tied), tries + 1
        if (network := space.nearest(path, rng)) is not None:
            found.append({**path, **space.read(network)})
            tries = 0
    return tuple(found)


def paths_of(leg: Trial) -> tuple[Decisions, ...]:
    """Return the paths that a leg scores."""
    return leg.proposal.method.paths if isinstance(leg.proposal.method, SamplePaths) else ()


def scores(metric: str, *trials: Trial) -> Iterator[tuple[Decisions, float]]:
    """Yield every path that was scored, with its metric."""
    for trial in trials:
        table = trial.outcome.statistics.get(metric, {}) if isinstance(trial.outcome, Measurement) else {}
        for place, path in enumerate(paths_of(trial)):
            if np.isfinite(found := table.get(f"path/{place}", np.nan)):
                yield path, float(found)
