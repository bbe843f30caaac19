"""An estimate of a network's latency from what can be counted of it: a weighted sum over its operations."""

from collections.abc import Iterable, Mapping
from dataclasses import field
from functools import lru_cache

from amla.spec import ops
from amla.spec.architecture import Architecture
from amla.spec.costs import REMEMBERED, macs, shapes, step_of
from amla.spec.ops import Size
from amla.spec.traffic import forward
from amla.spec.values import Number, SpecError, value

Amounts = tuple[tuple[str, int], ...]
_FREE = (ops.Input, ops.Identity, ops.Dropout, ops.DropPath, ops.Flatten)  # which compute nothing in use
BYTES = "bytes"  # moved to and from memory, by `amla.spec.traffic`


@value
class Estimate:
    """A bound on a latency that is estimated, and how it is estimated, in nanoseconds.

    An operation takes the sum of `terms`: of its kind ("conv") for each that there is, of its multiply-accumulates
    ("conv.macs"), and of each byte that it moves ("bytes"); a network takes `base` besides. Raises SpecError for terms
    below 0.
    """

    at_most: int
    base: Number = 0.0
    terms: Mapping[str, Number] = field(default_factory=dict, hash=False)

    def __post_init__(self) -> None:
        for name, number in (("base", self.base), *self.terms.items()):
            if not 0 <= number < 1e15:
                raise SpecError(f"The estimate's {name} is {number}; it must be 0 or more, in nanoseconds.")

    def of(self, trunk: Architecture) -> int:
        """Return the nanoseconds that a closed network without auxiliary heads should take. Raises SpecError."""
        return self.sum(amounts(trunk))

    def sum(self, found: Mapping[str, int]) -> int:
        """Return the nanoseconds of what a network has of each term."""
        return round(self.base + sum(self.terms.get(name, 0.0) * count for name, count in found.items()))


def amounts(trunk: Architecture) -> dict[str, int]:
    """Return what a closed network without auxiliary heads has of each term. Raises SpecError."""
    found = shapes(trunk)
    return summed((node.op, tuple(found[source] for source in node.inputs)) for node in trunk)


def summed(nodes: Iterable[tuple[object, tuple[Size, ...]]]) -> dict[str, int]:
    """Return what some operations, each on inputs of some shapes, have of each term together. Raises SpecError."""
    total: dict[str, int] = {}
    for op, sources in nodes:
        for name, count in amounts_of(op, sources):
            total[name] = total.get(name, 0) + count
    return total


@lru_cache(maxsize=REMEMBERED)
def amounts_of(op: object, sources: tuple[Size, ...]) -> Amounts:
    """Return what an operation on inputs of some shapes has of each term: nothing if there is nothing to do."""
    if isinstance(op, _FREE) or (isinstance(op, ops.Merge) and len(sources) == 1):
        return ()
    target = step_of(op, *sources).shape
    kind = op.kind  # type: ignore[attr-defined]
    found = [(kind, 1), (BYTES, forward(op, sources, target, 1).bytes)]  # type: ignore[arg-type]
    if count := macs(op, sources[0], target):
        found.append((f"{kind}.macs", count))
    return tuple(found)
