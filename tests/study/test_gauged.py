"""Networks are measured before they are trained; what is too slow is not trained, and the record has the latencies."""

from dataclasses import dataclass, field

import pytest

from amla.algorithms.evolution import Evolution
from amla.algorithms.nac import Nac
from amla.algorithms.nsga2 import Nsga2
from amla.algorithms.protocol import Algorithm
from amla.algorithms.random import RandomSearch
from amla.backends.latency import Latency
from amla.execution.inline import InlineExecutor
from amla.spaces.envelope import envelope
from amla.spec.architecture import Architecture
from amla.spec.digest import digest
from amla.storage.memory import Memory
from amla.study.gauged import LATENCY, SPREAD, TRIES, Gauged, recorded, told
from amla.study.latency import Meter
from amla.study.run import Limit, run
from amla.study.settings.latency import LatencySettings
from amla.study.study import StudyError
from amla.testing.landscape import Synthetic
from amla.trials.history import History
from amla.trials.progress import Report
from amla.trials.trial import Failure, Outcome, Trial

ENVELOPE = envelope((1, 8, 8), 3, width=8, cells=(1, 1), max_cells=(2, 2), branches=("1x1", "3x3"))
SEARCHES: dict[str, Algorithm] = {
    "random": RandomSearch(ENVELOPE.space, 10, 12),
    "evolution": Evolution(ENVELOPE.space, 10, 4, 2),
    "nsga2": Nsga2(ENVELOPE.space, 10, (LATENCY,), 4),
    "nac": Nac(ENVELOPE, 10, 3),
}


@dataclass
class MadeUp(Meter):
    """A meter of which a network takes a millisecond for each node, more or less by how often it was asked."""

    drift: float = 0.0
    measured: list[str] = field(default_factory=list)

    def __call__(self, network: Architecture) -> Latency:
        key = digest(network)
        if key not in self.known:
            self.measured.append(key)
            median = 1e-3 * len(network.nodes) * (1 + self.drift * len(self.measured))
            self.known[key] = Latency(median, 0.9 * median, 1.1 * median, 30, "made up")
        return self.known[key]


def meter(drift: float = 0.0) -> MadeUp:
    return MadeUp(LatencySettings(), print, drift=drift)


@dataclass
class Noted:
    """Trains nothing, and notes of which networks it was asked."""

    trained: list[Architecture] = field(default_factory=list)
    after: int | None = None  # trials, at the end of which the process is killed

    def __call__(self, trial: Trial, report: Report) -> Outcome:
        if self.after is not None and len(self.trained) >= self.after:
            raise KeyboardInterrupt
        self.trained.append(trial.proposal.architecture)
        return Synthetic().evaluate(trial)


def searched(algorithm: Algorithm, noted: Noted, at_most: float | None, meter: Meter, store: Memory) -> History:
    gauged = Gauged(InlineExecutor(noted, lambda progress: None), meter, at_most)
    return run("search", algorithm, gauged, store, Limit(trials=12))


def middling(algorithm: Algorithm) -> float:
    """Return a limit that some of what a search asks for is beyond."""
    noted = Noted()
    searched(algorithm, noted, None, meter(), Memory())
    nodes = sorted(len(network.nodes) for network in noted.trained)
    return 1e-3 * nodes[len(nodes) // 2]


@pytest.fixture(params=sorted(SEARCHES))
def algorithm(request: pytest.FixtureRequest) -> Algorithm:
    return SEARCHES[request.param]


def test_nothing_too_slow_is_trained_and_the_record_has_the_latency_of_all_that_is(algorithm: Algorithm):
    at_most, noted = middling(algorithm), Noted()
    found = searched(algorithm, noted, at_most, meter(), Memory())
    assert noted.trained
    assert all(1e-3 * len(network.nodes) <= at_most for network in noted.trained)
    assert [trial.proposal.architecture for trial in found.done] == noted.trained
    for trial in found.done:
        nodes = len(trial.proposal.architecture.nodes)
        assert trial.measurement.metrics[LATENCY] == pytest.approx(1e-3 * nodes)
        assert trial.measurement.metrics[SPREAD] == pytest.approx(2e-4 * nodes)
    refused = [trial.outcome for trial in found.failed]
    assert all(isinstance(each, Failure) and each.reason == "infeasible" for each in refused)
    assert len(refused) + len(found.done) == len(found)


def test_some_are_refused_by_such_a_limit():
    at_most = middling(SEARCHES["random"])
    found = searched(SEARCHES["random"], Noted(), at_most, meter(), Memory())
    assert found.failed
    assert found.done
    assert all("its latency is" in trial.outcome.message for trial in found.failed if trial.outcome)


def test_a_search_that_was_cut_off_asks_for_the_same_although_times_differ_now(algorithm: Algorithm):
    at_most = middling(algorithm)
    whole = searched(algorithm, Noted(), at_most, meter(), Memory())
    store = Memory()
    with pytest.raises(KeyboardInterrupt):
        searched(algorithm, Noted(after=1), at_most, meter(), store)
    before = store.history("search")
    told_before = len(before.finished)
    assert 0 < told_before < len(whole)
    slower = meter(drift=0.02)  # measures everything anew, and finds other numbers
    resumed = searched(algorithm, Noted(), None, slower, store)
    asked = [[trial.proposal for trial in history.trials[: len(before)]] for history in (resumed, whole)]
    assert asked[0] == asked[1]
    assert resumed.trials[:told_before] == before.trials[:told_before]  # what is recorded is not measured again
    known = {digest(trial.proposal.architecture) for trial in before.trials[:told_before]}
    later = {digest(trial.proposal.architecture) for trial in resumed.trials[told_before:]}
    assert later - known <= set(slower.measured)


def test_what_a_history_records_is_not_measured_again():
    found = searched(SEARCHES["random"], Noted(), None, meter(), Memory())
    other = meter(drift=1.0)
    other.known.update(recorded(found))
    for trial in found.done:
        assert other(trial.proposal.architecture).median == trial.measurement.metrics[LATENCY]
    assert not other.measured


def test_it_gives_up_where_everything_is_too_slow():
    gauged = Gauged(InlineExecutor(Noted(), lambda progress: None), meter(), 1e-3)
    with pytest.raises(StudyError, match=rf"{TRIES} networks in a row took more than 1\u202fms"):
        run("search", RandomSearch(ENVELOPE.space, 10, 100), gauged, Memory(), Limit())


def test_nac_begins_with_a_smaller_network_where_the_first_is_too_slow():
    first = len(ENVELOPE.space.close(ENVELOPE.initial()).nodes)
    noted = Noted()
    found = searched(SEARCHES["nac"], noted, 1e-3 * (first - 1), meter(), Memory())
    assert found[0].outcome == found.failed[0].outcome
    assert noted.trained
    assert len(found.failed) < len(found)


def test_a_latency_that_spreads_beyond_its_margin_is_said_to():
    close, far = Latency(5e-3, 4e-3, 6e-3, 30, "x"), Latency(5e-3, 4.9e-3, 5.1e-3, 30, "x")
    assert close.is_close_to(5.5e-3)
    assert not far.is_close_to(5.5e-3)
    assert told(close) == "5\u202fms (quartiles 4\u202fms to 6\u202fms)"
