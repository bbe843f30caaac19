"""The macro space of ENAS: a chain of layers, each with an operation and with skips from any earlier layers.

Pham et al. 2018 (ICML), section 2.3. Each layer is one of six operations on the one before, to which the layers that it
skips from are added, then batch normalised. After each third of the layers, what can be skipped from is brought to half
the resolution. Draws are uniform: every operation, and every set of skips, has the same chance.
"""

from amla.spaces.blocks import Blocks
from amla.spaces.space import Space, SpaceError
from amla.spec import ops
from amla.spec.architecture import NodeId
from amla.spec.ops import Size

OPERATIONS = ("3x3", "3x3sep", "5x5", "5x5sep", "mean", "max")
MOST_LAYERS = 100


def enas_macro(
    shape: Size, classes: int, *, width: int = 36, layers: int = 12, growth: int = 2, dropout: float = 0.1
) -> Space:
    """Return the space for inputs of `shape` (channels, *spatial).

    `width` is the channels of the first third of the `layers`; each other third has `growth` times those of the one
    before (1 in the paper's search, 2 in its final network). The genes are "layer4/op", what a layer computes, and
    "layer4/sum", what is added: always its operation, and some of the earlier layers. Raises SpaceError for too few
    or too many layers, SpecError for numbers that no operation can have.
    """
    if not 3 <= layers <= MOST_LAYERS:
        raise SpaceError(
            f"layers is {layers}; there must be 3 to {MOST_LAYERS}, and the resolution halves after a third."
        )
    blocks, earlier = Blocks(shape), list[NodeId]()
    source = blocks.conv_norm("stem", blocks.image, width, 3)
    halvings = {layers // 3, 2 * layers // 3}
    for number in range(layers):
        if number in halvings:
            width *= growth
            under = f"half{len([place for place in halvings if place < number])}"
            halved = {name: _halved(blocks, f"{under}/{_base(name)}", name, width) for name in (*earlier, source)}
            earlier, source = [halved[name] for name in earlier], halved[source]
        name = f"layer{number}"
        chosen = _operation(blocks, f"{name}/op", source, width)
        added = (chosen, *earlier)
        merged = blocks.add(f"{name}/sum", ops.Pick(1, len(added), fixed=1), *added)
        earlier.append(source)
        source = blocks.add(name, ops.BatchNorm(), merged)
    return Space(blocks.head(source, classes, dropout), even=True)


def _base(name: NodeId) -> str:
    return name.rsplit("/", 1)[-1]


def _operation(blocks: Blocks, name: NodeId, source: NodeId, width: int) -> NodeId:
    found = []
    for operation in OPERATIONS:
        address = f"{name}/{operation}"
        inner = blocks.conv_norm_relu(f"{address}/in", source, width, 1)
        match operation:
            case "mean" | "max":
                found.append(blocks.pool(address, inner, "mean" if operation == "mean" else "max", 3))
            case separable if separable.endswith("sep"):
                inner = blocks.depthwise(f"{address}/depthwise", inner, int(operation[0]))
                found.append(blocks.conv_norm_relu(address, inner, width, 1))
            case _:
                found.append(blocks.conv_norm_relu(address, inner, width, int(operation[0])))
    return blocks.add(name, ops.Pick(), *found)


def _halved(blocks: Blocks, name: NodeId, source: NodeId, width: int) -> NodeId:
    """Half the resolution: means of 2x2, a 1x1 convolution, batch normalisation."""
    return blocks.conv_norm(name, blocks.pool(f"{name}/pool", source, "mean", 2, 2), width, 1)
