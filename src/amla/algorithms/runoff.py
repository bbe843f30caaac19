"""A run-off: what a search found best in short trainings is trained longer, and the best of that is recommended.

Short trainings tell the good from the bad, but not the best two apart (docs/log.md); long ones do, and few are needed.
It is the last rung of successive halving (Jamieson and Talwalkar 2016), after any search.
"""

from dataclasses import dataclass

from amla.algorithms.protocol import Algorithm, ranked
from amla.spec.architecture import Architecture
from amla.spec.digest import digest
from amla.trials.history import History
from amla.trials.trial import Proposal, Trial


@dataclass(frozen=True)
class RunOff:
    """Whatever `search` asks for; then its `finalists` best networks once more, each from new weights for `steps`.

    `guests`, networks that nobody searched for, stand beside them, so that nothing worse than these is recommended.
    `steps` must be more than the search trains any network: by that its trials are told from those of the run-off.
    Networks that are isomorphic stand for the run-off once.
    """

    search: Algorithm
    finalists: int
    steps: int
    seed: int = 0
    metric: str = "accuracy"
    guests: tuple[Architecture, ...] = ()

    def ask(self, history: History) -> Proposal | None:
        """Return what the search asks for, then the next of its finalists and of the guests, then None."""
        begun = self._begun(history)
        if begun == len(history) and ((proposal := self.search.ask(history)) or history.pending):
            return proposal
        networks = self._networks(history, begun)
        if (place := len(history) - begun) >= len(networks):
            return None
        return Proposal(networks[place], self.steps, seed=self.seed, keep=False)

    def recommend(self, history: History) -> Architecture | None:
        """Return the best of the run-off, or what the search recommends before any network of it has been trained."""
        finals = ranked(history, filter(self._is_final, history.done), self.metric)
        return finals[0].proposal.architecture if finals else self.search.recommend(history)

    def _begun(self, history: History) -> int:
        """Return how many trials there were before the run-off."""
        count = len(history)
        while count and self._is_final(history[count - 1]):
            count -= 1
        return count

    def _is_final(self, trial: Trial) -> bool:
        return trial.proposal.start is None and trial.proposal.budget == self.steps

    def _networks(self, history: History, begun: int) -> tuple[Architecture, ...]:
        """Return the finalists, the best by the search first, and the guests that are none of them."""
        found: dict[str, Architecture] = {}
        for trial in ranked(history, (trial for trial in history.done if trial.id < begun), self.metric):
            if len(found) < self.finalists:
                found.setdefault(digest(trial.proposal.architecture), trial.proposal.architecture)
        if found:
            for guest in self.guests:
                found.setdefault(digest(guest), guest)
        return tuple(found.values())
