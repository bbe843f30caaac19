"""NAC that trains each construction in several legs: windows, early ends, and candidates."""

from collections.abc import Callable
from itertools import pairwise

import pytest

from amla.algorithms.nac import FEWEST, Nac
from amla.algorithms.rounds import constructions
from amla.spaces.envelope import envelope
from amla.trials.history import History
from amla.trials.trial import Failure, Measurement, Proposal

BRANCHES = ("1x1", "3x3", "5x5")
SPACE = envelope((3, 8, 8), 4, width=8, cells=(2,), max_cells=(4,), branches=BRANCHES)
NAMES = [f"stage0/cell{cell}/{branch}" for cell in range(2) for branch in BRANCHES]
CELLS = ("stage0/cell0", "stage0/cell1")
Worth = Callable[[int, str], float]  # of a branch in a leg


def lived(nac: Nac, worth: Worth, accuracy: Callable[[int], float] = lambda leg: leg / 1000) -> History:
    """Return the history of a whole search; legs are counted from its beginning."""
    history = History()
    while proposal := nac.ask(history):
        history = history.asked(proposal).told(len(history), measured(proposal, len(history), worth, accuracy))
    return history


def measured(proposal: Proposal, leg: int, worth: Worth, accuracy: Callable[[int], float]) -> Measurement:
    statistics = {probe: {node: worth(leg, node) for node in nodes} for probe, nodes in proposal.probes.items()}
    return Measurement({"accuracy": accuracy(leg)}, statistics)


def steady(leg: int, node: str) -> float:
    return float(sum(map(ord, node)))


def gone(history: History) -> list[str]:
    """Return which branches of the first network the second lacks."""
    first, second, *_ = constructions(history)
    return [name for name in NAMES if name in first.architecture and name not in second.architecture]


def test_a_construction_is_a_lineage_of_equal_legs_with_one_schedule():
    history = lived(Nac(SPACE, steps=10, iterations=1, windows=4), steady)
    proposals = [trial.proposal for trial in history.trials]
    assert [proposal.budget for proposal in proposals] == [2, 3, 2, 3] * 2
    assert [proposal.start for proposal in proposals] == [None, 0, 1, 2, None, 4, 5, 6]
    assert {(proposal.horizon, proposal.keep) for proposal in proposals} == {(10, True)}


def test_there_are_no_more_windows_than_steps():
    history = lived(Nac(SPACE, steps=2, iterations=0, windows=7), steady)
    assert [trial.proposal.budget for trial in history.trials] == [1, 1]


def test_what_is_pruned_follows_from_the_later_half_of_the_windows():
    """Early on two branches are least that no longer are in the end; one window is the others' mean turned round."""

    def worth(leg: int, node: str) -> float:
        weak = NAMES[:2] if leg % 5 < 2 else NAMES[3:5]
        return 0.0 if node in weak else 1.0

    assert gone(lived(Nac(SPACE, steps=10, iterations=1, windows=5), worth)) == NAMES[3:5]


def test_of_the_windows_that_count_the_mean_decides():
    def worth(leg: int, node: str) -> float:
        return {NAMES[0]: 10.0 if leg == 3 else -6.0, NAMES[3]: -1.0, NAMES[4]: -1.0}.get(node, 0.0)

    assert gone(lived(Nac(SPACE, steps=4, iterations=1, windows=4), worth)) == NAMES[3:5]


def test_training_ends_once_windows_agree():
    history = lived(Nac(SPACE, steps=20, iterations=1, windows=20, stable=1.0), steady)
    assert [len(found.legs) for found in constructions(history)] == [FEWEST, FEWEST]


def test_training_goes_on_while_windows_do_not_agree():
    def worth(leg: int, node: str) -> float:
        return float((hash_of(node) * (leg + 3)) % 101)

    history = lived(Nac(SPACE, steps=20, iterations=1, windows=20, stable=1.0), worth)
    assert [len(found.legs) for found in constructions(history)] == [20, 20]


def hash_of(node: str) -> int:
    return sum(place * ord(letter) for place, letter in enumerate(node, 1))


def test_networks_that_ended_at_different_times_are_compared_after_the_same_number_of_steps():
    """The first network goes on while the second ends early: what it reached later does not count."""

    def worth(leg: int, node: str) -> float:
        return float((hash_of(node) * (leg + 3)) % 101) if leg < 20 else steady(leg, node)

    def accuracy(leg: int) -> float:
        return 0.9 if leg == 19 else 0.5 if leg == 20 + FEWEST - 1 else 0.1

    nac = Nac(SPACE, steps=20, iterations=1, windows=20, stable=1.0)
    history = lived(nac, worth, accuracy)
    first, second = constructions(history)
    assert (len(first.legs), len(second.legs)) == (20, FEWEST)
    assert nac.recommend(history) == second.architecture


