"""Where the channels of every node come from, so that channels of two networks can be told to be the same feature."""

from collections.abc import Mapping, Sequence
from math import prod

import numpy as np
from numpy.typing import NDArray

from amla.spec import ops
from amla.spec.architecture import Architecture, Node, NodeId
from amla.spec.costs import Shapes, shapes

Atom = tuple[NodeId | int, ...]  # (the node that makes the feature, its output there), and then a number for each copy
Label = tuple[Atom, ...]  # what is added up in a channel, the main path first
Places = NDArray[np.intp]  # for each channel of one network, its place in another, or ABSENT

ABSENT = -1


def labels(
    architecture: Architecture, copies: Mapping[NodeId, Sequence[int | None]] | None = None
) -> dict[NodeId, tuple[Label, ...]]:
    """Return a label for every output channel of every node of a closed architecture.

    Inputs, convolutions and linear layers make features of their own. All other operations pass the labels of their
    input on, also where they change the values: a normalised or pooled feature still is that feature. Where a channel
    becomes several (a depthwise multiplier, a flatten), each is numbered. A concatenation puts labels in a row; in a
    sum, a channel is labelled by all that is added, of which the first input comes first.

    `copies` says which outputs of a convolution only copy one of its inputs: they have that one's label.
    """
    found: dict[NodeId, tuple[Label, ...]] = {}
    sizes = shapes(architecture)
    for node in architecture:
        found[node.id] = _labelled(node, [found[source] for source in node.inputs], sizes, (copies or {}).get(node.id))
    return found


def matched(ours: Sequence[Label], theirs: Sequence[Label]) -> Places:
    """Return, for every channel of ours, the place among theirs of the channel that is the same feature, or ABSENT.

    Equal labels match first, in their order where several are equal; then, for the sake of sums that have lost or
    gained an addend, those whose main path is among what is added in theirs.
    """
    free = set(range(len(theirs)))
    whole, parts = dict[Label, list[int]](), dict[Atom, list[int]]()
    for place, label in enumerate(theirs):
        whole.setdefault(label, []).append(place)
        for atom in label:
            parts.setdefault(atom, []).append(place)
    found = np.full(len(ours), ABSENT, dtype=np.intp)
    for channel, label in enumerate(ours):
        _take(found, channel, whole.get(label, ()), free)
    for channel, label in enumerate(ours):
        if found[channel] == ABSENT:
            _take(found, channel, parts.get(label[0], ()), free)
    return found


def _take(found: Places, channel: int, places: Sequence[int], free: set[int]) -> None:
    place = next((place for place in places if place in free), None)
    if place is not None:
        found[channel] = place
        free.discard(place)


def _labelled(
    node: Node, sources: list[tuple[Label, ...]], sizes: Shapes, copied: Sequence[int | None] | None
) -> tuple[Label, ...]:
    match node.op:
        case ops.Input() | ops.Conv() | ops.Dense() | ops.Classify():
            own: list[Label] = [((node.id, output),) for output in range(sizes[node.id][0])]
            for output, source in enumerate(copied or ()):
                own[output] = own[output] if source is None else sources[0][source]
            return tuple(own)
        case ops.Depthwise(multiplier=several) if several > 1:
            return _numbered(sources[0], several)
        case ops.Flatten():
            return _numbered(sources[0], prod(sizes[node.inputs[0]][1:]))
        case ops.Merge(how="concat"):
            return tuple(label for source in sources for label in source)
        case ops.Merge():
            return tuple(tuple(dict.fromkeys(sum(added, ()))) for added in zip(*sources, strict=True))
        case _:
            return sources[0]


def _numbered(source: tuple[Label, ...], several: int) -> tuple[Label, ...]:
    """Return every label `several` times in a row, each with its number."""
    return tuple(tuple((*atom, number) for atom in label) for label in source for number in range(several))
