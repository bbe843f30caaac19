"""`amla show` of runs that were written here, event by event, without training."""

import os
import time
from pathlib import Path

import numpy as np
import pytest
from commands import Command, piped
from rich.console import Console

from amla.algorithms.nac import Nac
from amla.cli.show import QUIET_SECONDS
from amla.cli.trials_table import table
from amla.reports.growth import Construction, constructions
from amla.spaces.envelope import envelope
from amla.spec.costs import costs
from amla.storage.files import Files
from amla.storage.records import Records
from amla.study.folder import BEST, STUDY
from amla.study.log import EVENTS
from amla.study.settings.searches import NacSettings
from amla.study.study import Data, Final, Study, to_yaml
from amla.trials.history import History
from amla.trials.progress import Progress
from amla.trials.trial import Failure, Measurement, Outcome, Proposal

STUDY_OF_TWO = Study("shapes", Data("shapes.npz"), algorithm=NacSettings(1, 100), final=Final(200))
LARGE = envelope((3, 32, 32), 10, width=512, cells=(3, 3, 3), max_cells=(9, 9, 9))
SPACE = envelope((1, 8, 8), 3, width=6, cells=(1,), max_cells=(2,))
NAC = Nac(SPACE, steps=100, iterations=1)
amla = pytest.fixture(piped)


def measured(proposal: Proposal, metric: float, seconds: float = 1.0, **more: float) -> Measurement:
    rng = np.random.default_rng(0)
    statistics = {name: {node: float(rng.uniform()) for node in nodes} for name, nodes in proposal.probes.items()}
    return Measurement({"accuracy": metric, "loss": 1 - metric, **more}, statistics, seconds=seconds)


def grown(nac: Nac, outcome: Outcome | None = None) -> History:
    """Return what `nac` asks for until it asks for no more; where an outcome is given, each trial has it."""
    history = History()
    while len(history) < 20 and (proposal := nac.ask(history)):
        told = outcome or measured(proposal, 0.5 + len(history) / 50, 12345.6)
        history = history.asked(proposal).told(len(history), told)
    return history


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """Return a run folder in which the first network is trained and the second is about to be."""
    folder = tmp_path / "runs" / "shapes"
    folder.mkdir(parents=True)
    (folder / STUDY).write_text(to_yaml(STUDY_OF_TWO), encoding="utf-8")
    history = History()
    with Records(folder / EVENTS) as records:
        for told in (True, False):
            proposal = NAC.ask(history)
            assert proposal
            records.asked("search", proposal)
            history = history.asked(proposal)
            if told:
                outcome = measured(proposal, 0.75)
                records.told("search", 0, outcome)
                history = history.told(0, outcome)
    return folder


def silent_since(run: Path, seconds: float) -> None:
    then = time.time() - seconds
    for path in run.rglob("*"):
        os.utime(path, (then, then))


def printed(rows: tuple[Construction, ...], width: int = 80) -> list[str]:
    console = Console(width=width, highlight=False)
    with console.capture() as captured:
        console.print(table(rows, 0, width))
    return captured.get().splitlines()


class TestNoRun:
    @pytest.mark.parametrize("name", ["nowhere", "empty", "file"])
    def test_what_is_no_run_is_said(self, name: str, tmp_path: Path, amla: Command):
        (tmp_path / "empty").mkdir()
        (tmp_path / "file").write_text("mine")
        code, out, err = amla("show", name)
        assert (code, out) == (2, "")
        assert err.startswith(f"amla: '{name}' is no run: it has no study.yaml.")
        assert not list((tmp_path / "empty").iterdir())

    def test_a_study_that_was_damaged_is_named(self, run: Path, amla: Command):
        (run / STUDY).write_text("name: [")
        code, out, err = amla("show", str(run))
        assert (code, out) == (2, "")
        assert f"'{run / STUDY}' is no study that can be run:\nThis is no YAML in line 1" in err


class TestRunning:
    def test_a_trial_that_has_said_nothing_yet_begins(self, run: Path, amla: Command):
        code, out, err = amla("show", str(run))
        assert (code, err) == (0, "")
        assert out.endswith("\nconstruction 1 of 1 begins\n")
        assert [row.split()[0] for row in out.splitlines()[1:3]] == ["0", "1"]
        assert out.splitlines()[2].split()[-1] == "running"

    def test_the_last_line_of_its_curve_says_how_far_it_is(self, run: Path, amla: Command):
        for step in (10, 20):
            Files(run).append_curve("search/1", Progress(1, step, 100, 1.25, 0.5, 0.1, 1.0))
        code, out, err = amla("show", str(run))
        assert (code, err) == (0, "")
        assert out.endswith("\nconstruction 1 of 1  step 20/100  loss 1.250  accuracy 50.0\u202f%\n")

    def test_nothing_is_written(self, run: Path, amla: Command):
        before = {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in run.rglob("*")}
        assert amla("show", str(run))[0] == 0
        assert {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in run.rglob("*")} == before


