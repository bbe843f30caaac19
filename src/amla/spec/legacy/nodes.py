"""Writes the nodes of a network of 2018 down, block by block, and knows the shape of each."""

from amla.spec import ops
from amla.spec.architecture import Node, NodeId
from amla.spec.costs import shape
from amla.spec.ops import Op, Size
from amla.spec.values import SpecError

EPSILON = 1e-3  # of batch normalisation, as slim has it
RESPONSE = ops.ResponseNorm(4, 0.001 / 9, 0.75, 1.0)  # of stems: the constants of TensorFlow's CIFAR-10 tutorial


class Nodes:
    """Nodes in order. Blocks end in the node that carries their name; their parts lie under it."""

    def __init__(self) -> None:
        self.nodes: list[Node] = []
        self.shapes: dict[NodeId, Size] = {}
        self.pools: dict[NodeId, NodeId] = {}  # of a node, what halves its resolution

    def add(self, name: NodeId, op: Op, *inputs: NodeId) -> NodeId:
        """Write one node, and return its address."""
        self.nodes.append(Node(name, op, inputs))
        self.shapes[name] = shape(op, *(self.shapes[source] for source in inputs))
        return name

    def channels(self, *sources: NodeId) -> int:
        """Return how many channels nodes have together."""
        return sum(self.shapes[source][0] for source in sources)

    def convolved(self, name: NodeId, source: NodeId, conv: ops.Conv) -> NodeId:
        """A convolution, then ReLU: the stem, wideners, what joins skips."""
        return self.add(name, ops.Activation("relu"), self.add(f"{name}/conv", conv, source))

    def branch(
        self, name: NodeId, source: NodeId, channels: int, kernel: Size, *,
        separable: bool = False, stride: int = 1, dilation: int = 1,
    ) -> NodeId:  # fmt: skip
        """A convolution, or a depthwise one and a 1x1; batch normalisation with a shift alone; ReLU."""
        strides, dilations = (stride, stride), (dilation, dilation)
        if separable:
            source = self.add(f"{name}/depthwise", ops.Depthwise(kernel, strides, dilations), source)
            kernel, strides, dilations = (1, 1), (1, 1), (1, 1)
        source = self.add(f"{name}/conv", ops.Conv(channels, kernel, strides, dilations), source)
        source = self.add(f"{name}/norm", ops.BatchNorm(EPSILON, scale=False), source)
        return self.add(name, ops.Activation("relu"), source)

    def halved(self, source: NodeId, extents: Size, under: NodeId | None = None) -> NodeId:
        """Return a node's value brought to a resolution by max-pooling 2x2 with stride 2; readers share the pools.

        New pools stand under the address `under`, without one under the node's own. Raises SpecError.
        """
        name, times = source, 0
        while self.shapes[name][1:] != extents:
            if max(self.shapes[name][1:]) <= max(extents):
                raise SpecError(f"{source!r} has {self.shapes[source][1:]} places; no halving makes them {extents}.")
            times += 1
            if name not in self.pools:
                address = f"{source}/half{times}" if under is None else f"{under}/half{times}/{dashed(source)}"
                self.pools[name] = self.add(address, ops.Pool("max", (2, 2), (2, 2)), name)
            name = self.pools[name]
        return name


def dashed(address: NodeId) -> NodeId:
    """Return an address as one step of another: "stage0-cell1"."""
    return address.replace("/", "-")
