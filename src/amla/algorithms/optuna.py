"""Optuna's samplers as an algorithm: each ask tells a new Optuna study all trials, and asks its sampler once.

So the history stays the only state, and a sampler works if the values of trials are all that it remembers, such as
TPE's and that of Gaussian processes. Decisions are categorical parameters: a Pick that keeps one input is one
parameter, and of any other each input that may be kept is one, yes or no. Genes alone have parameters: a Pick that is
tied to one has its decision.
"""

import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from math import isfinite
from typing import Any

import optuna
from numpy.random import Generator
from optuna.distributions import CategoricalDistribution
from optuna.samplers import BaseSampler
from optuna.trial import FrozenTrial, TrialState, create_trial

from amla.algorithms import pareto
from amla.algorithms.protocol import best
from amla.spaces.paths import same_places
from amla.spaces.space import Space
from amla.spec.architecture import Architecture, NodeId
from amla.spec.decisions import Decisions, in_order
from amla.trials.history import History
from amla.trials.trial import Proposal, Trial

SAMPLERS = {"tpe": "TPESampler", "gp": "GPSampler", "random": "RandomSampler"}
TRIES = 100  # suggestions in a row that the space refuses, after which a network is drawn at random
Sampler = Callable[[int], BaseSampler]  # from a seed


@dataclass(frozen=True, eq=False)
class Optuna:
    """Train what an Optuna sampler suggests, each network for `steps`.

    `sampler` makes one from a seed, anew for each ask; see `named`. `costs` are metrics that should be low besides:
    the sampler must then be one for several objectives.
    """

    space: Space
    steps: int
    sampler: Sampler
    costs: tuple[str, ...] = ()
    seed: int = 0
    metric: str = "accuracy"

    def ask(self, history: History) -> Proposal:
        """Return the network that is suggested, a random one where the space accepts none; never ends.

        With constraints a suggestion beyond them is brought within (`Space.nearest`).
        """
        rng = history.rng(self.seed)
        told = history.replayed(self, list[FrozenTrial], lambda found, trial: found.append(self._frozen(trial)))
        with quiet():
            directions = ["maximize", *("minimize" for _ in self.costs)]
            study = optuna.create_study(directions=directions, sampler=self.sampler(int(rng.integers(2**31))))
            study.add_trials([*told, *map(self._frozen, history.running)])
            network = self._suggested(study, rng)
        return Proposal(network, self.steps, seed=self.seed, keep=False)

    def recommend(self, history: History) -> Architecture | None:
        """Return the network with the best metric."""
        winner = best(history, self.metric)
        return winner.proposal.architecture if winner else None

    def _suggested(self, study: optuna.Study, rng: Generator) -> Architecture:
        for _ in range(TRIES):
            trial = study.ask()
            suggested = {**self.space.draw(rng), **self._decisions(trial, rng)}
            if (network := self.space.nearest(suggested, rng)) is not None:
                return network
            study.tell(trial, state=TrialState.FAIL)
        return self.space.sample(rng)

    def _decisions(self, trial: optuna.Trial, rng: Generator) -> Decisions:
        """Return what is suggested for the genes that live, from the output on; Picks tied to them do as they do."""
        template, found = self.space.template, dict[NodeId, tuple[NodeId, ...]]()
        wanted = {template.output.id}
        for node in reversed(template.nodes):
            if node.id not in wanted:
                continue
            kept = node.inputs
            if node.id in template.picks:
                gene = self.space.tied.get(node.id, node.id)
                if gene not in found:
                    found[gene] = self._kept(gene, trial, rng)
                kept = same_places(template, gene, found[gene], node.id)
            wanted.update(kept)
        return found

    def _kept(self, pick: NodeId, trial: optuna.Trial, rng: Generator) -> tuple[NodeId, ...]:
        op, inputs = self.space.template.picks[pick], self.space.template[pick].inputs
        asked = _parameters(self.space, pick)
        chosen = {name: trial.suggest_categorical(name, list(of.choices)) for name, of in asked.items()}
        if pick in chosen:
            return in_order(self.space.template, pick, (*inputs[: op.fixed], str(chosen[pick])))
        free = inputs[op.fixed :]
        kept = {source for source in free if chosen[_of(pick, source)]}
        for place in rng.permutation(len(free)):  # as many as the Pick allows
            too_few, too_many = len(kept) < op.at_least - op.fixed, len(kept) > op.at_most - op.fixed
            if too_few or (too_many and free[place] in kept):
                kept ^= {free[place]} - kept if too_few else {free[place]}
        return in_order(self.space.template, pick, (*inputs[: op.fixed], *kept))

    def _frozen(self, trial: Trial) -> FrozenTrial:
        """Return a trial as Optuna knows it: with the parameters of the genes that live, and its values."""
        values, distributions = dict[str, Any](), dict[str, CategoricalDistribution]()
        for pick, kept in self.space.read(trial.proposal.architecture).items():
            asked = _parameters(self.space, pick)
            fixed = self.space.template.picks[pick].fixed
            values |= {name: kept[fixed] if name == pick else name in {_of(pick, s) for s in kept} for name in asked}
            distributions |= asked
        if trial.is_running:
            return create_trial(state=TrialState.RUNNING, params=values, distributions=distributions)
        row = pareto.points([trial], self.metric, self.costs)[0].tolist()
        if not all(map(isfinite, row)):
            return create_trial(state=TrialState.FAIL, params=values, distributions=distributions)
        return create_trial(values=[-row[0], *row[1:]], params=values, distributions=distributions)


def named(sampler: str, options: Mapping[str, Any]) -> Sampler:
    """Return what makes one of Optuna's samplers, by name, with options. Raises ValueError for one that does not fit.

    TPE takes into account what is being trained unless the options say otherwise (`constant_liar`).
    """
    if sampler not in SAMPLERS:
        raise ValueError(
            f"sampler is {sampler!r}; it must be one of {', '.join(SAMPLERS)}, which remember trials alone."
        )
    kind: Callable[..., BaseSampler] = getattr(optuna.samplers, SAMPLERS[sampler])
    usual = {"constant_liar": True} if sampler == "tpe" else {}

    def make(seed: int) -> BaseSampler:
        with quiet():
            return kind(seed=seed, **{**usual, **options})

    try:
        make(0)
    except TypeError as error:
        raise ValueError(f"options are {dict(options)}, but {SAMPLERS[sampler]} says: {error}.") from None
    return make


def _parameters(space: Space, pick: NodeId) -> dict[str, CategoricalDistribution]:
    """Return the parameters of a Pick: one that says which input it keeps, or one for each that it may keep."""
    op, free = space.template.picks[pick], space.template[pick].inputs[space.template.picks[pick].fixed :]
    if op.at_least - op.fixed == op.at_most - op.fixed == 1:
        return {pick: CategoricalDistribution(free)}
    return {_of(pick, source): CategoricalDistribution((False, True)) for source in free}


def _of(pick: NodeId, source: NodeId) -> str:
    return f"{pick} < {source}"


@contextmanager
def quiet() -> Iterator[None]:
    """Let Optuna log errors alone, nor warn that a sampler is experimental.

    It would warn of every parameter that not all trials have, such as those of a Pick that does not always live.
    """
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            yield
    finally:
        optuna.logging.set_verbosity(before)