class TestCutOff:
    def test_one_that_is_silent_for_long_may_go_on(self, run: Path, amla: Command):
        silent_since(run, QUIET_SECONDS + 60)
        code, out, err = amla("show", "runs/shapes")
        assert (code, err) == (0, "")
        assert out.endswith(
            "It has said nothing for 3\u202fmin. If it was cut off, this goes on: "
            "amla run runs/shapes/study.yaml --run runs/shapes\n"
        )

    def test_the_command_that_goes_on_can_be_copied_into_a_shell(self, run: Path, tmp_path: Path, amla: Command):
        run.rename(tmp_path / "my [bold] run")
        silent_since(tmp_path / "my [bold] run", 1000)
        _, out, _ = amla("show", "my [bold] run")
        assert out.endswith("amla run 'my [bold] run/study.yaml' --run 'my [bold] run'\n")

    def test_one_between_two_trials_may_go_on(self, run: Path, amla: Command):
        with Records(run / EVENTS) as records:
            records.told("search", 1, Failure("crashed", "[Errno 5] no", 1.0))
        code, out, err = amla("show", str(run))
        assert (code, err) == (0, "")
        assert "\ntrial 1 failed (crashed): [Errno 5] no\n" in out
        assert "There is no result yet, and no trial runs. If it was cut off, this goes on: amla run " in out


class TestFinished:
    def test_the_result_is_printed_with_its_files(self, run: Path, amla: Command):
        winner = SPACE.space.close(SPACE.initial())
        with Records(run / EVENTS) as records:
            records.told("search", 1, Failure("crashed", "no", 1.0))
            counted = {"parameters": 3110.0, "macs": 85_700.0, "peak_memory": 1e4, "steps": 200.0, "examples": 40.0}
            fit, test = Proposal(winner, 200, keep=True), Proposal(winner, 0, start=0)
            for number, (proposal, metric) in enumerate(((fit, 0.5), (test, 0.75))):
                records.asked("final", proposal)
                records.told("final", number, measured(proposal, metric, 30.0, **counted))
        code, out, err = amla("show", "runs/shapes")
        assert (code, err) == (0, "")
        assert "\ntest accuracy 75.00\u202f% (95 % interval " in out
        assert "; 30 of 40 test images right)\n" in out
        assert f"\nnetwork  runs/shapes/{BEST}\n" in out


class TestTable:
    @pytest.mark.parametrize("space", [SPACE, LARGE])
    @pytest.mark.parametrize("outcome", [None, Failure("diverged", "no", 98765.4)])
    def test_it_fits_80_columns_and_nothing_is_cut(self, space, outcome: Outcome | None):
        rows = constructions(grown(Nac(space, iterations=9), outcome))
        lines = printed(rows)
        assert len(lines) == len(rows) + 1
        assert max(map(len, lines)) <= 80
        assert "…" not in "".join(lines)

    def test_its_columns_are_the_constructions_as_they_are(self):
        head, first, *_ = printed(constructions(grown(NAC)), 100)
        assert head.split() == [
            "pruned",
            "branches",
            "skips",
            "cells",
            "params",
            "MACs",
            "validation",
            "loss",
            "seconds",
        ]
        assert first.replace("\u202f", " ").split()[:5] == ["0", "–", "6", "0", "1"]
        assert first.split()[-2:] == ["0.500", "12345.6"]

    def test_without_growth_there_is_nothing_pruned(self):
        rng = np.random.default_rng(0)
        history = History()
        for number in range(3):
            proposal = Proposal(SPACE.space.sample(rng), 10)
            history = history.asked(proposal).told(number, measured(proposal, 0.5))
        assert "pruned" not in printed(constructions(history, grows=False))[0]


@pytest.mark.parametrize("width", [6, 24])
def test_a_network_that_was_made_wider_is_said_to_be(run: Path, width: int, amla: Command) -> None:
    wide = envelope((1, 8, 8), 3, width=width, cells=(1,), max_cells=(2,))
    network = wide.space.close(wide.initial())
    with Records(run / EVENTS) as records:
        records.told("search", 1, Failure("crashed", "killed"))
        for number, budget in enumerate((200, 0)):
            records.asked("final", Proposal(network, budget, start=None if budget else 0))
            counted = costs(network)
            sizes = {"parameters": counted.parameters, "macs": counted.macs, "peak_memory": 1, "steps": 200}
            records.told("final", number, measured(Proposal(network, budget), 0.9, **sizes, examples=10.0))
    _, out, _ = amla("show", str(run))
    assert ("construction 0, made wider from" in out) == (width == 24)
