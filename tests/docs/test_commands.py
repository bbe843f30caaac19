"""Commands on the pages run, as they stand there but for what makes them small; or it is said here why they cannot."""

import re
import shlex
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile
from pages import PAGES, ROOT, blocks
from PIL import Image

from amla.cli import main
from amla.tasks.cache import folder as cache_folder

Command = tuple[str, str]  # of a page, as it stands there; and the last study before it on the page
KERNELS = cache_folder(None) / "native"  # which take long to compile
SMALL = {  # what is said besides, so that a command takes a second
    "search": "--plain --set algorithm.steps=2 --set final.steps=2 --set space.width=6",
    "run": "--plain --set algorithm.steps=2 --set final.steps=2",
    "audit": "--networks 4 --reference 4 --steps 2 --workers 0 --set space.width=6",
}
NAC = "--set algorithm.iterations=1"
SEVERAL = "--set limit.trials=3 --set executor.kind=inline"
ELSEWHERE = {  # what a command needs that is not here, or the tests that run such a command
    r"amla serve ": "serves until it is stopped: tests/journeys/test_services.py",
    r"amla probe-device --listen": "serves until it is stopped: tests/services/test_device.py",
    r"amla (studies|run .*--server)": "needs a server: tests/journeys/test_services.py",
    r"amla check-(generator|worker)": "need a service: tests/journeys/test_other_languages.py, test_worker_services.py",
    r"remote\.yaml": "needs a service: tests/journeys/test_other_languages.py",
    r"postgresql|/shared/runs": "needs a server: tests/journeys/test_many_machines.py",
    r"s3://": "needs an object store: tests/journeys/test_object_store.py",
    r"mlflow:http": "needs a server: tests/journeys/test_trackers.py",
    r"--workers ": "starts processes: tests/journeys/test_worker_processes.py",
    r"trackers=\[": "starts a process: tests/journeys/test_trackers.py",
    r"kind=ray": "starts Ray: tests/journeys/test_ray.py",
    r"backend\.devices=4": "needs four devices: tests/journeys/test_several_devices.py",
    r"amla chaos ": "takes minutes: tests/journeys/test_chaos.py",
    r"amla compare ": "takes minutes: tests/journeys/test_compare.py",
    r"amla bench ": "takes minutes: tests/cli/test_bench_command.py",
    r"--data-dir |nac-2018|darts\.yaml": "needs data: tests/journeys/test_tables.py, test_search_of_2018.py",
    r"amla import config\.nac|nac-topline": "needs a file that is not here; the next one on the page is",
    r"--to onnx": "takes long to load: tests/journeys/test_export.py",
    r"ECG200": "needs data that are not here: tests/journeys/test_series.py",
    r"\.\.\.": "is no command, but how one looks",
}


def commands(page: Path) -> Iterator[Command]:
    """Yield the commands of a page that can be run here."""
    study = ""
    for block in blocks(page):
        if block.says == "yaml" and "name:" in block.text:
            study = block.text
        for line in block.text.splitlines() if block.says == "sh" else ():
            if line.startswith("amla ") and not reason(line):
                yield line, study


def reason(line: str) -> str:
    """Return why a command is not run here; nothing if it is."""
    return next((why for pattern, why in ELSEWHERE.items() if re.search(pattern, line)), "")


RUN = {page: found for page in PAGES if (found := list(commands(page)))}


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder that has what the pages assume: images, arrays, and finished runs of the digits and of images."""
    folder = tmp_path_factory.mktemp("prepared")
    rng = np.random.default_rng(0)
    for number in range(24):
        image = folder / "photos" / ("dark", "light")[number % 2] / f"{number}.png"
        image.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 128, (8, 8, 3), dtype=np.uint8) + np.uint8(100 * (number % 2))).save(image)
    for name in ("new-photos", "new-digits"):
        shutil.copytree(folder / "photos" / "dark", folder / name)
    np.savez(folder / "mine.npz", images=rng.integers(0, 256, (24, 8, 8), dtype=np.uint8), labels=np.arange(24) % 2)
    np.savez(folder / "ages.npz", images=rng.integers(0, 256, (24, 8, 8), dtype=np.uint8), labels=np.arange(24) + 20)
    for number in range(24):
        recording = folder / "recordings" / ("robin", "wren")[number % 2] / f"{number}.wav"
        recording.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(recording, rng.normal(0, 0.1 + 0.1 * (number % 2), 1600), 8000)
    with pytest.MonkeyPatch.context() as patched:
        surroundings(patched, folder)
        KERNELS.mkdir(parents=True, exist_ok=True)
        (folder / "cache").mkdir()
        (folder / "cache/native").symlink_to(KERNELS)
        for data in ("digits", "photos"):
            assert said(patched, small(f"amla search {data}")) == 0
    return folder


@pytest.mark.parametrize("page", RUN, ids=lambda page: str(page.relative_to(ROOT)))
def test_the_commands_of_a_page_run(
    page: Path, prepared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
):
    shutil.copytree(prepared, tmp_path, dirs_exist_ok=True, symlinks=True)
    for name in ("docs", "studies", "tests"):
        (tmp_path / name).symlink_to(ROOT / name)
    surroundings(monkeypatch, tmp_path)
    for number, (line, study) in enumerate(RUN[page]):
        for name in re.findall(r"\s([\w-]+\.yaml)", line):
            if not (tmp_path / name).exists():
                (tmp_path / name).write_text(study, encoding="utf-8")
        words = small(line)
        if words[0] in ("search", "run") and "--run" not in words:
            words += ["--run", f"runs/{number}"]  # the run folder that is there already is another study's
        assert said(monkeypatch, words) == 0, f"{line}\n{capfd.readouterr().err}"


def test_what_is_not_run_is_on_a_page():
    lines = [
        line
        for page in PAGES
        for block in blocks(page)
        if block.says.startswith("sh")
        for line in [*block.text.splitlines()]
    ]
    for pattern, why in ELSEWHERE.items():
        assert any(re.search(pattern, line) for line in lines), pattern
        for name in re.findall(r"[\w/]+\.py", why):
            assert (ROOT / name).exists() or (ROOT / "tests/journeys" / name).exists(), name


def small(line: str) -> list[str]:
    """Return the words of a command, with what makes it small."""
    line = re.sub(r"--budget \w+", "--budget 3s", line)
    words = shlex.split(line)[1:]
    if words[0] == "run" and words[1].startswith("runs/"):
        return words  # of a run that is small
    words += SMALL.get(words[0], "").split()
    if words[0] in ("search", "run"):
        nac = "--algorithm" not in words and "kind" not in line
        words += (NAC if nac and words[0] == "search" else SEVERAL).split() if "--workers" not in words else []
    return words


def said(patched: pytest.MonkeyPatch, words: list[str]) -> int:
    """Run a command in this process, and return its exit code."""
    patched.setattr(sys, "argv", ["amla", *words])
    with pytest.raises(SystemExit) as ended:
        main()
    return int(ended.value.code or 0)


def surroundings(patched: pytest.MonkeyPatch, folder: Path) -> None:
    """Let commands run in a folder, with nothing of the user's."""
    patched.chdir(folder)
    patched.setenv("AMLA_CACHE", str(folder / "cache"))
    patched.setenv("OMP_NUM_THREADS", "1")
    patched.delenv("AMLA_DATA", raising=False)
    patched.delattr("amla.tasks.download.urlopen")  # nothing is downloaded
