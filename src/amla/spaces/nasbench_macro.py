"""The space of NAS-Bench-Macro: eight layers in a row, each of which is one of three blocks.

Su et al. 2021 (CVPR), appendix. A layer is the identity, or a MobileNetV2 block (Sandler et al. 2018) with expansion 3
and kernel 3 or expansion 6 and kernel 5. Three stages of 2, 3 and 3 layers; the first layer of each halves the
resolution and doubles the channels, for which the identity becomes a 1x1 convolution. 3^8 = 6,561 networks.
"""

from amla.spaces.blocks import Blocks
from amla.spaces.space import Space
from amla.spec import ops
from amla.spec.architecture import NodeId
from amla.spec.ops import Size

BLOCKS = ("identity", "mb3-3x3", "mb6-5x5")
STAGES = (2, 3, 3)  # layers of each


def nasbench_macro(shape: Size, classes: int, *, width: int = 32, last: int = 1280) -> Space:
    """Return the space for inputs of `shape` (channels, *spatial); the benchmark's networks have the defaults.

    `width` is the channels of the stem, `last` those before the head. The genes are "layer0" to "layer7"; what a layer
    keeps ends in one of BLOCKS.
    """
    blocks = Blocks(shape)
    source, channels, number = blocks.conv_norm_relu("stem", blocks.image, width, 3), width, 0
    for layers in STAGES:
        for place in range(layers):
            before, channels = channels, channels if place else 2 * channels
            source = _layer(blocks, f"layer{number}", source, before, channels)
            number += 1
    return Space(blocks.head(blocks.conv_norm_relu("last", source, last, 1), classes))


def _layer(blocks: Blocks, name: NodeId, source: NodeId, before: int, channels: int) -> NodeId:
    if before == channels:
        plain = blocks.add(f"{name}/identity", ops.Identity(), source)
    else:
        plain = blocks.conv_norm(f"{name}/identity", source, channels, 1, 2)
    small = _mobile(blocks, f"{name}/mb3-3x3", source, before, channels, 3, 3)
    large = _mobile(blocks, f"{name}/mb6-5x5", source, before, channels, 6, 5)
    return blocks.add(name, ops.Pick(), plain, small, large)


def _mobile(
    blocks: Blocks, name: NodeId, source: NodeId, before: int, channels: int, expansion: int, kernel: int
) -> NodeId:
    """A 1x1 convolution to more channels, a depthwise one, a 1x1 without ReLU; around it a skip where sizes agree."""
    inner = blocks.conv_norm_relu(f"{name}/expand", source, expansion * before, 1)
    inner = blocks.depthwise(f"{name}/depthwise/conv", inner, kernel, 1 if before == channels else 2)
    inner = blocks.add(f"{name}/depthwise/norm", ops.BatchNorm(), inner)
    inner = blocks.relu(f"{name}/depthwise", inner)
    if before != channels:
        return blocks.conv_norm(name, inner, channels, 1)
    return blocks.add(name, ops.Merge(), blocks.conv_norm(f"{name}/project", inner, channels, 1), source)
