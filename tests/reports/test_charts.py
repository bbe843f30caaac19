"""Charts are valid Vega-Lite, hold what was measured, and are not drawn from nothing."""

import json
from typing import Any

import pytest
import vl_convert
from searches import curve, grown, random

from amla.reports.charts import POINTS, against_parameters, against_time, learning
from amla.reports.heat import branch_worth
from amla.reports.vega import Chart
from amla.spec.costs import costs
from amla.trials.history import History
from amla.trials.progress import Progress


def charts() -> dict[str, Chart | None]:
    history = grown(2, fails=(1,))
    curves = {trial.id: curve(trial.id) for trial in history.done}
    return {
        "loss": learning(curves, "loss", 2),
        "accuracy": learning({0: curve(0)}, "accuracy"),
        "parameters": against_parameters(history, winner=2),
        "time": against_time(random(), winner=1),
        "worth": branch_worth(history),
    }


@pytest.mark.parametrize("name", ["loss", "accuracy", "parameters", "time", "worth"])
def test_a_chart_can_be_drawn(name: str, capfd: pytest.CaptureFixture[str]) -> None:
    spec = charts()[name]
    json.dumps(spec, allow_nan=False)
    assert "<svg" in vl_convert.vegalite_to_svg(spec, show_warnings=True)
    assert "WARN" not in "".join(capfd.readouterr())


def test_nothing_is_drawn_from_nothing() -> None:
    empty = History()
    assert learning({}, "loss") is None
    assert learning({0: []}, "loss") is None
    assert learning({0: [Progress(0, 1, 1, float("nan"), 0.5, 0.1, 1.0)]}, "loss") is None
    assert against_parameters(empty) is None
    assert against_time(empty) is None
    assert branch_worth(empty) is None
    assert branch_worth(random()) is None


def test_points_are_the_measured_trials() -> None:
    history = grown(2, fails=(1,))
    rows = values(against_parameters(history, winner=3))
    assert [row["id"] for row in rows] == [0, 2, 3]
    assert [row["x"] for row in rows] == [costs(history[i].proposal.architecture).parameters for i in (0, 2, 3)]
    assert [row["winner"] for row in rows] == [False, False, True]


def test_time_counts_failures_too() -> None:
    rows = values(against_time(grown(2, fails=(1,))))
    assert [row["x"] for row in rows] == pytest.approx([1.0, 132 / 60, 192 / 60])  # minutes


def test_a_long_curve_is_thinned_but_ends_where_it_ended() -> None:
    long = [Progress(0, step, 10_000, 1.0, 0.5, 0.1, 0.0) for step in range(1, 10_001)]
    rows = values(learning({0: long}, "loss"))
    assert len(rows) <= POINTS + 1
    assert rows[-1]["step"] == 10_000


def test_worth_says_when_a_branch_was_pruned() -> None:
    history = grown(1)
    rows = values(branch_worth(history))
    gone = {f"{row['cell']}/{row['branch']}" for row in rows if row["gone"]}
    before, now = (trial.proposal.architecture for trial in history.trials)
    assert gone == {node.id for node in before if node.id not in now and node.id in history[0].proposal.probes["msss"]}
    assert all(row["step"] is None for row in rows if row["gone"])
    assert {row["step"] for row in rows if not row["gone"]} <= set(range(9))


def test_colours_are_the_pages_or_settled() -> None:
    history = grown(0)
    assert "var(--amla-" in json.dumps(against_time(history))
    assert "var(" not in json.dumps([against_time(history, theme="dark"), branch_worth(history, theme="light")])


def values(spec: Chart | None) -> list[dict[str, Any]]:
    assert spec is not None
    rows: list[dict[str, Any]] = spec["data"]["values"]
    return rows
