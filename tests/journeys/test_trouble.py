"""Trouble that is nobody's mistake: networks that cannot be trained, disks that are full or read-only."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from terminal import TINY, Ended, Here, apart

from amla.study.folder import read

TWO_RANDOM = ("--algorithm", "random", "--workers", "0", "--set", "algorithm.trials=2", *TINY[:2], *TINY[4:])
MEASURED = (  # prints, last, the most memory that the command has had, in kilobytes
    "import resource, sys\nfrom amla.cli import main\ntry: main()\n"
    "finally: print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, file=sys.stderr)"
)


class TestTraining:
    def test_all_that_diverges_is_listed_and_nothing_else_is_claimed(self, archive: Path, here: Here):
        ended = here("search", str(archive), *TINY, "--set", "recipe.optimiser.rate=1e12")
        assert ended.code == 2
        assert ended.err.startswith("amla: No network could be trained:\ntrial 0: the training loss was ")
        assert "Lower the learning rate" in ended.err
        assert "construction 0 of 1 failed (diverged): the training loss was" in ended.out
        assert [trial.outcome.reason for trial in read(Path("runs/shapes")).search.failed] == ["diverged"] * 3
        assert Path("runs/shapes/report.html").is_file()
        shown = here("show", "runs/shapes")
        assert shown.code == 0
        assert "trial 2 failed (diverged): the training loss was" in shown.out
        assert "No network could be trained.\n" in shown.out

    def test_a_search_goes_on_with_the_networks_that_can_be_trained(self, archive: Path, here: Here, monkeypatch):
        monkeypatch.setattr("amla.evaluation.train.Training._beyond_memory", refusing_the_first())
        ended = here("search", str(archive), *TWO_RANDOM)
        assert (ended.code, ended.err) == (0, "")
        assert "random network 1 of 2 failed (infeasible): too large [by decree]" in ended.out
        assert "random network 2 of 2: " in ended.out
        assert ended.accuracy

    def test_a_limit_of_a_trial_fails_those_that_take_longer(self, archive: Path, here: Here):
        ended = here("search", str(archive), *TWO_RANDOM, "--set", "trial_seconds=0.0001")
        assert ended.code == 2
        assert "random network 1 of 2 failed (timeout): stopped after 0.0001 s, the limit of a trial" in ended.out
        assert "trial 1: stopped after 0.0001 s" in ended.err

    def test_the_final_training_is_not_bound_by_the_limit_of_a_trial(self, archive: Path, here: Here):
        ended = here("search", str(archive), *TINY, "--set", "trial_seconds=60", "--set", "final.steps=20")
        assert ended.code == 0

    def test_a_test_that_fails_is_said(self, archive: Path, here: Here, monkeypatch):
        from amla.backends.protocol import OutOfMemory
        from amla.backends.torch.learner import TorchLearner

        score = TorchLearner.score

        def fail(learner: TorchLearner) -> object:
            if learner.task.score_on == "test":
                raise OutOfMemory("no memory left for the test")
            return score(learner)

        monkeypatch.setattr(TorchLearner, "score", fail)
        ended = here("search", str(archive), *TINY)
        assert ended.code == 2
        assert "trial 1: no memory left for the test" in ended.err


@pytest.mark.skipif(sys.platform != "linux", reason="kilobytes are what Linux counts in")
def test_an_absurd_width_is_refused_by_its_counted_cost_without_taking_memory(tmp_path: Path, archive: Path):
    code = [sys.executable, "-c", MEASURED]
    wide = ("--set", "algorithm.steps=3", "--set", "final.steps=3", "--set", "space.width=1000000")
    ended = apart(tmp_path, "search", str(archive), *wide, command=code)
    assert ended.code == 2
    assert re.search(r"trial 0: training this network needs about [\d,.]+ GB, for [\d,]+ parameters", ended.err)
    assert int(ended.err.split()[-1]) < 1.5e6


class TestDisks:
    """Runs on a disk of their own, if we may mount one; where not, they are tried as far as permissions go."""

    @pytest.fixture
    def disk(self, tmp_path: Path) -> Iterator[Path]:
        folder = tmp_path / "disk"
        folder.mkdir()
        mount = shutil.which("mount")
        command = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)]
        if not mount or subprocess.run(command, capture_output=True, check=False).returncode:
            pytest.skip("cannot mount a small disk")
        yield folder
        subprocess.run(["umount", str(folder)], check=True)

    def search(self, here: Here, archive: Path, run: Path) -> Ended:
        return here("search", str(archive), *TINY, "--run", str(run))

    def test_a_full_disk_is_said_and_once_there_is_space_it_goes_on(self, disk: Path, archive: Path, here: Here):
        with open(disk / "taken", "wb") as taken:
            taken.write(bytes(900 * 1024))
        ended = self.search(here, archive, disk / "run")
        assert ended.code == 2
        assert ended.err.startswith("amla: No space left on device")
        assert ended.err.endswith("Nothing is lost: mend that, and start the same command again.\n")
        (disk / "taken").unlink()
        subprocess.run(["mount", "-o", "remount,size=50m", str(disk)], check=True)
        again = self.search(here, archive, disk / "run")
        assert (again.code, again.err) == (0, "")
        whole = self.search(here, archive, disk / "other")
        assert again.accuracy == whole.accuracy

    def test_a_read_only_folder_is_said_before_anything_is_trained(self, disk: Path, archive: Path, here: Here):
        subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
        ended = self.search(here, archive, disk / "run")
        assert (ended.code, ended.out) == (2, "")
        assert ended.err.startswith(f"amla: Read-only file system: '{disk}/run'")

    def test_a_finished_run_in_a_read_only_folder_is_shown(self, disk: Path, archive: Path, here: Here):
        subprocess.run(["mount", "-o", "remount,size=50m", str(disk)], check=True)
        ended = self.search(here, archive, disk / "run")
        assert ended.code == 0
        subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
        assert self.search(here, archive, disk / "run").accuracy == ended.accuracy
        assert here("show", str(disk / "run")).accuracy == ended.accuracy

    def test_a_folder_that_may_not_be_written_is_said(self, tmp_path: Path, archive: Path, here: Here):
        (tmp_path / "mine").mkdir(mode=0o500)
        if os.access(tmp_path / "mine", os.W_OK):
            pytest.skip("root may do anything")
        ended = self.search(here, archive, tmp_path / "mine" / "run")
        assert (ended.code, ended.out) == (2, "")
        assert ended.err.startswith("amla: Permission denied")

    def test_a_file_where_the_folder_should_be_is_said(self, tmp_path: Path, archive: Path, here: Here):
        (tmp_path / "file").write_text("mine")
        ended = self.search(here, archive, tmp_path / "file")
        assert (ended.code, ended.out) == (2, "")
        assert f"'{tmp_path}/file'" in ended.err
        assert (tmp_path / "file").read_text() == "mine"


def refusing_the_first():
    asked = []

    def refuse(training: object, counted: object) -> str | None:
        asked.append(counted)
        return "too large [by decree]" if len(asked) == 1 else None

    return refuse
