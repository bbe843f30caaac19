"""What a search tells a person of what happens, each in one line: the words of the listeners and of `amla show`."""

from collections.abc import Mapping, Sequence

from amla.cli.console import escape
from amla.reports.names import metric_name
from amla.reports.numbers import count, duration, metric_reading, percent, plural
from amla.reports.tuning import changes_in_words
from amla.study.arrangement import Arranged
from amla.study.phases import BASELINES, FINAL, REHEARSAL, TUNING
from amla.study.settings.places import TabularSettings
from amla.study.settings.searches import (
    AshaSettings,
    DartsSearchSettings,
    EnasSettings,
    FixedSettings,
    NacSettings,
    PaperSettings,
    RandomSettings,
    RandomSharingSettings,
    RemoteSettings,
    ZeroCostSettings,
)
from amla.study.study import Study
from amla.study.timing import Arrangement
from amla.tasks.task import OF_NUMBERS
from amla.trials.history import History
from amla.trials.progress import Progress
from amla.trials.trial import Failure, Measurement, Trial, TrialId


def timing(arrangements: Sequence[Arrangement]) -> str:
    """Return one line about what is going to be timed."""
    named = ", ".join(f"{a.workers} × {a.threads}" for a in arrangements)
    return f"timing a training step, once for this network and machine, with workers × threads: {named}"


def arrangement(found: Arranged) -> str:
    """Return one line about how a study trains, and the figures that it was chosen by."""
    final = f"{plural(found.final.threads, 'thread')}{_compared(found, found.final)}"
    if found.search == found.final:
        return f"training with {final}"
    search = f"{plural(found.search.workers, 'worker')} × {plural(found.search.threads, 'thread')}"
    return f"searching with {search}{_compared(found, found.search)}; final training with {final}"


def _compared(found: Arranged, chosen: Arrangement) -> str:
    """Return how fast an arrangement is, and how much faster than one trial at a time with all threads."""
    steps, usual = found.steps(chosen), found.timings[0]
    if steps is None:
        return ""
    rate = f"{steps:.{0 if steps >= 10 else 2}f} steps/s"
    if not usual.steps or chosen == usual.arrangement:
        return f": {rate}"
    return f": {rate}, {steps / usual.steps:.1f}× of {usual.arrangement.workers} × {usual.arrangement.threads}"


def within(study: Study) -> str | None:
    """Return one line about the limit that bounds all of a study, None if none does."""
    if study.limit.seconds is None or study.final.steps is not None or isinstance(study.backend, TabularSettings):
        return None
    clock = " of CPU time" if study.limit.clock == "cpu" else ""
    return f"it takes {duration(study.limit.seconds)}{clock} at most"


def going_on(phase: str, history: History) -> str:
    """Return one line about a phase that had begun before."""
    name = "final training" if phase == FINAL else phase
    return f"going on with the {name}: {plural(len(history.finished), 'trial')} of it done before"


def mending(phase: str, trial_id: TrialId, why: str) -> str:
    """Return one line, with markup, about a trial of the record whose weights cannot be used."""
    return f"[yellow]note[/yellow] {escape(why)} Trial {trial_id} of the {phase}, which left them, is trained again."


def status(study: Study, phase: str, progress: Progress, failed: int) -> str:
    """Return one line about a trial that trains, before which `failed` trials of its phase have failed."""
    return (
        f"{called(study, phase, progress.trial, failed)}  step {progress.step}/{progress.budget}  "
        f"loss {progress.loss:.3f}{_accuracy(study, progress)}"
    )


def _accuracy(study: Study, progress: Progress) -> str:
    """Return the share of training examples that are right; of numbers none is."""
    return "" if study.metric == OF_NUMBERS else f"  accuracy {percent(progress.accuracy)}"


