"""Growing without forgetting: the weights of a network that was made from a trained one, so that it computes the same.

Function-preserving growth (Chen, Goodfellow and Shlens 2016), by channels instead of layers: a weight that both
networks have is copied slice by slice, outputs by their number, inputs by the feature that they read
(`amla.spec.channels`). Numpy only, so that every library inherits alike.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from math import prod

import numpy as np
from numpy.typing import NDArray

from amla.spec import ops
from amla.spec.architecture import Architecture, Node, NodeId
from amla.spec.channels import ABSENT, Label, Places, labels, matched
from amla.spec.costs import shapes
from amla.spec.ops import Channelwise, Size
from amla.trials.snapshot import Arrays, weight_name

Array = NDArray[np.generic]
Named = dict[str, Array]


@dataclass(frozen=True, eq=False)
class Inheritance:
    """What a closed `child` has from a closed `parent`. Nodes are the same if their id and the kind of their op are.

    Branches, skips and cells may have come or gone, and widths may have changed. What is kept: a child that has lost a
    branch computes what the parent computes with that branch's output at 0; one whose branches are wider, and one with
    more skips to add or more cells, computes what the parent does. A new cell is kept from changing anything by
    starting as a copy of its input. That is exact if its input is never negative, since a ReLU then passes it on, and
    if the cell is as wide as its input; after an output that may be negative, or in other widths, it holds as far as it
    can. So does the sum of a cell and its skips where the cell's channels have moved, which those of the skips do not.
    It takes `settled` batch normalisations, which the caller has to set by what they are given.
    """

    parent: Architecture
    child: Architecture

    @cached_property
    def new(self) -> frozenset[NodeId]:
        """The nodes that the parent has not."""
        return frozenset(
            node.id for node in self.child if node.id not in self.parent or self.parent[node.id].op.kind != node.op.kind
        )

    @cached_property
    def settled(self) -> tuple[NodeId, ...]:
        """The new batch normalisations behind copies; with scale sqrt(variance + epsilon) and shift mean they idle."""
        copied = set(self._taps)
        found = []
        for node in self.child:
            if node.id in self.new and isinstance(node.op, Channelwise) and node.inputs[0] in copied:
                copied.add(node.id)
                found += [node.id] if isinstance(node.op, ops.BatchNorm) else []
        return tuple(found)

    def weights(self, trained: Arrays, fresh: Arrays) -> Named:
        """Return the child's weights and buffers by canonical name: the parent's `trained` ones, as far as it has them.

        Inputs that are new to a node get zeros. Outputs that are new, new nodes that are no copies, nodes that read
        nothing known, and arrays whose window has another size keep their `fresh` values.
        """
        return {
            name: self._begun(node, role, array) if node.id in self.new else self._sliced(node, role, trained, array)
            for name, (node, role, array) in self._addressed(fresh).items()
        }

    def state(self, remembered: Arrays, weights: Arrays) -> Named:
        """Return what an optimiser remembers of each of `weights`, from the parent's: zeros for all that is new.

        `remembered` holds one thing by the names of the parent's weights: an array like each weight (momentum), or a
        number for each (a count of steps).
        """
        like_weights = any(array.ndim for array in remembered.values())
        some = next(iter(remembered.values()))
        fresh = {n: np.zeros(array.shape if like_weights else (), some.dtype) for n, array in weights.items()}
        return {
            name: array if node.id in self.new else self._sliced(node, role, remembered, array)
            for name, (node, role, array) in self._addressed(fresh).items()
        }

    def _addressed(self, arrays: Arrays) -> dict[str, tuple[Node, str, Array]]:
        addresses = {name: name.rsplit(".", 1) for name in arrays}
        return {name: (self.child[node_id], role, arrays[name]) for name, (node_id, role) in addresses.items()}

    def _sliced(self, node: Node, role: str, trained: Arrays, fresh: Array) -> Array:
        """Return `fresh` with what a shared node's array has in common with the parent's."""
        old = trained.get(weight_name(node.id, role))
        if old is None or old.ndim != fresh.ndim:
            return fresh
        if not old.ndim:
            return old
        outputs = matched(self._ours[node.id], self._theirs[node.id])
        inputs = self._inputs(node, old.shape, fresh.shape) if role == "kernel" else None
        if old.shape[2:] != fresh.shape[2:] or (inputs is None and old.shape[1:] != fresh.shape[1:]):
            return fresh
        result, known = np.array(fresh), np.flatnonzero(outputs != ABSENT)
        if inputs is None:
            result[known] = old[outputs[known]]
            return result
        read = np.flatnonzero(inputs != ABSENT)
        if not len(read):
            return fresh
        result[known] = 0
        result[np.ix_(known, read)] = old[np.ix_(outputs[known], inputs[read])]
        return result

    def _inputs(self, node: Node, old: Size, fresh: Size) -> Places | None:
        """Return where the inputs of a kernel come from; None where they are no axis of their own."""
        match node.op:
            case ops.Depthwise():
                return None
            case ops.Conv(groups=several) if several > 1:
                found = self._read(node)
                whole = old[1] == fresh[1] and np.array_equal(found, np.arange(len(found)))
                return np.arange(fresh[1]) if whole else np.full(fresh[1], ABSENT)
            case _:
                return self._read(node)

    def _read(self, node: Node) -> Places:
        return matched(self._ours[node.inputs[0]], self._theirs[self.parent[node.id].inputs[0]])

    def _begun(self, node: Node, role: str, fresh: Array) -> Array:
        """Return what an array of a new node starts with."""
        if role == "kernel" and node.id in self._taps:
            tap, kernel = self._taps[node.id], np.array(fresh)
            for output, source in enumerate(self._copies[node.id]):
                if source is not None:
                    kernel[output] = 0
                    kernel[(output, source if isinstance(node.op, ops.Conv) else 0, *tap)] = 1
            return kernel
        return np.zeros_like(fresh) if isinstance(node.op, ops.Scale) and self._only_added(node) else fresh

    def _only_added(self, node: Node) -> bool:
        """Whether what reads a node adds it to something else: then, at 0, it changes nothing."""
        readers = [self.child[reader] for reader in self.child.readers[node.id]]
        return bool(readers) and all(
            isinstance(reader.op, ops.Merge) and reader.op.how == "add" and node.id in reader.inputs[1:]
            for reader in readers
        )

    @cached_property
    def _taps(self) -> dict[NodeId, Size]:
        """The new nodes that start as copies, and the place in their window that does not move anything."""
        found = {}
        for node in self.child:
            if node.id in self._in_series and isinstance(node.op, ops.Conv | ops.Depthwise):
                tap = _still(node.op)
                if tap is not None:
                    found[node.id] = tap
        return found

    @cached_property
    def _copies(self) -> Mapping[NodeId, tuple[int | None, ...]]:
        """For each output of a node that starts as a copy, the input that it copies."""
        found = dict[NodeId, tuple[int | None, ...]]()
        for node_id in self._taps:
            inputs, outputs = self._sizes[self.child[node_id].inputs[0]][0], self._sizes[node_id][0]
            first = self._place(node_id) if isinstance(self.child[node_id].op, ops.Conv) else 0
            found[node_id] = tuple(place if place < inputs else None for place in range(first, first + outputs))
        return found

    def _place(self, node_id: NodeId) -> int:
        """Return the channel at which the outputs of a node begin in the new concatenation that they feed, or 0."""
        while self.child.readers[node_id]:
            reader = self.child[self.child.readers[node_id][0]]
            if reader.id in self.new and isinstance(reader.op, ops.Merge) and reader.op.how == "concat":
                before = reader.inputs[: reader.inputs.index(node_id)]
                return sum(self._sizes[source][0] for source in before)
            if not isinstance(reader.op, Channelwise):
                return 0
            node_id = reader.id
        return 0

    @cached_property
    def _in_series(self) -> set[NodeId]:
        """The new nodes on the way to something shared from what it read itself before; others only come beside."""
        found: set[NodeId] = set()
        for node in reversed(self.child.nodes):
            if node.id in self.new and any(
                reader in found or not self._lost(reader).isdisjoint(self._sources[node.id])
                for reader in self.child.readers[node.id]
            ):
                found.add(node.id)
        return found

    def _lost(self, reader: NodeId) -> set[NodeId]:
        """Return what a shared node does not read any more."""
        return set() if reader in self.new else {*self.parent[reader].inputs} - {*self.child[reader].inputs}

    @cached_property
    def _sources(self) -> Mapping[NodeId, set[NodeId]]:
        """For every new node the shared ones that it reads, itself or through new ones."""
        found = dict[NodeId, set[NodeId]]()
        for node in self.child:
            if node.id in self.new:
                found[node.id] = {shared for source in node.inputs for shared in found.get(source, {source})}
        return found

    @cached_property
    def _sizes(self) -> Mapping[NodeId, Size]:
        return shapes(self.child)

    @cached_property
    def _ours(self) -> Mapping[NodeId, tuple[Label, ...]]:
        copying = {i: c for i, c in self._copies.items() if isinstance(self.child[i].op, ops.Conv)}
        return labels(self.child, copying)

    @cached_property
    def _theirs(self) -> Mapping[NodeId, tuple[Label, ...]]:
        return labels(self.parent)


def _still(op: ops.Conv | ops.Depthwise) -> Size | None:
    """Return the place in a window of what is moved nowhere; None if there is none, or positions or channels mix."""
    groups = op.groups if isinstance(op, ops.Conv) else op.multiplier
    if groups != 1 or op.padding != "same" or prod(op.stride) != 1:
        return None
    padded = [((k - 1) * d // 2, d) for k, d in zip(op.kernel, op.dilation, strict=True)]
    return None if any(before % d for before, d in padded) else tuple(before // d for before, d in padded)
