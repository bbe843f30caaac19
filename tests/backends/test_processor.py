"""Caches are those of the highest level, each counted once however many cores share it."""

from pathlib import Path

import pytest

from amla.backends import processor
from amla.backends.processor import UNKNOWN_CACHE, last_level_cache


def cache(devices: Path, cpu: int, level: int, shared: str, size: str) -> None:
    folder = devices / f"cpu{cpu}" / "cache" / f"index{level}"
    folder.mkdir(parents=True)
    for name, text in (("level", str(level)), ("shared_cpu_list", shared), ("size", size)):
        (folder / name).write_text(f"{text}\n")


@pytest.mark.parametrize(("shared", "total"), [(("0-1", "0-1"), 32 << 20), (("0", "1"), 64 << 20)])
def test_caches_of_the_highest_level_are_summed_up(shared: tuple[str, str], total: int, tmp_path: Path):
    for cpu in (0, 1):
        cache(tmp_path, cpu, 2, str(cpu), "1024K")
        cache(tmp_path, cpu, 3, shared[cpu], "32M")
    assert last_level_cache(tmp_path) == total


def test_where_the_system_does_not_say_it_is_guessed(tmp_path: Path):
    assert last_level_cache(tmp_path) == UNKNOWN_CACHE
    cache(tmp_path, 0, 3, "0", "large")
    assert last_level_cache(tmp_path) == UNKNOWN_CACHE


def test_a_processor_has_a_name_and_a_description():
    assert processor.name()
    assert processor.description()
