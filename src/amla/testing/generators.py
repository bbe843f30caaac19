"""The law of generators: of an algorithm behind a URL the same holds as of any other."""

from collections.abc import Mapping
from typing import Any

from amla.algorithms.remote import Remote
from amla.spaces.envelope import envelope
from amla.testing.algorithms import check_algorithm

STEPS = 10
SECONDS = 10.0  # for an answer: questions are small, and the space is
SEEDS, WORKERS, FAILING, TRIALS = (0, 1), (1, 3), (0.0, 0.3), 20


def check_generator(url: str, options: Mapping[str, Any]) -> str:
    """Return what was looked at, in words. Raises AssertionError or RemoteError where the generator breaks its law.

    It searches a small made-up space in all combinations of two seeds, one worker and three, without and with trials
    that fail; see `check_algorithm` for the law.
    """
    space = envelope((1, 8, 8), 2, width=6, cells=(1, 1), max_cells=(2, 2), branches=("1x1", "3x3", "3x3sep")).space

    def generator() -> Remote:
        return Remote(url, space, STEPS, study="check", options=options, seconds=SECONDS)

    generator().check_health()
    check_algorithm(generator, space=space, trials=TRIALS, seeds=SEEDS, workers=WORKERS, failing=FAILING)
    searches = len(SEEDS) * len(WORKERS) * len(FAILING)
    return (
        f"{searches} searches of up to {TRIALS} trials, with {' and '.join(map(str, WORKERS))} workers, without and "
        "with failures: each question got the same answer whenever it was asked, and every network was of the space"
    )
