"""Why a search ended before it had used up what it was given, where its trials do not say so."""

from amla.algorithms.paper import PaperNac, PaperRandom
from amla.algorithms.stopping import promise_of
from amla.reports.names import metric_name
from amla.reports.numbers import duration
from amla.study.algorithm import algorithm_of
from amla.study.resolve import space_of
from amla.study.settings.searches import NacSettings, StopSettings
from amla.study.study import Study
from amla.tasks.task import Task
from amla.trials.history import History


def why_ended(study: Study, task: Task, searched: History) -> str | None:
    """Return why a search ended early, None where that is not known, or it has not.

    NAC's paper mode may have nothing to construct; any search may have stopped as more promised little.
    """
    if searched.pending or not searched.done:  # it goes on, or could not begin, which is told then
        return None
    if study.terms and study.terms.stop:
        return _promised(study, study.terms.stop, searched)
    if not isinstance(study.algorithm, NacSettings) or study.algorithm.mode != "paper":
        return None
    match algorithm_of(study, space_of(study, task), steps=1):
        case PaperNac() | PaperRandom() as paper:
            return paper.why_ended(searched)
        case _:
            return None


def _promised(study: Study, stop: StopSettings, searched: History) -> str | None:
    """Return that more trials promised too little, if they did at the end of the search, before a run-off of it."""
    trials = searched.finished
    if study.run_off is not None:  # whose networks train longer than any before
        longest = max(trial.proposal.budget for trial in trials)
        trials = [trial for trial in trials if trial.proposal.budget < longest] or trials
    promise = promise_of(trials, stop.seconds, study.metric)
    if promise is None or promise >= stop.gain:
        return None
    points, least = 100 * promise, 100 * stop.gain
    of = "" if study.metric == "accuracy" else f" of {metric_name(study.metric)}"
    return f"another {duration(stop.seconds)} of trials promised {points:.2g} points{of} more, less than {least:g}."
