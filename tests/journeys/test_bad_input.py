"""What a user gets wrong: each time exit code 2, and a message that says where, which rule, which value."""

import json
from pathlib import Path

import numpy as np
import pytest
from terminal import TINY, Ended, Here
from test_kinds_of_data import Pictures, folders, png

from amla.spaces.envelope import envelope
from amla.spec import ops, text
from amla.spec.architecture import Architecture, Node
from amla.study.folder import read


def check_refused(ended: Ended, *parts: str) -> None:
    """Check that a command was refused, with all these parts in its message, before anything was written."""
    assert (ended.code, ended.out) == (2, "")
    assert ended.err.startswith("amla: ")
    for part in parts:
        assert part in ended.err
    assert not Path("runs").exists()


class TestData:
    def test_an_unknown_name_suggests_one(self, here: Here):
        check_refused(here("search", "digitz"), "'digitz' is neither", "Did you mean 'digits'?", "cifar10")

    def test_a_file_that_is_missing(self, here: Here):
        check_refused(here("search", "nothing/here.npz"), "'nothing/here.npz'", "nor a path that exists")

    def test_a_file_that_is_something_else(self, tmp_path: Path, here: Here):
        (tmp_path / "notes.txt").write_text("hello")
        check_refused(here("search", "notes.txt"), "'notes.txt' is no dataset", "Expected one of these")

    def test_one_class_only(self, tmp_path: Path, pictures: Pictures, here: Here):
        source = folders(tmp_path / "shapes", (pictures[0], np.zeros(60, np.int64)))
        check_refused(here("search", str(source)), "has only one class (shape0)", "two or more")

    @pytest.mark.parametrize("label", [-1, 7])
    def test_labels_out_of_range(self, label: int, tmp_path: Path, pictures: Pictures, here: Here):
        labels = pictures[1].copy()
        labels[5] = label
        np.savez(tmp_path / "shapes.npz", x_train=pictures[0], y_train=labels)
        check_refused(here("search", "shapes.npz"), "y_train", str(label))

    def test_a_published_dataset_that_is_nowhere_and_offline(self, here: Here, monkeypatch, tmp_path: Path):
        monkeypatch.setenv("AMLA_DATA", str(tmp_path / "empty"))
        ended = here("search", "cifar10")
        check_refused(ended, "'cifar10'", "downloading it failed", "by hand into", "AMLA_DATA", str(tmp_path / "empty"))


