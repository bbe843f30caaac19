"""`amla search digits`: what it prints, what it leaves behind, and what `amla show` says of it at any time."""

import html
import os
import re
import shutil
import signal
import sys
import time
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file
from terminal import TINY, Ended, Here, apart, end, lines, started, wait_for

from amla.spec import text
from amla.spec.costs import buffers, shapes, weights
from amla.storage.records import Records
from amla.study.study import load
from amla.tasks.load import load as load_dataset
from amla.trials.snapshot import weight_name

FILES = {"study.yaml", "arrangement.json", "events.sqlite", "report.html", "best.arch.json"} | {
    "weights",
    "curves",
    "snapshots",
    "baselines",
}
LONG = ("--set", "algorithm.steps=100000", *TINY[2:])


class TestOutput:
    def test_it_says_what_was_found_and_what_came_out(self, digits):
        _, ended = digits
        assert (ended.code, ended.err) == (0, "")
        told = ended.out.splitlines()
        place = next(place for place, line in enumerate(told) if line.startswith("report "))
        first, (report, network, weights, use, take, *_) = told[0], told[place:]
        assert use == "to use it on new images: amla predict runs/digits IMAGES"
        assert take == "to take it elsewhere: amla export runs/digits"
        assert first == "digits: 1,295 training, 143 validation and 359 test images of 1 × 8×8, 10 classes"
        assert (report, network) == (
            "report   runs/digits/report.html",
            "network  runs/digits/best.arch.json",
        )
        assert weights == "weights  runs/digits/weights/best.safetensors"

    def test_it_says_the_test_accuracy_with_its_interval(self, digits):
        _, ended = digits
        found = re.search(
            r"^test accuracy (\d+\.\d\d)\s% \(95 % interval ([\d.]+)–([\d.]+)\s%; (\d+) of 359 test images right\)$",
            ended.out,
            re.MULTILINE,
        )
        assert found
        accuracy, low, high, right = map(float, found.groups())
        assert low <= accuracy <= high
        assert accuracy == round(100 * right / 359, 2)

    def test_its_table_has_a_row_for_every_construction_and_fits_80_columns(self, digits):
        _, ended = digits
        rows = ended.out.splitlines()
        head = next(place for place, row in enumerate(rows) if row.split()[:2] == ["pruned", "branches"])
        assert [row.split()[0] for row in rows[head + 1 : head + 3]] == ["0", "1"]
        assert all(len(row) <= 80 for row in rows[head : head + 3])
        assert "…" not in ended.out

    def test_no_line_is_broken(self, digits):
        _, ended = digits
        assert re.search(r"construction 0 of 1: .* params, .* MACs, validation .*\s%, .*\ss\n", ended.out)


class TestFolder:
    def test_it_holds_what_the_reference_says_and_nothing_unfinished(self, digits):
        folder = digits[0] / "runs" / "digits"
        assert {path.name for path in folder.iterdir()} == FILES
        assert not [path for path in folder.rglob("*") if path.name.startswith(".") or path.name.endswith(".tmp")]
        assert {phase.name for phase in (folder / "curves").iterdir()} == {"search", "baselines", "final"}
        assert sorted(path.name for path in folder.glob("curves/search/*")) == ["0.jsonl", "1.jsonl"]

    def test_the_study_is_whole_with_where_it_comes_from(self, digits):
        study = load(digits[0] / "runs" / "digits" / "study.yaml")
        assert (study.algorithm.steps, study.final.steps, study.space.width) == (3, 5, 6)
        assert study.provenance
        assert study.provenance.data == load_dataset("digits").fingerprint
        assert study.provenance.code.startswith("amla ")
        assert {"python", "numpy", "torch"} <= study.provenance.versions.keys()
        assert "not installed" not in study.provenance.versions.values()

    def test_the_network_is_closed_and_the_weights_are_named_and_shaped_as_the_specification_says(self, digits):
        folder = digits[0] / "runs" / "digits"
        network = text.load(folder / "best.arch.json")
        assert not network.is_open
        found = shapes(network)
        wanted = {}
        for node in network:
            source = found[node.inputs[0]] if node.inputs else ()
            roles = weights(node.op, source) | buffers(node.op, source)
            wanted |= {weight_name(node.id, role): shape for role, shape in roles.items()}
        stored = load_file(folder / "weights" / "best.safetensors")
        assert {name: array.shape for name, array in stored.items()} == wanted
        assert all(np.isfinite(array).all() for array in stored.values())

    def test_the_report_needs_nothing_else(self, digits):
        page = (digits[0] / "runs" / "digits" / "report.html").read_text(encoding="utf-8")

        class Links(HTMLParser):
            def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
                for name, target in attrs:
                    assert name not in ("src", "srcset", "poster"), (tag, name, target)
                    assert tag != "link"
                    assert name != "href" or (target or "").startswith("#")

        Links().feed(page)
        assert "default-src 'none'" in html.unescape(page)


