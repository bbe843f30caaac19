"""Random search: the baseline every other algorithm must beat."""

from dataclasses import dataclass

import numpy as np

from amla.algorithms.protocol import best, has_asked
from amla.spaces.space import Space
from amla.spec.architecture import Architecture
from amla.trials.history import History
from amla.trials.trial import Proposal


@dataclass(frozen=True)
class RandomSearch:
    """Ask for `trials` random architectures of the space (None: without end), each trained for `steps`.

    What is refused as infeasible does not count (`amla.algorithms.protocol.has_asked`).
    """

    space: Space
    steps: int
    trials: int | None = None
    seed: int = 0
    metric: str = "accuracy"

    def ask(self, history: History) -> Proposal | None:
        """Return a random architecture, or None once all were asked for."""
        if self.trials is not None and has_asked(history, self.trials):
            return None
        # The same networks whatever runs or failed meanwhile, and so with any number of workers; another one where a
        # wrapper refused the last.
        rng = np.random.default_rng((self.seed, len(history), history.real, 0))
        return Proposal(self.space.sample(rng), self.steps, seed=self.seed, keep=False)

    def recommend(self, history: History) -> Architecture | None:
        """Return the architecture with the best metric."""
        winner = best(history, self.metric)
        return winner.proposal.architecture if winner else None
