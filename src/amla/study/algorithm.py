"""From the settings of a study to the algorithm that it searches by."""

from collections.abc import Mapping
from dataclasses import asdict, replace
from importlib import import_module
from pathlib import Path

from amla.algorithms.fixed import Fixed
from amla.algorithms.nac import Nac
from amla.algorithms.protocol import Algorithm
from amla.algorithms.random import RandomSearch
from amla.algorithms.runoff import RunOff
from amla.algorithms.screened import Filtered
from amla.algorithms.zero_cost import ZeroCost
from amla.spaces.envelope import Envelope
from amla.spaces.space import everything
from amla.spec import ops, text
from amla.spec.architecture import Architecture
from amla.spec.constraints import COUNTED, Constraints
from amla.spec.costs import shapes
from amla.spec.ops import Size
from amla.spec.values import SpecError
from amla.study.oneshot import one_shot
from amla.study.paper import paper_mode, refuse_paper
from amla.study.phases import RUN_OFF_SEED
from amla.study.searches import on_terms, open_ended
from amla.study.settings.searches import (
    DartsSearchSettings,
    EnasSettings,
    FixedSettings,
    NacSettings,
    RandomSettings,
    RandomSharingSettings,
    RemoteSettings,
    ZeroCostSettings,
)
from amla.study.spaces import Found
from amla.study.study import Study, StudyError
from amla.study.unsearched import plain_inside


def algorithm_of(study: Study, space: Found, steps: int, early: bool = True) -> Algorithm:
    """Return the algorithm of a study, which trains each network for `steps`, in the end some of them for longer.

    Training may end `early` if the study says so. Raises StudyError.
    """
    search, settings = _search_of(study, space, steps, early), study.run_off
    if settings is None:
        return search
    plain = plain_inside(study.space, space) if settings.plain else None
    longer, seed = settings.times * steps, study.seed + RUN_OFF_SEED
    return RunOff(search, settings.networks, longer, seed, study.metric, (plain,) if plain else ())


def _search_of(study: Study, space: Found, steps: int, early: bool) -> Algorithm:
    """Return the search of a study, on its terms. Where trials are counted, those terms do it, as they add to them."""
    match study.algorithm:
        case RandomSettings(trials=trials) if study.terms:
            drawn = RandomSearch(space.space, steps, None, study.seed, study.metric)
            return on_terms(drawn, study.terms, trials, space.space, study.metric)
        case DartsSearchSettings() | EnasSettings() | RandomSharingSettings():
            if study.terms:
                raise StudyError("terms are given, but a one-shot search trains all networks as one; leave them out.")
            return _of_its_own(study, space, steps, early)
        case NacSettings() | RandomSettings() | RemoteSettings() | FixedSettings() | ZeroCostSettings():
            return on_terms(_of_its_own(study, space, steps, early), study.terms, None, space.space, study.metric)
        case settings:
            search = open_ended(settings, space.space, steps, study.seed, study.metric)
            return on_terms(search, study.terms, settings.trials, space.space, study.metric)


def _of_its_own(study: Study, space: Found, steps: int, early: bool) -> Algorithm:
    """Return a search that knows when to end."""
    match study.algorithm:
        case NacSettings(mode="paper") as nac:
            (shape,), (classes,) = _ends(*_first(space))
            return paper_mode(study, nac, shape, classes, steps)
        case NacSettings() as nac:
            refuse_paper(nac)
            if not isinstance(space, Envelope):
                raise StudyError(f"algorithm.kind is nac, which searches space.kind envelope, not {study.space.kind}.")
            of_mode = ("kind", "steps", "mode", "paper")
            given = {name: number for name, number in asdict(nac).items() if name not in of_mode}
            if nac.statistic is None:
                del given["statistic"]
            given |= {} if early else {"stable": None}
            try:
                return Nac(space, steps, seed=study.seed, metric=study.metric, **given)
            except ValueError as error:
                raise StudyError(f"algorithm: {error}") from None
        case RandomSettings(trials=trials):
            return RandomSearch(space.space, steps, trials, study.seed, study.metric)
        case RemoteSettings() as remote:
            return _remote(study, remote, space, steps)
        case DartsSearchSettings() | EnasSettings() | RandomSharingSettings() as settings:
            try:
                return one_shot(settings, space.space, steps, study.seed, study.metric)
            except ValueError as error:
                raise StudyError(f"algorithm: {error}") from None
        case ZeroCostSettings(scores=scores) as zero:
            try:
                numbers = zero.candidates, zero.trained, zero.examples
                return ZeroCost(space.space, steps, scores, *numbers, study.seed, study.metric)
            except ValueError as error:
                raise StudyError(f"algorithm: {error}") from None
        case FixedSettings(architectures=()):
            raise StudyError("algorithm.architectures is empty; name the file of one network or more.")
        case FixedSettings(architectures=files):
            found = tuple(_network(Path(file), space, study.constraints) for file in files)
            return Fixed(found, steps, (study.seed,), study.metric, keep=False)
        case settings:
            return open_ended(settings, space.space, steps, study.seed, study.metric)


def _remote(study: Study, settings: RemoteSettings, space: Found, steps: int) -> Algorithm:
    try:
        module = import_module("amla.algorithms.remote")
    except ModuleNotFoundError as error:
        raise StudyError(
            f"The algorithm 'remote' needs {error.name!r}; install it with: pip install 'amla[remote]'."
        ) from None
    limits, unlimited = study.constraints, space.space
    if limits:  # a generator knows of none: it is told what was wrong with a network beyond
        unlimited = replace(unlimited, accepts=everything, within=Constraints())
    options = settings.options if study.metric == "accuracy" else {**settings.options, "metric": study.metric}
    remote: Algorithm = module.Remote(settings.url, unlimited, steps, study.seed, study.name, options, settings.seconds)
    most = {
        "peak_memory" if name == "memory" else name: float(limit)
        for name, limit in limits.given.items()
        if name in COUNTED
    }
    return Filtered(remote, most) if most else remote


def _network(file: Path, space: Found, constraints: Constraints) -> Architecture:
    """Return the network in a file.

    Raises SpecError, StudyError unless it is closed, made for the data and within constraints.
    """
    network = text.load(file)
    if network.is_open:
        undecided = ", ".join(list(network.picks)[:3])
        raise StudyError(f"'{file}' is open: {undecided} and so on are to be decided first.")
    try:
        found = shapes(network)
    except SpecError as error:
        raise SpecError(f"'{file}': {error}") from None
    if broken := constraints.broken(constraints.of(network)):
        raise StudyError(f"'{file}' has {broken} by the study's constraints.")
    inside, outside = _ends(network, found)
    wanted = _ends(*_first(space))
    if (inside, outside) != wanted:
        raise StudyError(
            f"'{file}' reads {_listed(inside)} and ends in {outside}; for these data it must read {_listed(wanted[0])} "
            f"and end in {wanted[1]}."
        )
    return network


def _first(space: Found) -> tuple[Architecture, Mapping[str, Size]]:
    """Return the first network of a space, and its shapes."""
    first = space.space.close(space.initial())
    return first, shapes(first)


def _ends(network: Architecture, found: Mapping[str, Size]) -> tuple[set[Size], Size]:
    """Return the shapes of what a network reads, and of its output."""
    return {node.op.shape for node in network if isinstance(node.op, ops.Input)}, found[network.output.id]


def _listed(sizes: set[Size]) -> str:
    return " and ".join(map(str, sorted(sizes)))
