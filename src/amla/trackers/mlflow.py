"""Runs in MLflow: one for the study, and below it one for each trial. What is there already is not sent again.

What MLflow has is the only record of what was sent. A run is found by a tag, trials by the tag of their parent, and of
a trial that was under way the last step of each metric is asked for. Whatever is sent has the time at which it
happened, so that MLflow's databases, where a metric with its step, time and value is one row, keep it once.
"""

import logging
import os
from collections.abc import Iterator, Mapping, Sequence
from typing import TypeVar

os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")  # nobody but the server that was named hears of a search
os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")  # of itself it would try for minutes; we try again
os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "20")

from mlflow import MlflowClient
from mlflow.entities import Metric, Param, Run
from mlflow.utils.mlflow_tags import MLFLOW_PARENT_RUN_ID

from amla.spec.text import to_json
from amla.trackers.told import Begun, Ended, Leg, Line
from amla.trials.trial import Failure

T = TypeVar("T")

KEY, TRIAL, FAILURE = "amla.run", "amla.trial", "amla.failure"  # tags
METRICS, PARAMS = 1000, 100  # that MLflow takes in one request
LONGEST = 6000  # characters of a parameter that it takes
PAGE = 1000  # runs that it lists at once

logging.getLogger("alembic").setLevel(logging.WARNING)


class Mlflow:
    """Tells MLflow at `uri` (None: where it is configured to be) of runs, in an experiment."""

    def __init__(self, uri: str | None, experiment: str) -> None:
        self._client, self._name = MlflowClient(tracking_uri=uri), experiment
        self._experiment = self._parent = ""
        self._children: dict[str, Run] = {}  # by the trial
        self._known: dict[str, dict[str, int]] = {}  # the last step of each metric of a trial that is under way

    def begins(self, run: Begun) -> None:
        """Find the run, or make it."""
        self._experiment = self._found_experiment()
        rows = list(self._runs(f"tags.`{KEY}` = '{run.key}'"))
        if rows:
            self._parent = rows[0].info.run_id
            self._children = {row.data.tags[TRIAL]: row for row in self._runs(_below(self._parent))}
            self._client.update_run(self._parent, "RUNNING")
        else:
            made = self._client.create_run(self._experiment, _milliseconds(run.at), {KEY: run.key}, run.name)
            self._parent, self._children = made.info.run_id, {}
        self._send(self._parent, params={address: text for address, text in run.settings.items() if text})
        self._client.log_text(self._parent, run.study, "study.yaml")

    def asked(self, leg: Leg) -> None:
        """Make a run of the trial, if there is none, with what was proposed."""
        if self._is_over(leg):
            return
        if leg.key not in self._children:
            tags = {MLFLOW_PARENT_RUN_ID: self._parent, TRIAL: leg.key}
            at = _milliseconds(leg.asked)
            self._children[leg.key] = self._client.create_run(self._experiment, at, tags, leg.key.replace("/", " "))
            self._known[leg.key] = {}
        ask, run_id = leg.trial.proposal, self._children[leg.key].info.run_id
        named = {"budget": ask.budget, "start": ask.start, "horizon": ask.horizon, "seed": ask.seed}
        params = {name: str(number) for name, number in named.items() if number is not None}
        params |= {"phase": leg.phase, "trial": str(leg.trial.id), "method": ask.method.kind}
        self._send(run_id, params=params)
        self._client.log_text(run_id, to_json(ask.architecture, indent=1), "network.arch.json")

    def progress(self, leg: Leg, lines: Sequence[Line]) -> None:
        """Send lines of a trial's curve."""
        if self._is_over(leg):
            return
        run_id, known = self._children[leg.key].info.run_id, self._known_of(leg, lines)
        metrics = [
            _metric(name, number, line.at, line.step)
            for line in lines
            for name, number in line.values().items()
            if line.step > known.get(name, -1)
        ]
        self._send(run_id, metrics=metrics)
        known |= dict.fromkeys(lines[-1].values(), lines[-1].step) if lines else {}

    def told(self, leg: Leg) -> None:
        """Send the outcome of a trial, and end its run."""
        if self._is_over(leg):
            return
        run_id, at, outcome = self._children[leg.key].info.run_id, leg.told or leg.asked, leg.trial.outcome
        reached, steps = leg.metrics(), leg.before + leg.trial.proposal.budget
        found = {**reached, **{f"statistics/{name}": number for name, number in leg.statistics().items()}}
        self._send(run_id, metrics=[_metric(name, number, at, steps) for name, number in found.items()])
        if isinstance(outcome, Failure):
            self._client.set_tag(run_id, FAILURE, f"{outcome.reason}: {outcome.message}"[:LONGEST])
        by_trial = leg.by_trial()
        self._send(self._parent, metrics=[_metric(name, by_trial[name], at, leg.trial.id) for name in by_trial])
        status = "FAILED" if isinstance(outcome, Failure) else "FINISHED"
        self._client.set_terminated(run_id, status, _milliseconds(at))
        self._children[leg.key] = self._client.get_run(run_id)
        self._known.pop(leg.key, None)

    def ends(self, end: Ended) -> None:
        """Send what there is in the end, and say how the run ended."""
        self._send(self._parent, metrics=[_metric(name, number, end.at, 0) for name, number in end.figures.items()])
        for name, path in end.files.items():
            folder, _, _ = name.rpartition("/")
            self._client.log_artifact(self._parent, str(path), folder or None)
        self._client.set_terminated(self._parent, "FINISHED" if end.finished else "KILLED", _milliseconds(end.at))

    def _found_experiment(self) -> str:
        known = self._client.get_experiment_by_name(self._name)
        return known.experiment_id if known else str(self._client.create_experiment(self._name))

    def _runs(self, query: str) -> Iterator[Run]:
        token = None
        while True:
            page = self._client.search_runs([self._experiment], query, max_results=PAGE, page_token=token)
            yield from page
            token = page.token
            if not token:
                return

    def _is_over(self, leg: Leg) -> bool:
        return leg.key in self._children and self._children[leg.key].info.status in ("FINISHED", "FAILED")

    def _known_of(self, leg: Leg, lines: Sequence[Line]) -> dict[str, int]:
        """Return the last step of each metric that MLflow has of a trial."""
        if leg.key not in self._known:
            run_id = self._children[leg.key].info.run_id
            names = lines[0].values() if lines else ()
            histories = {name: self._client.get_metric_history(run_id, name) for name in names}
            self._known[leg.key] = {name: max(m.step for m in found) for name, found in histories.items() if found}
        return self._known[leg.key]

    def _send(self, run_id: str, metrics: Sequence[Metric] = (), params: Mapping[str, str] | None = None) -> None:
        for some in _parted(metrics, METRICS):
            self._client.log_batch(run_id, metrics=some)
        for few in _parted([Param(name, text[:LONGEST]) for name, text in (params or {}).items()], PARAMS):
            self._client.log_batch(run_id, params=few)


def _metric(name: str, number: float, at: float, step: int) -> Metric:
    """Return a number as MLflow takes it, which knows no '+' in names; ids have no '.', so that no two become one."""
    return Metric(name.replace("+", ".plus"), float(number), _milliseconds(at), step)


def _milliseconds(at: float) -> int:
    return round(at * 1000)


def _below(parent: str) -> str:
    return f"tags.`{MLFLOW_PARENT_RUN_ID}` = '{parent}'"


def _parted(items: Sequence[T], most: int) -> Iterator[Sequence[T]]:
    for first in range(0, len(items), most):
        yield items[first : first + most]