class TestAgain:
    def test_the_same_command_prints_the_result_without_training(self, digits, here):
        folder, ended = digits
        os.chdir(folder)
        run = folder / "runs" / "digits"
        before = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
        again = here("search", "digits", *TINY)
        assert again.code == 0
        assert ended.out.endswith(again.out)
        assert {path: path.read_bytes() for path in run.rglob("*") if path.is_file()} == before

    def test_the_same_command_needs_no_pytorch_to_do_so(self, digits):
        code = "from amla.cli import main\ntry: main()\nfinally: import sys; assert 'torch' not in sys.modules"
        again = apart(digits[0], "-c", code, "search", "digits", *TINY, command=[sys.executable])
        assert (again.code, again.err) == (0, "")

    def test_a_report_that_was_deleted_is_written_again(self, digits, tmp_path, here):
        shutil.copytree(digits[0] / "runs", tmp_path / "runs")
        (tmp_path / "runs" / "digits" / "report.html").unlink()
        assert here("search", "digits", *TINY).accuracy == digits[1].accuracy
        assert (tmp_path / "runs" / "digits" / "report.html").is_file()

    def test_a_finished_run_is_shown_where_nothing_can_be_written(self, digits, tmp_path, here, monkeypatch):
        shutil.copytree(digits[0] / "runs", tmp_path / "runs")

        def refuse(*_: object) -> None:
            raise AssertionError("something was written")

        monkeypatch.setattr("amla.storage.folder.Folder.write", refuse)
        assert here("search", "digits", *TINY).accuracy == digits[1].accuracy

    def test_another_study_is_refused_with_the_differences(self, digits, here):
        os.chdir(digits[0])
        ended = here("search", "digits", *TINY, "--set", "recipe.batch=32", "--seed", "5")
        assert ended.code == 2
        assert "'runs/digits' holds another study" in ended.err
        assert "\n  recipe.batch: 64 there, 32 here\n  seed: 0 there, 5 here\n" in ended.err

    def test_a_folder_in_which_nothing_was_trained_is_no_obstacle(self, tmp_path, here, archive, monkeypatch):
        def cut(*_: object, **__: object) -> None:
            raise KeyboardInterrupt

        with monkeypatch.context() as patched:
            patched.setattr("amla.study.search.Search.run", cut)
            assert here("search", str(archive), *TINY, "--run", "run").code == 130
        assert here("search", str(archive), *TINY, "--run", "run", "--seed", "5").code == 0


class TestShow:
    def test_a_finished_run_shows_its_table_and_result(self, digits, here):
        os.chdir(digits[0])
        shown = here("show", "runs/digits")
        assert shown.code == 0
        assert digits[1].out.endswith(shown.out)

    def test_a_running_one_shows_how_far_it_is_and_is_not_disturbed(self, tmp_path, here):
        run = tmp_path / "runs" / "digits"
        process = started(tmp_path, "search", "digits", *LONG)
        try:
            wait_for(lambda: lines(run) > 0, process)
            shown = here("show", "runs/digits")
            before = lines(run)
            wait_for(lambda: lines(run) > before, process)
            assert process.poll() is None
        finally:
            end(process)
        assert shown.code == 0
        assert re.search(
            r"^construction 0 of 1  step \d+/100000  loss \d+\.\d+  accuracy [\d.]+\s%$", shown.out, re.MULTILINE
        )
        assert "running" in shown.out
        assert "cut off" not in shown.out
        self.check_cut_off(run, here)

    def check_cut_off(self, run: Path, here: Here) -> None:
        """Killed, it looks at first as if it ran; once it has been silent for long, it is said how to go on."""
        long_ago = time.time() - 1000
        for path in run.rglob("*"):
            os.utime(path, (long_ago, long_ago))
        shown = here("show", str(run))
        assert shown.code == 0
        assert "It has said nothing for 16" in shown.out
        assert f"amla run {run}/study.yaml --run {run}" in shown.out

    def test_one_that_has_no_events_yet(self, digits, tmp_path, here):
        shutil.copytree(digits[0] / "runs", tmp_path / "runs")
        (tmp_path / "runs" / "digits" / "events.sqlite").unlink()
        shown = here("show", "runs/digits")
        assert shown.code == 0
        assert "There is no result yet, and no trial runs." in shown.out

    @pytest.mark.parametrize("name", [".", "nowhere"])
    def test_what_is_no_run_is_said(self, name, here):
        shown = here("show", name)
        assert (shown.code, shown.out) == (2, "")
        assert shown.err == (
            f"amla: '{name}' is no run: it has no study.yaml. Name the folder that `amla search` or `amla run` wrote.\n"
        )

    def test_damaged_records_are_said(self, digits, tmp_path, here):
        shutil.copytree(digits[0] / "runs", tmp_path / "runs")
        (tmp_path / "runs" / "digits" / "events.sqlite").write_bytes(b"nonsense" * 1000)
        shown = here("show", "runs/digits")
        assert shown.code == 2
        assert "events.sqlite' is damaged, or is no SQLite database" in shown.err


class TestCutOff:
    def test_ctrl_c_ends_it_with_a_message_and_the_same_command_goes_on(self, tmp_path, archive, here):
        command = (
            "search",
            str(archive),
            *TINY,
            "--set=final.steps=400",
            "--run",
            "run",
        )  # it must not be over too soon
        process = started(tmp_path, *command)
        wait_for(lambda: lines(tmp_path / "run") > 0, process)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate()
        ended = Ended(process.returncode, out, err)
        assert ended.code == 130
        assert ended.err == "\namla: cut off. Start the same command again to go on.\n"
        assert "note stopping, once the report of what there is has been written" in ended.out
        assert (tmp_path / "run" / "report.html").is_file()
        assert here(*command).code == 0

    def test_a_search_that_was_cut_off_says_so_when_it_goes_on(self, tmp_path, here, archive, monkeypatch):
        told = Records.told

        def cut(records: Records, study: str, trial_id: int, outcome: object) -> None:
            told(records, study, trial_id, outcome)
            raise KeyboardInterrupt

        with monkeypatch.context() as patched:
            patched.setattr(Records, "told", cut)
            assert here("search", str(archive), *TINY).code == 130
        again = here("search", str(archive), *TINY)
        assert again.code == 0
        assert "going on with the search: 1 trial of it done before" in again.out
