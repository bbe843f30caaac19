"""How many closings an open architecture has, counted exactly without listing them.

Picks are decided from the last to the first. All that matters of what was decided is which of the others live; so the
ways that lead to the same ones are added up.
"""

from collections import Counter
from collections.abc import Mapping

from amla.spec.architecture import Architecture, NodeId
from amla.spec.closing import serving
from amla.spec.ops import Pick

MOST = 20_000  # sets of living Picks that are told apart

Nodes = int  # a set of Picks: bit n stands for the nth node of the template


def count_closings(template: Architecture, tied: Mapping[NodeId, NodeId]) -> int | None:
    """Return how many different closings there are; None where the ways to them are too many to count.

    Picks in `tied` decide as others do, which live wherever they do.
    """
    if not serving(template).isdisjoint(template.picks):
        return None
    place = {node.id: number for number, node in enumerate(template)}
    behind = _behind(template, place)
    own = sum(1 << place[pick] for pick in template.picks if pick not in tied)
    ways: dict[Nodes, int] = {behind[-1] & own: 1}
    for pick in reversed(template.picks):
        bit, following = 1 << place[pick], Counter[Nodes]()
        for living, count in ways.items():
            if not living & bit:
                following[living] += count
                continue
            rest = living & ~bit
            reached = [behind[place[source]] & own & ~rest for source in template[pick].inputs]
            choices = _choices(template.picks[pick], reached)
            if len(choices) + len(following) > MOST:
                return None
            for more, subsets in choices.items():
                following[rest | more] += count * subsets
        ways = following
    return ways[0]


def _behind(template: Architecture, place: Mapping[NodeId, int]) -> list[Nodes]:
    """Return, for each node, the Picks that live wherever it does, itself among them."""
    found: list[Nodes] = []
    for number, node in enumerate(template):
        sources = [found[place[source]] for source in node.inputs]
        if isinstance(node.op, Pick):
            fixed, free = sources[: node.op.fixed], sources[node.op.fixed :]
            nodes = 1 << number | (_common(free) if node.op.at_least > node.op.fixed else 0)
            if node.op.at_least == len(sources):
                fixed = sources
        else:
            nodes, fixed = 0, sources
        for source in fixed:
            nodes |= source
        found.append(nodes)
    return found


def _common(sources: list[Nodes]) -> Nodes:
    nodes = sources[0]
    for source in sources[1:]:
        nodes &= source
    return nodes


def _choices(pick: Pick, reached: list[Nodes]) -> Mapping[Nodes, int]:
    """Return in how many ways a Pick's choice brings each set of further Picks to life; some, where they are many."""
    always = 0
    for nodes in reached[: pick.fixed]:
        always |= nodes
    ways: dict[tuple[Nodes, int], int] = {(always, pick.fixed): 1}  # by what lives, and how many inputs are kept
    for nodes in reached[pick.fixed :]:
        more = Counter(ways)
        for (living, kept), count in ways.items():
            if kept < pick.at_most:
                more[living | nodes, kept + 1] += count
        ways = more
        if len(ways) > MOST * (1 + len(reached)):
            break
    found = Counter[Nodes]()
    for (living, kept), count in ways.items():
        if kept >= pick.at_least:
            found[living] += count
    return found
