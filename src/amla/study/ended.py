"""Why a search ended before it had used up what it was given, where its trials do not say so."""

from dataclasses import replace

from amla.algorithms.nac import Nac
from amla.algorithms.paper import PaperNac, PaperRandom
from amla.algorithms.stopping import promise_of
from amla.reports.names import metric_name
from amla.reports.numbers import count, duration, plural
from amla.study.algorithm import algorithm_of
from amla.study.remaining import search_limit
from amla.study.resolve import space_of
from amla.study.run import Limit
from amla.study.settings.searches import NacSettings, RemoteSettings, StopSettings
from amla.study.study import Study
from amla.tasks.task import Task
from amla.trials.history import History


def why_ended(study: Study, task: Task, searched: History) -> str | None:
    """Return why a search ended early, None where that is not known, or it has not.

    NAC may have nothing to construct; any search may have reached its limit, or stopped as more promised little.
    """
    if searched.pending or not searched.done:  # it goes on, or could not begin, which is told then
        return None
    if limited := _limited(study, task, searched):
        return limited
    if study.terms and study.terms.stop:
        return _promised(study, study.terms.stop, task, searched)
    if study.terms or not isinstance(study.algorithm, NacSettings):
        return None
    steps = searched[0].proposal.budget * study.algorithm.windows
    match algorithm_of(replace(study, run_off=None), space_of(study, task), steps):
        case PaperNac() | PaperRandom() | Nac() as nac:
            return nac.why_ended(_before_run_off(study, searched))
        case _:
            return None


def _limited(study: Study, task: Task, searched: History) -> str | None:
    """Return which limit ended the search, if one did: it would have asked for more, and not without end."""
    given, without_end = search_limit(study), getattr(study.algorithm, "trials", 0) is None
    if without_end or not given.reached(searched):
        return None
    first = searched[0].proposal.budget
    if not isinstance(study.algorithm, RemoteSettings):  # which is not asked again
        algorithm = algorithm_of(study, space_of(study, task), study.algorithm.steps or first)
        if algorithm.ask(searched) is None:
            return None
    without = study.run_off and max(trial.proposal.budget for trial in searched.trials) <= first
    return f"{_reached(given, searched)}{', before its run-off' if without else ''}."


def _reached(limit: Limit, searched: History) -> str:
    """Return which part of a limit a history has reached."""
    if limit.trials is not None and len(searched) >= limit.trials:
        return f"the limit of {plural(limit.trials, 'trial')} was reached"
    if limit.steps is not None and searched.steps >= limit.steps:
        return f"the limit of {limit.steps:,} steps was reached"
    if limit.flops is not None and searched.flops >= limit.flops:
        return f"the limit of {count(limit.flops)} operations was reached"
    return f"its share of the time, {duration(limit.seconds or 0.0)}, was used up"


def _promised(study: Study, stop: StopSettings, task: Task, searched: History) -> str | None:
    """Return that more trials promised too little, if that is why the search ended, before a run-off of it."""
    before = _before_run_off(study, searched)
    promise = promise_of(before.finished, stop.seconds, study.metric)
    if promise is None or promise >= stop.gain or not _would_go_on(study, task, before):
        return None
    points, least = 100 * promise, 100 * stop.gain
    of = "" if study.metric == "accuracy" else f" of {metric_name(study.metric)}"
    return f"another {duration(stop.seconds)} of trials promised {points:.2g} points{of} more, less than {least:g}."


def _before_run_off(study: Study, searched: History) -> History:
    """Return the history of a search without its run-off: the last networks, which train longer than any before."""
    if study.run_off is None:
        return searched
    longest, count = max(trial.proposal.budget for trial in searched.trials), len(searched)
    while count and searched[count - 1].proposal.budget == longest:
        count -= 1
    before = History()
    for trial in searched.trials[:count]:
        before = before.asked(trial.proposal)
    for trial in searched.finished:
        if trial.id < count and trial.outcome:
            before = before.told(trial.id, trial.outcome)
    return before


def _would_go_on(study: Study, task: Task, before: History) -> bool:
    """Return whether a search would have asked for more, had it not been to stop. One elsewhere is not asked again."""
    if len(before) == study.limit.trials:
        return False
    if isinstance(study.algorithm, RemoteSettings):
        return True
    assert study.terms is not None  # noqa: S101
    unstopped = replace(study, terms=replace(study.terms, stop=None), run_off=None)
    return algorithm_of(unstopped, space_of(study, task), steps=1).ask(before) is not None
