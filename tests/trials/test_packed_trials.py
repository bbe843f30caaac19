from math import copysign, isnan

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from amla.spec import ops
from amla.spec.architecture import Architecture, Node
from amla.trials import record
from amla.trials.history import History
from amla.trials.packing import Packing
from amla.trials.trial import (
    Cost,
    Failure,
    Fit,
    Measurement,
    Method,
    Outcome,
    Proposal,
    Relax,
    SamplePaths,
    Trial,
    Untrained,
)

IMAGE = Node("x", ops.Input((2, 8)))
PICK = Node("pick", ops.Pick(), ("x", "y"))
numbers = st.floats() | st.integers() | st.booleans()
names = st.text(max_size=3)
tables = st.dictionaries(names, numbers, max_size=4)


def network(width: int, is_open: bool = False) -> Architecture:
    nodes = (IMAGE, Node("y", ops.Conv(width, (3,)), ("x",)))
    return Architecture((*nodes, PICK) if is_open else nodes)


@st.composite
def proposals(draw: st.DrawFn) -> Proposal:
    asked = network(draw(st.integers(1, 400)), draw(st.booleans()))
    seed, keep = draw(st.integers()), draw(st.booleans())
    recipe = draw(tables)
    picks = {"pick": (draw(st.floats()), 0.5)} if asked.is_open else {}
    paths = draw(st.lists(st.just({"pick": ("x",)}) | st.just({}), max_size=3))
    method: Method = draw(
        st.sampled_from([Fit(), Relax(0.1), SamplePaths(tuple(paths), picks), Untrained(scores=("a",))])
    )
    if isinstance(method, Untrained):
        return Proposal(asked, 0, method, seed=seed, keep=False, recipe=recipe)
    budget, start = draw(st.integers(0, 2**40)), draw(st.none() | st.integers(0, 2**70))
    probes = draw(st.dictionaries(names, st.sampled_from([(), ("x",), ("y", "x")]), max_size=2))
    horizon = draw(st.none() | st.integers(max(1, budget)))
    return Proposal(asked, budget, method, start, probes, horizon, seed, keep, recipe)


measurements = st.builds(
    Measurement,
    tables,
    st.dictionaries(names, tables, max_size=3),
    numbers,
    st.none() | st.builds(Cost, names, numbers, st.none() | numbers),
)
outcomes: st.SearchStrategy[Outcome | None] = (
    st.none() | measurements | st.builds(Failure, st.sampled_from(["timeout", "crashed"]), st.text(), numbers)
)
trials = st.builds(Trial, st.integers(0, 2**40), proposals(), outcomes)


@settings(deadline=None)
@given(st.lists(trials, max_size=5))
def test_whatever_trial_is_packed_comes_out_equal(given: list[Trial]):
    """To the type of each number, the sign of each zero, and the order of each mapping."""
    packing = Packing()
    packed = [packing.packed(trial) for trial in given]
    for trial, found in zip(given, map(packing.unpacked, packed), strict=True):
        assert repr(found) == repr(trial)
        assert found.proposal.architecture.nodes == trial.proposal.architecture.nodes
        assert found == trial or "nan" in repr(trial)


def test_a_nan_and_a_negative_zero_come_out_as_they_were():
    packing = Packing()
    packed = packing.packed(Trial(0, Proposal(network(1), 1), Measurement({"nan": float("nan"), "zero": -0.0})))
    metrics = packing.unpacked(packed).measurement.metrics
    assert isnan(metrics["nan"])
    assert copysign(1, metrics["zero"]) == -1


def test_a_trial_like_others_takes_bytes_for_its_own_numbers_alone():
    """A network of 100 nodes takes 200 bytes, or 100 while there are no more than 256 nodes; each number 4 or 8."""
    packing, sizes = Packing(), list[int]()
    for seed in range(3):
        nodes = tuple(Node(f"block/{place}", ops.Identity(), ("x",)) for place in range(100))
        told = Measurement({"accuracy": 0.5 + seed, "loss": 1.0}, {"taylor": {"block/1": 0.25}}, 0.1, Cost("cpu", 1e9))
        sizes.append(len(packing.packed(Trial(seed, Proposal(Architecture((IMAGE, *nodes)), 10, seed=seed), told))))
    assert sizes == [sizes[0]] * 3
    assert sizes[0] < 101 + 5 * 8 + 3 * 4 + 20


def test_an_equal_network_is_the_one_in_use_and_none_is_kept_that_is_not():
    packing = Packing()
    first = packing.sharing(network(3))
    assert packing.sharing(network(3)) is first
    assert packing.sharing(network(4)).nodes[0] is first.nodes[0]
    packed = packing.packed(Trial(0, Proposal(first, 1)))
    del first
    assert len(packing._networks) == 0
    assert packing.unpacked(packed).proposal.architecture == network(3)


@pytest.fixture
def packed_early(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(record, "NEWEST", 1)


@pytest.mark.usefixtures("packed_early")
def test_a_long_history_reads_as_a_short_one():
    history, plain = History(), list[Trial]()
    for trial_id in range(12):
        start = trial_id - 2 if trial_id > 4 else None
        proposal = Proposal(network(1 + trial_id % 3), 10, start=start, seed=trial_id)
        outcome: Outcome = Measurement({"accuracy": 1 / (1 + trial_id)}) if trial_id % 4 else Failure("crashed", "why")
        history = history.asked(proposal).told(trial_id, outcome)
        plain.append(Trial(trial_id, proposal, outcome))
    assert sum(isinstance(trial, bytes) for trial in history._record.over) == 11
    assert list(history.trials) == list(history.finished) == plain
    assert [trial.id for trial in history.lineage(history[11])] == [11, 9, 7, 5, 3]
    assert history[0] in history.failed
    assert history.branch() == history


@pytest.mark.usefixtures("packed_early")
def test_a_history_with_a_nan_equals_itself():
    history = History()
    for trial_id in range(3):
        history = history.asked(Proposal(network(1), 1)).told(trial_id, Measurement({"loss": float("nan")}))
    same, _ = history, history.asked(Proposal(network(2), 1))
    assert same == history
