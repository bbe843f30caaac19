"""A space as a study has it: with the network that is looked at before any was asked for."""

from dataclasses import dataclass

from amla.spaces.space import Space
from amla.spec.decisions import Decisions


@dataclass(frozen=True)
class Whole:
    """A space without envelopes: all of it is open from the beginning."""

    space: Space

    def initial(self) -> Decisions:
        """Return decisions of one network, the fullest, to look at its shapes; no search begins there."""
        return self.space.fullest()
