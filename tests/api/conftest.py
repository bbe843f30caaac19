"""A place for runs away from what the machine's user has, and small made-up images."""

from pathlib import Path

import pytest
from tiny import Pictures, made_up

from amla.tasks.cache import folder as cache_folder

KERNELS = cache_folder(None) / "native"  # compiled kernels take long to compile


@pytest.fixture(autouse=True)
def _elsewhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("AMLA_DATA", raising=False)
    cache = tmp_path / "cache"
    cache.mkdir()
    KERNELS.mkdir(parents=True, exist_ok=True)
    (cache / "native").symlink_to(KERNELS)
    monkeypatch.setenv("AMLA_CACHE", str(cache))


@pytest.fixture
def pictures() -> Pictures:
    """Return 60 grey images of 8x8 in 3 classes that are easy to tell apart, and their labels."""
    return made_up()
