"""Counts closings of one template without making them: what each node costs is known, and which ones live is found."""

import numpy as np
from numpy.typing import NDArray

from amla.spec.architecture import Architecture, NodeId
from amla.spec.closing import Closing, bits
from amla.spec.costs import BYTES, Step, step_of
from amla.spec.decisions import Decisions
from amla.spec.estimate import summed
from amla.spec.ops import Merge, Pick, Size
from amla.spec.values import SpecError

MOST = 2**62  # of all counts of a template together: sums are of 64 bits
Whole = NDArray[np.int64]


class Tally:
    """Counts the closings of a plain template, of which every node has the same shape in all of them.

    It counts as `amla.spec.costs.costs` does, without auxiliary heads, in a tenth of the time. Made by `tally_of`.
    """

    def __init__(self, closing: Closing, steps: list[Step]) -> None:
        self._closing, template = closing, closing.template
        self._place = {node.id: number for number, node in enumerate(template)}
        self._shapes = [step.shape for step in steps]
        self._work = np.array([[step.parameters, step.macs] for step in steps], dtype=np.int64)
        self._elements = np.array([step.elements for step in steps], dtype=np.int64)
        decided = [(n, node) for n, node in enumerate(template) if not isinstance(node.op, Pick)]
        reads = [(self._place[source], number) for number, node in decided for source in node.inputs]
        self._sources, self._readers = np.array(reads, dtype=np.int64).reshape(-1, 2).T  # readers in their order

    def used(self, decisions: Decisions) -> tuple[int, int]:
        """Return the parameters and the multiply-accumulates of a closing. Raises SpecError as `Closing.close` does."""
        wanted, _ = self._closing.reached(decisions)
        parameters, macs = (_lives(wanted) @ self._work).tolist()
        return parameters, macs

    def amounts(self, decisions: Decisions) -> dict[str, int]:
        """Return what a closing has of each term of an estimate. Raises SpecError as `Closing.close` does."""
        wanted, merges = self._closing.reached(decisions)
        template = self._closing.template.nodes
        nodes = (merges.get(number, template[number]) for number, lives in enumerate(bits(wanted)) if lives)
        return summed((node.op, tuple(self._shapes[self._place[source]] for source in node.inputs)) for node in nodes)

    def peak_memory(self, decisions: Decisions) -> int:
        """Return the bytes of a closing's activations alive at once. Raises SpecError as `Closing.close` does."""
        wanted, merges = self._closing.reached(decisions)
        lives = _lives(wanted)
        made, last = lives * self._elements, np.zeros(len(lives), dtype=np.int64)
        reads = lives[self._readers] > 0
        last[self._sources[reads]] = self._readers[reads]  # of several, the last one stays
        kept = [(self._place[source], number) for number, merge in merges.items() for source in merge.inputs]
        np.maximum.at(last, *np.array(kept, dtype=np.int64).reshape(-1, 2).T)
        freed = np.zeros(len(lives) + 1, dtype=np.int64)
        np.add.at(freed, last[:-1] + 1, made[:-1])  # once the last reader is computed; the output never is
        return BYTES * int((made - freed[:-1]).cumsum().max())


def tally_of(closing: Closing) -> Tally | None:
    """Return what counts the closings of a template, None where shapes depend on decisions, or counts are too large."""
    try:
        steps = _steps(closing.template)
    except SpecError:
        return None
    counts = sum(step.parameters + step.macs + BYTES * step.elements for step in steps)
    return Tally(closing, steps) if counts < MOST else None


def _lives(nodes: int) -> Whole:
    return np.frombuffer(bits(nodes), dtype=np.uint8).astype(np.int64)


def _steps(template: Architecture) -> list[Step]:
    """Return what every node makes and costs. Raises SpecError where that depends on decisions."""
    found: dict[NodeId, Step] = {}
    for node in template:
        sources = [found[source].shape for source in node.inputs]
        found[node.id] = _picked(node.op, sources) if isinstance(node.op, Pick) else step_of(node.op, *sources)
    return list(found.values())


def _picked(pick: Pick, sources: list[Size]) -> Step:
    if len(set(sources)) > 1 or (pick.how == "concat" and pick.at_least < pick.at_most):
        raise SpecError("The shape of a Pick depends on what it keeps.")
    return step_of(Merge(pick.how), *sources[: pick.at_most])
