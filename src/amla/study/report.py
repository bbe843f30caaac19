"""From a run to what its report shows."""

from collections.abc import Sequence
from dataclasses import replace
from math import nan

from amla.reports.condensed import Condensed, condensed
from amla.reports.descent import guests
from amla.reports.names import example_words
from amla.reports.numbers import milliseconds, plural
from amla.reports.plots import joined
from amla.reports.report import Report, Verdict
from amla.spec.digest import digest
from amla.study.baselines import beside
from amla.study.ended import why_ended
from amla.study.folder import BEST, WEIGHTS, Run
from amla.study.gauged import recorded, told
from amla.study.onward import onward
from amla.study.phases import FINAL, SEARCH
from amla.study.prefer import costs_of, front, preferred
from amla.study.resolve import space_of, task_of
from amla.study.result import Result, by_class, chooses, files, has_plain, result, winner
from amla.study.study import to_yaml
from amla.tasks.dataset import Dataset
from amla.trials.progress import Progress
from amla.trials.trial import Trial

FILES = {BEST: "The network", WEIGHTS: "Its weights"}


def report(run: Run, dataset: Dataset) -> Report:
    """Return what can be reported of a run so far, on the data that it was run on."""
    found, best, shown = result(run), winner(run), condensed(run.search)
    task, metric = task_of(run.study, dataset), run.study.metric
    ended = why_ended(run.study, task, run.search)
    provenance = run.study.provenance
    tested = run.final.done[-1].measurement if found else None
    trained = run.final.trials[0].proposal.architecture if len(run.final) else None
    machine = {"machine": provenance.machine, "code": provenance.code} | provenance.versions if provenance else {}
    choice, costs = preferred(run.study.prefer, run.search, metric), costs_of(run.study, run.search)
    usable = found is not None and WEIGHTS in files(run.study)
    compared, several = beside(run), example_words(task.shape)[1]
    return Report(
        name=run.study.name,
        history=shown.history,
        study=to_yaml(run.study),
        verdict=_verdict(found, dataset.classes) if found else None,
        winner=shown.trial(best.id) if best else None,
        chooses=chooses(run.study),
        ended=ended,
        final=trained,
        final_seconds=found.final_seconds if found else None,
        curves=_curves(run, shown),
        beside=compared,
        tuning=run.tuning,
        notices=(*dataset.notices, *run.study.findings),
        environment=machine | {"seed": str(run.study.seed), "device": _device(run)},
        classes=by_class(tested, dataset.classes) if tested else {},
        metric=metric,
        template=space_of(run.study, task).space.template if chooses(run.study) else None,
        run=str(run.folder),
        files={FILES[name]: f"{run.folder}/{name}" for name in files(run.study)} if found else {},
        front=[trial for leg in front(run.search, costs, metric) if (trial := _shown(shown, leg))],
        costs=costs,
        preferred=choice.why if choice else "",
        latency=latency_words(run, best),
        onward=onward(str(run.folder), several, compared) if usable else {},
        plain=guests(shown.history) if has_plain(run.study) else (),
    )


def _shown(shown: Condensed, leg: Trial) -> Trial | None:
    """Return the trial of the report that a leg is of."""
    found = shown.trial(leg.id)
    return None if found is None else replace(leg, id=found)


def latency_words(run: Run, best: Trial | None) -> str:
    """Return what is known of the latency of the network that was chosen, and how sure that is."""
    latency = run.study.latency
    known = recorded(run.search).get(digest(best.proposal.architecture)) if best else None
    if latency is None or known is None:
        return ""
    said = f"It takes {told(known)} for {plural(latency.batch, 'example')}, measured before it was trained."
    if latency.at_most is None:
        return said
    limit = milliseconds(latency.at_most)
    if known.is_close_to(latency.at_most):
        return f"{said} That spreads by more than what is left to the limit of {limit}."
    return f"{said} The limit is {limit}."


def _curves(run: Run, shown: Condensed) -> dict[str, Sequence[Progress]]:
    """Return the curves of a run, those of the legs of one network joined."""
    curves = run.curves()
    found: dict[str, Sequence[Progress]] = {
        name: curve for name, curve in curves.items() if name.startswith(f"{FINAL}/")
    }
    for trial, legs in shown.legs.items():
        if line := joined(curves.get(f"{SEARCH}/{leg}", ()) for leg in legs):
            found[f"{SEARCH}/{trial}"] = line
    return found


def _verdict(found: Result, names: Sequence[str]) -> Verdict:
    tested, scored = found.tested, found.scored
    accuracy = (tested.accuracy, tested.low, tested.high) if tested else (nan, nan, nan)
    errors = {name: (each.mean, each.root) for name, each in zip(names, found.errors, strict=False)}
    value, bounds = (scored.value, scored.interval) if scored else (None, None)
    return Verdict(*accuracy, found.examples, value, bounds, errors)


def _device(run: Run) -> str:
    devices = {t.measurement.cost.device for t in (*run.search.done, *run.final.done) if t.measurement.cost}
    return ", ".join(sorted(devices)) or "none yet"
