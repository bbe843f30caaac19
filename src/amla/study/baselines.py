"""Was the search worth it? What it found beside networks that nobody searched for, all trained alike.

A search has seen the best of many readings, so its own readings flatter what it found. Therefore that network is
trained once more, with the seed, steps and recipe of the others: none of them was chosen by what is compared here.
"""

from collections.abc import Iterator, Mapping
from math import isfinite, nan
from pathlib import Path

import numpy as np

from amla.evidence.beside import Beside, Rated
from amla.spec import text
from amla.spec.architecture import Architecture
from amla.spec.costs import costs, shapes
from amla.spec.digest import digest
from amla.storage.files import Files
from amla.study.folder import Run
from amla.study.result import is_plain, tested_of
from amla.study.settings.spaces import EnvelopeSettings
from amla.study.spaces import Found
from amla.study.study import Study
from amla.study.unsearched import alike, plain_network
from amla.tasks.task import Metric, Task
from amla.trials.trial import Trial

FOLDER, SUFFIX = "baselines", ".arch.json"  # in a run folder: the networks, by name
FOUND = "found"
DEPTHS = 1, 2  # cells a stage of plain networks: how deep is what people would try


def networks(study: Study, task: Task, space: Found, winner: Architecture) -> dict[str, Architecture]:
    """Return the networks to be trained alike, by name: first what was found, then its baselines, each network once."""
    assert study.baselines is not None  # noqa: S101
    found, seen = {FOUND: winner}, {digest(winner)}
    for name, network in (*_plain(study, task), *_random(study, space, winner)):
        if digest(network) not in seen:
            seen.add(digest(network))
            found[name] = network
    return found


def beside(run: Run) -> Beside | None:
    """Return what a run found beside its baselines, None where it has none or they are not all trained yet."""
    names = _names(run.folder)
    if run.baselines.pending or len(run.baselines) < len(names) + 1:
        return None
    metric = run.study.metric
    rated = [
        _rated(
            FOUND if not trial.id else names.get(digest(trial.proposal.architecture), f"network {trial.id}"),
            trial,
            metric,
        )
        for trial in run.baselines.done
        if isfinite(trial.measurement.metrics.get(metric, nan))
    ]
    ours = next((each for each in rated if each.name == FOUND), None)
    baselines = sorted((each for each in rated if each is not ours), key=lambda each: -each.reached)
    if ours is None or not baselines:
        return None
    steps = run.baselines[0].proposal.budget
    return Beside(
        ours, tuple(baselines), steps, run.baselines.seconds, metric, _share(run, steps), is_plain(run), _guess(run)
    )


def _share(run: Run, steps: int) -> float | None:
    """Return how many examples that is, as a share of those of the final training; None before that is over."""
    if not run.final.done or run.final.done[-1].proposal.budget:
        return None
    final = sum(trial.proposal.budget for trial in run.final.done) * run.study.final_recipe.batch
    return steps * run.study.recipe.batch / final if final else None


def _guess(run: Run) -> float | None:
    """Return what guessing one class would reach; None of another metric than accuracy."""
    if run.study.metric != "accuracy":
        return None
    network = run.baselines[0].proposal.architecture
    (classes,) = shapes(network)[network.output.id]
    return 1 / classes


def keep(files: Files, named: Mapping[str, Architecture]) -> None:
    """Write the baselines among some networks into a run folder, each a file that can be trained by itself."""
    for name, network in named.items():
        if name != FOUND:
            files.write_text(f"{FOLDER}/{name}{SUFFIX}", text.to_json(network, indent=1) + "\n")


def _names(folder: Path) -> dict[str, str]:
    """Return the names of the baselines in a run folder, by the digest of the network."""
    return {digest(text.load(path)): path.name.removesuffix(SUFFIX) for path in (folder / FOLDER).glob(f"*{SUFFIX}")}


def _rated(name: str, trial: Trial, metric: Metric) -> Rated:
    """Return a network with what it reached; on validation only an accuracy, a count of right ones, has an interval."""
    counted, metrics = costs(trial.proposal.architecture), trial.measurement.metrics
    tested = tested_of(metrics) if metric == "accuracy" else None
    low, high = (tested.low, tested.high) if tested else (None, None)
    reached = tested.accuracy if tested else metrics[metric]
    return Rated(name, reached, low, high, counted.parameters, counted.macs)


def _plain(study: Study, task: Task) -> Iterator[tuple[str, Architecture]]:
    is_envelope = isinstance(study.space, EnvelopeSettings)
    for depth in DEPTHS if is_envelope else DEPTHS[:1]:
        if network := plain_network(study.space, study.constraints, task, depth):
            yield f"plain-{depth}-a-stage" if is_envelope else "plain", network


def _random(study: Study, space: Found, winner: Architecture) -> Iterator[tuple[str, Architecture]]:
    assert study.baselines is not None  # noqa: S101
    for number in range(study.baselines.random):
        if network := alike(space.space, winner, np.random.default_rng((study.seed, number, 1))):
            yield f"random-{number + 1}", network
