"""How often a run of one is better than a run of another: the probability of improvement (Agarwal et al. 2021)."""

from collections.abc import Sequence

import numpy as np

from amla.spec.values import value

RESAMPLES = 2_000


@value
class Improvement:
    """How likely a run of the first is better than a run of the second, ties half, and the bootstrap's 95 % interval.

    Above 0.75 it is often called meaningful (Bouthillier et al. 2021).
    """

    share: float
    low: float
    high: float


def improvement(ours: Sequence[float], theirs: Sequence[float]) -> Improvement:
    """Return how often one of `ours` is better than one of `theirs`, over all pairings; both are resampled."""
    one, other = np.asarray(ours, float), np.asarray(theirs, float)
    wins = np.sign(one[:, None] - other[None, :]) / 2 + 0.5
    rng = np.random.default_rng(0)
    drawn, others = (rng.multinomial(len(of), [1 / len(of)] * len(of), RESAMPLES) for of in (one, other))
    shares = ((drawn @ wins) * others).sum(axis=1) / wins.size  # each run counts as often as it was drawn
    low, high = np.quantile(shares, (0.025, 0.975))
    return Improvement(float(wins.mean()), float(low), float(high))
