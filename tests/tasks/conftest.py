"""Small datasets of every kind, made where a test needs them, away from what the machine's user has."""

import io
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from amla.tasks.dataset import Dataset
from amla.tasks.load import load as load_dataset

Load = Callable[..., Dataset]


@pytest.fixture(autouse=True)
def _no_settings_of_the_user(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("AMLA_DATA", raising=False)
    monkeypatch.setenv("AMLA_CACHE", str(tmp_path / "default-cache"))

    def refuse(*_: object, **__: object) -> None:
        raise OSError("tests do not use the network")

    monkeypatch.setattr("amla.tasks.download.urlopen", refuse)


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


@pytest.fixture
def load(cache: Path) -> Load:
    return partial(load_dataset, cache_dir=cache)


@pytest.fixture
def png() -> Callable[..., bytes]:
    """Encode an image of one colour: an int is grey, three are RGB, four have alpha."""

    def encode(colour: int | tuple[int, ...] = 0, size: tuple[int, int] = (4, 4), kind: str = "PNG") -> bytes:
        mode = "L" if isinstance(colour, int) else {3: "RGB", 4: "RGBA"}[len(colour)]
        stream = io.BytesIO()
        Image.new(mode, size, colour).save(stream, kind)
        return stream.getvalue()

    return encode


@pytest.fixture
def put(tmp_path: Path) -> Callable[[str, bytes], Path]:
    """Write a file under a folder `data`; returns that folder."""

    def write(name: str, data: bytes) -> Path:
        file = tmp_path / "data" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)
        return tmp_path / "data"

    return write


@pytest.fixture
def archive(tmp_path: Path) -> Callable[..., Path]:
    """Write arrays to an .npz file; returns its path."""

    def write(**arrays: np.ndarray) -> Path:
        np.savez(tmp_path / "data.npz", **arrays)
        return tmp_path / "data.npz"

    return write
