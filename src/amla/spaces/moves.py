"""Moves: decisions on a gene that are one input away from another one."""

from collections.abc import Iterator

import numpy as np
from numpy.random import Generator

from amla.spec.architecture import Architecture, NodeId
from amla.spec.decisions import Decisions, in_order

MAX_TRIES = 1000  # draws, until something is accepted
Kept = tuple[NodeId, ...]


class Moves:
    """The moves that the genes of a template have; those from one input to another are remembered."""

    def __init__(self, template: Architecture) -> None:
        self._template = template
        self._single: dict[tuple[NodeId, Kept], list[Kept]] = {}

    def of(self, gene: NodeId, kept: Kept) -> list[Kept]:
        """Return the decisions on a gene one step from `kept`: one input more, one less, or one for another."""
        if self._template.picks[gene].at_most > 1:
            return self._all(gene, kept)
        if (gene, kept) not in self._single:
            self._single[gene, kept] = self._all(gene, kept)
        return self._single[gene, kept]

    def drawn(self, genes: list[NodeId], kept: Decisions, rng: Generator) -> Iterator[tuple[NodeId, Kept]]:
        """Yield moves of genes: a gene is drawn, then one of its moves, a thousand times."""
        for _ in range(MAX_TRIES):
            gene = genes[rng.integers(len(genes))]
            moves = self.of(gene, kept[gene])
            yield gene, moves[rng.integers(len(moves))]

    def shuffled(self, genes: list[NodeId], kept: Decisions, rng: Generator) -> Iterator[tuple[NodeId, Kept]]:
        """Yield each move once, in an order in which the first that is accepted is as likely as among those `drawn`.

        It is a race of exponential times, each as long on average as the move's gene has moves.
        """
        moves = {gene: self.of(gene, kept[gene]) for gene in genes}
        found = [(gene, move) for gene in genes for move in moves[gene]]
        slow = np.array([len(moves[gene]) for gene, _ in found])
        return (found[place] for place in np.argsort(rng.exponential(size=len(found)) * slow))

    def _all(self, gene: NodeId, kept: Kept) -> list[Kept]:
        pick, inputs = self._template.picks[gene], self._template[gene].inputs
        absent = [source for source in inputs if source not in kept]
        free = [source for source in kept if source not in inputs[: pick.fixed]]
        more = [{*kept, new} for new in absent] if len(kept) < pick.at_most else []
        less = [{*kept} - {old} for old in free] if len(kept) > pick.at_least else []
        other = [{*kept, new} - {old} for old in free for new in absent]
        return [in_order(self._template, gene, chosen) for chosen in (*more, *less, *other)]
