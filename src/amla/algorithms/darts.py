"""DARTS (Liu, Simonyan and Yang 2019): train the whole space as one mixture, then keep what counts most.

Plain DARTS collapses to skip connections: they help the mixture learn, whatever network they make. Two remedies are
here. An auxiliary skip that fades takes that part over from the skips that can be chosen (DARTS-, Chu et al. 2021). And
instead of weights, what the mixture loses without an input can decide, one Pick after another, with some training
after each (DARTS-PT, Wang et al. 2021).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from amla.algorithms.legs import Legs, legs
from amla.algorithms.protocol import check_least
from amla.algorithms.strongest import accepted, strongest
from amla.spaces.paths import for_all
from amla.spaces.space import Space
from amla.spec.architecture import Architecture, NodeId
from amla.spec.decisions import Decisions, in_order
from amla.spec.supernet import narrowed
from amla.trials.history import History
from amla.trials.trial import Proposal, Relax, Table, Trial

DROP_ONE = "drop_one"


@dataclass(frozen=True)
class Darts:
    """Train the mixture for `steps` in so many `legs`, then select by "weight", or by "perturbation".

    `rate` and `weight_decay` are those of the pick weights, of the gradient of `order`; with a rate of 0 only
    perturbation can select. `skip` is what identities count besides at first. Selecting by perturbation, the mixture is
    trained for `tuning` steps after each decision, on the same schedule: its last steps, which `steps` do not count. An
    input is worth by how much the loss on held-out examples rises without it; in the paper, the accuracy falls.
    """

    space: Space
    steps: int
    legs: int = 10
    rate: float = 3e-4
    weight_decay: float = 1e-3
    order: Literal["first", "second"] = "first"
    skip: float = 0.0
    select: Literal["weight", "perturbation"] = "weight"
    tuning: int = 10
    seed: int = 0

    def __post_init__(self) -> None:
        check_least(self, 1, "steps", "legs", "tuning")
        if not self.rate and self.select == "weight":
            raise ValueError("rate is 0, so weights stay as they are; select by perturbation.")

    def ask(self, history: History) -> Proposal | None:
        """Return the next leg, or None while one trains and when all are done."""
        found = legs(history)
        if not found.ready:
            return None
        if (left := self.steps - found.steps) > 0:
            budget = min(left, -(-self.steps // self.legs))
            watched = self._order()[:1] if budget == left else []
            return self._leg(found, {}, budget, watched)
        decisions = self._decided(found)
        alive = self._narrowed(decisions).picks
        rest = [gene for gene in self._order() if gene not in decisions and gene in alive]
        return self._leg(found, decisions, self.tuning, rest[:1]) if rest else None

    def recommend(self, history: History) -> Architecture | None:
        """Return the closing that the legs so far speak for, or None before there is one, or one that is accepted."""
        done = legs(history).done
        weights: Table = {}
        for leg in done:  # the newest reading of each: a Pick that was decided has none any more
            weights = {**weights, **leg.measurement.statistics.get("pick_weight", {})}
        if not weights:
            return None
        chosen = strongest(self.space.template, self.space.tied, weights)
        return accepted(self.space, {**chosen, **self._decided(legs(history))}, weights, self.seed)

    def _leg(self, found: Legs, decisions: Decisions, budget: int, watched: Sequence[NodeId]) -> Proposal:
        template = self._narrowed(decisions)
        tied = {p: gene for p, gene in self.space.tied.items() if p in template.picks and gene in template.picks}
        method = Relax(self.rate, self.order == "second", self.weight_decay, self.skip, tied=tied)
        probes = {DROP_ONE: tuple(source for gene in watched for source in template[gene].inputs)} if watched else {}
        horizon = self.steps + (self.tuning * max(0, len(self._order()) - 1))
        return Proposal(template, budget, method, found.last, probes, horizon, self.seed)

    def _narrowed(self, decisions: Decisions) -> Architecture:
        """Return what is still open once these genes are decided."""
        template = self.space.template
        return narrowed(template, for_all(template, decisions, self.space.tied)) if decisions else template

    def _order(self) -> list[NodeId]:
        """Return the genes in the order in which perturbation decides them: Picks of one in random order, then others.

        (Wang et al. 2021, Algorithm 1: operations first, then which edges stay.)
        """
        if self.select == "weight":
            return []
        picks, inputs = self.space.template.picks, self.space.template
        left = [gene for gene in self.space.genes if picks[gene].at_least < len(inputs[gene].inputs)]
        shuffled = [left[place] for place in np.random.default_rng(self.seed).permutation(len(left))]
        return sorted(shuffled, key=lambda gene: picks[gene].at_most > 1)

    def _decided(self, found: Legs) -> Decisions:
        """Return what perturbation has decided so far: after the last leg of the whole, a gene a leg."""
        decisions: dict[NodeId, tuple[NodeId, ...]] = {}
        for leg in found.done:
            if watched := leg.proposal.probes.get(DROP_ONE):
                rises = leg.measurement.statistics.get(DROP_ONE, {})
                gene = self._gene_of(leg, watched[0])
                decisions[gene] = self._best(gene, rises)
        return decisions

    def _gene_of(self, leg: Trial, source: NodeId) -> NodeId:
        readers = leg.proposal.architecture.readers[source]
        return next(pick for pick in readers if pick in leg.proposal.architecture.picks)

    def _best(self, gene: NodeId, rises: Mapping[NodeId, float]) -> tuple[NodeId, ...]:
        """Return the inputs without which the loss rises most; of a Pick of any number, all without which it rises."""
        pick, inputs = self.space.template.picks[gene], self.space.template[gene].inputs
        ranked = sorted(inputs[pick.fixed :], key=lambda source: -rises.get(source, 0.0))
        wanted = sum(rises.get(source, 0.0) > 0 for source in ranked) + pick.fixed
        count = min(max(wanted, pick.at_least), pick.at_most)
        return in_order(self.space.template, gene, (*inputs[: pick.fixed], *ranked[: count - pick.fixed]))
