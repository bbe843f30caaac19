"""What one-shot methods train of an open architecture: all that its Picks may keep, or what is still open of it."""

from amla.spec.architecture import Architecture, Node
from amla.spec.decisions import Decisions, decided
from amla.spec.ops import Merge, Pick
from amla.spec.values import SpecError


def supernet(template: Architecture) -> Architecture:
    """Return `template` with every Pick merging all its inputs: what a mixture computes, and what its costs count.

    A closed architecture is its own. Its shapes raise SpecError where inputs of a Pick do not fit together.
    """
    for pick, op in template.picks.items():
        if op.width is not None:
            raise SpecError(
                f"{pick!r} shares a width of {op.width} among the inputs it keeps, so these have no size before it is "
                "decided; one-shot methods need a Pick without width."
            )
    return Architecture(tuple(_merging_all(node) for node in template))


def narrowed(template: Architecture, decisions: Decisions) -> Architecture:
    """Return `template` with the Picks that `decisions` name decided, the others open, unreachable nodes dropped.

    Raises SpecError for a decision that its Pick does not allow.
    """
    nodes = [decided(node, decisions) if node.id in decisions else node for node in template]
    wanted = {template.output.id, *template.heads}
    for node in reversed(nodes):
        wanted |= set(node.inputs) if node.id in wanted else set()
    return Architecture(tuple(node for node in nodes if node.id in wanted))


def _merging_all(node: Node) -> Node:
    return Node(node.id, Merge(node.op.how), node.inputs) if isinstance(node.op, Pick) else node
