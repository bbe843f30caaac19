"""The rows of a drawing: which row each block stands in, in which order, and how far across."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

from amla.reports.geometry import Slot, Wire
from amla.spec.architecture import NodeId

GAP, WIDE_GAP = 6.0, 16.0  # between blocks of a row that feed the same block, and others
CLEARANCE = 6.0  # of a link that passes between blocks


@dataclass(frozen=True)
class Span:
    """Where a slot stands across the page: its centre and its width."""

    x: float
    width: float

    @property
    def left(self) -> float:
        """Its left edge."""
        return self.x - self.width / 2

    @property
    def right(self) -> float:
        """Its right edge."""
        return self.x + self.width / 2


@dataclass(frozen=True)
class Rows:
    """The slots of every row from left to right, the row of every slot, and its span."""

    members: tuple[tuple[NodeId, ...], ...]
    ranks: Mapping[NodeId, int]
    spans: Mapping[NodeId, Span]
    slots: Mapping[NodeId, Slot]

    @cached_property
    def obstacles(self) -> list[list[Span]]:
        """What a link may not cross, row by row: in a row of which anything is drawn, kept places too."""
        return [
            [self.spans[slot] for slot in row] if any(self.slots[slot].drawn for slot in row) else []
            for row in self.members
        ]

    def are_clear(self, x: float, first: int, last: int) -> bool:
        """Return whether a link may go down at `x` through the rows between `first` and `last`."""
        spans = (span for row in self.obstacles[first + 1 : last] for span in row)
        return all(x < span.left - CLEARANCE or x > span.right + CLEARANCE for span in spans)

    def landing(self, target: NodeId, x: float) -> float:
        """Return where a link that comes down at `x` meets `target`: a bar anywhere along it, others in the middle."""
        span = self.spans[target]
        reach = max(0.0, span.width / 2 - 4) if self.slots[target].is_bar else 0.0
        return min(max(x, span.x - reach), span.x + reach)


def in_rows(slots: Sequence[Slot], wires: Sequence[Wire]) -> Rows:
    """Return the rows, each ordered by the mean of what its slots read and then as `slots` are, centred on 0.

    Raises ValueError if the wires form a cycle.
    """
    by_id = {slot.id: slot for slot in slots}
    ranks = _ranks(by_id, wires)
    sources: dict[NodeId, list[NodeId]] = defaultdict(list)
    readers: dict[NodeId, set[NodeId]] = defaultdict(set)
    for wire in wires:
        sources[wire.target].append(wire.source)
        readers[wire.source].add(wire.target)
    members: list[list[NodeId]] = [[] for _ in range(max(ranks.values(), default=-1) + 1)]
    for slot in slots:
        members[ranks[slot.id]].append(slot.id)
    spans: dict[NodeId, Span] = {}
    for row in members:
        row.sort(key={slot: _mean(spans[source].x for source in sources[slot]) for slot in row}.__getitem__)
        widths = [by_id[slot].width for slot in row]
        if len(row) == 1 and by_id[row[0]].is_bar:
            read = [spans[source] for source in sources[row[0]] if ranks[source] == ranks[row[0]] - 1]
            widths = [max([*widths, *(2 * max(-span.left, span.right) for span in read)])]
        spans |= _centred(row, widths, readers)
    return Rows(tuple(map(tuple, members)), ranks, spans, by_id)


def _ranks(slots: Mapping[NodeId, Slot], wires: Sequence[Wire]) -> dict[NodeId, int]:
    """Return the length of the longest path to every slot."""
    readers: dict[NodeId, list[NodeId]] = defaultdict(list)
    unread = dict.fromkeys(slots, 0)
    for wire in wires:
        readers[wire.source].append(wire.target)
        unread[wire.target] += 1
    ready = [slot for slot, count in unread.items() if not count]
    ranks = dict.fromkeys(ready, 0)
    for slot in ready:
        for reader in readers[slot]:
            ranks[reader] = max(ranks.get(reader, 0), ranks[slot] + 1)
            unread[reader] -= 1
            if not unread[reader]:
                ready.append(reader)
    if len(ready) < len(slots):
        raise ValueError("The links form a cycle.")
    return ranks


def _centred(
    row: Sequence[NodeId], widths: Sequence[float], readers: Mapping[NodeId, set[NodeId]]
) -> dict[NodeId, Span]:
    gaps = [GAP if readers[a] & readers[b] else WIDE_GAP for a, b in pairwise(row)]
    edge = -(sum(widths) + sum(gaps)) / 2
    spans = {}
    for slot, width, gap in zip(row, widths, [*gaps, 0.0], strict=True):
        spans[slot] = Span(edge + width / 2, width)
        edge += width + gap
    return spans


def _mean(numbers: Iterable[float]) -> float:
    found = list(numbers)
    return round(sum(found) / len(found), 1) if found else 0.0
