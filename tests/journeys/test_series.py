"""Series from text files and archives: searched, predicted and exported as images are."""

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from terminal import TINY, Here

from amla.spec import ops, text
from amla.study.folder import BEST, REPORT

LENGTH = 24


def waves(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return sines and saws of any phase, (count, 1, LENGTH), with noise, and which they are."""
    chance, kind = np.random.default_rng(seed), np.arange(count) % 2
    phase = (np.arange(LENGTH) / 8 + chance.random((count, 1))) % 1
    pure = np.where(kind[:, None], 2 * phase - 1, np.sin(2 * np.pi * phase))
    return (100 + 40 * pure + chance.normal(0, 4, pure.shape))[:, None], kind


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder of a dataset as the UCR archive has it."""
    for part, count in (("TRAIN", 60), ("TEST", 20)):
        values, kind = waves(count, count)
        np.savetxt(tmp_path / f"Waves_{part}.tsv", np.column_stack([kind + 1, values[:, 0]]), delimiter="\t")
    return tmp_path


def test_a_folder_of_series_is_searched_and_the_network_predicts_and_is_exported(folder: Path, here: Here):
    found = here("search", "Waves_TRAIN.tsv", *TINY, "--set", "final.steps=60", "--run", "run")
    assert (found.code, found.err) == (0, "")
    assert "54 training, 6 validation and 20 test series of 1 × 24, 2 classes" in found.out
    right = re.search(r"; (\d+) of 20 test series right", found.out)
    assert right
    assert int(right[1]) >= 16
    assert "image" not in found.out
    network = text.load(Path("run", BEST))
    assert {len(node.op.kernel) for node in network if isinstance(node.op, ops.Conv)} == {1}
    report = Path("run", REPORT).read_text()
    assert "test series right" in report
    values, kind = waves(10, 3)
    np.savez("more.npz", series=values)
    told = here("predict", "run", "more.npz", "--json")
    assert told.code == 0
    said = [json.loads(line)["class"] for line in told.out.splitlines()]
    assert sum(each == str(label + 1) for each, label in zip(said, kind, strict=True)) >= 8
    assert here("export", "run", "--to", "source").code == 0
    program = (
        "import numpy as np, network, torch; values = torch.from_numpy(np.load('../../more.npz')['series']);"
        "print(network.predict(network.load('network.safetensors'), values).argmax(1).tolist())"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program], cwd=Path("run/export"), capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stderr
    assert [str(number + 1) for number in json.loads(ended.stdout)] == said


def test_an_archive_of_series_with_channels_is_searched(tmp_path: Path, here: Here):
    values, kind = waves(60, 0)
    np.savez("data.npz", series=np.concatenate([values, -values, values**2], 1), labels=np.array(["sine", "saw"])[kind])
    found = here("search", "data.npz", *TINY, "--run", "run")
    assert (found.code, found.err) == (0, "")
    assert "test series of 3 × 24, 2 classes" in found.out
    again = here("search", "data.npz", *TINY, "--run", "run")
    assert again.accuracy == found.accuracy
