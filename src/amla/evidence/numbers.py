"""How well numbers are predicted: the share of their variance that is explained, and errors in their own units."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

DRAWS = 1000  # of a bootstrap
Numbers = NDArray[np.float64]


def r2(said: Numbers, truth: Numbers) -> float:
    """Return 1 less the squared error as a share of the variance, the mean of all targets (n, targets).

    It is 1 where all is right, 0 of who always says the mean of these examples, and has no lower bound. NaN where a
    target is the same for all examples.
    """
    return float(_r2(((said - truth) ** 2).sum(0), ((truth - truth.mean(0)) ** 2).sum(0)))


def errors(said: Numbers, truth: Numbers, units: Sequence[float]) -> dict[str, float]:
    """Return `r2`, the mean squared error as `loss`, `examples`, and of every target n `mae/n` and `rmse/n`.

    `units` is by what numbers (n, targets) were divided: the latter two are errors in the units that they had.
    """
    apart = said - truth
    found = {"r2": r2(said, truth), "loss": float((apart**2).mean()), "examples": float(len(truth))}
    for place, unit in enumerate(units):
        found[f"mae/{place}"] = float(np.abs(apart[:, place]).mean() * unit)
        found[f"rmse/{place}"] = float(np.sqrt((apart[:, place] ** 2).mean()) * unit)
    return found


def r2_interval(said: Numbers, truth: Numbers, draws: int = DRAWS) -> tuple[float, float]:
    """Return the 95 % interval of r2 by a bootstrap over examples (Efron 1979), always the same for the same numbers.

    NaN for two examples or fewer, of which every draw that has an r2 is all of them, and where no draw has one.
    """
    if len(truth) < 3:
        return float("nan"), float("nan")
    rng, count = np.random.default_rng(0), len(truth)
    squares, apart = truth**2, (said - truth) ** 2
    found = np.empty(draws)
    for draw in range(draws):
        times = np.bincount(rng.integers(count, size=count), minlength=count).astype(np.float64)
        whole = times @ squares - (times @ truth) ** 2 / count
        found[draw] = _r2(times @ apart, whole)
    found = found[np.isfinite(found)]
    if not len(found):
        return float("nan"), float("nan")
    low, high = np.percentile(found, (2.5, 97.5))
    return float(low), float(high)


def _r2(apart: Numbers, whole: Numbers) -> float:
    """Return the mean of 1 less the share that `apart` is of `whole`; NaN where one of these is nothing."""
    if not (whole > 1e-12).all():
        return float("nan")
    return float((1 - apart / whole).mean())
