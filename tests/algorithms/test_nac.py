from collections.abc import Mapping
from math import nan

import pytest

from amla.algorithms.nac import Nac
from amla.spaces.envelope import Envelope, envelope
from amla.spaces.space import Space
from amla.spec.architecture import Architecture
from amla.trials.history import History
from amla.trials.trial import Failure, Measurement, Proposal

BRANCHES = ("1x1", "3x3", "5x5")
FAILURE = Failure("out_of_memory", "too large")


def space(
    cells: tuple[int, ...] = (1,), most: tuple[int, ...] = (4,), branches: tuple[str, ...] = BRANCHES
) -> Envelope:
    return envelope((3, 8, 8), 4, width=8, cells=cells, max_cells=most, branches=branches)


def measured(proposal: Proposal, accuracy: float = 0.5, **worth: float) -> Measurement:
    """Return a measurement in which every branch and skip is worth 1, but for those named, "_" for "/" in addresses."""
    said = {address.replace("_", "/"): number for address, number in worth.items()}
    statistics = {
        probe: {node: said.get(node.removeprefix("stage"), 1.0) for node in nodes}
        for probe, nodes in proposal.probes.items()
    }
    return Measurement({"accuracy": accuracy}, statistics)


def told(nac: Nac, history: History, accuracy: float = 0.5, worth: Mapping[str, float] | None = None) -> History:
    """Return the history after one more ask, answered."""
    proposal = nac.ask(history)
    assert proposal is not None
    return history.asked(proposal).told(len(history), measured(proposal, accuracy, **(worth or {})))


def after(nac: Nac, **worth: float) -> Architecture:
    """Return the network that is built from the first one, whose branches were worth this."""
    proposal = nac.ask(told(nac, History(), worth=worth))
    assert proposal is not None
    return proposal.architecture


def branches(network: Architecture, cell: str) -> list[str]:
    return [branch.removeprefix(f"{cell}/") for branch in network[cell].inputs]


def test_the_first_network_is_the_envelope():
    found = space(cells=(2,))
    first = Nac(found, steps=7, seed=5).ask(History())
    assert first is not None
    assert first.architecture == found.space.close(found.initial())
    assert (first.budget, first.seed, first.start, first.keep) == (7, 5, None, False)


def test_an_heir_begins_where_the_last_network_was_and_all_share_one_schedule():
    nac, history = Nac(space(), steps=7, iterations=2, inherit=True), History()
    for _ in range(3):
        history = told(nac, history)
    proposals = [trial.proposal for trial in history.done]
    assert [proposal.start for proposal in proposals] == [None, 0, 1]
    assert {(proposal.budget, proposal.horizon, proposal.keep) for proposal in proposals} == {(7, 21, True)}


def test_an_heir_is_tried_again_from_the_last_network_that_trained():
    nac, history = Nac(space(), inherit=True), told(Nac(space(), inherit=True), History())
    failed = nac.ask(history)
    assert failed is not None
    again = nac.ask(history.asked(failed).told(1, FAILURE))
    assert again is not None
    assert (failed.start, again.start) == (0, 0)


def test_of_heirs_the_one_that_trained_longest_is_recommended():
    nac, history = Nac(space(), iterations=2, inherit=True), History()
    for accuracy in (0.5, 0.9, 0.7):
        history = told(nac, history, accuracy)
    assert nac.recommend(history) == history[2].proposal.architecture


def test_living_branches_and_skips_are_watched():
    first = Nac(space(cells=(2,)), statistic="variance").ask(History())
    assert first is not None
    cells = ("stage0/cell0", "stage0/cell1")
    assert first.probes == {
        "variance": tuple(f"{cell}/{branch}" for cell in cells for branch in BRANCHES),
        "norm": ("stage0/cell1/from-stem",),
    }


def test_without_skips_no_scale_is_watched():
    first = Nac(space(cells=(1,))).ask(History())
    assert first is not None
    assert list(first.probes) == ["taylor"]


def test_the_lowest_third_of_a_stage_leaves():
    network = after(Nac(space(cells=(2,))), **{"0_cell0_3x3": 0.2, "0_cell1_5x5": 0.1, "0_cell1_1x1": 0.3})
    assert branches(network, "stage0/cell0") == ["1x1", "5x5"]
    assert branches(network, "stage0/cell1") == ["1x1", "3x3"]


def test_what_leaves_is_counted_over_all_cells_of_a_stage():
    network = after(Nac(space(cells=(2,))), **{"0_cell1_5x5": 0.1, "0_cell1_1x1": 0.2})
    assert branches(network, "stage0/cell0") == list(BRANCHES)
    assert branches(network, "stage0/cell1") == ["3x3"]


def test_stages_do_not_compete():
    worth = {f"0_cell0_{branch}": 0.1 for branch in BRANCHES} | {"1_cell0_5x5": 0.9}
    network = after(Nac(space((1, 1), (2, 2))), **worth)
    assert len(branches(network, "stage0/cell0")) == 2
    assert branches(network, "stage1/cell0") == ["1x1", "3x3"]


