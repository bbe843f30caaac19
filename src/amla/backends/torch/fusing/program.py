"""What a network does, step by step: nodes one at a time, or several in one pass where a rewrite says so."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from torch import Tensor, nn

from amla.spec.architecture import Architecture, Node, NodeId
from amla.spec.ops import Size


@dataclass(frozen=True)
class Step:
    """Computes the nodes `writes` from the nodes `reads`, and with them all that it `covers`.

    `show` returns the values of the nodes that are covered and not written. Where nobody needs those, `tell` has their
    moments (2, channels) from the last tensor that `compute` returns, which is one more than it writes; each node of
    `tells` has a slice of the channels.
    """

    compute: Callable[..., Tensor | Sequence[Tensor]]
    reads: tuple[NodeId, ...]
    writes: tuple[NodeId, ...]
    covers: frozenset[NodeId]
    show: Callable[..., Mapping[NodeId, Tensor]] | None = None
    tell: Callable[[Tensor], Tensor] | None = None
    tells: Mapping[NodeId, slice] = field(default_factory=dict)


@dataclass(frozen=True)
class Graph:
    """An architecture, and the modules and shapes of its nodes."""

    architecture: Architecture
    modules: Mapping[NodeId, nn.Module]
    shapes: Mapping[NodeId, Size]

    def reader(self, node_id: NodeId) -> Node | None:
        """Return the one node that reads this one; None if there are others, or none."""
        readers = self.architecture.readers[node_id]
        return self.architecture[readers[0]] if len(readers) == 1 else None


Rewrite = Callable[[Graph, Node], Step | None]


def program(graph: Graph, rewrites: Iterable[Rewrite] = ()) -> list[Step]:
    """Return the steps that compute a network: of what two rewrites would cover, the first has it."""
    steps: list[Step] = []
    covered: set[NodeId] = set()
    for rewrite in rewrites:
        for node in graph.architecture:
            step = rewrite(graph, node)
            if step is not None and covered.isdisjoint(step.covers):
                steps.append(step)
                covered |= step.covers
    steps += [_alone(graph, node) for node in graph.architecture if node.id not in covered]
    return _in_order(steps, graph.architecture)


def last_readings(steps: Sequence[Step]) -> list[tuple[NodeId, ...]]:
    """Return, for every step, the nodes that no step after it reads."""
    last = {node_id: number for number, step in enumerate(steps) for node_id in (*step.writes, *step.reads)}
    dead: list[list[NodeId]] = [[] for _ in steps]
    for node_id, number in last.items():
        dead[number].append(node_id)
    return [tuple(nodes) for nodes in dead]


def _alone(graph: Graph, node: Node) -> Step:
    return Step(graph.modules[node.id], node.inputs, (node.id,), frozenset((node.id,)))


def _in_order(steps: Iterable[Step], architecture: Architecture) -> list[Step]:
    """Return the steps in the order of their nodes, but each after those that compute what it reads."""
    place = {node.id: number for number, node in enumerate(architecture)}
    by_output = {node_id: step for step in steps for node_id in step.writes}
    placed: list[Step] = []
    done: set[NodeId] = set()
    waiting = sorted(by_output.values(), key=lambda step: max(map(place.__getitem__, step.writes)), reverse=True)
    while waiting:
        step = waiting[-1]
        if step.writes[0] in done:
            waiting.pop()
        elif missing := [by_output[source] for source in step.reads if source not in done]:
            waiting += missing
        else:
            placed.append(waiting.pop())
            done.update(step.writes)
    return placed
