"""Do searches on tabular benchmarks find what is published, and how long do they take? No training: tables answer.

Random search, regularised evolution and local search (to the first and to the best better neighbour), each many times
with other seeds. Each chooses by what the table says of a short training (on NAS-Bench-201 the validation accuracy
after 12 epochs), and is judged by the test accuracy of its choice after the whole training.

Prints one JSON object on its last line: `random`, `evolution`, `local`: the mean test accuracy in % of what is found
with half of --evaluations (100), and `..._all` with all of them; `..._sd` its standard deviation over runs; `seconds`
that all searches took in one process, reading the table included, and `cpu_seconds` of them that it computed; `best` of
the table. --quick leaves the second half of the evaluations out, and the slower local search.

Published for NAS-Bench-201 with about 110 evaluations (12,000 simulated seconds; Dong and Yang 2020, table 5): random
93.70, regularised evolution 93.92.

    python benchmarks/nasbench201.py [--quick] [--table macro] [--dataset cifar10] [--data-dir D] [--runs 200]
                                     [--evaluations 200] [--population 10] [--sample 3]
"""

import argparse
import json
import os
from collections.abc import Callable
from pathlib import Path
from statistics import mean, stdev
from time import perf_counter, process_time

from amla.algorithms.evolution import Evolution
from amla.algorithms.local import LocalSearch
from amla.algorithms.protocol import Algorithm
from amla.algorithms.random import RandomSearch
from amla.evaluation.tables import Table, nasbench201_table, nasbench_macro_table
from amla.evaluation.tabular import Tabular
from amla.execution.simulated import SimulatedExecutor
from amla.spec.architecture import Architecture
from amla.storage.memory import Memory
from amla.study.run import Limit, run
from amla.trials.trial import Measurement, Proposal, Trial


def algorithms(table: Table, population: int, sample: int) -> dict[str, Callable[[int], Algorithm]]:
    space, steps = table.space, table.epochs[0]
    return {
        "random": lambda seed: RandomSearch(space, steps, seed=seed),
        "evolution": lambda seed: Evolution(space, steps, population, sample, seed),
        "local": lambda seed: LocalSearch(space, steps, "first", seed),
        "local_best": lambda seed: LocalSearch(space, steps, "best", seed),
    }


def tested(testing: Tabular, network: Architecture | None) -> float:
    """Return the test accuracy of a network after a whole training, in %."""
    assert network is not None
    testing(Trial(0, Proposal(network, testing.table.epochs[-1])))
    outcome = testing(Trial(1, Proposal(network, 0, start=0)))
    assert isinstance(outcome, Measurement)
    return 100 * outcome.metrics["accuracy"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="100 evaluations, three algorithms")
    parser.add_argument("--table", choices=("201", "macro"), default="201")
    parser.add_argument("--dataset", default="cifar10")
    parser.add_argument("--data-dir", type=Path, default=os.environ.get("AMLA_DATA", "."))
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--evaluations", type=int, default=200)
    parser.add_argument("--population", type=int, default=10)
    parser.add_argument("--sample", type=int, default=3)
    options = parser.parse_args()
    began = perf_counter()
    folder = Path(options.data_dir)
    table = nasbench_macro_table(folder) if options.table == "macro" else nasbench201_table(folder, options.dataset)
    searching, testing = Tabular(table), Tabular(table, final=True)
    figures: dict[str, float] = {}
    makers = algorithms(table, options.population, options.sample)
    for name, make in list(makers.items())[: 3 if options.quick else 4]:
        found: dict[str, list[float]] = {name: []} if options.quick else {name: [], f"{name}_all": []}
        for seed in range(options.runs):
            algorithm, store, executor = make(seed), Memory(), SimulatedExecutor(searching)
            for place, limit in zip(found, (options.evaluations // 2, options.evaluations), strict=not options.quick):
                history = run("search", algorithm, executor, store, Limit(limit))
                found[place].append(tested(testing, algorithm.recommend(history)))
        for place, accuracies in found.items():
            figures |= {place: round(mean(accuracies), 3), f"{place}_sd": round(stdev(accuracies), 3)}
        print(f"{name}: {figures[name]} ± {figures[f'{name}_sd']}", flush=True)
    figures["best"] = round(100 * max(entry.tested for entry in table.entries.values()), 3)
    figures |= {"seconds": round(perf_counter() - began, 1), "cpu_seconds": round(process_time(), 1)}
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