def test_of_several_candidates_the_best_after_a_window_goes_on():
    best = 4 + 1  # the second candidate

    def accuracy(leg: int) -> float:
        return 0.9 if leg == best else 0.1

    history = lived(Nac(SPACE, steps=8, iterations=1, windows=4, candidates=3), steady, accuracy)
    first, *candidates = constructions(history)
    assert [len(found.legs) for found in candidates] == [1, 4, 1]
    assert candidates[1].legs[0].id == best
    assert len({found.architecture for found in (first, *candidates)}) == 4


def test_the_first_candidate_is_what_the_statistic_says():
    history = lived(Nac(SPACE, steps=8, iterations=1, windows=4, candidates=3), steady)
    alone = lived(Nac(SPACE, steps=8, iterations=1, windows=4), steady)
    assert constructions(history)[1].architecture == constructions(alone)[1].architecture


def test_candidates_keep_the_strong_branches():
    """Two of six branches leave, drawn from the four weakest."""
    history = lived(Nac(SPACE, steps=8, iterations=1, windows=4, candidates=5), steady)
    weakest = sorted(NAMES, key=lambda name: steady(0, name))[:4]
    for candidate in constructions(history)[1:]:
        left = [name for name in NAMES if name not in candidate.architecture]
        assert len(left) == 2
        assert set(left) <= set(weakest)


def test_there_may_be_fewer_prunings_than_candidates():
    space = envelope((3, 8, 8), 4, width=8, cells=(1,), max_cells=(1,), branches=BRANCHES)
    nac = Nac(space, steps=8, iterations=1, windows=2, candidates=9, growing_only=False)
    assert len(constructions(lived(nac, steady))) == 3


def test_a_candidate_that_fails_is_tried_again():
    nac = Nac(SPACE, steps=8, iterations=1, windows=2, candidates=2)
    history = History()
    for outcome in (None, None, Failure("diverged", "no"), None):
        proposal = nac.ask(history)
        assert proposal is not None
        told = outcome or measured(proposal, len(history), steady, lambda leg: 0.5)
        history = history.asked(proposal).told(len(history), told)
    assert history[2].proposal.architecture == history[3].proposal.architecture
    assert (history[2].proposal.seed, history[3].proposal.seed) == (0, 1)


def test_candidates_may_train_for_the_only_window():
    best = 2  # the second of the first three
    nac = Nac(SPACE, steps=8, iterations=2, candidates=3)
    history = lived(nac, steady, lambda leg: 0.9 if leg == best else 0.1)
    assert [len(found.legs) for found in constructions(history)] == [1] * 7
    assert {trial.proposal.budget for trial in history.trials} == {8}
    chosen = history[best].proposal.architecture
    kept = SPACE.space.read(chosen)
    for later in constructions(history)[4:]:
        assert all(set(SPACE.space.read(later.architecture)[cell]) <= set(kept[cell]) for cell in CELLS)
    assert nac.recommend(history) == chosen


def test_a_candidate_that_never_trains_is_left_for_the_others():
    nac, history = Nac(SPACE, steps=8, iterations=1, candidates=3), History()
    refused = None
    while proposal := nac.ask(history):
        if len(history) == 1:
            refused = proposal.architecture
        failed = proposal.architecture == refused
        said = measured(proposal, len(history), steady, lambda leg: 0.5)
        history = history.asked(proposal).told(len(history), Failure("out_of_memory", "no") if failed else said)
    assert [trial.proposal.seed for trial in history.failed] == [0, 1, 2]
    tried = [found.architecture for found in constructions(history)]
    assert len(set(tried)) == 4
    assert refused not in tried


def test_heirs_go_on_from_the_last_leg_of_the_one_that_was_chosen():
    nac = Nac(SPACE, steps=4, iterations=1, windows=2, candidates=2, inherit=True)
    history = lived(nac, steady, lambda leg: float(leg == 2))
    assert [trial.proposal.start for trial in history.trials] == [None, 0, 1, 1, 2]
    assert {trial.proposal.horizon for trial in history.trials} == {8}


@pytest.mark.parametrize(
    ("said", "complaint"),
    [
        ({"windows": 0}, "windows is 0"),
        ({"candidates": 0}, "candidates is 0"),
        ({"stable": 0.9}, "say more than 6"),
        ({"stable": 0.9, "windows": FEWEST}, "say more than 6"),
        ({"stable": 1.2, "windows": 20}, "a share, from 0 to 1"),
    ],
)
def test_what_cannot_be_is_refused(said: dict[str, float], complaint: str):
    with pytest.raises(ValueError, match=complaint):
        Nac(SPACE, **said)  # type: ignore[arg-type]


def test_legs_follow_one_another():
    history = lived(Nac(SPACE, steps=10, iterations=2, windows=5), steady)
    for found in constructions(history):
        assert all(later.proposal.start == earlier.id for earlier, later in pairwise(found.legs))
