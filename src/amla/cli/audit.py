"""`amla audit`: how well cheap scores rank networks on the user's task."""

from dataclasses import replace
from pathlib import Path

from rich.table import Table

from amla.cli.console import escape, opened, say
from amla.cli.search import loaded
from amla.comparison.audit import Audit, Plan, as_json, shared, verdict
from amla.comparison.auditing import audited, check_plan
from amla.evidence.agreement import Agreement
from amla.reports.numbers import DASH, metric_reading, percent, plural
from amla.storage.files import Files
from amla.study import folder as folders
from amla.study.asked import executor_of
from amla.study.changes import changed
from amla.study.conductor import Conductor
from amla.study.executors import cluster
from amla.study.heard import Silence
from amla.study.log import writing
from amla.study.moment import Moment
from amla.study.presets import name_of, preset
from amla.study.resolve import check, task_of
from amla.study.settings.places import Torch
from amla.study.settings.searches import RandomSettings
from amla.study.shared import files_of
from amla.study.study import Data, Final
from amla.study.underway import Underway
from amla.trials.history import History
from amla.trials.trial import Measurement, Trial, Untrained

RUNS, FILE = Path("runs"), "audit.json"


class Counting(Silence):
    """Prints a line for each training."""

    def __init__(self, plan: Plan, metric: str) -> None:
        self._console, self._done, self._metric = opened(), 0, metric
        self._all = runs(plan)

    def begins(self, phase: str, history: History) -> None:
        """Hear that a phase begins."""
        self._done += len(history.finished)

    def told(self, phase: str, trial: Trial) -> None:
        """Print how a training went."""
        self._done += 1
        outcome = trial.outcome
        what = "scoring" if isinstance(trial.proposal.method, Untrained) else "training"
        how = "failed"
        if isinstance(outcome, Measurement):
            how = metric_reading(self._metric, outcome.metrics[self._metric]) if what == "training" else "done"
        say(self._console, f"{self._done} of {self._all}: {phase}, {what} {trial.id}: {how}")


def audit_data(
    source: str,
    plan: Plan,
    run: Path | None,
    workers: str | None,
    device: str | None,
    seed: int,
    data_dir: Path | None,
    settings: list[str],
) -> None:
    """Train what an audit needs, print what scores are worth, and write it into the run folder."""
    console = opened()
    dataset = loaded(console, Data(source), data_dir, plain=True)
    study = replace(
        preset(dataset, Data(source), seed=seed),
        name=f"{name_of(dataset.name)}-audit",
        algorithm=RandomSettings(plan.networks, min(plan.steps)),
        run_off=None,
        baselines=None,
        final=Final(steps=1),
        executor=executor_of(workers, "random"),
        backend=Torch(device=device),
    )
    study = changed(study, settings)
    task, folder = task_of(study, dataset), run or RUNS / study.name
    check(study, task)
    check_plan(plan, study, task)
    study = folders.prepare(folder, study, task)
    trainings = plural(runs(plan) - plan.networks * len(set(plan.scores)), "training")
    scores = f", and {', '.join(plan.scores)} before them" if plan.scores else ""
    say(
        console,
        f"[bold]{escape(study.name)}[/bold]: {trainings}{scores}; run folder [bold]{escape(str(folder))}[/bold]",
    )
    with cluster(study.executor), writing(folder) as log:
        listener = Counting(plan, study.metric)
        underway = Underway(study, task, log, files_of(folder), folder, listener, Moment.now(), data_dir)
        found = audited(Conductor(underway), plan)
    Files(folder).write_text(FILE, as_json(found) + "\n")
    console.print(_table(found, study.metric))
    if words := shared(found):
        say(console, escape(words))
    for name, words in found.unscored.items():
        say(console, escape(f"{name} cannot be had of {words}"))
    say(console, escape(verdict(found)))
    say(console, f"all of it [bold]{escape(str(folder / FILE))}[/bold]")


def runs(plan: Plan) -> int:
    """Return how many trainings and scorings an audit has."""
    of_each = len(set(plan.scores)) + len(set(plan.steps)) + len(set(plan.subsets)) + plan.seeds
    return plan.networks * of_each + len(set(plan.statistics))


def _table(audit: Audit, metric: str) -> Table:
    reference = f"{plural(audit.steps, 'step')} with {plural(audit.seeds, 'seed')}"
    title = f"How well scores rank {audit.networks} networks, against {reference}"
    table = Table(title=title, title_justify="left", box=None, header_style="dim")
    table.add_column("score")
    for name in ("tau", "95 % interval", f"of the best {audit.top}", "regret", "cost"):
        table.add_column(name, justify="right")
    for score in audit.scores:
        name = f"[bold]{score.name}[/bold]" if score.name == audit.choice else score.name
        table.add_row(name, *_cells(score.agreement, metric), percent(score.cost))
    if audit.ceiling:
        table.add_row("[dim]another seed[/dim]", *_cells(audit.ceiling, metric), DASH)
    return table


def _cells(found: Agreement, metric: str) -> tuple[str, ...]:
    bounds = f"{found.low:.2f} to {found.high:.2f}"
    return f"{found.tau:.2f}", bounds, percent(found.precision, 0), metric_reading(metric, found.regret, 2)
