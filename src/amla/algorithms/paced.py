"""Train one architecture for as long as the time allows: the final training under a limit of seconds.

The schedule of learning rates needs a horizon in steps, but only training tells how long a step takes. So the training
is one lineage of legs; each leg plans anew, from the speed of those before it, where the horizon lies, and the last one
ends there.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from amla.spec.architecture import Architecture
from amla.trials.history import History
from amla.trials.trial import Proposal

LEGS = 10


@dataclass(frozen=True)
class Paced:
    """Train `architecture` for about `seconds`; `speed` is the expected number of steps a second.

    `recipe` is what is changed in its recipe.
    """

    architecture: Architecture
    seconds: float
    speed: float
    seed: int = 0
    legs: int = LEGS
    recipe: Mapping[str, float] = field(default_factory=dict)

    def ask(self, history: History) -> Proposal | None:
        """Return the next leg, or None while one trains and once the horizon is reached."""
        if history.pending or len(history.failed) >= 2:
            return None
        last = history.done[-1] if history.done else None
        before = 0 if last is None else sum(leg.proposal.budget for leg in history.lineage(last))
        if last is not None and before >= (last.proposal.horizon or 0):
            return None
        horizon = before + max(1, int(self._left(history) * self._speed(history)))
        leg = max(1, horizon // self.legs)
        budget = leg if horizon - before > 1.5 * leg else horizon - before
        start = None if last is None else last.id
        seed = self.seed + len(history.failed)
        return Proposal(self.architecture, budget, start=start, horizon=horizon, seed=seed, recipe=self.recipe)

    def recommend(self, history: History) -> Architecture | None:
        """Return the architecture once it has been trained."""
        return self.architecture if history.done else None

    def _left(self, history: History) -> float:
        return self.seconds - history.seconds

    def _speed(self, history: History) -> float:
        """Return the steps a second of the last three legs, or what was expected before there are any."""
        legs = history.done[-3:]
        seconds = sum(leg.measurement.seconds for leg in legs)
        return sum(leg.proposal.budget for leg in legs) / seconds if seconds else self.speed
