"""A place for runs away from what the machine's user has, and small made-up images."""

from pathlib import Path

import pytest
from tiny import Pictures, made_up, new_cache


@pytest.fixture(autouse=True)
def _elsewhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("AMLA_DATA", raising=False)
    monkeypatch.setenv("AMLA_CACHE", str(new_cache(tmp_path)))


@pytest.fixture
def pictures() -> Pictures:
    """Return 60 grey images of 8x8 in 3 classes that are easy to tell apart, and their labels."""
    return made_up()
