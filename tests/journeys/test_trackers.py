"""A search with trackers: it is shown while it runs and once; whatever happens to them, it does not notice."""

from pathlib import Path

import psutil
import pytest
from terminal import TINY, Here, apart, end, lines, started, wait_for

pytest.importorskip("tensorboard")
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

NOBODY = "http://127.0.0.1:9"  # the port "discard", where nothing listens
LONGER = (*TINY, "--set", "algorithm.steps=60", "--set", "recipe.batch=8")


def trackers(*given: str) -> tuple[str, str]:
    return "--set", f"trackers=[{', '.join(given)}]"


def scalars(folder: Path) -> dict[str, list[int]]:
    """Return the steps of every number in a folder of TensorBoard."""
    found = EventAccumulator(str(folder), size_guidance={"scalars": 0}).Reload()
    return {tag: [event.step for event in found.Scalars(tag)] for tag in found.Tags()["scalars"]}


def followers(folder: Path) -> list[psutil.Process]:
    """Return the processes that send runs below a folder."""
    return [
        process
        for process in psutil.process_iter(["cmdline", "cwd"])
        if "amla.study.following" in (process.info["cmdline"] or ()) and process.info["cwd"] == str(folder)
    ]


@pytest.fixture(autouse=True)
def _no_second_attempt(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")


def test_a_tracker_that_cannot_be_reached_is_a_notice(tmp_path: Path, archive: Path):
    where = trackers(f"{{kind: mlflow, uri: '{NOBODY}'}}", "{kind: tensorboard, folder: shown}")
    ended = apart(tmp_path, "search", str(archive), *TINY, *where)
    assert (ended.code, ended.err) == (0, "")
    assert "note not all was sent to mlflow: " in ended.out
    assert "amla track runs/shapes" in ended.out
    assert ended.accuracy
    (run,) = (tmp_path / "shown").iterdir()
    found = scalars(run)
    assert (found["search/accuracy"], found["test/accuracy"]) == ([0, 1], [0])
    assert not followers(tmp_path)


def test_a_search_that_was_killed_and_goes_on_is_shown_once(tmp_path: Path, archive: Path):
    where = trackers("{kind: tensorboard, folder: shown}")
    process = started(tmp_path, "search", str(archive), *LONGER, *where)
    try:
        wait_for(lambda: any(tmp_path.glob("shown/*/search/0/*")), process)
        wait_for(lambda: lines(tmp_path / "runs" / "shapes") >= 1, process)
    finally:
        end(process)
    wait_for(lambda: not followers(tmp_path))  # it sends what is left, and ends by itself
    ended = apart(tmp_path, "search", str(archive), *LONGER, *where)
    assert ended.code == 0
    (run,) = (tmp_path / "shown").iterdir()
    assert scalars(run)["search/accuracy"] == [0, 1]
    for trial in ("0", "1"):
        assert scalars(run / "search" / trial)["train/loss"] == [10, 20, 30, 40, 50, 60]


def test_a_finished_run_is_sent_afterwards(digits, here: Here, tmp_path: Path):
    ended = here("track", str(digits[0] / "runs" / "digits"), "--to", f"tensorboard:{tmp_path / 'shown'}")
    assert (ended.code, ended.err) == (0, "")
    assert ended.out.startswith("sent ")
    assert ended.out.endswith("trials, to tensorboard\n")
    (run,) = (tmp_path / "shown").iterdir()
    assert len(scalars(run)["test/accuracy"]) == 1


@pytest.mark.parametrize(
    ("to", "says"),
    [
        ((), "The study names no trackers"),
        (("--to", "wandb:x"), "'wandb:x' names no tracker"),
        (("--to", "tensorboard:"), "names no tracker"),
        (("--to", f"mlflow:{NOBODY}"), "mlflow did not take all of"),
    ],
)
def test_what_cannot_be_sent_is_told(to: tuple[str, ...], says: str, digits, here: Here):
    ended = here("track", str(digits[0] / "runs" / "digits"), *to)
    assert (ended.code, ended.out) == (2, "")
    assert says in ended.err


def test_what_is_no_run_is_told(here: Here):
    ended = here("track", "nowhere")
    assert ended.code == 2
    assert "'nowhere' is no run" in ended.err
