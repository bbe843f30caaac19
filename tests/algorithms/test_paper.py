from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from amla.algorithms.construct import ConstructionError, Rules, construct, constructed, initial
from amla.algorithms.paper import PaperNac, PaperRandom
from amla.reports.descent import cells
from amla.spaces.macro import Frame
from amla.spec.architecture import Architecture
from amla.spec.costs import costs
from amla.spec.macro import Dialect
from amla.trials.history import History
from amla.trials.trial import Failure, Measurement, Proposal

CELL = (("1x1", "1x1"), ("3x3", "3x3"), ("5x5", "5x5"))
FAILURE = Failure("out_of_memory", "too large")
FRAME = Frame((3, 8, 8), 4, 12)


def rules(**changes: Any) -> Rules:
    given = {
        "layers": (2, 1),
        "max_layers": (3, 3),
        "construction": (True, True),
        "limits": (False, False),
        "width": 12,
    }
    return Rules(cell=CELL, **{**given, **changes})


def measured(proposal: Proposal, worth: Mapping[str, float]) -> Measurement:
    """Return a measurement in which every branch and skip is worth 1, but for those named."""
    statistics = {probe: {node: worth.get(node, 1.0) for node in nodes} for probe, nodes in proposal.probes.items()}
    return Measurement({"accuracy": 0.5}, statistics)


def told(nac: PaperNac | PaperRandom, history: History, worth: Mapping[str, float] | None = None) -> History:
    proposal = nac.ask(history)
    assert proposal is not None
    return history.asked(proposal).told(len(history), measured(proposal, worth or {}))


def failed(nac: PaperNac | PaperRandom, history: History, times: int = 1) -> History:
    for _ in range(times):
        proposal = nac.ask(history)
        assert proposal is not None
        history = history.asked(proposal).told(len(history), FAILURE)
    return history


def lived(nac: PaperNac | PaperRandom) -> History:
    history = History()
    while nac.ask(history):
        history = told(nac, history)
    return history


def branches(network: Architecture | None, cell: str) -> list[str]:
    assert network is not None
    return [branch.removeprefix(f"{cell}/") for branch in network[cell].inputs]


def test_the_search_of_2018_begins_with_its_network():
    envelope = tuple((op, op) for op in ("1x1", "3x3", "3x3sep", "5x5", "5x5sep", "7x7sep"))
    ours = Rules(envelope, (2, 2, 2), (7, 6, 2), (True, True, False), (False,) * 3, 64)
    first = PaperNac(Frame((3, 32, 32), 10, 64), ours, steps=7, seed=5).ask(History())
    assert first is not None
    assert costs(first.architecture).parameters == 1_839_274
    assert (first.budget, first.seed, first.start, first.keep) == (7, 5, None, False)


def test_all_branches_are_watched_and_skips_with_their_sign():
    first = PaperNac(FRAME, rules(), statistic="variance").ask(History())
    assert first is not None
    assert set(first.probes) == {"variance", "scale_signed"}
    assert first.probes["variance"][:4] == (*(f"stage0/cell0/{op}" for op, _ in CELL), "stage0/cell1/1x1")
    assert first.probes["scale_signed"] == ("stage1/cell0/from-stage0-cell1", "stage1/cell0/from-stage0-cell0")
    without = PaperNac(FRAME, rules(skip=False)).ask(History())
    assert without is not None
    assert set(without.probes) == {"msss"}


@pytest.mark.parametrize(("dialect", "networks"), [("amla", 3), ("env", 4)])
def test_as_many_networks_are_trained_as_each_program_trained(dialect: Dialect, networks: int):
    assert len(lived(PaperNac(FRAME, rules(dialect=dialect), iterations=3))) == networks


def test_the_next_network_is_constructed_from_what_was_measured():
    nac = PaperNac(FRAME, rules())
    low = {f"stage0/cell0/{op}": 0.1 for op in ("3x3", "5x5")} | {"stage1/cell0/from-stage0-cell1": -5.0}
    network = nac.recommend(told(nac, History(), low))
    assert branches(network, "stage0/cell0") == ["1x1"]
    assert branches(network, "stage0/cell1") == ["1x1", "3x3", "5x5"]
    assert branches(network, "stage0/cell2") == ["1x1", "3x3", "5x5"]
    assert network is not None
    kept = [node.id for node in network if "/from-" in node.id and node.id.startswith("stage1/cell0/")]
    assert kept == ["stage1/cell0/from-stage0-cell0", "stage1/cell0/from-stage0-cell2"]  # the stronger, and what is new


def test_the_worst_case_prunes_what_is_worth_most():
    nac = PaperNac(FRAME, rules(worst_case=True))
    network = nac.recommend(told(nac, History(), {"stage0/cell0/5x5": 9.0, "stage0/cell0/1x1": 8.0}))
    assert branches(network, "stage0/cell0") == ["3x3"]


def test_the_network_constructed_last_is_recommended_though_it_was_not_trained():
    nac = PaperNac(FRAME, rules(), iterations=2)
    history = lived(nac)
    assert len(history) == 2
    recommended = nac.recommend(history)
    assert recommended not in [trial.proposal.architecture for trial in history.trials]
    depths, _ = zip(*constructed(rules(), 2), strict=True)
    assert recommended is not None
    assert [sum(cell.startswith(f"stage{n}/") for cell in cells(recommended)) for n in (0, 1)] == list(depths)


