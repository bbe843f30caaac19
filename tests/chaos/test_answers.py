"""Two runs of one study have the same answer, or what differs is said in words."""

import json
import sqlite3
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from made_up_runs import finished

from amla.chaos.answers import differences
from amla.storage.files import Files
from amla.study.arrangement import Arranged, record
from amla.study.folder import BEST, read
from amla.study.log import EVENTS
from amla.study.timing import Arrangement
from amla.trials.snapshot import Snapshot

Run = Callable[..., Path]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Return what makes a finished run whose weights are so much off."""

    def make(name: str, off: float = 0.0, device: str = "cpu") -> Path:
        folder = finished(tmp_path / name)
        weights = {"head.bias": np.ones(2, np.float32) + np.float32(off), "head.kernel": np.zeros((2, 2), np.float32)}
        Files(folder).save_weights(
            "best", Snapshot(read(folder).search[0].proposal.architecture, "fit", 50, weights, {})
        )
        change(folder, lambda body: body.replace('"abacus"', f'"{device}"'))
        return folder

    return make


def change(folder: Path, of: Callable[[str], str], where: str = "kind = 'told'") -> None:
    """Change what was told."""
    connection = sqlite3.connect(folder / EVENTS, isolation_level=None)
    for rowid, body in connection.execute(f"SELECT rowid, body FROM event WHERE {where}").fetchall():  # noqa: S608
        connection.execute("UPDATE event SET body = ? WHERE rowid = ?", (of(body), rowid))
    connection.close()


def test_the_same_is_the_same_though_it_took_longer(run: Run):
    one, two = run("one"), run("two")
    assert differences(one, two) == []
    change(two, lambda body: body.replace('"seconds":2.0', '"seconds":7.0'))
    assert differences(one, two) == []


def test_weights_that_differ_are_named_with_how_far(run: Run):
    assert differences(run("one"), run("two", off=0.25)) == [
        "weights/best.safetensors: head.bias differs, by up to 0.25"
    ]


def test_a_metric_that_differs_is_named(run: Run):
    one, two = run("one"), run("two")
    change(two, lambda body: body.replace('"accuracy":0.6', '"accuracy":0.7'))
    assert differences(one, two) == ["trial 1 of the search: accuracy is 0.7 instead of 0.6"]


def test_another_network_and_what_led_there_are_said(run: Run):
    one, two = run("one"), run("two")
    (two / BEST).write_text("{}")
    change(two, lambda body: body.replace('"budget":50', '"budget":60'), "study = 'final' AND sequence = 0")
    assert differences(one, two) == [
        "another network is recommended: best.arch.json differs",
        "trial 0 of the final training was asked for with other terms",
    ]


def test_a_trial_that_failed_is_said_with_its_reason(run: Run):
    one, two = run("one"), run("two")
    failed = json.dumps({"kind": "failure", "reason": "crashed", "message": "no such thing\nat all", "seconds": 1.0})
    change(two, lambda _: failed, "kind = 'told' AND study = 'search' AND trial = 2")
    assert differences(one, two) == [
        "trial 2 of the search: a failure (crashed: no such thing) instead of a measurement"
    ]
    change(one, lambda _: failed.replace("no such", "another"), "kind = 'told' AND study = 'search' AND trial = 2")
    assert differences(one, two) == []


def test_torn_weights_are_a_difference(run: Run):
    one, two = run("one"), run("two")
    (two / "weights/best.safetensors").write_bytes(b"")
    (said,) = differences(one, two)
    assert "is torn" in said


def test_where_training_does_not_repeat_exactly_only_trials_are_compared(run: Run):
    one, two = run("one", device="cuda"), run("two", off=1.0, device="cuda")
    assert differences(one, two) == []
    connection = sqlite3.connect(two / EVENTS, isolation_level=None)
    connection.execute("DELETE FROM event WHERE study = 'search' AND sequence >= 4")
    connection.close()
    assert differences(one, two) == ["search: 2 trials instead of 3"]


def test_different_arrangements_are_said_first(run: Run):
    one, two = run("one"), run("two")
    record(Files(one), Arranged(Arrangement(1, 1), Arrangement(1, 1)))
    record(Files(two), Arranged(Arrangement(1, 2), Arrangement(1, 2)))
    assert differences(one, two) == []
    Files(two).save_weights(
        "best",
        Snapshot(read(two).search[0].proposal.architecture, "fit", 50, {f"w{n}": np.ones(1) for n in range(9)}, {}),
    )
    said = differences(one, two)
    assert "in different arrangements" in said[0]
    assert said[1:] == ["weights/best.safetensors has other weights: head.bias, head.kernel, w0"]


def test_much_that_differs_is_cut_short(run: Run):
    one, two = run("one"), run("two")
    network = read(two).search[0].proposal.architecture
    for number, folder in enumerate((one, two)):
        weights = {f"w{n}": np.full(1, number, np.float32) for n in range(10)}
        Files(folder).save_weights("best", Snapshot(network, "fit", 50, weights, {}))
    said = differences(one, two)
    assert len(said) == 9
    assert said[0] == "weights/best.safetensors: w0 differs, by up to 1"
    assert said[-1] == "and 2 more"
