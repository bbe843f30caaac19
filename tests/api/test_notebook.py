"""What notebooks show: IPython's formatters are asked as IPython asks them, by module and name of a type."""

import sys
from collections.abc import Callable
from math import nan
from pathlib import Path
from types import ModuleType, SimpleNamespace
from xml.etree import ElementTree

import amla.api.notebook as notebook
from amla.api.result import Report
from amla.spec import text
from amla.spec.architecture import Architecture
from amla.trials.history import History
from amla.trials.trial import Failure, Measurement, Proposal

DIGITS = Path(__file__).parents[2] / "docs/pictures/digits.arch.json"


class Formatter:
    """As much of an IPython formatter as is used."""

    def __init__(self) -> None:
        self.deferred: dict[tuple[str, str], Callable[[object], str]] = {}

    def for_type_by_name(self, module: str, name: str, shown: Callable[[object], str]) -> None:
        self.deferred[module, name] = shown

    def __call__(self, value: object) -> str:
        return self.deferred[type(value).__module__, type(value).__name__](value)


def shell() -> SimpleNamespace:
    formatters = {"image/svg+xml": Formatter(), "text/html": Formatter()}
    return SimpleNamespace(display_formatter=SimpleNamespace(formatters=formatters))


def test_networks_are_drawn_and_histories_are_tables(monkeypatch):
    here, ipython = shell(), ModuleType("IPython")
    ipython.get_ipython = lambda: here
    monkeypatch.setitem(sys.modules, "IPython", ipython)
    notebook.attach()
    shown = here.display_formatter.formatters
    network: Architecture = text.load(DIGITS)
    assert ElementTree.fromstring(shown["image/svg+xml"](network)).tag.endswith("svg")  # noqa: S314 - our own
    history = History().asked(Proposal(network, 10)).told(0, Measurement({"accuracy": 0.5, "loss": 1.0}, seconds=2.0))
    history = history.asked(Proposal(network, 10)).told(1, Failure("diverged", "no number")).asked(Proposal(network, 5))
    table = shown["text/html"](history)
    rows = ElementTree.fromstring(table).findall("tbody/tr")  # noqa: S314 - our own
    assert len(rows) == 3
    assert [word for word in ("50.00", "diverged", "running") if word not in table] == []


def rows_of(table: str) -> list[list[str]]:
    """Return the texts of a table, by row, the head first."""
    return [[cell.text or "" for cell in row] for row in ElementTree.fromstring(table).iter("tr")]  # noqa: S314


def test_whichever_metric_decides_is_in_the_table_of_a_history():
    network: Architecture = text.load(DIGITS)
    history = History().asked(Proposal(network, 10)).told(0, Measurement({"r2": 0.731, "loss": 1.0}, seconds=2.0))
    history = history.asked(Proposal(network, 10)).told(1, Measurement({"r2": nan, "loss": 1.0}, seconds=2.0))
    head, first, second = rows_of(notebook.tabled(history))
    assert head[4:] == ["validation R²", "loss", "time"]
    assert [first[4], second[4]] == ["0.731", "–"]

    metrics = {"accuracy": 0.5, "balanced_accuracy": 0.25, "macro_f1": 0.125, "loss": 1.0}
    history = History().asked(Proposal(network, 10)).told(0, Measurement(metrics, seconds=2.0))
    history = history.asked(Proposal(network, 10)).told(1, Failure("diverged", "no number")).asked(Proposal(network, 5))
    head, first, second, third = rows_of(notebook.tabled(history))
    assert head[4:7] == ["validation accuracy", "validation balanced accuracy", "validation macro F1"]
    assert first[4:7] == ["50.00\u202f%", "25.00\u202f%", "0.125"]
    assert (second[4:7], third[4:7]) == (["diverged", "", ""], ["running", "", ""])

    head, only = rows_of(notebook.tabled(History().asked(Proposal(network, 5))))
    assert (head[4], only[4]) == ("validation", "running")


def test_of_many_trials_the_first_are_shown(monkeypatch):
    monkeypatch.setattr(notebook, "MOST", 1)
    history = History().asked(Proposal(text.load(DIGITS), 5)).asked(Proposal(text.load(DIGITS), 5))
    table = notebook.tabled(history)
    assert "the first 1 of 2 trials" in table
    assert len(rows_of(table)) == 2


def test_outside_of_a_notebook_nothing_happens(monkeypatch):
    monkeypatch.delitem(sys.modules, "IPython", raising=False)
    notebook.attach()
    ipython = ModuleType("IPython")
    ipython.get_ipython = lambda: None
    monkeypatch.setitem(sys.modules, "IPython", ipython)
    notebook.attach()


def test_a_report_cannot_leave_its_frame(tmp_path):
    (tmp_path / "report.html").write_text('<p title="x">&amp;</p>', encoding="utf-8")
    shown = Report(tmp_path / "report.html")._repr_html_()
    assert 'srcdoc="&lt;p title=&quot;x&quot;&gt;&amp;amp;&lt;/p&gt;"' in shown
