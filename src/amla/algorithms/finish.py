"""Train a network to the end, then read the test part, once."""

from dataclasses import dataclass

from amla.algorithms.protocol import Algorithm
from amla.spec.architecture import Architecture
from amla.trials.history import History
from amla.trials.trial import Proposal


@dataclass(frozen=True)
class Finish:
    """Whatever `training` asks for; once it asks for nothing more, one proposal that only scores what it trained."""

    training: Algorithm

    def ask(self, history: History) -> Proposal | None:
        """Return the next leg, then the one proposal of budget 0, then None."""
        if tested(history):
            return None
        if (leg := self.training.ask(history)) or history.pending or not history.done:
            return leg
        last, ask = history.done[-1], history.done[-1].proposal
        return Proposal(ask.architecture, 0, start=last.id, seed=ask.seed, keep=False, recipe=ask.recipe)

    def recommend(self, history: History) -> Architecture | None:
        """Return what the training recommends."""
        return self.training.recommend(history)


def tested(history: History) -> bool:
    """Return whether the proposal that reads the test part has been made."""
    return bool(len(history)) and history[len(history) - 1].proposal.budget == 0
