"""Networks and histories in notebooks: IPython is told how to show them, and the values know nothing of it.

Nothing but the standard library is imported before something is shown.
"""

import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from amla.spec.architecture import Architecture
    from amla.trials.history import History
    from amla.trials.trial import Trial

MOST = 200  # rows of a table


def attach() -> None:
    """Teach the notebook that this runs in, if it does in one."""
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    if shell is not None:
        teach(shell)


def teach(shell: Any) -> None:
    """Teach an IPython shell to draw architectures and to show histories as tables."""
    formatters = shell.display_formatter.formatters
    formatters["image/svg+xml"].for_type_by_name("amla.spec.architecture", "Architecture", drawn)
    formatters["text/html"].for_type_by_name("amla.trials.history", "History", tabled)


def drawn(architecture: "Architecture") -> str:
    """Return a network, open or closed, as SVG, as `amla draw` draws it."""
    from amla.reports.draw import draw

    return draw(architecture)


def tabled(history: "History") -> str:
    """Return the trials of a history as an HTML table, in the order in which they were asked for.

    It has every metric that a search may look for the highest of and that was measured: which one it was, a history
    does not say.
    """
    from typing import get_args

    from amla.reports.growth import constructions
    from amla.reports.markup import element, row
    from amla.reports.names import metric_name
    from amla.reports.numbers import count, duration, whole
    from amla.tasks.task import Metric

    shown, left = history.trials[:MOST], None
    if len(history) > MOST:
        left = element("caption", f"the first {MOST} of {whole(len(history))} trials")
    metrics = [name for name in get_args(Metric) if any(name in trial.measurement.metrics for trial in history.done)]
    validation = [f"validation {metric_name(name)}" for name in metrics] or ["validation"]
    head = ("trial", "parameters", "MACs", "steps", *validation, "loss", "time")
    rows = [
        row(
            str(step.trial),
            "" if step.parameters is None else count(step.parameters),
            "" if step.macs is None else count(step.macs),
            whole(step.steps),
            *_reached(trial, metrics),
            "" if step.loss is None else f"{step.loss:.3f}",
            "" if step.seconds is None else duration(step.seconds),
        )
        for trial, step in zip(shown, constructions(history, grows=False), strict=False)
    ]
    names = element("tr", *(element("th", name, scope="col") for name in head))
    return element("table", left, element("thead", names), element("tbody", *rows)).text


def _reached(trial: "Trial", metrics: "Sequence[str]") -> list[str]:
    """Return what a trial reached by each metric; in the first place, that it runs or why it failed."""
    from amla.reports.numbers import DASH, metric_reading
    from amla.trials.trial import Failure, Measurement

    match trial.outcome:
        case Measurement(metrics=found):
            return [metric_reading(name, found[name], 2) if name in found else DASH for name in metrics] or [DASH]
        case Failure(reason=reason):
            return [reason, *("" for _ in metrics[1:])]
        case _:
            return ["running", *("" for _ in metrics[1:])]
