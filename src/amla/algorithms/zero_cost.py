"""Zero-cost ranking (Abdelfattah et al. 2021): score many untrained networks, and train only the best of them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from amla.algorithms.protocol import best
from amla.scores import parts, ranking
from amla.spaces.space import Space
from amla.spec.architecture import Architecture
from amla.spec.digest import digest
from amla.trials.history import History
from amla.trials.trial import Measurement, Proposal, Trial, Untrained


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
        for name, least in (("candidates", 1), ("trained", 1), ("examples", 2)):
            if getattr(self, name) < least:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be {least} or more.")

    def ask(self, history: History) -> Proposal | None:
        """Return a network to score; once all are scored, one to train; None while the last ones are being scored."""
        scored = [trial for trial in history.trials if isinstance(trial.proposal.method, Untrained)]
        if len(scored) < self.candidates:
            # Those that failed count, as a filter may refuse the same network again and again.
            rng = np.random.default_rng((self.seed, len(history), len(history.failed)))
            return self._score(self.space.sample(rng))
        if any(trial.is_running for trial in scored):
            return None
        place, chosen = len(history) - len(scored), self._chosen(scored)
        return Proposal(chosen[place], self.steps, seed=self.seed, keep=False) if place < len(chosen) else None

    def recommend(self, history: History) -> Architecture | None:
        """Return the trained network with the best metric; before there is one, the best by the scores."""
        if winner := best(history, self.metric):
            return winner.proposal.architecture
        return next(iter(self._chosen(history.done)), None)

    def _score(self, network: Architecture) -> Proposal:
        return Proposal(network, 0, Untrained(parts(self.scores), self.examples), seed=self.seed, keep=False)

    def _chosen(self, trials: Sequence[Trial]) -> list[Architecture]:
        """Return the networks that are trained, the best by the scores first."""
        scored = [trial for trial in trials if isinstance(trial.proposal.method, Untrained)]
        done = [(trial, trial.outcome.metrics) for trial in scored if isinstance(trial.outcome, Measurement)]
        ranks = ranking([metrics for _, metrics in done], self.scores)
        order = sorted(zip(ranks, done, strict=True), key=lambda pair: (-pair[0], pair[1][0].id))
        found: dict[str, Architecture] = {}
        for _, (trial, _) in order:
            found.setdefault(digest(trial.proposal.architecture), trial.proposal.architecture)
            if len(found) == self.trained:
                break
        return list(found.values())
