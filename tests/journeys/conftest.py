"""A place for runs away from what the machine's user has, and small made-up data of every kind."""

import sys
from pathlib import Path

import numpy as np
import pytest
from terminal import TINY, Ended, Here, apart, new_cache

from amla.cli import main

REFUSED = "tests do not use the network"


@pytest.fixture(autouse=True)
def _elsewhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("AMLA_DATA", raising=False)
    monkeypatch.delenv("COLUMNS", raising=False)
    monkeypatch.setenv("AMLA_CACHE", str(new_cache(tmp_path)))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")  # so there is no number of threads to be chosen

    def refuse(*_: object, **__: object) -> None:
        raise OSError(REFUSED)

    monkeypatch.setattr("amla.tasks.download.urlopen", refuse)


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Here:
    """Run a command in this process, which spares it the libraries' loading."""

    def run(*arguments: str) -> Ended:
        monkeypatch.setattr(sys, "argv", ["amla", *arguments])
        capfd.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        said = capfd.readouterr()
        assert "Traceback" not in said.err
        return Ended(int(ended.value.code or 0), said.out, said.err)

    return run


@pytest.fixture(scope="session")
def digits(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Ended]:
    """Return the folder in which a tiny search of the digits has ended, in runs/digits, and what it said."""
    folder = tmp_path_factory.mktemp("digits")
    return folder, apart(folder, "search", "digits", *TINY)


@pytest.fixture
def pictures() -> tuple[np.ndarray, np.ndarray]:
    """Return 60 grey images of 8x8 in 3 classes that are easy to tell apart, and their labels."""
    rng = np.random.default_rng(0)
    labels = np.arange(60) % 3
    images = rng.integers(0, 60, (60, 8, 8), dtype=np.uint8)
    for image, label in zip(images, labels, strict=True):
        image[:, 2 * label : 2 * label + 3] += 190
    return images, labels.astype(np.int64)


@pytest.fixture
def archive(tmp_path: Path, pictures: tuple[np.ndarray, np.ndarray]) -> Path:
    """Return an .npz file of the pictures."""
    np.savez(tmp_path / "shapes.npz", images=pictures[0], labels=pictures[1])
    return tmp_path / "shapes.npz"
