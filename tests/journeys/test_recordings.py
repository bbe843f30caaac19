"""Recordings from folders: searched as series are, predicted from files, and exported with how they are to be made."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
from terminal import TINY, Here

import amla
from amla.spec import ops, text
from amla.study.folder import BEST, read
from amla.study.trained import task_again, trained

KINDS = ("chirp", "noise", "tone")
RATE = 8000


def sounds(folder: Path, count: int, seed: int) -> Path:
    """Write as many tones, chirps and noises of any pitch, of 0.3 to 0.5 s, in several formats, into folders."""
    chance = np.random.default_rng(seed)
    for number in range(count):
        kind, rate = KINDS[number % 3], 11025 if number % 10 == 7 else RATE
        time = np.arange(int(rate * chance.uniform(0.3, 0.5))) / rate
        pitch = chance.uniform(300, 1500)
        samples = {
            "chirp": np.sin(2 * np.pi * (pitch + 2000 * time) * time),
            "noise": chance.normal(0, 0.5, len(time)),
            "tone": np.sin(2 * np.pi * pitch * time),
        }[kind]
        path = folder / kind / f"{number}.{('wav', 'flac', 'ogg')[number // 3 % 3]}"
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, 0.5 * samples + chance.normal(0, 0.02, len(time)), rate)
    return folder


@pytest.fixture
def done(tmp_path: Path, here: Here) -> Path:
    """Return the run folder of a search on recordings in parts."""
    sounds(tmp_path / "sounds" / "train", 60, 0)
    sounds(tmp_path / "sounds" / "test", 30, 1)
    found = here("search", "sounds", *TINY, "--set", "final.steps=80", "--run", "run")
    assert (found.code, found.err) == (0, "")
    assert "54 training, 6 validation and 30 test series of 64 × " in found.out
    assert re.search(r"note 90 recordings of 0.3\d* to 0.\d+ s become log-mel spectrograms of 64 bands", found.out)
    assert "those of another rate (9) are resampled" in found.out
    right = re.search(r"; (\d+) of 30 test series right", found.out)
    assert right
    assert int(right[1]) >= 24
    return tmp_path / "run"


def test_a_folder_of_recordings_is_searched_and_the_network_predicts_from_files(done: Path, here: Here, tmp_path: Path):
    network = text.load(done / BEST)
    assert {len(node.op.kernel) for node in network if isinstance(node.op, ops.Conv)} == {1}
    sounds(tmp_path / "more", 12, 2)
    shutil.rmtree(tmp_path / "sounds")  # how spectrograms are made is kept with the run
    told = here("predict", "run", "more", "--json")
    assert (told.code, told.err) == (0, "")
    lines = [json.loads(line) for line in told.out.splitlines()]
    assert sum(Path(line["file"]).parent.name == line["class"] for line in lines) >= 9
    by_name = here("predict", "run", *(line["file"] for line in lines), "--json")
    assert by_name.out == told.out
    (tmp_path / "more" / "bad.wav").write_bytes(b"RIFF")
    bad = here("predict", "run", "more")
    assert bad.code == 1
    assert "'more/bad.wav' cannot be read as a recording" in bad.err
    assert len(bad.out.splitlines()) == 12


def test_a_file_an_array_and_exported_source_say_the_same(done: Path, here: Here, tmp_path: Path):
    task = task_again(read(done), None)
    test = task.parts.test
    assert trained(done).sound == task.dataset.sound
    files = [path for kind in KINDS for path in sorted((tmp_path / "sounds" / "test" / kind).iterdir())]
    spectrograms = test.inputs.transpose(0, 2, 1)  # (n, bands, frames), as a series is given
    np.savez(tmp_path / "test.npz", series=spectrograms)
    from_files, from_array = (
        [line.split("\t")[1:] for line in here("predict", "run", *map(str, given)).out.splitlines()]
        for given in (files, ["test.npz"])
    )
    assert from_files == from_array
    assert len(from_files) == 30
    result = amla.load(done)
    assert np.array_equal(result.predict_proba(files), result.predict_proba(spectrograms))
    exported = here("export", "run", "--to", "source", "--to", "card")
    assert exported.code == 0
    said = "log-mel spectrograms of 64 bands"
    assert said in Path("run/export/card.md").read_text()
    assert said in " ".join(Path("run/export/network.py").read_text().split())
    program = (
        "import numpy as np, network, torch; values = torch.from_numpy(np.load('../../test.npz')['series']);"
        "print(network.predict(network.load('network.safetensors'), values).argmax(1).tolist())"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program], cwd=Path("run/export"), capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stderr
    assert [KINDS[place] for place in json.loads(ended.stdout)] == [line[0] for line in from_array]
