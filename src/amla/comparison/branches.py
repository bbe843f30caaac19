"""What a statistic of branches says of whole networks: a network is worth what the branches are that it keeps.

One network with all cells and all branches of a space of EnvelopeNets is trained while a probe watches its branches.
The branches of every network of the space are among these, so its readings say something of each: of every cell, the
mean rank of the branches that it keeps among all that it could have, and of the network the mean over its cells. Ranks,
as NAC goes by them alone: readings of two depths do not compare. Means, as a cell is as wide whatever it keeps: its
channels are shared among its branches. So it says which branches are better, and nothing of how many there should be,
how deep a network should be, or which skips it should have.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from math import inf, isnan
from statistics import mean

from amla.spaces.envelope import Envelope
from amla.spec.architecture import Architecture, NodeId

ONE = 0.5  # the rank of a branch that has no other beside it


@dataclass(frozen=True)
class Branches:
    """All branches of a space of EnvelopeNets."""

    envelope: Envelope

    @cached_property
    def whole(self) -> Architecture:
        """The network that has them all."""
        return self.envelope.space.close(self.envelope.deepest())

    @property
    def nodes(self) -> tuple[NodeId, ...]:
        """The branches of all cells, in order."""
        return tuple(branch for cell in self._cells for branch in self.whole[cell].inputs)

    def worth(self, network: Architecture, readings: Mapping[NodeId, float]) -> float:
        """Return what a network of the space is worth by readings of all branches, from 0 to 1."""
        ranks = {branch: rank for cell in self._cells for branch, rank in self._ranks(cell, readings).items()}
        return mean(mean(ranks[branch] for branch in network[cell].inputs) for cell in self._cells if cell in network)

    @cached_property
    def _cells(self) -> tuple[NodeId, ...]:
        return tuple(cell.branches for stage in self.envelope.stages for cell in stage.cells)

    def _ranks(self, cell: NodeId, readings: Mapping[NodeId, float]) -> dict[NodeId, float]:
        """Return the rank of every branch in its cell, 0 the weakest and 1 the strongest; equals share the mean."""
        read = {branch: -inf if isnan(readings[branch]) else readings[branch] for branch in self.whole[cell].inputs}
        others = len(read) - 1
        return {
            branch: mean((one > other) + (one == other) / 2 for rival, other in read.items() if rival != branch)
            if others
            else ONE
            for branch, one in read.items()
        }
