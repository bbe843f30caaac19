"""Micro networks of 2018: a list of cells, each a small graph of nodes that says what reads what.

The files say types and wires; widths, and how resolutions meet, they leave to the program, and the released one did
other than they mean: separable convolutions ignored strides, "3x3avg" was a plain convolution, a reduction cell
without strides did not reduce. What is built here is what the format means, in the manner of the papers that it
restates (NASNet, ENAS, DARTS, AmoebaNet):

- A cell reads the output before the last (-1) and the last one (0), each brought to the resolution of the last, and
  by a 1x1 convolution to the cell's channels. The cells have the stem's channels, doubled at each reduction cell.
- Convolutions give the cell's channels. Pools, identities and concatenations keep those that come in. What is summed
  and has other channels than the cell is brought to them by a 1x1 convolution.
- In a reduction cell, what reads an input of the cell has stride 2, unless it says another. A normal cell keeps the
  resolution, so its strides do not count.
- Where resolutions meet, finer ones are halved by 2x2 max-pooling, as the macro networks' skips are.
- A convolution is followed by batch normalisation (shift alone) and ReLU, as in macro networks.
- The output of a cell is its last node. A cell with a dense node is an auxiliary head: mean over all positions,
  linear layer.
"""

import re
from dataclasses import dataclass
from typing import Literal

from amla.spec import ops
from amla.spec.architecture import NodeId
from amla.spec.legacy.fields import Fields
from amla.spec.legacy.nodes import Nodes
from amla.spec.ops import Size
from amla.spec.values import SpecError, value

AUXILIARY = 0.4  # weight of an auxiliary loss, which the files leave open: that of NASNet, ENAS and DARTS
_WINDOW = re.compile(r"(\d)x(\d)(|sep|dilated|maxpool|avgpool|avg)")
_DILATION = 2


@value
class MicroNode:
    """One node of a cell: its name, type and stride, and the nodes of the cell that it reads."""

    name: str
    type: str
    inputs: tuple[str, ...]
    stride: int | None = None
    outputs: int | None = None  # of a dense node


@value
class MicroCell:
    """A cell: its inputs by name (-1: the output before the last, 0: the last), and its nodes, the output last.

    A node comes after all that it reads.
    """

    inputs: tuple[tuple[str, int], ...]
    nodes: tuple[MicroNode, ...]

    @property
    def head(self) -> MicroNode | None:
        """The node that makes this an auxiliary head, if one does."""
        return next((node for node in self.nodes if node.type == "dense"), None)

    @property
    def needed(self) -> tuple[MicroNode, ...]:
        """The nodes that the last one needs, itself included."""
        wanted = {self.nodes[-1].name}
        found = []
        for node in reversed(self.nodes):
            if node.name in wanted:
                found.append(node)
                wanted.update(node.inputs)
        return tuple(reversed(found))


@value
class Micro:
    """A micro network: kinds of cells, and which follow one another. A kind with "reduction" in its name reduces."""

    cells: tuple[tuple[str, MicroCell], ...]
    network: tuple[str, ...]


def read_micro(fields: Fields) -> Micro:
    """Read the section of a micro network. Raises SpecError with address, rule and value."""
    network = fields.texts("network")
    fields.forget("type")
    cells = []
    for name in dict.fromkeys(network):
        inside = fields.inside(name)
        if inside is None:
            raise SpecError(f"{fields.at('network')} names {name!r}, of which there is no cell.")
        cells.append((name, _cell(inside)))
    return Micro(tuple(cells), network)


def build_micro(nodes: Nodes, micro: Micro, stem: NodeId, classes: int | None = None) -> NodeId:
    """Write the cells of a network down after its stem, and return the last output.

    Auxiliary heads have as many `classes` (None: as many as they say).
    """
    cells = dict(micro.cells)
    outputs, width = [stem, stem], nodes.channels(stem)
    numbers = {"cell": 0, "auxiliary": 0}
    for kind in micro.network:
        cell = cells[kind]
        role = "auxiliary" if cell.head else "cell"
        name = f"{role}{numbers[role]}"
        numbers[role] += 1
        if head := cell.head:
            add_head(nodes, name, outputs[-1], classes or head.outputs or 0)
            continue
        reduces = "reduction" in kind
        width *= 2 if reduces else 1
        outputs.append(_Cell(nodes, name, cell, width, reduces).build(outputs[-2:]))
    return outputs[-1]


