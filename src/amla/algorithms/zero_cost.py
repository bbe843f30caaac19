"""Zero-cost ranking (Abdelfattah et al. 2021): score many untrained networks, and train only the best of them."""

from dataclasses import dataclass, field

import numpy as np

from amla.algorithms.protocol import best, check_least
from amla.scores import parts, ranking
from amla.spaces.space import Space
from amla.spec.architecture import Architecture
from amla.spec.digest import digest
from amla.trials.history import History
from amla.trials.trial import Measurement, Proposal, Table, Trial, TrialId, Untrained


@dataclass(frozen=True)
class Scored:
    """Score each of `architectures`, and train none."""

    architectures: tuple[Architecture, ...]
    scores: tuple[str, ...]
    seed: int = 0
    examples: int = 64

    def ask(self, history: History) -> Proposal | None:
        """Return the next network, or None once all were asked for."""
        if (place := len(history)) >= len(self.architectures):
            return None
        return score(self.architectures[place], self.scores, self.examples, self.seed)

    def recommend(self, history: History) -> Architecture | None:
        """Return the best by the scores, None before any has been scored."""
        return next(iter(chosen(history, self.scores, 1)), None)


@dataclass(frozen=True)
class ZeroCost:
    """Score `candidates` random networks of the space on so many `examples`, and train the best `trained` for `steps`.

    They are ranked by all `scores` together (`amla.scores.ranking`). One that cannot be scored comes last, and is never
    trained; isomorphic networks are trained once. Raises ScoreError, a ValueError, for a score that does not exist.
    """

    space: Space
    steps: int
    scores: tuple[str, ...] = ("az_nas",)
    candidates: int = 100
    trained: int = 5
    examples: int = 64
    seed: int = 0
    metric: str = "accuracy"

    def __post_init__(self) -> None:
        if not parts(self.scores):
            raise ValueError("scores is empty; name one or more to rank networks by.")
        check_least(self, 1, "candidates", "trained")
        check_least(self, 2, "examples")

    def ask(self, history: History) -> Proposal | None:
        """Return a network to score; once all are scored, one to train; None while the last ones are being scored."""
        seen = _seen(history)
        running = sum(map(_is_scored, history.running))
        if seen.scored + running < self.candidates:
            # Whatever runs or failed meanwhile, but another one where a wrapper refused the last.
            rng = np.random.default_rng((self.seed, len(history), history.real))
            return score(self.space.sample(rng), self.scores, self.examples, self.seed)
        if running:
            return None
        if (place := len(history) - seen.scored) >= self.trained:
            return None
        networks = chosen(history, self.scores, place + 1)
        return Proposal(networks[place], self.steps, seed=self.seed, keep=False) if place < len(networks) else None

    def recommend(self, history: History) -> Architecture | None:
        """Return the trained network with the best metric; before there is one, the best by the scores."""
        if winner := best(history, self.metric):
            return winner.proposal.architecture
        return next(iter(chosen(history, self.scores, 1)), None)


def _is_scored(trial: Trial) -> bool:
    return isinstance(trial.proposal.method, Untrained)


def score(network: Architecture, scores: tuple[str, ...], examples: int, seed: int) -> Proposal:
    """Return the proposal to score a network before it is trained. Raises ScoreError."""
    return Proposal(network, 0, Untrained(parts(scores), examples), seed=seed, keep=False)


def chosen(history: History, scores: tuple[str, ...], most: int) -> list[Architecture]:
    """Return up to so many of the networks that a history has scored, the best first, no two of them isomorphic."""
    metrics = _seen(history).metrics
    ranks = ranking(list(metrics.values()), scores)
    order = sorted(zip(ranks, metrics, strict=True), key=lambda pair: (-pair[0], pair[1]))
    found: dict[str, Architecture] = {}
    for _, trial_id in order:
        if len(found) >= most:
            break
        network = history[trial_id].proposal.architecture
        found.setdefault(digest(network), network)
    return list(found.values())


def _seen(history: History) -> "_Seen":
    return history.replayed("scored", _Seen, _Seen.hear)


@dataclass
class _Seen:
    """How many trials that scored a network are over, and what was measured where they did not fail."""

    scored: int = 0
    metrics: dict[TrialId, Table] = field(default_factory=dict)

    def hear(self, trial: Trial) -> None:
        """Take in a trial that is over."""
        if _is_scored(trial):
            self.scored += 1
            if isinstance(trial.outcome, Measurement):
                self.metrics[trial.id] = trial.outcome.metrics
