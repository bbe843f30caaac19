"""When a study was asked for: what passed until it is under way, such as reading the data, is part of its limit."""

from time import monotonic, process_time
from typing import Literal, NamedTuple

from amla.backends import processor


class Moment(NamedTuple):
    """A moment, in seconds by the wall, and in those of CPU time that this process had taken by then."""

    wall: float
    cpu: float

    @classmethod
    def now(cls) -> "Moment":
        """Return this moment."""
        return cls(monotonic(), process_time())

    def ago(self, clock: Literal["wall", "cpu"]) -> float:
        """Return how long ago it was, by the clock of a study: CPU time as if all cores had shared it."""
        now = Moment.now()
        return now.wall - self.wall if clock == "wall" else (now.cpu - self.cpu) / processor.cores()
