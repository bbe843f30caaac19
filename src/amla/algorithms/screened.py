"""Searches some of whose proposals are answered at once and not trained: `Distinct`, and `Filtered`.

The search is told what its proposal comes to, in a history that only it sees, and asked again. At the next ask that is
forgotten, and comes about anew: the real history stays the only state.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache

from amla.algorithms.protocol import Algorithm, trained
from amla.spec.architecture import Architecture
from amla.spec.costs import Costs, costs
from amla.spec.digest import digest
from amla.spec.values import SpecError
from amla.trials.history import History
from amla.trials.trial import Failure, Outcome, Proposal, Trial, TrialId

KNOWN, REFUSED = 100, 1000  # proposals in a row that are answered untrained, after which a search counts as over
CACHED = 10_000  # networks whose digest is remembered

Key = tuple[str, int, int]  # of what a proposal comes to: the network but for names, its steps, the schedule


@dataclass(frozen=True, eq=False)
class Distinct:
    """Whatever `search` asks for, but no isomorphic network a second time: what the first one came to is the answer.

    Networks are the same if their digests are (`amla.spec.digest`), and have trained for as many steps, whatever their
    seeds. A later leg of a network that was not trained goes on from the one that was. After a hundred proposals in a
    row that are known, the search is over.
    """

    search: Algorithm

    def ask(self, history: History) -> Proposal | None:
        """Return the next proposal of something new; None also while what is proposed is being trained."""
        seen: dict[Key, TrialId] = history.replayed(self, dict[Key, TrialId], _noting(history))
        known = seen.copy()
        for trial in history.running:
            _noting(history)(known, trial)

        def answer(proposal: Proposal, past: History) -> Trial | None:
            first = known.get(_key(proposal, past))
            return None if first is None else history[first]

        return _asked(self.search, history, answer, KNOWN)

    def recommend(self, history: History) -> Architecture | None:
        """Return what the search recommends."""
        return self.search.recommend(history)


@dataclass(frozen=True, eq=False)
class Filtered:
    """Whatever `search` asks for, as long as its counted cost is within bounds; else the answer is "infeasible".

    `most` bounds what can be counted before training: "parameters", "macs", "peak_memory" (bytes). After a thousand
    proposals in a row that are beyond, the search is over. A network that cannot be costed passes: training says why.
    Raises ValueError for another cost.
    """

    search: Algorithm
    most: Mapping[str, float]

    def __post_init__(self) -> None:
        if unknown := sorted(self.most.keys() - COUNTED):
            raise ValueError(f"most bounds {unknown[0]!r}, which cannot be counted; take one of {sorted(COUNTED)}.")

    def ask(self, history: History) -> Proposal | None:
        """Return the next proposal within bounds."""
        return _asked(self.search, history, lambda proposal, past: self._refused(proposal.architecture), REFUSED)

    def recommend(self, history: History) -> Architecture | None:
        """Return what the search recommends."""
        return self.search.recommend(history)

    def _refused(self, network: Architecture) -> Failure | None:
        try:
            counted = _counted(network)
        except SpecError:
            return None
        for name, most in self.most.items():
            if (found := getattr(counted, name)) > most:
                return Failure("infeasible", f"{name} are {found:,}; {most:,.0f} are allowed")
        return None


COUNTED = {"parameters", "macs", "peak_memory"}

Answer = Callable[[Proposal, History], Trial | Outcome | None]  # a trial stands for the proposal; None: train it


def _asked(search: Algorithm, history: History, answer: Answer, tries: int) -> Proposal | None:
    """Return the first proposal that has no answer yet."""
    past, stand_ins = history, dict[TrialId, Trial]()  # for the trials that only the search has heard of
    for _ in range(tries):
        if (asked := search.ask(past)) is None:
            return None
        proposal = _real(asked, past, stand_ins)
        if (found := answer(proposal, past)) is None:
            return proposal
        past = (past.branch() if past is history else past).asked(asked)
        if isinstance(found, Trial):
            stand_ins[len(past) - 1] = found
        outcome = found.outcome if isinstance(found, Trial) else found
        past = past if outcome is None else past.told(len(past) - 1, outcome)
    return None


def _real(asked: Proposal, past: History, stand_ins: Mapping[TrialId, Trial]) -> Proposal:
    """Return a proposal that starts from a trial there is: from the one that stands in, or, without weights, anew."""
    if asked.start is None or (stand_in := stand_ins.get(asked.start)) is None:
        return asked
    if not stand_in.proposal.keep:
        return replace(asked, start=None, budget=asked.budget + trained(past, past[asked.start]))
    goes_on = asked.architecture == past[asked.start].proposal.architecture
    return replace(
        asked,
        architecture=stand_in.proposal.architecture if goes_on else asked.architecture,
        start=stand_in.id,
        probes={} if goes_on else asked.probes,  # nodes have other names there
    )


def _noting(history: History) -> Callable[[dict[Key, TrialId], Trial], None]:
    def note(seen: dict[Key, TrialId], trial: Trial) -> None:
        seen.setdefault(_key(trial.proposal, history), trial.id)

    return note


def _key(proposal: Proposal, past: History) -> Key:
    before = 0 if proposal.start is None else trained(past, past[proposal.start])
    return _digest(proposal.architecture), before + proposal.budget, proposal.horizon or 0


@lru_cache(maxsize=CACHED)
def _digest(network: Architecture) -> str:
    return digest(network)


@lru_cache(maxsize=CACHED)
def _counted(network: Architecture) -> Costs:
    return costs(network)
