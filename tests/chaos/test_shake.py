"""What came of a run that was shaken is judged: what is wrong is said, and its folder is left to be looked at."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from made_up_runs import STUDY, finished

from amla.chaos.ledger import Ledger
from amla.chaos.processes import Process
from amla.chaos.setup import setup
from amla.chaos.shake import Shaking
from amla.storage.files import Files
from amla.study.folder import BEST, read
from amla.trials.snapshot import Snapshot


class Place:
    """An undisturbed run and one that was shaken, both over; and what was said."""

    def __init__(self, folder: Path) -> None:
        self.said: list[str] = []
        shaken = setup(replace(STUDY), folder / "shaken", kills=1, seed=0, faults=["driver"])
        self.shaking = Shaking(shaken, self.said.append)
        self.run = folder / "shaken" / "run-1"
        for where in (folder / "shaken" / "undisturbed", self.run):
            finished(where)
            network = read(where).search[0].proposal.architecture
            Files(where).save_weights("best", Snapshot(network, "fit", 50, {"head.bias": np.ones(2)}, {}))
        self.ledger = Ledger(self.run)
        self.ledger.look()

    def wrong(self) -> list[str]:
        self.shaking._judge(self.ledger)
        return self.shaking.tally.wrong


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    monkeypatch.setattr("amla.chaos.answers.is_exact", lambda run: True)  # as on a CPU
    return Place(tmp_path)


def test_a_run_that_is_the_same_goes(place: Place):
    assert place.wrong() == []
    assert place.said == ["run-1: the same as undisturbed, after 0 of 1 kills"]
    assert not place.run.exists()
    assert place.shaking.tally.recorded == 10


def test_one_that_differs_stays_and_is_said(place: Place):
    (place.run / BEST).write_text("{}")
    assert place.wrong() == ["run-1: another network is recommended: best.arch.json differs"]
    assert place.run.is_dir()
    assert place.said == []


def test_what_was_lost_or_repeated_is_wrong_though_the_answer_is_the_same(place: Place):
    place.ledger.lost = 2
    place.ledger.repeated = ["curves/search/1.jsonl"]
    assert place.wrong() == [
        "run-1: 2 events were lost",
        "run-1: trained again, though recorded: curves/search/1.jsonl",
    ]
    tally = place.shaking.tally
    assert (tally.lost, tally.repeated) == (2, 1)


def test_a_process_that_does_not_end_is_wrong_and_killed(place: Place, monkeypatch: pytest.MonkeyPatch):
    killed: list[int] = []
    monkeypatch.setattr(Process, "lives", property(lambda process: True))
    monkeypatch.setattr(Process, "kill", lambda process: killed.append(process.pid))
    place.shaking._orphans = {Process(7, 1, "sleep 600")}
    place.shaking._bury(0.0, 1)
    assert (killed, place.shaking.tally.wrong) == ([], [])
    place.shaking._bury(0.0, 0)
    assert killed == [7]
    assert place.shaking.tally.wrong == ["process 7 was left behind: sleep 600"]
    assert place.shaking.tally.left_behind == 1
