"""Does any algorithm ask for a network beyond a constraint, score one, or recommend one?

Every algorithm, in its modes and on terms, is made from a study as a search makes it, once with each constraint, in
every space that it can search. Limits are what one random network in a hundred has at most: of parameters, of
multiply-accumulates, of memory, and of latency by a made-up estimate. Searches of up to 50 trials follow each other,
each with another seed, until there are 1,000 networks for the algorithm and constraint, evenly from its spaces. Answers
are drawn at random, and one in twenty is a failure. Every network is counted anew from what is asked for: proposals,
the paths that one-shot methods score, and what is recommended after each trial that was done.

Prints a line for each algorithm and constraint, and one JSON object on the last: `violations`, how many of all
`networks` were beyond; `least`, the fewest networks of an algorithm and constraint; `pairs` of these; how many
networks were `different`; and `seconds` of CPU time. --quick has 20 networks for 1,000.

    python benchmarks/within.py [--quick] [--networks 1000] [--seed 0] [--only NAME ...]
"""

import argparse
import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from itertools import count, islice
from time import process_time

from numpy.random import Generator, default_rng

from amla.spaces.paths import for_all
from amla.spec.architecture import Architecture
from amla.spec.constraints import NAMES, Constraints
from amla.spec.costs import costs
from amla.spec.decisions import close
from amla.spec.digest import digest
from amla.spec.estimate import Estimate
from amla.spec.ops import Size
from amla.study.algorithm import algorithm_of
from amla.study.settings.searches import (
    AlgorithmSettings,
    AshaSettings,
    BayesSettings,
    DartsSearchSettings,
    EnasSettings,
    EvolutionSettings,
    LocalSettings,
    NacSettings,
    Nsga2Settings,
    OptunaSettings,
    RandomSettings,
    RandomSharingSettings,
    ReinforceSettings,
    RunOffSettings,
    Terms,
    ZeroCostSettings,
)
from amla.study.settings.spaces import (
    DartsSettings,
    EnasMacroSettings,
    EnvelopeSettings,
    NasBench201Settings,
    NasBenchMacroSettings,
    SpaceSettings,
)
from amla.study.spaces import Found, space_of
from amla.study.study import Data, Final, Study
from amla.trials.history import History
from amla.trials.trial import Failure, Measurement, Outcome, Proposal, Relax, SamplePaths, Trial, Untrained

SHARE, DRAWN = 0.01, 200  # of random networks, that are to be within; of so many
LENGTH = 50  # trials of a search
FAILING = 0.05  # of the trials
STEPS, CLASSES = 54, 10  # of a training; of the data
IMAGES, SERIES = (3, 32, 32), (2, 96)
ESTIMATE = Estimate(1, 5_000.0, {"conv": 900.0, "conv.macs": 0.04, "depthwise.macs": 0.3, "merge": 400.0})  # made up

SPACES: dict[str, tuple[SpaceSettings, Size]] = {
    "envelope": (EnvelopeSettings(width=16, cells=(1, 1), max_cells=(3, 3)), IMAGES),
    "envelope, series": (
        EnvelopeSettings(width=12, cells=(1, 1), max_cells=(2, 3), branches=("3", "9", "9sep"), skips="concat"),
        SERIES,
    ),
    "nasbench201": (NasBench201Settings(8, 2), IMAGES),
    "nasbench_macro": (NasBenchMacroSettings(), IMAGES),
    "darts": (DartsSettings(cells=3), IMAGES),
    "enas_macro": (EnasMacroSettings(layers=6), IMAGES),
}
GROWN = tuple(name for name in SPACES if name.startswith("envelope"))  # which NAC searches, and no one-shot method can
MIXED = tuple(name for name in SPACES if name not in GROWN)


@dataclass(frozen=True)
class Way:
    """A way to search, and the spaces in which it can."""

    algorithm: AlgorithmSettings
    spaces: tuple[str, ...] = tuple(SPACES)
    terms: Terms | None = None
    run_off: RunOffSettings | None = None

    def study(self, space: str, limits: Constraints, seed: int) -> Study:
        """Return the study of one search."""
        return Study(
            "within",
            Data("made up"),
            space=SPACES[space][0],
            algorithm=replace(self.algorithm, steps=STEPS),
            terms=self.terms,
            run_off=self.run_off,
            constraints=limits,
            final=Final(STEPS),
            seed=seed,
        )


WAYS: dict[str, Way] = {
    "nac": Way(NacSettings(8), GROWN),
    "nac, pruning on": Way(NacSettings(8, growing_only=False), GROWN),
    "nac, cells alike": Way(NacSettings(8, alike=True, growing_only=False), GROWN),
    "nac, candidates in windows": Way(NacSettings(4, windows=9, stable=0.7, candidates=3), GROWN),
    "nac, inheriting": Way(NacSettings(8, inherit=True), GROWN),
    "nac, the worst": Way(NacSettings(8, worst=True, growing_only=False), GROWN),
    "random": Way(RandomSettings(LENGTH)),
    "random, with a run-off": Way(RandomSettings(LENGTH - 3), run_off=RunOffSettings()),
    "evolution": Way(EvolutionSettings(LENGTH)),
    "evolution, on terms": Way(EvolutionSettings(LENGTH), terms=Terms(distinct=True, seeds=2)),
    "local": Way(LocalSettings(LENGTH)),
    "local, best": Way(LocalSettings(LENGTH, improvement="best")),
    "asha": Way(AshaSettings(LENGTH)),
    "asha, of costs": Way(AshaSettings(LENGTH, costs=("parameters", "macs"))),
    "hyperband": Way(AshaSettings(LENGTH, brackets=3)),
    "nsga2": Way(Nsga2Settings(LENGTH, population=10)),
    "reinforce": Way(ReinforceSettings(LENGTH, rate=0.5)),
    "bayes": Way(BayesSettings(LENGTH, candidates=10)),
    "optuna, tpe": Way(OptunaSettings(LENGTH)),
    "optuna, gp": Way(OptunaSettings(14, sampler="gp")),  # whose time grows with the cube of the trials
    "optuna, random": Way(OptunaSettings(LENGTH, sampler="random")),
    "zero_cost": Way(ZeroCostSettings(candidates=LENGTH - 10, trained=10)),
    "darts": Way(DartsSearchSettings(), MIXED),
    "darts, by perturbation": Way(DartsSearchSettings(legs=2, select="perturbation"), MIXED),
    "enas": Way(EnasSettings(legs=5, paths=10), MIXED),
    "random_sharing": Way(RandomSharingSettings(legs=2), MIXED),
}


