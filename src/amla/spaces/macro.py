"""The networks of 2018's searches: a macro network with a stem before it and a head after it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from amla.spaces.space import SpaceError
from amla.spec import ops
from amla.spec.architecture import Architecture, NodeId
from amla.spec.legacy.macro import DROPOUT, branch_id, build_macro, skip_id
from amla.spec.legacy.nodes import RESPONSE, Nodes
from amla.spec.macro import Layer, Macro
from amla.spec.ops import Size

Stem = Literal["response_norm", "conv"]


@dataclass(frozen=True)
class Frame:
    """What lies around a macro network: a stem for images of `shape` (channels, height, width), a head for `classes`.

    `width` is the channels of the stem, and of the first widener's convolution. The stem "response_norm" is a 1x1
    convolution with bias, ReLU and local response normalisation, as in the searches of 2018, "conv" a 3x3 convolution
    with bias and ReLU, as in the network they found. With a `stem_stride` windows overlap, so that no input is passed
    over. `dropout` follows every layer, `head_dropout` the mean over all positions. Raises SpaceError for inputs that
    are no images.
    """

    shape: Size
    classes: int
    width: int
    stem: Stem = "response_norm"
    stem_stride: int = 1
    dropout: float = DROPOUT
    head_dropout: float = 0.2

    def __post_init__(self) -> None:
        if len(self.shape) != 3:
            raise SpaceError(f"Inputs are of {self.shape}; the networks of 2018 read images: channels, height, width.")

    def network(self, macro: Macro) -> Architecture:
        """Return the whole network. Raises SpecError where a layer has fewer channels than branches."""
        nodes = Nodes()
        source = build_macro(nodes, macro, self._stem(nodes), self.width, self.dropout)[-1]
        source = nodes.add("head", ops.GlobalPool("mean"), source)
        if self.head_dropout:
            source = nodes.add("head/dropout", ops.Dropout(self.head_dropout), source)
        nodes.add("logits", ops.Classify(self.classes), source)
        return Architecture(tuple(nodes.nodes))

    def _stem(self, nodes: Nodes) -> NodeId:
        image, stride = nodes.add("image", ops.Input(self.shape)), self.stem_stride
        kernel = max(1 if self.stem == "response_norm" else 3, 2 * stride - 1)
        conv = ops.Conv(self.width, (kernel, kernel), (stride, stride), bias=True)
        if self.stem == "conv":
            return nodes.convolved("stem", image, conv)
        return nodes.add("stem", RESPONSE, nodes.convolved("stem/relu", image, conv))


def branches(macro: Macro) -> Mapping[tuple[int, str], NodeId]:
    """Return the address of every branch, in order, by its item and its name."""
    return {
        (place, name): branch_id(macro.addresses[place + 1], name, op)
        for place, item in enumerate(macro.items)
        if isinstance(item, Layer)
        for name, op in item.filters
    }


def skips(macro: Macro) -> Mapping[tuple[int, int], NodeId]:
    """Return the address of every skip's learned number, in order, by the cells that it leads from and to."""
    addresses = macro.addresses
    return {
        (source, place + 1): skip_id(addresses[place + 1], addresses[source])
        for place in range(len(macro.items))
        for source in macro.sources(place) or ()
    }
