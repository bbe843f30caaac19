"""Which networks are accepted: those within constraints, and accepted besides."""

from collections.abc import Callable
from dataclasses import dataclass

from amla.spec.architecture import Architecture
from amla.spec.constraints import Constraints
from amla.spec.values import SpecError


@dataclass(frozen=True)
class Within:
    """Whether a network can be built, is within constraints, and is accepted besides."""

    constraints: Constraints
    accepts: Callable[[Architecture], bool]

    def __call__(self, architecture: Architecture) -> bool:
        """Whether that is so of a network."""
        try:
            return self.constraints.hold(architecture) and self.accepts(architecture)
        except SpecError:
            return False

    @property
    def besides(self) -> Callable[[Architecture], bool]:
        """What accepts a network that is known to be within the constraints."""
        return self.accepts.besides if isinstance(self.accepts, Within) else self.accepts