@dataclass(frozen=True)
class _Cell:
    """One cell to be written down."""

    sheet: Nodes
    name: str
    cell: MicroCell
    width: int
    reduces: bool

    def build(self, before: list[NodeId]) -> NodeId:
        extents = self.sheet.shapes[before[-1]][1:]
        found = {place: self._input(place, before[which - 1], extents) for place, which in self.cell.inputs}
        inputs = set(found)
        for node in self.cell.needed:
            sources = [found[place] for place in node.inputs]
            stride = (node.stride or (2 if inputs & set(node.inputs) else 1)) if self.reduces else 1
            found[node.name] = self._node(f"{self.name}/{node.name}", node, sources, stride)
        last = found[self.cell.nodes[-1].name]
        if self.reduces and self.sheet.shapes[last][1:] == extents:
            raise SpecError(f"{self.name} is a reduction cell, but each of its strides is 1, so it does not reduce.")
        return self.sheet.add(self.name, ops.Identity(), last)

    def _input(self, place: str, source: NodeId, extents: Size) -> NodeId:
        return self.sheet.branch(f"{self.name}/{place}", self.sheet.halved(source, extents), self.width, (1, 1))

    def _node(self, name: NodeId, node: MicroNode, sources: list[NodeId], stride: int) -> NodeId:
        match node.type:
            case "concat" | "add":
                return self._merge(name, node.type, sources)
            case "identity":
                return self.sheet.add(name, ops.Identity(), self._at(sources[0], stride))
        found = _WINDOW.fullmatch(node.type)
        if not found:
            raise SpecError(f"{name}: type {node.type!r} is not known.")
        kernel = int(found[1]), int(found[2])
        match found[3]:
            case "maxpool" | "avgpool" | "avg" as pool:
                how: Literal["max", "mean"] = "max" if pool == "maxpool" else "mean"
                return self.sheet.add(name, ops.Pool(how, kernel, (stride, stride)), sources[0])
            case kind:
                return self.sheet.branch(
                    name, sources[0], self.width, kernel,
                    separable=kind == "sep", stride=stride, dilation=_DILATION if kind == "dilated" else 1,
                )  # fmt: skip

    def _merge(self, name: NodeId, how: Literal["concat", "add"], sources: list[NodeId]) -> NodeId:
        coarsest = min(self.sheet.shapes[source][1:] for source in sources)
        met = [self.sheet.halved(source, coarsest) for source in sources]
        if how == "add":
            met = [
                source
                if self.sheet.channels(source) == self.width
                else self.sheet.branch(f"{name}/from{place}", source, self.width, (1, 1))
                for place, source in enumerate(met)
            ]
        return self.sheet.add(name, ops.Merge(how), *met)

    def _at(self, source: NodeId, stride: int) -> NodeId:
        extents = tuple(-(-extent // stride) for extent in self.sheet.shapes[source][1:])
        return self.sheet.halved(source, extents)


def add_head(nodes: Nodes, name: NodeId, source: NodeId, classes: int) -> None:
    """Write an auxiliary head on a node: the mean over all positions, and a linear layer."""
    pooled = nodes.add(f"{name}/mean", ops.GlobalPool("mean"), source)
    nodes.add(name, ops.Classify(classes, auxiliary=AUXILIARY), pooled)


def _cell(fields: Fields) -> MicroCell:
    inputs, nodes = [], []
    for name in sorted(fields, key=_number):
        which = fields.plain(name)
        if isinstance(which, int) and not isinstance(which, bool):
            if which not in (-1, 0):
                raise SpecError(
                    f"{fields.at(name)} is {which}; an input is -1, the output before the last, or 0, the last."
                )
            inputs.append((name, which))
        else:
            nodes.append(_node(fields, name))
    if not inputs or not nodes:
        raise SpecError(f"{fields.address} needs an input (-1 or 0) and a node that reads it.")
    return MicroCell(tuple(inputs), _in_order(fields, [name for name, _ in inputs], nodes))


def _node(fields: Fields, name: str) -> MicroNode:
    said = fields.inside(name)
    what = said.inside("node") if said else None
    if said is None or what is None:
        raise SpecError(f"{fields.at(name)} needs a node and its input.")
    kind, inputs = what.text("type"), said.texts("input")
    if kind not in ("concat", "add", "identity", "dense") and not _WINDOW.fullmatch(kind):
        raise SpecError(
            f"{what.at('type')} is {kind!r}; known are concat, add, identity, dense, and windows such as 1x1, 3x3sep, "
            "5x5dilated, 3x3maxpool, 3x3avgpool."
        )
    if kind not in ("concat", "add") and len(inputs) != 1:
        raise SpecError(f"{said.at('input')} is {list(inputs)}; {kind!r} reads exactly one node.")
    stride = what.whole("stride") if "stride" in what else None
    return MicroNode(name, kind, inputs, stride, what.whole("outputs") if kind == "dense" else None)


def _in_order(fields: Fields, known: list[str], nodes: list[MicroNode]) -> tuple[MicroNode, ...]:
    """Return the nodes with each after those it reads; the one that is the output, highest in number, last."""
    last, waiting, done = nodes[-1], list(nodes), set(known)
    found: list[MicroNode] = []
    while waiting:
        ready = next((node for node in waiting if done.issuperset(node.inputs)), None)
        if ready is None:
            stuck = waiting[0]
            raise SpecError(f"{fields.at(stuck.name)} reads {list(stuck.inputs)}, of which one is missing or reads it.")
        waiting.remove(ready)
        found.append(ready)
        done.add(ready.name)
    return tuple(sorted(found, key=lambda node: node is last))


def _number(name: str) -> tuple[int, str]:
    digits = re.sub(r"\D", "", name)
    return int(digits) if digits else 0, name
