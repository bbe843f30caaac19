"""An open architecture as a PyTorch module: every node that any closing might have, run with what Picks are told."""

from collections import Counter
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from amla.backends.torch.layers import layer
from amla.spec import ops
from amla.spec.architecture import Architecture, Node, NodeId
from amla.spec.costs import shapes
from amla.spec.decisions import Decisions
from amla.spec.supernet import supernet
from amla.trials.snapshot import weight_name

# For every Pick, what each of its inputs counts: a number, or 1 exactly where it is None. Others take no part.
Shares = Mapping[NodeId, Mapping[NodeId, Tensor | None]]


class Supernet(nn.Module):
    """The modules of an open architecture. `forward` computes what follows from shares of the inputs of Picks.

    Nodes that no share lets through are not computed: with one path's inputs, that path is all there is, and its sums
    are those of the closed network, bit for bit. A concatenation has zeros in place of what takes no part. A DropPath
    does nothing: what takes part is what shares say, and DARTS, too, drops paths only of the network it has found.
    """

    def __init__(self, template: Architecture) -> None:
        super().__init__()
        self.template = template
        self._shapes = shapes(supernet(template))
        self.layers = nn.ModuleList(
            nn.Identity() if isinstance(node.op, ops.Pick | ops.DropPath) else layer(node.op, self._source(node))
            for node in template
        )
        self.heads: dict[NodeId, Tensor] = {}  # of the last forward pass of training, by address
        self._serving = template.sources(template.heads) - template.sources((template.output.id,))

    def forward(self, x: Tensor, shares: Shares) -> Tensor:
        """Return the output of the last node for a batch."""
        living = self.living(shares, heads=self.training)
        left = Counter(source for node in living for source in _read(node, shares))
        values: dict[NodeId, Tensor] = {}
        self.heads = {}
        modules = dict(zip((node.id for node in self.template), self.layers, strict=True))
        for node in living:
            sources = _read(node, shares)
            inputs = [values[source] for source in sources]
            for source in sources:
                left[source] -= 1
                if not left[source]:
                    del values[source]
            if isinstance(node.op, ops.Pick):
                values[node.id] = self._mixed(node, dict(zip(sources, inputs, strict=True)), shares[node.id])
            else:
                values[node.id] = modules[node.id](*(inputs or [x]))
            if node.id in self.template.heads:
                self.heads[node.id] = values[node.id]
        return values[self.template.output.id]

    def living(self, shares: Shares, heads: bool) -> list[Node]:
        """Return the nodes that are computed, in order: those that reach the output, and maybe `heads` on them."""
        wanted = {self.template.output.id}
        for node in reversed(self.template.nodes):
            if node.id in wanted:
                wanted.update(_read(node, shares))
        if heads:
            for node in self.template:
                if node.id in self._serving and wanted.issuperset(_read(node, shares)):
                    wanted.add(node.id)
        return [node for node in self.template if node.id in wanted]

    def tensors(self) -> dict[str, Tensor]:
        """Return all weights and buffers by canonical name; changing them changes the network."""
        return {
            weight_name(node.id, role): tensor
            for node, module in zip(self.template, self.layers, strict=True)
            for role, tensor in module.state_dict(keep_vars=True).items()
        }

    def _source(self, node: Node) -> ops.Size:
        return self._shapes[node.inputs[0]] if node.inputs else ()

    def _mixed(self, node: Node, values: Mapping[NodeId, Tensor], shares: Mapping[NodeId, Tensor | None]) -> Tensor:
        assert isinstance(node.op, ops.Pick)  # noqa: S101 - others are computed by a module
        if node.op.how == "concat":
            some = next(iter(values.values()))
            parts = [
                _times(values[source], shares[source])
                if source in values
                else some.new_zeros((len(some), self._shapes[source][0], *some.shape[2:]))
                for source in node.inputs
            ]
            return torch.cat(parts, 1)
        nothing = [source for source in values if isinstance(self.template[source].op, ops.Zero)]
        added = [source for source in values if source not in nothing] or nothing[:1]
        total = _times(values[added[0]], shares[added[0]])
        for source in added[1:]:
            share = shares[source]
            total = total + values[source] if share is None else torch.addcmul(total, values[source], share)
        return total


def along(template: Architecture, path: Decisions) -> Shares:
    """Return the shares of a path: 1 for what it keeps."""
    return {pick: dict.fromkeys(path[pick]) for pick in template.picks if pick in path}


def _read(node: Node, shares: Shares) -> tuple[NodeId, ...]:
    if not isinstance(node.op, ops.Pick):
        return node.inputs
    return tuple(source for source in node.inputs if source in shares[node.id])


def _times(value: Tensor, share: Tensor | None) -> Tensor:
    return value if share is None else value * share