def limits_of(space: str, seed: int) -> dict[str, Constraints]:
    """Return for each constraint the limit that few random networks of a space are within."""
    free, rng = found(space, Constraints()).space, default_rng((seed, 1))
    counts = [counted(free.sample(rng)) for _ in range(DRAWN)]
    few = {name: sorted(each[name] for each in counts)[int(SHARE * DRAWN)] for name in NAMES}
    estimate = replace(ESTIMATE, at_most=few["latency"])
    whole = Constraints(few["parameters"], few["macs"], few["memory"], estimate)
    return {name: whole.only_of(name) for name in NAMES}


@cache
def found(space: str, limits: Constraints) -> Found:
    """Return a space within limits, which learns once what networks cost."""
    settings, shape = SPACES[space]
    return space_of(settings, shape, CLASSES, limits)


def counted(network: Architecture) -> dict[str, int]:
    """Return what a network has of all that is constrained."""
    cost, latency = costs(network), ESTIMATE.of(network.trunk)
    return {"parameters": cost.parameters, "macs": cost.macs, "memory": cost.peak_memory, "latency": latency}


def searched(way: Way, space: str, limits: Constraints, seed: int) -> Iterator[Architecture]:
    """Yield the networks that one search asks for, scores and recommends. Raises StudyError, SpecError."""
    algorithm = algorithm_of(way.study(space, limits, seed), found(space, limits), STEPS)
    history, rng = History(), default_rng((seed, 2))
    while len(history) < LENGTH and (proposal := algorithm.ask(history)):
        yield from asked(proposal)
        trial = Trial(len(history), proposal)
        history = history.asked(proposal).told(trial.id, answered(proposal, rng))
        if (recommended := algorithm.recommend(history)) is not None:
            yield recommended


def asked(proposal: Proposal) -> Iterator[Architecture]:
    """Yield the closed networks of a proposal: its own, or the paths that are to be scored."""
    template = proposal.architecture
    if isinstance(proposal.method, SamplePaths):
        for path in proposal.method.paths:
            yield close(template, for_all(template, path, proposal.method.tied))
    elif not isinstance(proposal.method, Relax):
        yield template


def answered(proposal: Proposal, rng: Generator) -> Outcome:
    """Return an answer that is drawn at random, whatever a proposal asks for."""
    if rng.random() < FAILING:
        return Failure("crashed", "made up")
    network, metrics = proposal.architecture, {"accuracy": rng.random(), "loss": rng.random()}
    watched = {probe: {node: float(rng.normal()) for node in nodes} for probe, nodes in proposal.probes.items()}
    match proposal.method:
        case Untrained(scores=scores):
            metrics = {score: rng.random() for score in scores}
        case Relax():
            sources = [source for pick in network.picks for source in network[pick].inputs]
            watched["pick_weight"] = {source: rng.random() for source in sources}
        case SamplePaths(paths=paths):
            watched["accuracy"] = {f"path/{place}": rng.random() for place in range(len(paths))}
        case _:
            known = costs(network)
            metrics |= {"parameters": float(known.parameters), "macs": float(known.macs)}
    return Measurement(metrics, watched)


def networks_of(way: Way, space: str, limits: Constraints, wanted: int, seed: int) -> Iterator[Architecture]:
    """Yield so many networks that searches with one seed after another come to."""
    searches = (searched(way, space, limits, each) for each in count(seed))
    return islice((network for search in searches for network in search), wanted)


def beyond(network: Architecture, limits: Constraints) -> bool:
    """Whether a network is beyond a limit, counted anew."""
    has = counted(network)
    return any(has[name] > most for name, most in limits.given.items())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--networks", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", choices=WAYS, nargs="+", default=list(WAYS))
    arguments = parser.parse_args()
    wanted, began = 20 if arguments.quick else arguments.networks, process_time()
    limits, rows = {space: limits_of(space, arguments.seed) for space in SPACES}, list[dict[str, int]]()
    seen = set[str]()
    for name, way in WAYS.items():
        if name not in arguments.only:
            continue
        for constraint in NAMES:
            before, row, its = process_time(), {"networks": 0, "violations": 0}, set[str]()
            for space in way.spaces:
                here, each = limits[space][constraint], -(-wanted // len(way.spaces))
                for network in networks_of(way, space, here, each, arguments.seed):
                    row["networks"] += 1
                    row["violations"] += beyond(network, here)
                    its.add(digest(network))
            row["different"], seen = len(its), seen | its
            rows.append(row)
            print(f"{name}, {constraint}: {json.dumps(row)} in {process_time() - before:.1f} s", flush=True)
    summary = {
        "violations": sum(row["violations"] for row in rows),
        "networks": sum(row["networks"] for row in rows),
        "least": min(row["networks"] for row in rows),
        "pairs": len(rows),
        "different": len(seen),
        "seconds": round(process_time() - began),
    }
    print(json.dumps(summary))


if __name__ == "__main__":
    main()
