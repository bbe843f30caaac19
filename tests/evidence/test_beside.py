"""A search was worth it if what it found lies above all that nobody searched for, by intervals."""

from dataclasses import replace

import pytest
from rating import rated

from amla.evidence.beside import Beside, Rated
from amla.reports.beside import advice


@pytest.mark.parametrize(
    ("baselines", "is_worth_it", "is_beaten", "words"),
    [
        ([0.87, 0.8], True, False, "The search was worth it"),
        (
            [0.885, 0.8],
            False,
            False,
            "Use the baseline r0, which does as well as what was found, as far as can be told",
        ),
        ([0.91, 0.8], False, False, "Use the baseline r0, which does as well as what was found, as far as can be told"),
        ([0.93, 0.8], False, True, "Use the baseline r0, which is better than what was found"),
    ],
)
def test_intervals_decide(baselines: list[float], is_worth_it: bool, is_beaten: bool, words: str):
    compared = Beside(
        rated("found", 0.9), tuple(rated(f"r{place}", one) for place, one in enumerate(baselines)), 10, 1.0
    )
    assert (compared.is_worth_it, compared.is_beaten) == (is_worth_it, is_beaten)
    assert advice(compared).startswith(words)


@pytest.mark.parametrize("reached", [0.95, 0.9, 0.8])
def test_that_they_trained_but_briefly_is_said_whoever_is_ahead(reached: float):
    for share, is_early in ((None, False), (0.1, False), (0.014, True)):
        compared = Beside(rated("found", 0.9), (rated("r0", reached),), 120, 1.0, share=share)
        assert compared.is_early is is_early
        assert ("after 120 steps each, 1.4\u202f% of the final training" in advice(compared)) is is_early


@pytest.mark.parametrize(
    ("ours", "words"),
    [(0.9, "What was found is ahead: R² 0.9"), (0.8, "The baseline r0 does as well as what was found, or better: R²")],
)
def test_without_intervals_it_is_said_who_is_ahead_and_that_no_more_is_known(ours: float, words: str):
    found, other = (Rated(name, reached, None, None, 1000, 20_000) for name, reached in (("found", ours), ("r0", 0.8)))
    compared = Beside(found, (other,), 10, 1.0, "r2")
    assert (compared.is_decidable, compared.is_worth_it, compared.is_beaten) == (False, False, False)
    assert advice(compared).startswith(words)
    assert advice(compared).endswith("validation gives no interval of R².")
    assert "%" not in advice(compared)


def test_a_baseline_with_a_wide_interval_is_not_beaten_though_it_is_not_the_best():
    compared = Beside(rated("found", 0.9), (rated("r0", 0.8), rated("r1", 0.7, half=0.3)), 10, 1.0)
    assert not compared.is_worth_it
    assert not compared.is_beaten


@pytest.mark.parametrize(
    ("other", "words"),
    [
        (0.87, "No baseline is better: "),
        (0.9, "No baseline is better: "),
        (0.93, "Use the baseline r0, which is better"),
    ],
)
def test_where_a_plain_network_is_what_was_found_that_is_said_first(other: float, words: str):
    compared = Beside(rated("found", 0.9), (rated("r0", other),), 10, 1.0, is_plain=True)
    first, _, rest = advice(compared).partition(". ")
    assert first.startswith("In the run-off a plain network did better than all that the search had come to")
    assert rest.startswith(words)
    assert "worth it" not in advice(compared)


def test_a_baseline_that_does_as_well_but_costs_more_is_not_to_be_used():
    dear = replace(rated("r0", 0.905), macs=30_000)
    compared = Beside(rated("found", 0.9), (dear, rated("r1", 0.8)), 10, 1.0)
    assert compared.instead is None
    assert advice(compared).startswith(
        "What was found does as well as the baseline r0, as far as can be told, and r0 has"
    )
    beside_it = replace(compared, baselines=(dear, rated("r1", 0.895)))
    assert beside_it.instead is not None
    assert advice(beside_it).startswith("Use the baseline r1, which does as well")
    better = replace(compared, baselines=(replace(rated("r0", 0.95), macs=30_000),))
    assert better.instead is better.best


def test_where_nobody_does_better_than_guessing_no_advice_is_given():
    compared = Beside(rated("found", 1 / 3), (rated("r0", 0.34),), 10, 1.0, share=0.5, guess=1 / 3)
    assert compared.is_blind
    assert compared.instead is None
    assert advice(compared).startswith("Whether the search was worth it cannot be said: after 10 steps neither")
    assert not replace(compared, found=rated("found", 0.4)).is_blind
    assert not replace(compared, guess=None).is_blind


def test_a_few_steps_are_early_whatever_share_of_a_short_final_training_they_are():
    compared = Beside(rated("found", 0.9), (rated("r0", 0.8),), 49, 1.0, share=0.5)
    assert compared.is_early
    assert not replace(compared, steps=50).is_early
