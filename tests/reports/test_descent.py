"""Which network each grew from is read off the history, whichever algorithm wrote it."""

from functools import partial

import numpy as np
import pytest
from searches import grown, measured, random

from amla.algorithms.nac import Nac
from amla.algorithms.rounds import rounds
from amla.reports.descent import cells, guests, is_growth, parents
from amla.reports.growth import constructions
from amla.spaces.envelope import envelope
from amla.trials.history import History
from amla.trials.trial import Proposal, Trial


@pytest.mark.parametrize("alike", [True, False])
@pytest.mark.parametrize("seed", range(4))
def test_of_several_prunings_the_best_is_the_one_that_is_grown_from(seed: int, alike: bool) -> None:
    space = envelope((3, 32, 32), 10, width=32, cells=(1, 1), max_cells=(3, 3))
    algorithm = Nac(space, iterations=3, share=0.5, growing_only=False, alike=alike, candidates=3, seed=seed)
    history, rng = History(), np.random.default_rng(seed)
    while proposal := algorithm.ask(history):
        history = history.asked(proposal).told(len(history), measured(proposal, rng))
    best: Trial | None = None
    for each in rounds(history, partial(algorithm._settled, history)):
        for tried in each.constructions:
            found = parents(history, growing=True)[tried.legs[0].id]
            assert (found and found.id) == (best and best.id)
        best = each.chosen.legs[-1]
    assert is_growth(history)


def test_unrelated_networks_are_not_set_against_each_other() -> None:
    assert not any(is_growth(random(3, seed)) for seed in range(20))
    assert not any(step.changed for step in constructions(random()))


def test_a_widener_is_no_cell() -> None:
    assert set(cells(grown(0)[0].proposal.architecture)) == {f"stage{s}/cell{c}" for s in (0, 1) for c in (0, 1)}


def test_a_guest_of_a_run_off_grew_from_nothing_and_leaves_the_growth_what_it_is() -> None:
    history = grown(2)
    again = Proposal(history[1].proposal.architecture, 900)
    stranger = random(1)[0].proposal.architecture
    assert stranger not in [trial.proposal.architecture for trial in history.trials]
    for proposal in (again, Proposal(stranger, 900)):
        history = history.asked(proposal).told(len(history), history[0].measurement)
    assert guests(history) == {4}
    assert is_growth(history)
    steps = constructions(history)
    assert (steps[3].parent, steps[3].repeats) == (1, 1)
    assert (steps[4].parent, steps[4].repeats) == (None, None)


def test_a_history_of_equal_trainings_has_no_guests() -> None:
    assert guests(grown(3)) == guests(random(3)) == guests(History()) == set()
