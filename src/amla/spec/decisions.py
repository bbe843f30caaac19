"""Decisions: which inputs each Pick keeps. Closing an architecture means applying them."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from functools import lru_cache

from amla.spec.architecture import Architecture, Node, NodeId
from amla.spec.ops import Channelwise, Conv, Merge, Pick
from amla.spec.values import SpecError

Decisions = Mapping[NodeId, tuple[NodeId, ...]]


def close(template: Architecture, decisions: Decisions) -> Architecture:
    """Return `template` with every reachable Pick decided, shares of width given out, and unreachable nodes dropped.

    Auxiliary heads stay, with what serves them alone, where the output can still be reached from what they read.
    Decisions about Picks that become unreachable are ignored. Raises SpecError where a reachable Pick has no
    decision, or one that it does not allow.
    """
    kept = _kept(template, {template.output.id}, decisions)
    if heads := _heads_on(template, kept):
        kept = _kept(template, {template.output.id, *heads}, decisions)
    return Architecture(tuple(reversed(kept.values())))


def read(template: Architecture, closed: Architecture) -> Decisions:
    """Return the decisions that made `closed` out of `template`: the inverse of `close` on the Picks that live."""
    return {pick: closed[pick].inputs for pick in template.picks if pick in closed}


def in_order(template: Architecture, pick: NodeId, kept: Iterable[NodeId]) -> tuple[NodeId, ...]:
    """Return `kept` in the order of the Pick's inputs, the form in which `read` gives decisions."""
    chosen = set(kept)
    return tuple(source for source in template[pick].inputs if source in chosen)


def decided(node: Node, decisions: Decisions) -> Node:
    """Return what a node is once it is decided: a Pick becomes a Merge of what it keeps. Raises SpecError."""
    if not isinstance(node.op, Pick):
        return node
    pick, kept = node.op, decisions.get(node.id)
    if kept is None:
        raise SpecError(f"No decision for {node.id!r}; it may keep any of {list(node.inputs)}.")
    chosen, fixed = set(kept), set(node.inputs[: pick.fixed])
    allowed = pick.at_least <= len(chosen) <= pick.at_most and len(chosen) == len(kept)
    if not (fixed <= chosen <= set(node.inputs) and allowed):
        always = f", {sorted(fixed)} always," if fixed else ""
        raise SpecError(
            f"{node.id!r} may keep {pick.at_least} to {pick.at_most} of {list(node.inputs)}{always} "
            f"but was told to keep {list(kept)}."
        )
    return Node(node.id, Merge(pick.how), tuple(source for source in node.inputs if source in chosen))


def _kept(template: Architecture, ends: set[NodeId], decisions: Decisions) -> dict[NodeId, Node]:
    """Return the nodes, last ones first, that reach one of `ends` once Picks are decided."""
    kept: dict[NodeId, Node] = {}
    widths: dict[NodeId, int] = {}  # what each node must be wide, where a Pick says so
    wanted = set(ends)
    for node in reversed(template.nodes):
        if node.id not in wanted:
            continue
        closed = _widened(decided(node, decisions), widths.get(node.id))
        kept[node.id] = closed
        wanted.update(closed.inputs)
        _hand_down(node, closed, widths)
    return kept


def _heads_on(template: Architecture, kept: Collection[NodeId]) -> set[NodeId]:
    """Return the auxiliary heads whose every source is kept, or serves such heads alone."""
    serving = template.sources(template.heads) - template.sources((template.output.id,))
    alive = set(kept)
    for node in template:
        if node.id in serving and alive.issuperset(node.inputs):
            alive.add(node.id)
    return alive & template.heads.keys()


def _widened(node: Node, width: int | None) -> Node:
    if not isinstance(node.op, Conv) or node.op.channels is not None:
        return node
    if width is None:
        raise SpecError(f"{node.id!r} has no channels of its own and feeds no Pick with a width; give it channels.")
    return _as_wide(node, node.op, width)


@lru_cache(maxsize=10_000)  # a template has few nodes that are made so wide, and searches close it very often
def _as_wide(node: Node, op: Conv, width: int) -> Node:
    try:
        return replace(node, op=replace(op, channels=width))
    except SpecError as error:
        raise SpecError(f"{node.id!r} cannot take its share of {width} channels: {error}") from None


def _hand_down(node: Node, decided: Node, widths: dict[NodeId, int]) -> None:
    """Tell the inputs of `node` how wide they must be: their share of a Pick, or what a channel-wise op must be."""
    match node.op:
        case Pick(width=int(width)):
            share, remainder = divmod(width, len(decided.inputs))
            for place, source in enumerate(decided.inputs):
                _tell(widths, source, share + (place < remainder))
        case op if isinstance(op, Channelwise) and getattr(op, "multiplier", 1) == 1 and node.id in widths:
            _tell(widths, node.inputs[0], widths[node.id])


def _tell(widths: dict[NodeId, int], source: NodeId, width: int) -> None:
    if widths.setdefault(source, width) != width:
        raise SpecError(f"{source!r} should be {widths[source]} channels wide for one reader and {width} for another.")
