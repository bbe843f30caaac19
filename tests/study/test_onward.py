"""What can be typed next is right for the shell, and names a baseline only where that is to be used."""

import shlex

from amla.evidence.beside import Beside, Rated
from amla.study.onward import onward

FOUND = Rated("found", 0.9, 0.89, 0.91, 1000, 20_000)


def test_commands_are_for_the_run_however_its_folder_is_called():
    commands = [shlex.split(command) for command in onward("my runs/a", "images", None).values()]
    assert commands == [["amla", "predict", "my runs/a", "IMAGES"], ["amla", "export", "my runs/a"]]


def test_a_baseline_that_is_to_be_used_is_trained_by_one_of_them():
    better, worse = Rated("plain", 0.95, 0.94, 0.96, 1000, 20_000), Rated("plain", 0.8, 0.79, 0.81, 1000, 20_000)
    *_, last = onward("runs/a", "images", Beside(FOUND, (better,), 100, 1.0)).values()
    assert last == "amla run runs/a/study.yaml --network runs/a/baselines/plain.arch.json"
    assert len(onward("runs/a", "images", Beside(FOUND, (worse,), 100, 1.0))) == 2
