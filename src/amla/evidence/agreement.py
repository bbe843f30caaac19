"""How well one way of ranking agrees with another: Kendall's tau with its interval, and what is lost at the top."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from amla.spec.values import value

RESAMPLES = 2_000
Numbers = NDArray[np.float64]


@value
class Agreement:
    """Tau-b (Kendall 1945), its 95 % interval over resampled items, and what the top of the ranking is worth.

    `precision` is the share of the `top` items by score that are among the `top` by worth, which by chance is `chance`;
    `regret` how much worse the first by score is than the best.
    """

    tau: float
    low: float
    high: float
    precision: float
    chance: float
    regret: float
    items: int


def agreement(scores: Sequence[float], worths: Sequence[float], top: int) -> Agreement:
    """Return how well `scores` rank items by their `worths`, more being better in both.

    Raises ValueError unless there are as many scores as worths, and three or more of them.
    """
    if len(scores) != len(worths) or len(scores) < 3:
        raise ValueError(f"{len(scores)} scores and {len(worths)} worths; give as many of both, at least three.")
    score, worth = np.asarray(scores, float), np.asarray(worths, float)
    one, other, n = _signs(score), _signs(worth), len(score)
    drawn = np.random.default_rng(0).multinomial(n, [1 / n] * n, RESAMPLES)
    low, high = np.quantile(_taus(one, other, drawn), (0.025, 0.975))
    tau = float(_taus(one, other, np.ones((1, n)))[0])
    top = min(top, n)
    first = np.argsort(-score, kind="stable")
    best = set(np.argsort(-worth, kind="stable")[:top].tolist())
    precision = len(best & set(first[:top].tolist())) / top
    regret = float(worth.max() - worth[first[0]])
    return Agreement(tau, float(low), float(high), precision, top / n, regret, n)


def _signs(numbers: Numbers) -> Numbers:
    found: Numbers = np.greater.outer(numbers, numbers).astype(float) - np.less.outer(numbers, numbers)
    return found


def _taus(one: Numbers, other: Numbers, drawn: NDArray[Any]) -> Numbers:
    """Return tau-b, which takes ties into account, of items that count as often as each row of `drawn` says.

    It is 0 where a row leaves nothing to rank.
    """
    agreeing, *apart = (((drawn @ of) * drawn).sum(axis=1) for of in (one * other, np.abs(one), np.abs(other)))
    both = np.sqrt(apart[0] * apart[1])
    found: Numbers = np.divide(agreeing, both, out=np.zeros_like(both), where=both > 0)
    return found