@pytest.mark.parametrize(("quota", "left"), [(0, 6), (1, 5), (2, 4), (6, 4)])
def test_no_more_leave_than_the_quota(quota: int, left: int):
    network = after(Nac(space(cells=(2,)), quota=quota))
    assert sum(len(branches(network, f"stage0/cell{cell}")) for cell in (0, 1)) == left


@pytest.mark.parametrize(("share", "left"), [(0.0, 6), (0.5, 3), (1 / 6, 5), (0.32, 5)])
def test_the_share_that_leaves_is_rounded_down(share: float, left: int):
    network = after(Nac(space(cells=(2,)), share=share))
    assert sum(len(branches(network, f"stage0/cell{cell}")) for cell in (0, 1)) == left


def test_the_last_branch_of_a_cell_stays():
    worth = {f"0_cell0_{branch}": number for branch, number in zip(BRANCHES, (0.3, 0.2, 0.1), strict=True)}
    network = after(Nac(space(cells=(2,)), share=1.0), **worth)
    assert branches(network, "stage0/cell0") == ["1x1"]
    assert len(branches(network, "stage0/cell1")) == 1


def test_a_protected_branch_leaves_its_place_in_the_quota_to_the_next():
    worth = {"0_cell0_1x1": 0.1, "0_cell0_3x3": 0.2, "0_cell0_5x5": 0.3, "0_cell1_5x5": 0.4}
    network = after(Nac(space(cells=(2,)), share=0.5, quota=3), **worth)
    assert branches(network, "stage0/cell0") == ["5x5"]
    assert branches(network, "stage0/cell1") == ["1x1", "3x3"]


def test_a_statistic_that_is_no_number_ranks_lowest():
    network = after(Nac(space()), **{"0_cell0_3x3": nan, "0_cell0_5x5": -5.0})
    assert branches(network, "stage0/cell0") == ["1x1", "5x5"]


def test_pruned_branches_leave_their_channels_to_the_others():
    network = after(Nac(space()), **{"0_cell0_3x3": 0.1})
    assert [network[f"stage0/cell0/{branch}/conv"].op.channels for branch in ("1x1", "5x5")] == [4, 4]


@pytest.mark.parametrize(("count", "left"), [(1, 1), (2, 1), (3, 2), (4, 2)])
def test_the_half_of_the_skips_with_the_smallest_scales_leaves(count: int, left: int):
    """Of n skips, n - n // 2 stay: those whose scale is furthest from nothing, whatever its sign."""
    cell = f"0_cell{count}"
    names = ["from-stem", *(f"from-cell{earlier}" for earlier in range(count - 1))]
    scales = {f"{cell}_{name}": (-1) ** place * (0.1 + place) for place, name in enumerate(names)}
    network = after(Nac(space((count + 1,), (count + 2,))), **scales)
    before, *skips = branches(network, f"stage0/cell{count}/in")
    assert before == f"stage0/cell{count - 1}"
    assert skips == [f"stage0/cell{count}/{name}" for name in names[count - left :]]


def test_a_scale_that_is_no_number_leaves_first():
    network = after(Nac(space((3,), (4,))), **{"0_cell2_from-stem": nan, "0_cell2_from-cell0": 0.01})
    assert network["stage0/cell2/in"].inputs == ("stage0/cell1", "stage0/cell2/from-cell0")


def test_every_stage_that_may_grow_gets_one_cell_with_everything():
    network = after(Nac(space((1, 2), (3, 3))))
    assert network["stage0"].inputs == ("stage0/cell1",)
    assert network["stage1"].inputs == ("stage1/cell2",)
    assert branches(network, "stage0/cell1") == list(BRANCHES)
    assert network["stage1/cell2/in"].inputs == (
        "stage1/cell1",
        "stage1/cell2/from-widen0",
        "stage1/cell2/from-cell0",
    )


def test_a_stage_as_deep_as_allowed_is_left_alone():
    network = after(Nac(space((2, 1), (2, 2))), **{"0_cell0_1x1": 0.0, "0_cell1_from-stem": 0.0})
    assert network["stage0"].inputs == ("stage0/cell1",)
    assert branches(network, "stage0/cell0") == branches(network, "stage0/cell1") == list(BRANCHES)
    assert network["stage0/cell1/in"].inputs == ("stage0/cell0", "stage0/cell1/from-stem")
    assert network["stage1"].inputs == ("stage1/cell1",)


def test_what_was_pruned_stays_pruned():
    nac = Nac(space())
    history = told(nac, History(), worth={"0_cell0_3x3": 0.1})
    history = told(nac, history, worth={"0_cell1_1x1": 0.1})
    proposal = nac.ask(history)
    assert proposal is not None
    assert branches(proposal.architecture, "stage0/cell0") == ["1x1", "5x5"]
    assert branches(proposal.architecture, "stage0/cell1") == ["3x3", "5x5"]
    assert proposal.architecture["stage0"].inputs == ("stage0/cell2",)


