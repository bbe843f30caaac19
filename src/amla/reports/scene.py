"""What a drawing shows: the blocks of a network, those that are gone since the one before, and places kept free."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from amla.reports.blocks import Block, Folded, Link, fold, junctions
from amla.reports.geometry import Layout, Slot, Wire
from amla.reports.layout import arrange
from amla.spec.architecture import Architecture, NodeId
from amla.spec.ops import Pick

LETTER, LONGEST = 6.1, 14  # the width of a letter of a label in pixels, and how many letters it may have
SMALLEST = 44.0  # the width of a box
BAR, DOT, PILL = 5.0, 8.0, 15.0  # the heights of a concatenation, a sum, and an undecided merge
_NOTHING = Folded({}, ())


@dataclass(frozen=True)
class Scene:
    """A layout, the blocks to draw in it, and the addresses (of Scales, too) gone and new since the network before."""

    layout: Layout
    blocks: dict[NodeId, Block]
    gone: frozenset[NodeId]
    new: frozenset[NodeId]


def compose(
    now: Architecture,
    before: Architecture | None,
    slots: Architecture | None,
    among: Sequence[Architecture],
    box_height: float,
) -> Scene:
    """Return what to draw of `now`, leaving out the others where they cannot be ordered together with it."""
    for earlier, template, others in ((before, slots, among), (before, slots, ()), (before, None, ())):
        try:
            return _compose(now, earlier, template, others, box_height)
        except ValueError:  # two networks that read the same nodes in opposite orders make a cycle
            continue
    return _compose(now, None, None, (), box_height)


def shortened(label: str) -> str:
    """Return a label that fits into a box."""
    return label if len(label) <= LONGEST else f"{label[: LONGEST - 1]}…"


def _compose(
    now: Architecture,
    before: Architecture | None,
    template: Architecture | None,
    among: Sequence[Architecture],
    box_height: float,
) -> Scene:
    joined = junctions([now, *among, *([before] if before else [])])
    shown, others = fold(now, joined), [fold(network, joined) for network in among]
    earlier = fold(before, joined) if before else _NOTHING
    whole = fold(template, joined) if template else _NOTHING

    gone = {address for address in (*earlier.blocks, *earlier.tracks) if address not in now}
    new = {address for address in (*shown.blocks, *shown.tracks) if before and address not in before}
    places = {address: block for folded in (*others, earlier) for address, block in folded.blocks.items()}
    places = {address: block for address, block in places.items() if address not in now} | shown.blocks
    vacant = _vacant(whole, places)
    places |= {address: whole.blocks[address] for address in vacant}

    drawn = {link for link in earlier.links if gone & {link.source, link.target, link.scale}} | set(shown.links)
    links = dict.fromkeys(link for folded in (shown, earlier, *others) for link in folded.links)
    links |= dict.fromkeys(link for link in whole.links if vacant & {link.source, link.target})
    links |= dict.fromkeys(_levelled((shown, earlier, *others)))
    seen = {address: block for address, block in places.items() if address in shown.blocks or address in gone}
    order = _woven(folded.blocks for folded in (whole, *others, earlier, shown))
    layout = arrange(
        [_slot(places[address], address in seen, box_height) for address in order if address in places],
        [_wire(link, link in drawn) for link in links if link.source in places and link.target in places],
    )
    return Scene(layout, seen, frozenset(gone), frozenset(new))


def _vacant(whole: Folded, places: dict[NodeId, Block]) -> set[NodeId]:
    """Return the branches that the template offers to the merges in `places`, and that are not there."""
    sources = defaultdict(list)
    for link in whole.links:
        sources[link.target].append(link.source)
    return {
        link.source
        for link in whole.links
        if link.target in places
        and _offers(whole.blocks[link.target])
        and not link.scale
        and link.source not in places
        and not whole.blocks[link.source].is_mark
        and all(source in places for source in sources[link.source])
    }


def _levelled(networks: Iterable[Folded]) -> Iterator[Link]:
    """Yield links by which blocks that read the same and are joined by one merge stand in one row in all networks.

    In one network a cell may read another cell than in the next; each of its branches then reads both.
    """
    read, joined, apart = defaultdict[NodeId, dict[NodeId, None]](dict), defaultdict[NodeId, set[NodeId]](set), set()
    for network in networks:
        sources = defaultdict[NodeId, list[NodeId]](list)
        for link in network.links:
            sources[link.target].append(link.source)
        for merge in (block.id for block in network.blocks.values() if block.kind == "concat"):
            different = {tuple(sources[branch]) for branch in sources[merge]}
            if len(different) > 1:
                apart.add(merge)
            joined[merge] |= set(sources[merge])
            read[merge] |= dict.fromkeys(source for found in different for source in found)
    for merge in joined.keys() - apart:
        yield from (Link(source, branch) for source in read[merge] for branch in sorted(joined[merge]))


def _offers(block: Block) -> bool:
    """Return whether several inputs of a block may stay, so that each has a place of its own."""
    return isinstance(pick := block.ops[0], Pick) and pick.at_most > 1


def _woven(sequences: Iterable[Iterable[NodeId]]) -> list[NodeId]:
    """Return all addresses once; one that an earlier sequence lacks stands behind its predecessor in its own."""
    woven: list[NodeId] = []
    for sequence in sequences:
        known, last = set(woven), ""
        behind: dict[NodeId, list[NodeId]] = defaultdict(list)
        for address in sequence:
            if address in known:
                last = address
            else:
                behind[last].append(address)
        woven = [*behind[""], *(address for old in woven for address in (old, *behind.get(old, ())))]
    return woven


def _slot(block: Block, drawn: bool, box_height: float) -> Slot:
    width = max(SMALLEST, 10 + LETTER * len(shortened(block.label)))
    match block.kind:
        case "add":
            return Slot(block.id, DOT, DOT, drawn)
        case "concat":
            return Slot(block.id, SMALLEST, BAR, drawn, is_bar=True)
        case "pick":
            return Slot(block.id, width, PILL, drawn, is_bar=True)
        case _:
            return Slot(block.id, width, box_height, drawn)


def _wire(link: Link, drawn: bool) -> Wire:
    return Wire(link.source, link.target, link.scale or "", link.scale is not None, drawn)
