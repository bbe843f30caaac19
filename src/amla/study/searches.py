"""From a study's settings to the algorithms that go on for as many trials as they are given, and on what terms."""

from importlib import import_module
from pathlib import Path

from amla.algorithms.bayes import Bayes
from amla.algorithms.budgeted import Budgeted
from amla.algorithms.evolution import Evolution
from amla.algorithms.halving import Halving
from amla.algorithms.local import LocalSearch
from amla.algorithms.nsga2 import Nsga2
from amla.algorithms.protocol import Algorithm
from amla.algorithms.reinforce import Reinforce
from amla.algorithms.screened import Distinct, Filtered
from amla.algorithms.shadow import Repeated, Warm, joined
from amla.algorithms.stopping import Stopping
from amla.reports.costs import LATENCY, ON_DEVICE
from amla.spaces.space import Space
from amla.spec.architecture import Architecture
from amla.study import log
from amla.study.phases import SEARCH
from amla.study.settings.searches import (
    AshaSettings,
    BayesSettings,
    EvolutionSettings,
    LocalSettings,
    Nsga2Settings,
    OpenEnded,
    OptunaSettings,
    ReinforceSettings,
    Terms,
)
from amla.study.study import StudyError
from amla.trials.history import History

MEASURED = ("parameters", "macs", "peak_memory", "step_seconds", "loss")  # what every training measures, and may cost


def open_ended(settings: OpenEnded, space: Space, steps: int, seed: int, metric: str) -> Algorithm:
    """Return an algorithm that trains each network for `steps`, for the highest `metric`. Raises StudyError."""
    for cost in getattr(settings, "costs", ()):
        if cost not in (*MEASURED, LATENCY) and not cost.startswith(ON_DEVICE):  # of which the rules of a study know
            raise StudyError(f"algorithm.costs names {cost!r}; it may name {', '.join((*MEASURED, LATENCY))}.")
    try:
        return _made(settings, space, steps, seed, metric)
    except ValueError as error:
        raise StudyError(f"algorithm: {error}") from None


def _made(settings: OpenEnded, space: Space, steps: int, seed: int, metric: str) -> Algorithm:
    match settings:
        case EvolutionSettings(population=population, sample=sample):
            return Evolution(space, steps, population, sample, seed, metric)
        case LocalSettings(improvement=improvement):
            return LocalSearch(space, steps, improvement, seed, metric)
        case AshaSettings() as asha:
            return Halving(space, steps, asha.rungs, asha.eta, asha.brackets, asha.costs, seed, metric)
        case Nsga2Settings(costs=costs, population=population):
            return Nsga2(space, steps, costs, population, seed, metric)
        case ReinforceSettings(rate=rate, decay=decay):
            return Reinforce(space, steps, rate, decay, seed, metric)
        case BayesSettings() as bayes:
            return Bayes(space, steps, bayes.begin, bayes.candidates, bayes.parents, seed, metric)
        case OptunaSettings() as settings:
            return _optuna(settings, space, steps, seed, metric)


def _optuna(settings: OptunaSettings, space: Space, steps: int, seed: int, metric: str) -> Algorithm:
    try:
        module = import_module("amla.algorithms.optuna")
    except ModuleNotFoundError as error:
        raise StudyError(
            f"The algorithm 'optuna' needs {error.name!r}; install it with: pip install 'amla[optuna]'."
        ) from None
    sampler = module.named(settings.sampler, settings.options)
    found: Algorithm = module.Optuna(space, steps, sampler, settings.costs, seed, metric)
    return found


def on_terms(
    search: Algorithm, terms: Terms | None, trials: int | None, space: Space, metric: str = "accuracy"
) -> Algorithm:
    """Return a search on some terms, that ends after so many trials for each seed. Raises StudyError."""
    if terms is None:
        return search if trials is None else Budgeted(search, trials)
    if terms.after:
        search = Warm(search, _past(terms.after, space))
    if terms.most:
        try:
            search = Filtered(search, terms.most)
        except ValueError as error:
            raise StudyError(f"terms: {error}") from None
    if terms.distinct:
        search = Distinct(search)
    if terms.seeds > 1:
        search = Repeated(search, terms.seeds)
    if terms.stop is not None:
        search = Stopping(search, terms.stop.gain, terms.stop.seconds, metric)
    return search if trials is None else Budgeted(search, trials * terms.seeds)


def _past(folders: tuple[str, ...], space: Space) -> History:
    """Return the searches in some run folders, as far as their networks are of this space. Raises StudyError."""
    histories = []
    for folder in map(Path, folders):
        if not log.exists(folder):
            raise StudyError(f"terms.after names '{folder}', which holds no records of a search; name a run folder.")
        with log.reading(folder) as records:
            histories.append(records.history(SEARCH))
    return joined(histories, lambda network: _is_of(space, network))


def _is_of(space: Space, network: Architecture) -> bool:
    try:
        return space.close(space.read(network)) == network and space.accepts(network)
    except ValueError:  # it decides what the space does not leave open
        return False
