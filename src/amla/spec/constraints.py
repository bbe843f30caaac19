"""Constraints: what a network may cost at most, counted from its specification."""

from collections.abc import Callable, Mapping
from functools import cached_property

from amla.spec.architecture import Architecture
from amla.spec.costs import Costs, peak_memory, used
from amla.spec.estimate import Estimate, amounts
from amla.spec.values import SpecError, value

NAMES = ("parameters", "macs", "memory", "latency")
COUNTED = NAMES[:3]
Counts = Mapping[str, int]  # by name
UNITS = {
    "parameters": "parameters",
    "macs": "MACs an example",
    "memory": "bytes of activations at once",
    "latency": "nanoseconds of latency by estimate",
}


@value
class Constraints:
    """The most that a network may have of each count, None for any number.

    `parameters` are trained numbers, `macs` the multiply-accumulates of a forward pass of one example, `memory` the
    bytes of activations alive at once in it; see `amla.spec.costs.Costs`. `latency` is estimated from counts.
    """

    parameters: int | None = None
    macs: int | None = None
    memory: int | None = None
    latency: Estimate | None = None

    def __bool__(self) -> bool:
        return bool(self.given)

    @cached_property
    def given(self) -> Counts:
        """The limits that there are, by name."""
        limits = self.parameters, self.macs, self.memory, self.latency.at_most if self.latency else None
        return {name: limit for name, limit in zip(NAMES, limits, strict=True) if limit is not None}

    def of(self, network: Architecture) -> Counts:
        """Return what a network has of what is limited, counted exactly. Raises SpecError where it cannot be built."""
        trunk = network.trunk
        return self.only(lambda: used(trunk), lambda: peak_memory(trunk), lambda: amounts(trunk))

    def only(
        self, used: Callable[[], tuple[int, int]], memory: Callable[[], int], amounts: Callable[[], Counts]
    ) -> Counts:
        """Return what is limited of what can be counted: parameters and multiply-accumulates; memory; terms."""
        found = dict[str, int]()
        if self.parameters is not None or self.macs is not None:
            found["parameters"], found["macs"] = used()
        if self.memory is not None:
            found["memory"] = memory()
        if self.latency is not None:
            found["latency"] = self.latency.sum(amounts())
        return {name: found[name] for name in self.given}

    def hold(self, network: Architecture) -> bool:
        """Whether a network is within every limit. Raises SpecError where it cannot be built."""
        return self.admit(self.of(network))

    def admit(self, found: Counts) -> bool:
        """Whether a network that has this is within every limit."""
        return all(found[name] <= limit for name, limit in self.given.items())

    def shares(self, found: Counts) -> list[float]:
        """Return what share of each limit a network uses, 1 at the limit."""
        return [found[name] / limit for name, limit in self.given.items()]

    def broken(self, found: Counts) -> str:
        """Return in words which limits a network breaks, "" for none."""
        return " and ".join(
            f"{found[name]:,} {UNITS[name]}, where {limit:,} are allowed"
            for name, limit in self.given.items()
            if found[name] > limit
        )

    def tightened(self, other: "Constraints") -> "Constraints":
        """Return the constraints that hold where these and others do.

        Raises SpecError where both estimate latency, each in its own way: neither bound says which is the tighter one.
        """
        both = {name: [of.given[name] for of in (self, other) if name in of.given] for name in COUNTED}
        estimates = [of.latency for of in (self, other) if of.latency is not None]
        if len({(estimate.base, tuple(sorted(estimate.terms.items()))) for estimate in estimates}) > 1:
            raise SpecError(
                "Two constraints estimate latency from other terms, so that neither of them holds for both; give one, "
                "with the lower `at_most`."
            )
        latency = min(estimates, key=lambda estimate: estimate.at_most, default=None)
        return Constraints(**{name: min(limits) for name, limits in both.items() if limits}, latency=latency)

    def only_of(self, name: str) -> "Constraints":
        """Return the one constraint of this name."""
        return Constraints(**{name: getattr(self, name)})


def counts(found: Costs) -> Counts:
    """Return the counts that constraints are about, by their names, but for the latency."""
    return {"parameters": found.parameters, "macs": found.macs, "memory": found.peak_memory}
