"""Networks and histories in notebooks: IPython is told how to show them, and the values know nothing of it.

Nothing but the standard library is imported before something is shown.
"""

import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from amla.spec.architecture import Architecture
    from amla.trials.history import History

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
    """Return the trials of a history as an HTML table, in the order in which they were asked for."""
    from amla.reports.growth import constructions
    from amla.reports.markup import element, row
    from amla.reports.numbers import count, duration, percent, whole

    steps = constructions(history, grows=False)
    head = ("trial", "parameters", "MACs", "steps", "validation accuracy", "loss", "time")
    rows = [
        row(
            str(step.trial),
            "" if step.parameters is None else count(step.parameters),
            "" if step.macs is None else count(step.macs),
            whole(step.steps),
            step.failure.reason if step.failure else "running" if step.metric is None else percent(step.metric, 2),
            "" if step.loss is None else f"{step.loss:.3f}",
            "" if step.seconds is None else duration(step.seconds),
        )
        for step in steps[:MOST]
    ]
    names = element("tr", *(element("th", name, scope="col") for name in head))
    left = element("caption", f"the first {MOST} of {len(steps)} trials") if len(steps) > MOST else None
    return element("table", left, element("thead", names), element("tbody", *rows)).text
