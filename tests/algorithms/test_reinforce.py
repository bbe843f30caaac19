"""REINFORCE: sets drawn with the probabilities that the policy says, and a policy that learns what is better."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from small import CHOICES, FAILED, asked, climbed, leads, lived, of, places, word

from amla.algorithms.random import RandomSearch
from amla.algorithms.reinforce import Reinforce, drawn, marginals
from amla.spaces.nasbench201 import nasbench201

SPACE = places(6)
THETA = np.array([0.5, -1.0, 0.3, 1.2])


@given(st.integers(0, 4), st.integers(0, 4))
def test_marginals_are_sums_over_sets(one: int, other: int):
    least, most = sorted((one, other))
    sets = [chosen for count in range(least, most + 1) for chosen in combinations(range(4), count)]
    weights = np.array([np.exp(THETA[list(chosen)].sum()) for chosen in sets])
    expected = [sum(w for w, chosen in zip(weights, sets, strict=True) if i in chosen) for i in range(4)]
    assert marginals(THETA, least, most) == pytest.approx(np.array(expected) / weights.sum())


@pytest.mark.parametrize(("least", "most"), [(1, 1), (0, 4), (1, 3), (2, 2), (0, 0)])
def test_draws_are_as_likely_as_the_marginals_say(least: int, most: int):
    rng = np.random.default_rng(0)
    draws = [drawn(THETA, least, most, rng) for _ in range(2000)]
    assert all(least <= len(chosen) <= most and chosen == sorted(set(chosen)) for chosen in draws)
    shares = np.array([np.mean([i in chosen for chosen in draws]) for i in range(4)])
    assert np.abs(shares - marginals(THETA, least, most)).max() < 0.05


def test_it_learns_what_is_better():
    algorithm = Reinforce(places(3), 5, rate=0.3)
    history = climbed(algorithm, 150, judge=lambda network: 0.5 + 0.1 * word(network).count("c"))
    late = "".join(word(trial.proposal.architecture) for trial in history.trials[-30:])
    assert late.count("c") > 2 * len(late) / len(CHOICES)


def test_it_learns_from_what_came_before_only():
    alike = lived(Reinforce(SPACE, 5), [0.5] * 30)
    assert len({word(trial.proposal.architecture) for trial in alike.trials}) == 30  # nothing to learn: it stays random


def test_what_fails_is_drawn_less():
    algorithm, history = Reinforce(places(2, "ab"), 5, rate=0.5), lived(Reinforce(places(2, "ab"), 5), [])
    for _ in range(80):
        proposal = asked(algorithm, history)
        outcome = (
            FAILED if word(proposal.architecture)[0] == "a" else 0.5 + 0.1 * (word(proposal.architecture)[1] == "b")
        )
        history = history.asked(proposal).told(len(history), of(outcome) if isinstance(outcome, float) else outcome)
    late = [word(trial.proposal.architecture)[0] for trial in history.trials[-20:]]
    assert late.count("b") >= 15


def test_it_beats_random_search_on_a_smooth_landscape():
    """9 or more of 10 pairs: by luck in 1 of 100 tries."""
    assert leads(lambda s: Reinforce(SPACE, 5, 0.3, seed=s), lambda s: RandomSearch(SPACE, 5, seed=s), 120, 10) >= 9


def test_nothing_is_drawn_for_picks_that_are_tied(monkeypatch: pytest.MonkeyPatch):
    drawings = list[int]()

    def counted(theta: np.ndarray, *rest: object) -> list[int]:
        drawings.append(len(theta))
        return drawn(theta, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr("amla.algorithms.reinforce.drawn", counted)
    Reinforce(nasbench201((1, 8, 8), 3, width=2, cells=2), 5).ask(lived(RandomSearch(SPACE, 5), []))
    assert drawings == [5] * 6


def test_a_rate_of_nothing_is_refused():
    with pytest.raises(ValueError, match="rate is 0"):
        Reinforce(SPACE, 5, rate=0)
