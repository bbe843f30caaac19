"""What notebooks show: IPython's formatters are asked as IPython asks them, by module and name of a type."""

import sys
from collections.abc import Callable
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
