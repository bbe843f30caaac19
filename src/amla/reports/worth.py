"""What each part of a network was worth: readings of a statistic, as steps of a colour scale and as thickness."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from math import isfinite

from amla.reports.blocks import Block
from amla.reports.palette import STEPS
from amla.spec.architecture import NodeId

THIN, PLAIN, THICK = 0.7, 1.3, 2.8  # of a learned skip: the weakest, one of which nothing is known, the strongest


@dataclass(frozen=True)
class Worth:
    """Readings of `statistic` by node, on a scale from `low` to `high`."""

    values: Mapping[NodeId, float]
    statistic: str = ""
    low: float = 0.0
    high: float = 0.0

    def of(self, block: Block) -> float | None:
        """Return the reading at a block, or None."""
        return next((self.values[node] for node in (block.id, *block.nodes) if node in self.values), None)

    def step(self, reading: float) -> int | None:
        """Return the step of the colour scale, from 0; None if the reading is no number."""
        return step_of(reading, self.low, self.high)

    def thickness(self, scale: NodeId, tracks: Collection[NodeId]) -> float:
        """Return how thick the learned skip through the node `scale` is drawn among `tracks`."""
        sizes = {track: abs(self.values[track]) for track in tracks if isfinite(self.values.get(track, float("nan")))}
        if scale not in sizes:
            return PLAIN
        return THIN + (THICK - THIN) * sizes[scale] / (max(sizes.values()) or 1.0)


def worth(
    values: Mapping[NodeId, float], statistic: str, scale: tuple[float, float] | None, blocks: Collection[Block]
) -> Worth:
    """Return the worth of `blocks`, on their own range if no `scale` is given."""
    found = Worth(values, statistic)
    readings = [reading for block in blocks if (reading := found.of(block)) is not None and isfinite(reading)]
    low, high = scale or (min(readings, default=0.0), max(readings, default=0.0))
    return Worth(values, statistic, low, high)


def step_of(reading: float, low: float, high: float) -> int | None:
    """Return the step of the colour scale from `low` to `high`, from 0; None if the reading is no number."""
    if not isfinite(reading):
        return None
    if high <= low:
        return STEPS // 2
    return min(STEPS - 1, max(0, int((reading - low) / (high - low) * STEPS)))
