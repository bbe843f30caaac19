"""Constraints: what a network may cost at most, counted from its specification."""

from collections.abc import Mapping
from dataclasses import astuple

from amla.spec.costs import Costs
from amla.spec.values import value

NAMES = ("parameters", "macs", "memory")
UNITS = {"parameters": "parameters", "macs": "MACs an example", "memory": "bytes of activations at once"}


@value
class Constraints:
    """The most that a network may have of each count, None for any number.

    `parameters` are trained numbers, `macs` the multiply-accumulates of a forward pass of one example, `memory` the
    bytes of activations alive at once in it; see `amla.spec.costs.Costs`.
    """

    parameters: int | None = None
    macs: int | None = None
    memory: int | None = None

    def __bool__(self) -> bool:
        return any(limit is not None for limit in astuple(self))

    @property
    def given(self) -> Mapping[str, int]:
        """The limits that there are, by name."""
        return {name: limit for name in NAMES if (limit := getattr(self, name)) is not None}

    def hold(self, found: Costs) -> bool:
        """Whether a network that costs this is within every limit."""
        numbers = counts(found)
        return all(numbers[name] <= limit for name, limit in self.given.items())

    def excess(self, found: Costs) -> tuple[float, float]:
        """Return the largest share of a limit that is used, 1 at the limit; and the sum of shares, which tells equals.

        The first is at most 1 exactly if the constraints hold.
        """
        numbers = counts(found)
        shares = [numbers[name] / limit for name, limit in self.given.items()]
        return max(shares, default=0.0), sum(shares)

    def broken(self, found: Costs) -> str:
        """Return in words which limits a network breaks, "" for none."""
        numbers = counts(found)
        return " and ".join(
            f"{numbers[name]:,} {UNITS[name]}, where {limit:,} are allowed"
            for name, limit in self.given.items()
            if numbers[name] > limit
        )

    def tightened(self, other: "Constraints") -> "Constraints":
        """Return the constraints that hold where these and others do."""
        both = {name: [of.given[name] for of in (self, other) if name in of.given] for name in NAMES}
        return Constraints(**{name: min(limits) for name, limits in both.items() if limits})


def counts(found: Costs) -> Mapping[str, int]:
    """Return the counts that constraints are about, by their names."""
    return {"parameters": found.parameters, "macs": found.macs, "memory": found.peak_memory}
