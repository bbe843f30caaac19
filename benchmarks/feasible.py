"""Are networks within constraints drawn quickly where they are rare, and does every algorithm keep to the constraints?

In each space each count is limited to what one random network in a thousand has at most (of a sample: where many have
the least, more are within). Then 1,000 networks are drawn, and every algorithm asks for 1,000 in searches of 50 trials,
which a made-up landscape answers; all are counted anew. EnvelopeNets are of one width; NAC searches them as wide as
limits allow.

Prints one JSON object on its last line: `per_second`, the networks drawn a second of CPU time in the slowest space,
once what is learned of it is there, of those where 1 in 100 or fewer are within; `violations`, how many of all
`networks` were beyond a limit; `spaces`, for each space and limit how many are within at random, how many are drawn
a second, and the seconds of learning. --quick has 50 networks for 1,000, and smaller spaces; --drawn leaves all
algorithms but NAC out, which take most of the time.

    python benchmarks/feasible.py [--quick] [--drawn] [--seed 0]
"""

import argparse
import json
from collections.abc import Callable
from dataclasses import replace
from time import process_time

import numpy as np

from amla.algorithms.bayes import Bayes
from amla.algorithms.evolution import Evolution
from amla.algorithms.halving import Halving
from amla.algorithms.local import LocalSearch
from amla.algorithms.nac import Nac
from amla.algorithms.nsga2 import Nsga2
from amla.algorithms.optuna import Optuna, named
from amla.algorithms.protocol import Algorithm
from amla.algorithms.random import RandomSearch
from amla.algorithms.reinforce import Reinforce
from amla.spaces.darts import darts
from amla.spaces.enas_macro import enas_macro
from amla.spaces.envelope import Envelope, envelope
from amla.spaces.nasbench201 import nasbench201
from amla.spaces.nasbench_macro import nasbench_macro
from amla.spaces.space import Space, constrained
from amla.spec.architecture import Architecture
from amla.spec.constraints import COUNTED, Constraints, counts
from amla.spec.costs import costs
from amla.testing import Synthetic
from amla.trials.history import History
from amla.trials.trial import Trial

SHARE = 1e-3  # of random networks, that are to be within
LENGTH = 50  # trials of a search, of which there are as many as make 1,000
SHAPE, CLASSES = (3, 32, 32), 10


def spaces(quick: bool) -> dict[str, Space]:
    cells = 3 if quick else 8
    return {
        "nasbench201": nasbench201(SHAPE, CLASSES, cells=1 if quick else 5),
        "nasbench_macro": nasbench_macro(SHAPE, CLASSES),
        "darts": darts(SHAPE, CLASSES, cells=cells),
        "enas_macro": enas_macro(SHAPE, CLASSES, layers=6 if quick else 12),
        "envelope": envelope(SHAPE, CLASSES, cells=(1, 1, 1), max_cells=(2, 2, 2) if quick else (4, 4, 4)).space,
    }


def algorithms(space: Space) -> dict[str, Callable[[int], Algorithm]]:
    return {
        "random": lambda seed: RandomSearch(space, 9, None, seed),
        "evolution": lambda seed: Evolution(space, 9, seed=seed),
        "local": lambda seed: LocalSearch(space, 9, seed=seed),
        "asha": lambda seed: Halving(space, 9, seed=seed),
        "nsga2": lambda seed: Nsga2(space, 9, seed=seed),
        "reinforce": lambda seed: Reinforce(space, 9, seed=seed),
        "bayes": lambda seed: Bayes(space, 9, candidates=10, seed=seed),
        "optuna": lambda seed: Optuna(space, 9, named("tpe", {}), seed=seed),
    }


def asked(algorithm: Algorithm, trials: int) -> list[Architecture]:
    """Return the networks that an algorithm asks for, and the one that it recommends."""
    history, landscape = History(), Synthetic()
    while len(history) < trials and (proposal := algorithm.ask(history)):
        history = history.asked(proposal).told(len(history), landscape.evaluate(Trial(len(history), proposal)))
    recommended = algorithm.recommend(history)
    return [trial.proposal.architecture for trial in history.trials] + ([recommended] if recommended else [])


def beyond(networks: list[Architecture], limits: Constraints) -> int:
    return sum(not limits.hold(network) for network in networks)


def limits_of(space: Space, samples: int, seed: int) -> dict[str, tuple[Constraints, float]]:
    """Return for each count the limit that few random networks are within, and which share of them is."""
    rng = np.random.default_rng((seed, 1))
    found = [counts(costs(space.close(space.draw(rng)))) for _ in range(samples)]
    limits = {}
    for name in COUNTED:
        numbers = np.array([each[name] for each in found])
        limit = int(np.sort(numbers)[int(SHARE * samples)])
        at = [limit if each == name else None for each in COUNTED]
        limits[name] = Constraints(at[0], at[1], at[2]), float((numbers <= limit).mean())
    return limits


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--drawn", action="store_true")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    quick, seed = arguments.quick, arguments.seed
    count, samples = (50, 1000) if quick else (1000, 4000)
    rows, rare, violations, checked = {}, list[float](), 0, 0
    for name, space in spaces(quick).items():
        for limited, (limits, share) in limits_of(space, samples, seed).items():
            within = constrained(space, limits)
            begun = process_time()
            within.guide.sample(np.random.default_rng(seed))
            learned, rng = process_time(), np.random.default_rng((seed, 2))
            drawn = [within.sample(rng) for _ in range(count)]
            ended = process_time()
            networks = {"drawn": drawn}
            for search, make in ({} if arguments.drawn else algorithms(within)).items():
                searches = range(seed, seed + -(-count // LENGTH))
                networks[search] = [network for each in searches for network in asked(make(each), LENGTH)]
            broken = {search: number for search, of in networks.items() if (number := beyond(of, limits))}
            violations, checked = violations + sum(broken.values()), checked + sum(map(len, networks.values()))
            per_second = round(count / (ended - learned), 1)
            rare += [per_second] if share <= 10 * SHARE else []
            rows[f"{name}, {limited}"] = {
                "share": share,
                "per_second": per_second,
                "learning_seconds": round(learned - begun, 2),
                "different": len(set(drawn)),
                "violations": broken,
            }
            print(f"{name}, {limited}: {json.dumps(rows[f'{name}, {limited}'])}", flush=True)
    found, more = pruned_and_grown(count, seed)
    print(f"nac in envelopes as wide as they may be: {more} networks, {found} beyond", flush=True)
    summary = {"per_second": min(rare), "violations": violations + found, "networks": checked + more, "spaces": rows}
    print(json.dumps(summary))


def pruned_and_grown(count: int, seed: int) -> tuple[int, int]:
    """Return how many networks of NAC were beyond the limits, and how many there were."""
    broken = seen = 0
    for limits in (Constraints(3_000), Constraints(None, 2_000_000), Constraints(None, None, 60_000)):
        space = within_envelopes(limits)
        number = 0
        while number < max(10, count // 10):
            networks = asked(replace(Nac(space, 9, 5, growing_only=False), seed=seed + number), 20)
            broken, seen, number = broken + beyond(networks, limits), seen + len(networks), number + len(networks)
    return broken, seen


def within_envelopes(limits: Constraints) -> Envelope:
    return envelope(
        SHAPE,
        CLASSES,
        cells=(1, 1),
        max_cells=(3, 3),
        parameters=limits.parameters,
        macs=limits.macs,
        memory=limits.memory,
    )


if __name__ == "__main__":
    main()