def outcome(study: Study, phase: str, trial: Trial, failed: int) -> str:
    """Return one line, with markup, about a trial that is over, before which `failed` trials had failed."""
    which = called(study, phase, trial.id, failed)
    match trial.outcome:
        case Failure(reason=reason, message=message):
            return f"[red]{which} failed ({reason})[/red]: {escape(message)}"
        case Measurement(metrics=metrics, seconds=seconds) if phase == FINAL and not trial.proposal.budget:
            return f"test {_reached(study, metrics)}, {duration(seconds)}"
        case Measurement(metrics=metrics, seconds=seconds) if phase == TUNING:
            changes = changes_in_words(trial.proposal.recipe)
            return f"{which}: {changes}, validation {_reached(study, metrics)}, {duration(seconds)}"
        case Measurement(metrics=metrics, seconds=seconds):
            costs_text = f"{count(metrics['parameters'])} params, {count(metrics['macs'])} MACs"
            score = f", validation {_validated(study, metrics)}" if study.metric in metrics else ""
            return f"{which}: {costs_text}{score}, {duration(seconds)}"
        case _:
            return which


def _reached(study: Study, metrics: Mapping[str, float]) -> str:
    return f"{metric_name(study.metric)} {metric_reading(study.metric, metrics[study.metric])}"


def _validated(study: Study, metrics: Mapping[str, float]) -> str:
    """Return what was reached on validation: of an accuracy, the usual metric, no more than that fits a line."""
    return metric_reading("accuracy", metrics["accuracy"]) if study.metric == "accuracy" else _reached(study, metrics)


def called(study: Study, phase: str, trial_id: TrialId, failed: int) -> str:
    """Return what a trial is called: "construction 2 of 5". NAC tries a construction that fails again."""
    if phase == REHEARSAL:
        return "rehearsal"
    if phase == BASELINES:
        return f"baseline {trial_id}" if trial_id else "what was found, anew"
    if phase == TUNING and study.tuning:
        return f"recipe {trial_id + 1} of {study.tuning.trials}"
    if phase == FINAL:
        devices = f" on {study.devices} devices" if study.devices > 1 else ""
        leg = f", leg {trial_id + 1}" if study.final.steps is None else ""
        return f"final training{devices}{leg}"
    finalists = study.run_off.networks + study.run_off.plain if study.run_off else 0
    seeds = study.terms.seeds if study.terms else 1
    match study.algorithm:
        case NacSettings(mode="paper", paper=PaperSettings(arm="random", dialect=dialect), iterations=iterations):
            return f"random network {trial_id - failed + 1} of {iterations + (dialect == 'env')}"
        case NacSettings(windows=windows, iterations=iterations, candidates=candidates) if (
            windows > 1 or candidates > 1 or finalists
        ):
            most = windows + iterations * (windows + candidates - 1) + finalists
            return f"{'leg' if windows > 1 else 'network'} {trial_id - failed + 1} of {most} at most"
        case NacSettings(iterations=iterations):
            return f"construction {trial_id - failed} of {iterations}"
        case DartsSearchSettings() | EnasSettings() | RandomSharingSettings():
            return f"leg {trial_id - failed + 1}"
        case RandomSettings(trials=trials):
            return f"random network {trial_id + 1} of {most_trials(study, trials * seeds + finalists)}"
        case ZeroCostSettings(candidates=candidates, trained=trained):
            if (place := trial_id - candidates * seeds) < 0:
                return f"untrained network {trial_id + 1} of {candidates * seeds}"
            return f"network {place + 1} of {trained * seeds + finalists} at most"
        case RemoteSettings():
            return f"network {trial_id + 1}"
        case FixedSettings(architectures=files):
            return f"network {trial_id + 1} of {len(files) * seeds}"
        case settings:
            whole = "" if settings.trials is None else f" of {most_trials(study, settings.trials * seeds + finalists)}"
            return f"{'leg' if isinstance(settings, AshaSettings) else 'network'} {trial_id + 1}{whole}"


def most_trials(study: Study, asked: int) -> int:
    """Return how many trials a search has that would ask for so many."""
    return asked if study.limit.trials is None else min(asked, study.limit.trials)
