"""Tune how one network is trained, by one of Optuna's samplers: each trial has another recipe, and the first its own.

As in `amla.algorithms.optuna`, each ask tells a new Optuna study all trials, and asks its sampler once.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite

import optuna
from optuna.distributions import BaseDistribution, FloatDistribution, IntDistribution
from optuna.trial import FrozenTrial, TrialState, create_trial

from amla.algorithms.optuna import Sampler, quiet
from amla.algorithms.protocol import best
from amla.spec.architecture import Architecture
from amla.tasks.dials import Changes, Dial
from amla.trials.history import History
from amla.trials.trial import Measurement, Proposal, Trial


@dataclass(frozen=True, eq=False)
class Tuning:
    """Train `architecture` for `steps` in each of so many `trials`, with other values of `dials`, by their addresses.

    `sampler` makes one from a seed, anew for each ask; see `amla.algorithms.optuna.named`.
    """

    architecture: Architecture
    dials: Mapping[str, Dial]
    steps: int
    trials: int
    sampler: Sampler
    seed: int = 0
    metric: str = "accuracy"

    def ask(self, history: History) -> Proposal | None:
        """Return a trial with the recipe as it is, then those that are suggested, then None."""
        if len(history) >= self.trials:
            return None
        changes = self._suggested(history) if len(history) else {}
        return Proposal(self.architecture, self.steps, seed=self.seed, keep=False, recipe=changes)

    def recommend(self, history: History) -> Architecture | None:
        """Return the network once it has been trained."""
        return self.architecture if history.done else None

    def chosen(self, history: History) -> Changes:
        """Return the changes of the recipe with the best metric; none where it was best as it is."""
        winner = best(history, self.metric)
        return winner.proposal.recipe if winner else {}

    def _suggested(self, history: History) -> Changes:
        rng = history.rng(self.seed)
        told = history.replayed(self, list[FrozenTrial], lambda found, trial: found.append(self._frozen(trial)))
        with quiet():
            study = optuna.create_study(direction="maximize", sampler=self.sampler(int(rng.integers(2**31))))
            study.add_trials([*told, *map(self._frozen, history.running)])
            trial = study.ask(self._distributions)
        return {address: float(trial.params[address]) for address in self.dials}

    def _frozen(self, trial: Trial) -> FrozenTrial:
        """Return a trial as Optuna knows it."""
        usual = {address: dial.usual for address, dial in self.dials.items()}
        values = {
            address: int(number) if self.dials[address].whole else number
            for address, number in {**usual, **trial.proposal.recipe}.items()
        }
        known = {"params": values, "distributions": self._distributions}
        if trial.is_running:
            return create_trial(state=TrialState.RUNNING, **known)
        reached = trial.outcome.metrics.get(self.metric) if isinstance(trial.outcome, Measurement) else None
        if reached is None or not isfinite(reached):
            return create_trial(state=TrialState.FAIL, **known)
        return create_trial(value=reached, **known)

    @property
    def _distributions(self) -> dict[str, BaseDistribution]:
        return {address: _distribution(dial) for address, dial in self.dials.items()}


def _distribution(dial: Dial) -> BaseDistribution:
    if dial.whole:
        return IntDistribution(int(dial.low), int(dial.high))
    return FloatDistribution(dial.low, dial.high, log=dial.log)
