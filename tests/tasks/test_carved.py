"""Carved parts: the same as without a cache, and one copy for all processes."""

from pathlib import Path

import numpy as np
import pytest

from amla.tasks import carved
from amla.tasks.carved import KEPT, parts
from amla.tasks.dataset import DataError, Dataset, Examples, Parts, split
from amla.tasks.load import load

SHARES = {"validation": 0.1, "test": 0.2, "seed": 0}


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Dataset:
    monkeypatch.setenv("AMLA_CACHE", str(tmp_path / "cache"))
    rng = np.random.default_rng(0)
    np.savez(tmp_path / "x.npz", images=rng.integers(0, 255, (60, 8, 8), dtype=np.uint8), labels=np.arange(60) % 3)
    return load(str(tmp_path / "x.npz"))


def check_equal(found: Parts, expected: Parts) -> None:
    for one, other in zip(each(found), each(expected), strict=True):
        assert one.inputs.dtype == other.inputs.dtype == np.uint8
        assert one.labels.dtype == other.labels.dtype == np.int64
        np.testing.assert_array_equal(one.inputs, other.inputs)
        np.testing.assert_array_equal(one.labels, other.labels)


def each(found: Parts) -> tuple[Examples, Examples, Examples]:
    return found.train, found.validation, found.test


def test_they_are_those_of_the_split_and_memory_mapped(data: Dataset):
    for _ in range(2):
        found = parts(data, **SHARES)
        check_equal(found, split(data, **SHARES))
        assert all(isinstance(part.inputs, np.memmap) for part in each(found))


def test_they_are_carved_once(data: Dataset, monkeypatch: pytest.MonkeyPatch):
    first = parts(data, **SHARES)
    monkeypatch.setattr(carved, "split", lambda *_, **__: pytest.fail("carved again"))
    check_equal(parts(data, **SHARES), first)


@pytest.mark.parametrize("other", [{"seed": 1}, {"validation": 0.2}, {"test": 0.1}])
def test_another_split_is_another_one(data: Dataset, other: dict[str, float]):
    parts(data, **SHARES)
    check_equal(parts(data, **SHARES | other), split(data, **SHARES | other))


def test_damaged_ones_are_carved_again(data: Dataset, tmp_path: Path):
    parts(data, **SHARES)
    for file in (tmp_path / "cache" / "splits").rglob("*.npy"):
        file.write_bytes(file.read_bytes()[:-1])
    check_equal(parts(data, **SHARES), split(data, **SHARES))


def test_only_the_newest_are_kept(data: Dataset, tmp_path: Path):
    found = [parts(data, **SHARES | {"seed": seed}) for seed in range(KEPT + 2)]
    assert len(list((tmp_path / "cache" / "splits").iterdir())) == KEPT
    check_equal(found[0], split(data, **SHARES))


def test_data_in_memory_stay_there(data: Dataset, tmp_path: Path):
    held = Dataset(data.name, "0", data.classes, Examples(np.array(data.train.inputs), data.train.labels), None, None)
    check_equal(parts(held, **SHARES), split(data, **SHARES))
    assert not (tmp_path / "cache" / "splits").exists()


def test_a_cache_that_cannot_be_written_does_no_harm(data: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("AMLA_CACHE", str(tmp_path / "file"))
    check_equal(parts(data, **SHARES), split(data, **SHARES))


def test_shares_that_make_no_sense_are_refused(data: Dataset):
    with pytest.raises(DataError, match="validation is 2"):
        parts(data, validation=2.0, test=0.2, seed=0)
