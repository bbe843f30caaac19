"""A small space and a smooth landscape in which searches are tried, and lives of algorithms in it."""

from collections.abc import Callable, Iterable

import numpy as np

from amla.algorithms.protocol import Algorithm
from amla.spaces.space import Space
from amla.spec import ops
from amla.spec.architecture import Architecture, Node
from amla.trials.history import History
from amla.trials.trial import Failure, Measurement, Outcome, Proposal

CHOICES = "abcde"


def places(count: int, choices: str = CHOICES) -> Space:
    """Return a space with so many decisions in a row, each for one of some letters."""
    nodes, source = [Node("x", ops.Input((1, 4)))], "x"
    for place in range(count):
        options = tuple(f"{place}/{letter}" for letter in choices)
        nodes += [Node(option, ops.Identity(), (source,)) for option in options]
        source = f"pick{place}"
        nodes.append(Node(source, ops.Pick(), options))
    return Space(Architecture(tuple(nodes)))


def word(network: Architecture) -> str:
    """Return the letters that a network is made of."""
    return "".join(node.inputs[0][-1] for node in network if node.id.startswith("pick"))


def network(space: Space, letters: str) -> Architecture:
    """Return the network made of some letters."""
    return space.close({f"pick{place}": (f"{place}/{letter}",) for place, letter in enumerate(letters)})


def smooth(network: Architecture) -> float:
    """Return an accuracy that each letter further from the best word takes the same from: one hill, and no other."""
    letters = word(network)
    apart = sum(letter != CHOICES[place * 2 % len(CHOICES)] for place, letter in enumerate(letters))
    return 1 - apart / (len(letters) + 1)


def of(accuracy: float, **metrics: float) -> Measurement:
    return Measurement({"accuracy": accuracy, **metrics})


def asked(algorithm: Algorithm, history: History) -> Proposal:
    proposal = algorithm.ask(history)
    assert proposal is not None
    return proposal


def lived(algorithm: Algorithm, outcomes: Iterable[Outcome | float]) -> History:
    """Return a history in which trials, one at a time, come to these outcomes or accuracies."""
    history = History()
    for outcome in outcomes:
        told = of(outcome) if isinstance(outcome, float) else outcome
        history = history.asked(asked(algorithm, history)).told(len(history), told)
    return history


def climbed(
    algorithm: Algorithm, trials: int, workers: int = 1, judge: Callable[[Architecture], float] = smooth, seed: int = 0
) -> History:
    """Return the history of a search in which trials finish in any order."""
    rng, history = np.random.default_rng(seed), History()
    while len(history) < trials or history.pending:
        while history.pending < workers and len(history) < trials and (proposal := algorithm.ask(history)):
            history = history.asked(proposal)
        if not history.pending:
            return history
        trial = history.running[rng.integers(history.pending)]
        history = history.told(trial.id, of(judge(trial.proposal.architecture)))
    return history


def leads(one: Callable[[int], Algorithm], other: Callable[[int], Algorithm], trials: int, searches: int = 20) -> int:
    """Return in how many of some pairs of searches one finds a better network than the other, by the landscape."""

    def found(make: Callable[[int], Algorithm], seed: int) -> float:
        algorithm = make(seed)
        recommended = algorithm.recommend(climbed(algorithm, trials))
        assert recommended is not None
        return smooth(recommended)

    return sum(found(one, seed) > found(other, seed) for seed in range(searches))


FAILED = Failure("crashed", "made to fail")