def test_before_a_network_is_trained_there_is_nothing_to_recommend():
    nac = PaperNac(FRAME, rules())
    assert nac.recommend(History()) is None
    assert nac.recommend(failed(nac, History())) is None


def test_a_network_whose_training_fails_is_tried_with_other_seeds():
    nac = PaperNac(FRAME, rules(), seed=5)
    history = failed(nac, told(nac, History()), times=3)
    assert [trial.proposal.seed for trial in history.trials] == [5, 5, 6, 7]
    assert len({trial.proposal.architecture for trial in history.failed}) == 1
    assert nac.ask(history) is None
    assert nac.recommend(history) == history[0].proposal.architecture


def test_a_search_with_nothing_to_prune_ends_with_what_it_has_and_says_why():
    ours = replace(rules(), cell=CELL[:1])
    nac = PaperNac(FRAME, ours)
    history = told(nac, History())
    assert nac.ask(history) is None
    assert nac.recommend(history) == history[0].proposal.architecture
    why = nac.why_ended(history)
    assert why is not None
    assert why.startswith("construction 1: stage 0 has nothing to prune")


def test_a_search_whose_widths_divide_by_zero_ends_with_what_it_has_and_says_why():
    ours = rules(layers=(1, 1), limits=(False, True))
    nac = PaperNac(FRAME, ours)
    history = told(nac, History())
    assert nac.ask(history) is None
    assert "stage 1 has 2 layers" in (nac.why_ended(history) or "")


def test_a_search_whose_layers_become_too_narrow_ends_with_what_it_has_and_says_why():
    """Of 9 channels the first layers of 5 have 3, one for each branch, and those of 6 have 2."""
    ours = rules(layers=(3, 1), max_layers=(9, 3), limits=(True, False), width=9, quota=0)
    nac = PaperNac(replace(FRAME, width=9), ours, iterations=9)
    history = lived(nac)
    assert nac.recommend(history) == history[2].proposal.architecture
    assert len(history) == 3
    assert "has 2 channels for 3 branches; each needs one" in (nac.why_ended(history) or "")


def test_a_search_that_goes_on_has_not_ended():
    nac = PaperNac(FRAME, rules())
    assert nac.why_ended(History()) is None
    assert nac.why_ended(lived(nac)) is None


def test_random_networks_are_as_many_and_as_large_as_those_of_a_search():
    ours = rules()
    history = lived(PaperRandom(FRAME, ours, iterations=3))
    assert len(history) == len(lived(PaperNac(FRAME, ours, iterations=3)))
    networks = [trial.proposal.architecture for trial in history.trials]
    assert len(set(networks)) == len(networks)
    for network in networks:
        found = cells(network)
        sizes = [
            (len(inside), sum(inside))
            for n in (0, 1)
            if (inside := [len(b) for c, b in found.items() if f"stage{n}/" in c])
        ]
        assert tuple(sizes) == constructed(ours, 3)


def test_random_networks_do_not_depend_on_what_was_measured():
    algorithm = PaperRandom(FRAME, rules(), iterations=3, seed=2)
    history = told(algorithm, History())
    proposal = algorithm.ask(history)
    other = History().asked(history[0].proposal).told(0, Measurement({"accuracy": 0.9}))
    assert algorithm.ask(other) == proposal


def test_the_random_network_drawn_last_is_recommended():
    algorithm = PaperRandom(FRAME, rules(), iterations=2)
    history = lived(algorithm)
    assert algorithm.recommend(History()) is None
    assert algorithm.recommend(history) == history[1].proposal.architecture


def test_random_networks_are_refused_where_the_search_would_not_come_to_its_end():
    with pytest.raises(ConstructionError, match="nothing to prune"):
        PaperRandom(FRAME, replace(rules(), cell=CELL[:1]))


def test_random_networks_with_more_branches_than_channels_are_drawn_again():
    ours = rules(layers=(3, 1), width=3)
    assert constructed(ours, 2)[0] == (4, 9)  # of which no layer may have more than 3, and most draws give one
    history = lived(PaperRandom(replace(FRAME, width=3), ours, iterations=2))
    layers = [cells(trial.proposal.architecture) for trial in history.trials]
    assert [max(len(each[f"stage0/cell{place}"]) for place in range(4)) for each in layers] == [3, 3]


def test_where_no_random_network_has_a_channel_for_every_branch_the_reason_is_told():
    ours = rules(layers=(1, 1), construction=(False, False), width=1)
    wide = PaperRandom(replace(FRAME, width=1), ours, iterations=2)
    assert wide.ask(History()) is None
    assert "100 networks drawn" in (wide.why_ended(History()) or "")
    assert PaperRandom(FRAME, rules()).why_ended(History()) is None


def test_the_search_replays_every_construction():
    """The third network is that of two constructions, one on the other."""
    nac, rng = PaperNac(FRAME, rules(), iterations=3), np.random.default_rng(0)
    first = nac.ask(History())
    assert first is not None
    low = {node: float(rng.normal()) for nodes in first.probes.values() for node in nodes}
    history = told(nac, told(nac, History(), low))
    macro = initial(rules())
    names = [(i, name) for i in (0, 1, 3) for name, _ in CELL]
    worth = dict(zip(names, (low[node] for node in first.probes["msss"]), strict=True))
    scales = {(2, 4): low["stage1/cell0/from-stage0-cell1"], (1, 4): low["stage1/cell0/from-stage0-cell0"]}
    macro = construct(macro, worth, scales, rules())
    assert history[1].proposal.architecture == FRAME.network(macro)
