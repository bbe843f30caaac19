"""How long do 3,000 trials of regularised evolution take, where training takes no time?

The whole search is timed: asking, the loop of a study, and recording; networks are looked up in a table of 15,625
cells, six decisions among five operations, with a made-up accuracy for each. Nothing is written to disk.

Prints one JSON object on its last line: `seconds` of CPU time in all, the best of three; `trials`; and
`microseconds` a trial by part: `asking`, `recommending` after every trial, and the rest.

    python benchmarks/evolution.py [--quick]
"""

import argparse
import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from time import process_time

import numpy as np

from amla.algorithms.evolution import Evolution
from amla.algorithms.protocol import Algorithm
from amla.spaces.space import Space
from amla.spec import ops
from amla.spec.architecture import Architecture, Node
from amla.study.run import Limit, run
from amla.trials.history import History
from amla.trials.trial import Measurement, Outcome, Proposal, Trial, TrialId

OPERATIONS: dict[str, ops.Op] = {
    "none": ops.Zero(),
    "skip": ops.Identity(),
    "1x1": ops.Conv(8, (1, 1)),
    "3x3": ops.Conv(8, (3, 3)),
    "pool": ops.Pool("mean", (3, 3)),
}
EDGES = ("0-1", "0-2", "1-2", "0-3", "1-3", "2-3")


def cells() -> Space:
    """Return the space of cells of four nodes in which every edge has one of five operations (NAS-Bench-201's)."""
    nodes = [Node("image", ops.Input((3, 8, 8))), Node("0", ops.Conv(8, (3, 3)), ("image",))]
    for target in "123":
        arriving = [edge for edge in EDGES if edge.endswith(target)]
        for edge in arriving:
            options = {f"{edge}/{name}": op for name, op in OPERATIONS.items()}
            nodes += [Node(address, op, (edge[0],)) for address, op in options.items()]
            nodes.append(Node(edge, ops.Pick(), tuple(options)))
        nodes.append(Node(target, ops.Merge("add"), tuple(arriving)))
    nodes += [Node("head", ops.GlobalPool("mean"), ("3",)), Node("logits", ops.Classify(10), ("head",))]
    return Space(Architecture(tuple(nodes)))


@dataclass
class Table:
    """An executor and a store in memory: what a network reaches is looked up."""

    accuracies: dict[tuple[str, ...], float]
    waiting: list[Trial] = field(default_factory=list)

    @property
    def idle(self) -> int:
        return 1 - len(self.waiting)

    def submit(self, trial: Trial) -> None:
        self.waiting.append(trial)

    def wait(self) -> Iterable[tuple[TrialId, Outcome]]:
        trial = self.waiting.pop()
        network = trial.proposal.architecture
        yield trial.id, Measurement({"accuracy": self.accuracies[tuple(network[edge].inputs[0] for edge in EDGES)]})

    def history(self, study: str) -> History:
        return History()

    def asked(self, study: str, proposal: Proposal) -> None:
        pass

    def told(self, study: str, trial_id: TrialId, outcome: Outcome) -> None:
        pass


@dataclass
class Timed:
    """An algorithm that is asked for a recommendation after every trial, and whose seconds are counted."""

    search: Algorithm
    asking: float = 0.0
    recommending: float = 0.0

    def ask(self, history: History) -> Proposal | None:
        began = process_time()
        self.search.recommend(history)
        recommended = process_time()
        proposal = self.search.ask(history)
        self.recommending += recommended - began
        self.asking += process_time() - recommended
        return proposal

    def recommend(self, history: History) -> Architecture | None:
        return self.search.recommend(history)


def accuracies(seed: int = 0) -> dict[tuple[str, ...], float]:
    """Return a made-up accuracy for every cell: each edge adds something, and each pair of edges a little."""
    rng, found = np.random.default_rng(seed), dict[tuple[str, ...], float]()
    single, pair = rng.random((6, 5)), rng.random((6, 5, 6, 5)) * 0.2
    for number in range(5**6):
        kinds = [number // 5**edge % 5 for edge in range(6)]
        alone = sum(float(single[edge, kind]) for edge, kind in enumerate(kinds))
        both = sum(float(pair[i, kinds[i], j, kinds[j]]) for i in range(6) for j in range(i))
        found[tuple(f"{edge}/{tuple(OPERATIONS)[kind]}" for edge, kind in zip(EDGES, kinds, strict=True))] = (
            alone + both
        ) / 9
    return found


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true", help="300 trials, once")
    quick = parser.parse_args().quick
    trials, table, space = 300 if quick else 3000, accuracies(), cells()
    found = []
    for seed in range(1 if quick else 3):
        algorithm, executor = Timed(Evolution(space, 1, 50, 10, seed)), Table(table)
        began = process_time()
        history = run("evolution", algorithm, executor, executor, Limit(trials=trials))
        found.append((process_time() - began, algorithm))
        best = max(trial.measurement.metrics["accuracy"] for trial in history.done)
        print(f"seed {seed}: {found[-1][0]:.2f} s; {best:.4f} found, {max(table.values()):.4f} is the best there is")
    seconds, algorithm = min(found, key=lambda one: one[0])
    parts = {"asking": algorithm.asking, "recommending": algorithm.recommending}
    parts["rest"] = seconds - sum(parts.values())
    micro = {name: round(spent / trials * 1e6, 1) for name, spent in parts.items()}
    print(json.dumps({"seconds": round(seconds, 3), "trials": trials, "microseconds": micro}))


if __name__ == "__main__":
    main()
