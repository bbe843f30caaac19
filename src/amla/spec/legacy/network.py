"""The network that a configuration of 2018 says: stem, body, head."""

from amla.spec import ops
from amla.spec.architecture import Architecture, NodeId
from amla.spec.legacy.config import Config, StemConv
from amla.spec.legacy.growth import Growth, Randoms, drawn, initial
from amla.spec.legacy.macro import build_macro
from amla.spec.legacy.micro import Micro, add_head, build_micro
from amla.spec.legacy.nodes import RESPONSE, Nodes
from amla.spec.macro import Macro
from amla.spec.ops import Size


def build(config: Config, shape: Size, classes: int | None = None, seed: int = 0) -> Architecture:
    """Return the network for inputs of `shape` (channels, height, width); `classes` None: as many as the file says.

    A configuration of a search gives the network that it begins with, one of random networks one drawn with `seed`.
    Raises SpecError where it does not fit.
    """
    nodes = Nodes()
    source = _stem(nodes, config, nodes.add("image", ops.Input(shape)))
    match config.body:
        case Micro() as micro:
            source = build_micro(nodes, micro, source, classes)
        case Macro() as macro:
            cells = build_macro(nodes, macro, source, config.width)
            for item, outputs in config.heads:
                add_head(nodes, f"auxiliary{item}", cells[item + 1], classes or outputs)
            source = cells[-1]
        case Growth() as growth:
            source = build_macro(nodes, initial(growth, config.width), source, config.width)[-1]
        case Randoms() as randoms:
            source = build_macro(nodes, drawn(randoms, config.width, seed), source, config.width)[-1]
    source = nodes.add("head", ops.GlobalPool("mean"), source)
    if config.head_dropout:
        source = nodes.add("head/dropout", ops.Dropout(config.head_dropout), source)
    nodes.add("logits", ops.Classify(classes or config.classes), source)
    return Architecture(tuple(nodes.nodes))


def _stem(nodes: Nodes, config: Config, image: NodeId) -> NodeId:
    """Write the layers of the stem, each a convolution with ReLU or several side by side, or a normalisation."""
    source = image
    for place, layer in enumerate(config.stem):
        name = "stem" if place == len(config.stem) - 1 else f"stem/layer{place}"
        ends = []
        for number, block in enumerate(layer):
            called = name if len(layer) == 1 else f"{name}/branch{number}"
            if isinstance(block, StemConv):
                strides = (block.stride, block.stride)
                conv = ops.Conv(block.outputs, block.kernel, strides, bias=block.bias)
                ends.append(nodes.convolved(called, source, conv))
            else:
                ends.append(nodes.add(called, RESPONSE, source))
        source = ends[0] if len(ends) == 1 else nodes.add(name, ops.Merge("concat"), *ends)
    return source
