"""What a running trial says of itself: a line of its learning curve."""

from collections.abc import Callable

from amla.spec.values import Number, value
from amla.trials.trial import TrialId


@value
class Progress:
    """How far a leg has come: `step` of `budget` steps, and the means since the line before.

    `loss` and `accuracy` are those of the training batches, `rate` the learning rate, `seconds` the time since the leg
    began, by the study's clock.
    """

    trial: TrialId
    step: int
    budget: int
    loss: Number
    accuracy: Number
    rate: float
    seconds: float


Report = Callable[[Progress], None]


def silent(progress: Progress) -> None:
    """Report nothing."""
