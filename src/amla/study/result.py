"""What a study has found: the network it stands behind, what that tested at with an interval, and what it cost."""

from collections.abc import Mapping
from math import isfinite, nan

from amla.algorithms.nac import FEWEST
from amla.algorithms.protocol import best
from amla.algorithms.rounds import fairest
from amla.algorithms.shadow import means
from amla.evidence.classes import mean_interval
from amla.evidence.shares import wilson as wilson
from amla.reports.descent import guests
from amla.spec.architecture import Architecture
from amla.spec.values import Number, value
from amla.study.folder import BEST, REPORT, WEIGHTS, Run
from amla.study.prefer import preferred
from amla.study.settings.places import TabularSettings
from amla.study.settings.searches import NacSettings
from amla.study.study import Study
from amla.tasks.task import Metric
from amla.trials.trial import Measurement, Trial


@value
class Tested:
    """Accuracy on the test part: right ones of how many, and Wilson's 95 % interval."""

    right: int
    examples: int
    accuracy: float
    low: float
    high: float


@value
class Scored:
    """What the metric that decided is on the test part, and its 95 % interval, None where none is known."""

    metric: Metric
    value: Number
    interval: tuple[float, float] | None = None


@value
class Errors:
    """How far predictions of a number are from the truth, in its units: on average, and the root of the mean square."""

    mean: Number
    root: Number


@value
class Result:
    """What a finished study says; what all classes have on average is None where it was not measured.

    `scored` is by the metric of the study, None where that is accuracy. Of numbers that are predicted nothing is right
    or wrong: `tested` is None, and `errors` has those of each.
    """

    architecture: Architecture
    tested: Tested | None
    parameters: int
    macs: int
    peak_memory: int
    steps: int
    search_seconds: float
    final_seconds: float
    balanced_accuracy: float | None = None
    macro_f1: float | None = None
    rehearsal_seconds: float = 0.0
    baseline_seconds: float = 0.0
    tuning_seconds: float = 0.0
    scored: Scored | None = None
    examples: int = 0
    errors: tuple[Errors, ...] = ()


def winner(run: Run) -> Trial | None:
    """Return the trial of the search with the best validation metric, or the one that the study prefers.

    In NAC's paper mode, which chooses none: the one whose network was trained to the end, or None if it was new.
    """
    if chooses(run.study):
        if choice := preferred(run.study.prefer, run.search, run.study.metric):
            return choice.trial
        return _fairest(run) or _of_means(run) or best(run.search, run.study.metric)
    final = run.final[0].proposal.architecture if len(run.final) else None
    return next((trial for trial in run.search.done if trial.proposal.architecture == final), None)


def has_plain(study: Study) -> bool:
    """Return whether a plain network stands beside what a search found, in its run-off."""
    return study.run_off is not None and study.run_off.plain


def is_plain(run: Run) -> bool:
    """Return whether what was found is the plain network, which the search did not come to itself."""
    chosen = winner(run)
    return has_plain(run.study) and chosen is not None and chosen.id in guests(run.search)


def _fairest(run: Run) -> Trial | None:
    """Return the last leg of NAC's choice, where networks may have trained for different times."""
    match run.study.algorithm:
        case NacSettings(stable=float(), inherit=False):
            found = fairest(run.search, run.study.metric, FEWEST)
            return found.legs[-1] if found else None
        case _:
            return None


def _of_means(run: Run) -> Trial | None:
    """Return the first training of the network that is the best by the mean of several seeds, if there are several."""
    seeds = run.study.terms.seeds if run.study.terms else 1
    found = best(means(run.search, seeds), run.study.metric) if seeds > 1 else None
    return run.search[found.id * seeds] if found else None


def chooses(study: Study) -> bool:
    """Return whether a search recommends one of its trials, the best by validation."""
    return not (isinstance(study.algorithm, NacSettings) and study.algorithm.mode == "paper")


def result(run: Run) -> Result | None:
    """Return the result of a run, or None before its test."""
    if not run.final.done or run.final.done[-1].proposal.budget:
        return None
    last = run.final.done[-1]
    metrics = last.measurement.metrics
    return Result(
        architecture=last.proposal.architecture,
        tested=tested_of(metrics),
        parameters=int(metrics["parameters"]),
        macs=int(metrics["macs"]),
        peak_memory=int(metrics["peak_memory"]),
        steps=int(metrics["steps"]),
        search_seconds=run.search.seconds,
        final_seconds=run.final.seconds,
        balanced_accuracy=metrics.get("balanced_accuracy"),
        macro_f1=metrics.get("macro_f1"),
        rehearsal_seconds=run.rehearsal.seconds,
        baseline_seconds=run.baselines.seconds,
        tuning_seconds=run.tuning.seconds,
        scored=scored_of(run.study.metric, metrics),
        examples=int(metrics["examples"]),
        errors=_errors(metrics),
    )


def tested_of(metrics: Mapping[str, float]) -> Tested | None:
    """Return the accuracy that was measured on the test part, None of numbers."""
    if "accuracy" not in metrics:
        return None
    examples = int(metrics["examples"])
    right = round(metrics["accuracy"] * examples)
    return Tested(right, examples, right / examples, *wilson(right, examples))


def scored_of(metric: Metric, metrics: Mapping[str, float]) -> Scored | None:
    """Return a metric of the test part, None for accuracy."""
    match metric:
        case "accuracy":
            return None
        case "r2":
            between = metrics.get("r2_low", nan), metrics.get("r2_high", nan)
            return Scored(metric, metrics[metric], between if isfinite(sum(between)) else None)
        case _:
            return _scored(metric, metrics)


def _errors(metrics: Mapping[str, float]) -> tuple[Errors, ...]:
    count = sum(name.startswith("mae/") for name in metrics)
    return tuple(Errors(metrics[f"mae/{place}"], metrics[f"rmse/{place}"]) for place in range(count))


def _scored(metric: Metric, metrics: Mapping[str, float]) -> Scored:
    """Return a metric of the test part; that of a mean of shares has an interval, by those of the classes."""
    if metric != "balanced_accuracy":
        return Scored(metric, metrics[metric])
    pairs = {name.partition("/")[2]: int(count) for name, count in metrics.items() if name.startswith("examples/")}
    right = {number: int(metrics[f"right/{number}"]) for number in pairs}
    shares = [(right[number] / of, *wilson(right[number], of)) for number, of in pairs.items() if of]
    return Scored(metric, metrics[metric], mean_interval(shares) if shares else None)


def is_finished(run: Run) -> bool:
    """Return whether a run has its result, and all the files that go with it."""
    return result(run) is not None and all((run.folder / name).is_file() for name in (REPORT, *files(run.study)))


def files(study: Study) -> tuple[str, ...]:
    """Return the files that a finished study leaves, besides its report: a network, and its weights if it has any."""
    return (BEST,) if isinstance(study.backend, TabularSettings) else (BEST, WEIGHTS)


def by_class(measurement: Measurement, classes: tuple[str, ...]) -> dict[str, tuple[int, int]]:
    """Return right ones and examples of each class, where a measurement of the test part has them."""
    metrics = measurement.metrics
    return {
        name: (int(metrics[f"right/{i}"]), int(metrics[f"examples/{i}"]))
        for i, name in enumerate(classes)
        if f"right/{i}" in metrics
    }