def test_it_ends_when_nothing_is_left_to_build():
    nac, history = Nac(space(most=(3,)), iterations=99), History()
    while nac.ask(history):
        history = told(nac, history)
    assert [trial.proposal.architecture["stage0"].inputs[0][-1] for trial in history.done] == ["0", "1", "2"]


@pytest.mark.parametrize("iterations", [0, 1, 2])
def test_it_ends_after_its_iterations(iterations: int):
    nac, history = Nac(space(), iterations=iterations), History()
    while nac.ask(history):
        history = told(nac, history)
    assert len(history) == 1 + iterations


def test_it_waits_while_a_network_trains():
    nac = Nac(space())
    first = nac.ask(History())
    assert first is not None
    assert nac.ask(History().asked(first)) is None


def test_a_failure_is_tried_again_then_without_growth_then_given_up():
    nac = Nac(space(), seed=10)
    history = told(nac, History(), worth={"0_cell0_3x3": 0.1})
    tried = []
    while (proposal := nac.ask(history)) is not None:
        tried.append(proposal)
        history = history.asked(proposal).told(len(history), FAILURE)
    grown, smaller = tried[0], tried[3]
    assert [proposal.seed for proposal in tried] == [10, 11, 12] * 2
    assert [proposal.architecture for proposal in tried] == [grown.architecture] * 3 + [smaller.architecture] * 3
    assert smaller.architecture["stage0"].inputs == ("stage0/cell0",)
    assert branches(smaller.architecture, "stage0/cell0") == ["1x1", "5x5"]


def test_after_a_failure_it_goes_on_as_before():
    nac = Nac(space())
    history = told(nac, History())
    straight = told(nac, history)
    proposal = nac.ask(history)
    assert proposal is not None
    failed = told(nac, history.asked(proposal).told(1, FAILURE))
    last, same = nac.ask(straight), nac.ask(failed)
    assert last is not None
    assert same is not None
    assert same == last


def test_an_envelope_that_never_trains_is_given_up():
    nac, history = Nac(space()), History()
    while (proposal := nac.ask(history)) is not None:
        history = history.asked(proposal).told(len(history), FAILURE)
    assert len(history) == 3
    assert nac.recommend(history) is None


def test_a_network_that_the_space_refuses_is_built_without_growth():
    found = space()
    refusing = Envelope(Space(found.space.template, lambda network: "stage0/cell1" not in network), found.stages)
    network = after(Nac(refusing), **{"0_cell0_3x3": 0.1})
    assert network["stage0"].inputs == ("stage0/cell0",)
    assert branches(network, "stage0/cell0") == ["1x1", "5x5"]


def test_an_envelope_that_the_space_refuses_is_never_asked_for():
    found = space()
    assert Nac(Envelope(Space(found.space.template, lambda network: False), found.stages)).ask(History()) is None


def test_the_best_network_by_validation_is_recommended():
    nac, history = Nac(space()), History()
    assert nac.recommend(history) is None
    for accuracy in (0.5, 0.9, 0.7):
        history = told(nac, history, accuracy)
    assert nac.recommend(history) == history[1].proposal.architecture


def test_stages_that_are_full_are_pruned_where_that_is_wanted():
    found = space(cells=(2, 1), most=(2, 3))
    assert branches(after(Nac(found)), "stage0/cell0") == list(BRANCHES)
    pruned = after(Nac(found, growing_only=False), **{"0_cell0_1x1": 0.1, "0_cell1_5x5": 0.2})
    assert branches(pruned, "stage0/cell0") == ["3x3", "5x5"]
    assert branches(pruned, "stage0/cell1") == ["1x1", "3x3"]
    assert "stage0/cell2" not in pruned


def test_a_search_that_only_prunes_ends_with_one_branch_a_cell():
    nac, history = Nac(space(cells=(2,), most=(2,)), growing_only=False, iterations=9, skip_share=0.0), History()
    while nac.ask(history):
        history = told(nac, history)
    assert [len(branches(history.done[-1].proposal.architecture, f"stage0/cell{n}")) for n in (0, 1)] == [1, 1]


@pytest.mark.parametrize("statistic", ["scale", "taylor", "msss"])
def test_skips_may_be_ranked_by_another_statistic(statistic: str):
    found = space(cells=(4,), most=(5,))
    nac = Nac(found, statistic="taylor", skip_statistic=statistic)
    first = nac.ask(History())
    assert first is not None
    skips = [f"stage0/cell3/from-{name}" for name in ("stem", "cell0", "cell1")]
    assert set(skips) < set(first.probes[statistic])
    kept = after(nac, **{"0_cell3_from-stem": 3.0, "0_cell3_from-cell1": 2.0})
    assert kept["stage0/cell3/in"].inputs == ("stage0/cell2", skips[0], skips[2])
