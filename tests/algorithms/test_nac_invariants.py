"""What holds of every construction of NAC, whatever its space, its settings and the statistics."""

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from itertools import pairwise
from math import ceil, nan

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from amla.algorithms.nac import Nac
from amla.algorithms.rounds import rounds
from amla.spaces.envelope import Cell, Stage, envelope
from amla.spec.architecture import Architecture
from amla.spec.digest import digest
from amla.trials.history import History
from amla.trials.trial import Measurement, Proposal, Trial

BRANCHES = ("1x1", "3x3", "3x3sep", "5x5")
Step = tuple[Stage, list[Cell], Trial, Architecture]  # a stage, its cells before, what was measured, what came of it


@st.composite
def searches(draw: st.DrawFn, alike: bool = False) -> tuple[Nac, History]:
    """Return NAC, and the history of a search of four networks by it; statistics tie, and may be no numbers."""
    cells = draw(st.lists(st.integers(1, 3), min_size=1, max_size=2))
    found = envelope(
        (1, 4, 4),
        2,
        width=8,
        cells=tuple(cells),
        max_cells=tuple(count + draw(st.integers(0, 2)) for count in cells),
        branches=BRANCHES[: draw(st.integers(1, 4))],
        skips=draw(st.sampled_from(["add", "concat", "none"])),
        dropout=draw(st.sampled_from([0.0, 0.2])),
    )
    quota, share = draw(st.integers(0, 4)), draw(st.sampled_from([0.0, 1 / 3, 0.5, 1.0]))
    nac = Nac(found, 1, 3, quota=quota, share=share, growing_only=draw(st.booleans()), alike=alike)
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    worth = draw(st.sampled_from([(1.0,), (0.0, 1.0, 2.0), (-1.0, 0.3, 0.5, nan), tuple(np.linspace(-9, 9, 99))]))
    history = History()
    while proposal := nac.ask(history):
        history = history.asked(proposal).told(len(history), _drawn(proposal, worth, rng))
    return nac, history


def _drawn(proposal: Proposal, worth: tuple[float, ...], rng: np.random.Generator) -> Measurement:
    statistics = {name: {node: float(rng.choice(worth)) for node in nodes} for name, nodes in proposal.probes.items()}
    return Measurement({"accuracy": 0.5}, statistics)


def steps(nac: Nac, history: History) -> Iterator[Step]:
    for trial, after in zip(history.trials, history.trials[1:], strict=False):
        for stage in nac.envelope.stages:
            before = [cell for cell in stage.cells if cell.branches in trial.proposal.architecture]
            yield stage, before, trial, after.proposal.architecture


def kept(network: Architecture, cells: list[Cell]) -> set[str]:
    return {branch for cell in cells for branch in network[cell.branches].inputs}


def rank(worth: float) -> float:
    return -np.inf if np.isnan(worth) else worth


@settings(deadline=None)
@given(search=searches())
def test_no_cell_is_left_without_a_branch(search: tuple[Nac, History]):
    for stage, _, _, after in steps(*search):
        cells = [cell for cell in stage.cells if cell.branches in after]
        assert all(after[cell.branches].inputs for cell in cells)


@settings(deadline=None)
@given(search=searches())
def test_no_more_leave_a_stage_than_share_and_quota_allow(search: tuple[Nac, History]):
    nac, _ = search
    for _, cells, trial, after in steps(*search):
        were = kept(trial.proposal.architecture, cells)
        gone = were - kept(after, cells)
        assert len(gone) <= min(nac.quota, int(len(were) * nac.share + 1e-9))


@settings(deadline=None)
@given(search=searches())
def test_those_that_leave_are_the_least_but_for_the_last_of_a_cell(search: tuple[Nac, History]):
    nac, _ = search
    for _, cells, trial, after in steps(*search):
        worth = {branch: rank(w) for branch, w in trial.measurement.statistics[nac.statistic].items()}
        gone = kept(trial.proposal.architecture, cells) - kept(after, cells)
        for cell in cells:
            staying = after[cell.branches].inputs
            if len(staying) > 1:
                assert all(worth[stays] >= worth[left] for stays in staying for left in gone)


@settings(deadline=None)
@given(search=searches())
def test_a_stage_grows_by_one_whole_cell_until_it_is_as_deep_as_it_may_be(search: tuple[Nac, History]):
    nac, _ = search
    for stage, cells, trial, after in steps(*search):
        now = [cell for cell in stage.cells if cell.branches in after]
        assert now[: len(cells)] == cells
        if len(cells) == len(stage.cells):
            assert now == cells
            if nac.growing_only:
                assert kept(after, cells) == kept(trial.proposal.architecture, cells)
        else:
            (new,) = now[len(cells) :]
            template = nac.envelope.space.template
            assert after[new.branches].inputs == template[new.branches].inputs
            assert new.skips is None or after[new.skips].inputs == template[new.skips].inputs


@settings(deadline=None)
@given(search=searches())
def test_half_of_the_skips_of_a_pruned_stage_stay_those_of_the_largest_norm(search: tuple[Nac, History]):
    nac, _ = search
    for stage, cells, trial, after in steps(*search):
        for cell in cells:
            if cell.skips is None:
                continue
            before, *were = trial.proposal.architecture[cell.skips].inputs
            same, *stay = after[cell.skips].inputs
            assert same == before
            assert set(stay) <= set(were)
            is_pruned = len(cells) < len(stage.cells) or not nac.growing_only
            assert len(stay) == (ceil(len(were) / 2) if is_pruned else len(were))
            sizes = {skip: rank(abs(w)) for skip, w in trial.measurement.statistics.get("norm", {}).items()}
            assert all(sizes[stays] >= sizes[left] for stays in stay for left in set(were) - set(stay))


