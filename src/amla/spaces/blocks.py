"""Writes the nodes of a template down, block by block; the last node of a block carries its name."""

from typing import Literal

from amla.spec import ops
from amla.spec.architecture import Architecture, Node, NodeId
from amla.spec.ops import Op, Size


class Blocks:
    """Nodes in order, for inputs of `shape` (channels, *spatial); kernels and strides are the same along every axis."""

    def __init__(self, shape: Size) -> None:
        self.rank = len(shape) - 1
        self.nodes: list[Node] = []
        self.image = self.add("image", ops.Input(shape))

    def add(self, name: NodeId, op: Op, *inputs: NodeId) -> NodeId:
        """Write one node, and return its address."""
        self.nodes.append(Node(name, op, inputs))
        return name

    def every(self, number: int) -> Size:
        """Return a number for every axis."""
        return (number,) * self.rank

    def conv(self, name: NodeId, source: NodeId, channels: int, kernel: int, stride: int = 1) -> NodeId:
        """A convolution alone."""
        return self.add(name, ops.Conv(channels, self.every(kernel), self.every(stride)), source)

    def conv_norm(self, name: NodeId, source: NodeId, channels: int, kernel: int, stride: int = 1) -> NodeId:
        """Convolution, batch normalisation."""
        return self.add(name, ops.BatchNorm(), self.conv(f"{name}/conv", source, channels, kernel, stride))

    def conv_norm_relu(self, name: NodeId, source: NodeId, channels: int, kernel: int, stride: int = 1) -> NodeId:
        """Convolution, batch normalisation, ReLU."""
        source = self.conv(f"{name}/conv", source, channels, kernel, stride)
        return self.add(name, ops.Activation(), self.add(f"{name}/norm", ops.BatchNorm(), source))

    def relu_conv_norm(self, name: NodeId, source: NodeId, channels: int, kernel: int, stride: int = 1) -> NodeId:
        """ReLU, convolution, batch normalisation."""
        return self.conv_norm(name, self.relu(f"{name}/relu", source), channels, kernel, stride)

    def relu(self, name: NodeId, source: NodeId) -> NodeId:
        """ReLU alone."""
        return self.add(name, ops.Activation(), source)

    def depthwise(self, name: NodeId, source: NodeId, kernel: int, stride: int = 1, dilation: int = 1) -> NodeId:
        """A convolution of every channel by itself."""
        op = ops.Depthwise(self.every(kernel), self.every(stride), self.every(dilation))
        return self.add(name, op, source)

    def pool(
        self, name: NodeId, source: NodeId, reduce: Literal["max", "mean"], kernel: int, stride: int = 1
    ) -> NodeId:
        """The maximum or the mean of every window."""
        return self.add(name, ops.Pool(reduce, self.every(kernel), self.every(stride)), source)

    def head(self, source: NodeId, classes: int, dropout: float = 0.0) -> Architecture:
        """Mean over all positions, dropout if there is any, classifier; return the whole."""
        source = self.add("head", ops.GlobalPool("mean"), source)
        if dropout:
            source = self.add("head/dropout", ops.Dropout(dropout), source)
        self.add("logits", ops.Classify(classes), source)
        return Architecture(tuple(self.nodes))