class TestUnreadableImages:
    @pytest.fixture
    def many(self, tmp_path: Path) -> Path:
        """Return a folder of 240 images in two classes."""
        rng = np.random.default_rng(0)
        for number in range(240):
            place = tmp_path / "shapes" / "train" / "ab"[number % 2]
            place.mkdir(parents=True, exist_ok=True)
            (place / f"{number}.png").write_bytes(png(rng.integers(0, 255, (6, 6), dtype=np.uint8)))
        return tmp_path / "shapes"

    def test_few_are_named_and_left_out(self, many: Path, here: Here):
        (many / "train" / "a" / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\nnonsense")
        ended = here("search", str(many), *TINY)
        assert ended.code == 0
        assert "note 1 of 241 images could not be read and were left out: train/a/broken.png." in ended.out

    def test_many_stop_it(self, many: Path, here: Here):
        for number in range(3):
            (many / "train" / "a" / f"broken{number}.png").write_bytes(b"nonsense")
        check_refused(here("search", str(many), *TINY), "3 of 243 images", "broken0.png", "Fewer than 1 in 100")


class TestSettings:
    @pytest.mark.parametrize("budget", ["soon", "10", "-5m", "0s", "1h 30", "", "9999999d", "9" * 400 + "d"])
    def test_a_budget_that_is_no_time(self, budget: str, here: Here):
        check_refused(here("search", "digits", f"--budget={budget}"), f"{budget!r} is no time")

    @pytest.mark.parametrize(
        ("setting", "parts"),
        [
            ("recipe.bach=3", ("'recipe.bach'", "'recipe' has batch, optimiser")),
            ("recipie.batch=3", ("'recipie'", "a study has name, data, recipe")),
            ("recipe.batch.size=3", ("'recipe.batch' is 64", "no settings of its own")),
            ("final.recipe.batch=3", ("'final.recipe' is None",)),
            ("recipe.batch", ("'recipe.batch' says no value",)),
            ("recipe.batch=[1", ("'recipe.batch=[1'", "no YAML")),
            ("recipe.batch=many", ("recipe.batch: ", "'many'")),
            ("recipe.batch=1", ("recipe.batch is 1", "2 or more")),
            ("algorithm.steps=x", ("algorithm.steps: ", "'x'")),
            ("algorithm.steps=0", ("algorithm.steps is 0", "1 or more")),
            ("algorithm.steps=null", ("algorithm.steps is not given",)),
            ("algorithm.share=1.5", ("algorithm.share is 1.5", "from 0 to 1")),
            ("algorithm.statistic=luck", ("There is no probe 'luck'", "msss")),
            ("algorithm.kind=magic", ("algorithm: ", "'magic'")),
            ("recipe.optimiser.kind=adam", ("recipe.optimiser: ", "'adam'")),
            ("recipe.optimiser.rate=fast", ("recipe.optimiser.rate: ", "'fast'")),
            ("limit.seconds=-1", ("limit.seconds is -1", "more than 0")),
            ("limit.seconds=.inf", ("limit.seconds is inf",)),
            ("limit.trials=0", ("limit.trials is 0", "1 or more")),
            ("trial_seconds=0", ("trial_seconds is 0", "more than 0")),
            ("space.width=3", ("width is 3", "6 or more")),
            ("space.cells=[9, 9]", ("stage 0 starts with 9 cells",)),
            ("space.branches=[4x4]", ("'4x4' names no odd kernel",)),
            ("data.validation=1.5", ("validation is 1.5", "less than 1")),
            ("data.size=[0, 4]", ("size is (0, 4)",)),
            ("seed=-1", ("seed is -1",)),
        ],
    )
    def test_a_setting_that_is_wrong_is_named(self, setting: str, parts: tuple[str, ...], archive: Path, here: Here):
        check_refused(here("search", str(archive), *TINY, "--set", setting), *parts)

    @pytest.mark.parametrize("device", ["gpu", "cuda:99", "meta"])
    def test_a_device_that_is_not_there(self, device: str, archive: Path, here: Here):
        check_refused(
            here("search", str(archive), *TINY, "--device", device), f"backend.device: '{device}' is no device"
        )

    def test_an_option_that_is_no_option(self, here: Here):
        ended = here("search", "digits", "--epochs", "3")
        assert ended.code == 2
        assert "--epochs" in ended.err

    def test_another_kind_brings_its_own_settings(self, archive: Path, here: Here):
        more = ("--set", "recipe.optimiser.kind=adamw", "--set", "recipe.optimiser.rate=1e-3")
        ended = here("search", str(archive), *TINY, *more)
        assert ended.code == 0
        optimiser = read(Path("runs/shapes")).study.recipe.optimiser
        assert (optimiser.kind, optimiser.rate) == ("adamw", 1e-3)


class TestStudyFiles:
    def test_one_that_is_missing(self, here: Here):
        check_refused(here("run", "study.yaml"), "There is no study 'study.yaml'")

    @pytest.mark.parametrize(
        ("written", "parts"),
        [
            ("name: [", ("no YAML in line 1",)),
            ("name: x\n", ("data: ",)),
            ("name: x\ndata: {source: digits}\n", ("algorithm.steps is not given",)),
            ("name: x\ndata: {source: digits, sourse: 1}\n", ("data.sourse: ",)),
            ("hello", ("the text: ",)),
            ("", ("the text: ",)),
        ],
    )
    def test_one_that_is_wrong_is_named(self, written: str, parts: tuple[str, ...], tmp_path: Path, here: Here):
        (tmp_path / "study.yaml").write_text(written)
        check_refused(here("run", "study.yaml"), "'study.yaml' is no study that can be run:", *parts)


class TestFixedArchitectures:
    """A study of networks that somebody wrote: each is checked before anything is trained."""

    @pytest.fixture
    def run(self, tmp_path: Path, archive: Path, here: Here):
        def search(network: dict | str) -> Ended:
            (tmp_path / "mine.json").write_text(network if isinstance(network, str) else json.dumps(network))
            (tmp_path / "study.yaml").write_text(
                f"name: mine\ndata: {{source: {archive}}}\nfinal: {{steps: 5}}\n"
                "algorithm: {kind: fixed, architectures: [mine.json], steps: 3}\n"
            )
            return here("run", "study.yaml")

        return search

    def test_one_that_fits_is_trained_and_tested(self, run):
        ended = run(network(shape=[1, 8, 8], classes=3))
        assert (ended.code, ended.err) == (0, "")
        assert "training 1 given network; run folder runs/mine\n" in ended.out
        assert ended.accuracy

    def test_a_cycle(self, run):
        wrong = network(shape=[1, 8, 8], classes=3)
        wrong["nodes"][1]["inputs"] = ["logits"]
        check_refused(run(wrong), "'mine.json'", "The nodes form a cycle", "head")

    def test_an_unknown_operation(self, run):
        wrong = network(shape=[1, 8, 8], classes=3)
        wrong["nodes"][1]["op"] = {"kind": "attention"}
        check_refused(run(wrong), "'mine.json': nodes[1].op", "'attention'")

    def test_shapes_that_do_not_fit_together(self, run):
        wrong = network(shape=[1, 8, 8], classes=3)
        wrong["nodes"][2]["inputs"] = ["image"]
        check_refused(run(wrong), "'mine.json': Node 'logits'", "a linear layer reads (features,)")

    @pytest.mark.parametrize(("shape", "classes"), [([3, 8, 8], 3), ([1, 9, 9], 3), ([1, 8, 8], 4)])
    def test_shapes_that_do_not_fit_the_data(self, shape: list[int], classes: int, run):
        check_refused(run(network(shape, classes)), "'mine.json' reads", "for these data it must read (1, 8, 8)")

    def test_one_that_is_still_open(self, run):
        template = envelope((1, 8, 8), 3, width=6, cells=(1,), max_cells=(2,)).space.template
        check_refused(run(text.to_json(template)), "'mine.json'", "is open: stage0/cell0")

    def test_a_file_that_is_missing(self, tmp_path: Path, run, here: Here):
        run(network(shape=[1, 8, 8], classes=3))
        (tmp_path / "mine.json").unlink()
        ended = here("run", "study.yaml", "--run", "other")
        assert ended.code == 2
        assert "There is no file 'mine.json'" in ended.err


def network(shape: list[int], classes: int) -> dict:
    """Return, as JSON has it, a network that averages and classifies."""
    nodes = (
        Node("image", ops.Input(tuple(shape))),
        Node("head", ops.GlobalPool("mean"), ("image",)),
        Node("logits", ops.Classify(classes), ("head",)),
    )
    return json.loads(text.to_json(Architecture(nodes)))