@settings(deadline=None)
@given(search=searches())
def test_skips_come_from_earlier_cells_of_the_stage_once_each(search: tuple[Nac, History]):
    nac, history = search
    for trial in history.trials:
        network = trial.proposal.architecture
        for stage in nac.envelope.stages:
            for place, cell in enumerate(cell for cell in stage.cells if cell.branches in network):
                _, *skips = network[cell.skips].inputs if cell.skips else ("none",)
                read = [network[skip].inputs[0].removesuffix("/dropout") for skip in skips]
                assert len(set(read)) == len(read)
                own = {earlier.branches for earlier in stage.cells[: max(0, place - 1)]}
                assert all(source in own or "/cell" not in source for source in read)


@settings(deadline=None)
@given(search=searches(alike=True))
def test_of_cells_kept_alike_all_lose_the_same_kinds(search: tuple[Nac, History]):
    nac, history = search
    for trial, after in zip(history.trials, history.trials[1:], strict=False):
        before, now = trial.proposal.architecture, after.proposal.architecture
        pruned = [
            stage
            for stage in nac.envelope.stages
            if not nac.growing_only or any(cell.branches not in before for cell in stage.cells)
        ]
        cells = [cell.branches for stage in pruned for cell in stage.cells if cell.branches in before]
        kinds = {branch.rpartition("/")[2] for cell in cells for branch in before[cell].inputs}
        leaving = min(nac.quota, int(len(kinds) * nac.share + 1e-9))
        lost = {cell: set(before[cell].inputs) - set(now[cell].inputs) for cell in cells}
        gone = {branch.rpartition("/")[2] for branches in lost.values() for branch in branches}
        assert len(gone) <= leaving
        for cell in cells:
            assert now[cell].inputs
            left = {branch.rpartition("/")[2] for branch in now[cell].inputs}
            assert not left & gone or len(left) == 1


@settings(deadline=None)
@given(search=searches())
def test_a_search_ends_and_no_two_networks_of_it_are_alike(search: tuple[Nac, History]):
    nac, history = search
    assert 1 <= len(history) <= nac.iterations + 1
    networks = [trial.proposal.architecture for trial in history.trials]
    assert len(set(networks)) == len(networks)


@st.composite
def searches_with_candidates(draw: st.DrawFn) -> tuple[Nac, History]:
    """Return NAC that tries several networks each time, and the history of a search by it."""
    cells = draw(st.lists(st.integers(1, 2), min_size=1, max_size=2))
    most = tuple(count + draw(st.integers(0, 2)) for count in cells)
    found = envelope((1, 4, 4), 2, width=8, cells=tuple(cells), max_cells=most, branches=BRANCHES, skips="none")
    nac = Nac(
        found, 1, 3, share=draw(st.sampled_from([1 / 3, 0.5])), growing_only=False, alike=draw(st.booleans()),
        candidates=draw(st.integers(2, 4)), seed=draw(st.integers(0, 9)),
    )  # fmt: skip
    rng, history = np.random.default_rng(draw(st.integers(0, 2**32 - 1))), History()
    while proposal := nac.ask(history):
        measured = _drawn(proposal, tuple(np.linspace(-9, 9, 99)), rng)
        history = history.asked(proposal).told(len(history), replace(measured, metrics={"accuracy": rng.random()}))
    return nac, history


def rivals(nac: Nac, history: History) -> list[list[Trial]]:
    """Return the trials of each round."""
    return [
        [leg for found in each.constructions for leg in found.legs]
        for each in rounds(history, partial(nac._settled, history))
    ]


@settings(deadline=None, max_examples=40)
@given(search=searches_with_candidates())
def test_networks_that_are_tried_together_differ_and_come_from_the_best_of_those_before(search: tuple[Nac, History]):
    nac, history = search
    tried = rivals(nac, history)
    assert [trial for each in tried for trial in each] == list(history.trials)
    assert len(tried[0]) == 1
    for before, now in pairwise(tried):
        assert 1 <= len(now) <= nac.candidates
        assert len({digest(trial.proposal.architecture) for trial in now}) == len(now)
        parent = max(before, key=lambda trial: trial.measurement.metrics["accuracy"]).proposal.architecture
        for trial in now:
            _check_descends(nac, parent, trial.proposal.architecture)


def _check_descends(nac: Nac, parent: Architecture, child: Architecture) -> None:
    """Check that cells lost branches at most, and that a stage has one more cell at most."""
    grown = 0
    for stage in nac.envelope.stages:
        old = [cell for cell in stage.cells if cell.branches in parent]
        new = [cell for cell in stage.cells if cell.branches in child]
        assert new[: len(old)] == old
        assert len(new) - len(old) in (0, 1)
        grown += len(new) - len(old)
        assert all(set(child[cell.branches].inputs) <= set(parent[cell.branches].inputs) for cell in old)
    assert child != parent
    if nac.alike:
        cells = [cell.branches for stage in nac.envelope.stages for cell in stage.cells if cell.branches in child]
        kinds = {frozenset(branch.rpartition("/")[2] for branch in child[cell].inputs) for cell in cells}
        assert len(kinds) == 1
    assert nac.envelope.space.accepts(child)
