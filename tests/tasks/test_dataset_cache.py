"""What is decoded once is opened afterwards, if it is still what was written; and nothing depends on it."""

import errno
import json
import os
import shutil
import time
from collections.abc import Callable
from io import BufferedWriter
from pathlib import Path

import numpy as np
import pytest

from amla.tasks import arrayfile, fingerprint
from amla.tasks.dataset import DataError, Dataset
from amla.tasks.load import load as load_dataset
from amla.tasks.readers import images

Load = Callable[..., Dataset]
Put = Callable[[str, bytes], Path]
Png = Callable[..., bytes]


@pytest.fixture
def root(put: Put, png: Png) -> Path:
    for number in range(6):
        put(f"{'ab'[number % 2]}/{number}.png", png(number + 1))
    return put("train.txt", b"")


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """One entry for each time that a chunk of images is decoded."""
    calls: list[int] = []
    decode = images.chunks

    def counted(*arguments: object) -> object:
        calls.append(1)
        return decode(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(images, "chunks", counted)
    return calls


def entry(cache: Path) -> Path:
    (found,) = (cache / "datasets").iterdir()
    return found


def check(data: Dataset) -> None:
    assert data.train.inputs[:, 0, 0, 0].tolist() == [1, 3, 5, 2, 4, 6]
    assert data.train.labels.tolist() == [0, 0, 0, 1, 1, 1]
    assert data.classes == ("a", "b")


def test_the_second_time_nothing_is_decoded(load: Load, root: Path, decoded: list[int]) -> None:
    first, second = load(str(root)), load(str(root))
    assert len(decoded) == 1
    for data in (first, second):
        check(data)
        assert isinstance(data.train.inputs, np.memmap)
        assert data.train.inputs.dtype == np.uint8
        assert data.train.inputs.flags.c_contiguous
        assert not data.train.inputs.flags.writeable
        assert data.train.labels.dtype == np.int64
    assert first.fingerprint == second.fingerprint


def test_the_files_are_plain_npy_files(load: Load, root: Path, cache: Path) -> None:
    check(load(str(root)))
    inputs = np.load(entry(cache) / "train-inputs.npy")
    assert (inputs.shape, inputs.dtype) == ((6, 4, 4, 1), np.uint8)
    assert sorted(file.name for file in entry(cache).iterdir()) == [
        "dataset.json",
        "train-inputs.npy",
        "train-labels.npy",
    ]


def test_the_fingerprint_is_of_names_and_contents(load: Load, root: Path, put: Put, png: Png, tmp_path: Path) -> None:
    first = load(str(root)).fingerprint
    shutil.copytree(root, tmp_path / "copy")
    assert load(str(tmp_path / "copy")).fingerprint == first
    put("a/0.png", png(77))
    second = load(str(root)).fingerprint
    (root / "a" / "0.png").rename(root / "a" / "1.png")
    third = load(str(root)).fingerprint
    assert len({first, second, third}) == 3


def test_the_fingerprint_never_changes_between_versions(put: Put, tmp_path: Path) -> None:
    put("a/1.bin", b"one")
    root = put("2.bin", b"")
    files = [root / "2.bin", root / "a" / "1.bin"]
    assert fingerprint.fingerprint(root, files, remembered_in=tmp_path) == "9edd0564524b9387fd400a72a554fe00"
    assert fingerprint.fingerprint(root, files[::-1], remembered_in=tmp_path) == "9edd0564524b9387fd400a72a554fe00"


def test_changed_data_are_decoded_again(load: Load, root: Path, put: Put, png: Png) -> None:
    load(str(root))
    put("a/0.png", png(99))  # of the same length, a moment later
    assert load(str(root)).train.inputs[0, 0, 0, 0] == 99


def test_settled_files_are_read_only_once(
    load: Load, root: Path, put: Put, png: Png, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fingerprint, "_SETTLED", 0)
    read: list[str] = []
    digest = fingerprint._content_digest
    monkeypatch.setattr(fingerprint, "_content_digest", lambda file: read.append(file.name) or digest(file))
    time.sleep(0.01)
    first = load(str(root)).fingerprint
    assert len(read) == 6
    assert load(str(root)).fingerprint == first
    assert len(read) == 6
    put("b/3.png", png(98))
    assert load(str(root)).fingerprint != first
    assert read[6:] == ["3.png"]


@pytest.mark.parametrize("content", [b"", b"{", b"[1]", b'{"a/0.png": 3}', b"\xff"])
def test_a_torn_memory_of_digests_is_not_trusted(load: Load, root: Path, cache: Path, content: bytes) -> None:
    first = load(str(root)).fingerprint
    (memory,) = (cache / "files").iterdir()
    memory.write_bytes(content)
    assert load(str(root)).fingerprint == first


def shorten(entry: Path) -> None:
    file = entry / "train-inputs.npy"
    file.write_bytes(file.read_bytes()[:-1])


def alter(entry: Path) -> None:
    file = entry / "train-inputs.npy"
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)
    os.utime(file, ns=(0, 0))


def alter_header(entry: Path) -> None:
    file = entry / "train-inputs.npy"
    file.write_bytes(file.read_bytes().replace(b"(6, 4, 4, 1)", b"(6, 1, 4, 4)"))


def change_description(**changes: object) -> Callable[[Path], None]:
    def change(entry: Path) -> None:
        description = json.loads((entry / "dataset.json").read_text())
        (entry / "dataset.json").write_text(json.dumps({**description, **changes}))

    return change


@pytest.mark.parametrize(
    "damage",
    [
        shorten,
        alter,
        alter_header,
        change_description(parts={"train": {}}),
        change_description(parts=None),
        change_description(classes=3),
        lambda entry: (entry / "train-labels.npy").unlink(),
        lambda entry: (entry / "dataset.json").unlink(),
        lambda entry: (entry / "dataset.json").write_text("{"),
        lambda entry: (entry / "dataset.json").write_text("[]"),
        lambda entry: shutil.rmtree(entry) or entry.write_text("a file"),
    ],
)
def test_damaged_entries_are_made_anew(
    load: Load, root: Path, cache: Path, decoded: list[int], damage: Callable[[Path], None]
) -> None:
    load(str(root))
    damage(entry(cache))
    data = load(str(root))
    check(data)
    assert data.notices == ()
    assert len(decoded) == 2
    check(load(str(root)))
    assert len(decoded) == 2
    entry(cache)  # nothing else is left in the folder


def test_a_copied_cache_is_used(root: Path, load: Load, cache: Path, tmp_path: Path, decoded: list[int]) -> None:
    load(str(root))
    shutil.copytree(cache, tmp_path / "copied", copy_function=shutil.copyfile)
    check(load_dataset(str(root), cache_dir=tmp_path / "copied"))
    assert len(decoded) == 1


def test_without_a_cache_folder_the_data_stay_in_memory(root: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    data = load_dataset(str(root), cache_dir=tmp_path / "file")
    check(data)
    assert not isinstance(data.train.inputs, np.memmap)
    (notice,) = data.notices
    assert notice.startswith(
        f"The cache folder '{tmp_path / 'file' / 'datasets'}' cannot be used (Not a directory): the"
    )
    assert "AMLA_CACHE" in notice


def test_with_a_full_disk_the_data_stay_in_memory(
    load: Load, root: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(arrayfile.ArrayFile, "append", full)
    data = load(str(root))
    check(data)
    assert "(No space left on device)" in data.notices[0]
    assert not list((cache / "datasets").iterdir())


def test_the_disk_may_become_full_at_the_very_end(
    load: Load, root: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Full(BufferedWriter):
        def flush(self) -> None:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    opener = Path.open
    monkeypatch.setattr(
        Path,
        "open",
        lambda self, mode="r", *a, **b: Full(opener(self, "xb", 0)) if mode == "xb" else opener(self, mode, *a, **b),
    )
    data = load(str(root))
    check(data)
    assert "(No space left on device)" in data.notices[0]
    assert not list((cache / "datasets").iterdir())


def test_images_left_out_are_left_out_in_memory_too(root: Path, put: Put, png: Png, tmp_path: Path) -> None:
    for number in range(100):
        put(f"a/x{number}.png", png(9))
    put("a/0.png", png(9, (64, 64))[:-30])
    (tmp_path / "file").write_text("no folder")
    data = load_dataset(str(root), cache_dir=tmp_path / "file")
    assert np.bincount(data.train.labels).tolist() == [102, 3]
    assert len(data.train.inputs) == 105
    assert "1 of 106 images could not be read and were left out: a/0.png." in data.notices


def test_another_process_may_be_faster(load: Load, root: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    replace = os.replace

    def late(source: Path, target: Path) -> None:
        if target.parent.name == "datasets" and not target.exists():
            shutil.copytree(source, target)
        replace(source, target)

    monkeypatch.setattr(os, "replace", late)
    data = load(str(root))
    check(data)
    assert data.notices == ()
    entry(cache)


def test_abandoned_folders_are_removed_after_a_day(load: Load, root: Path, cache: Path) -> None:
    old, new = cache / "datasets" / ".unfinished-old", cache / "datasets" / ".unfinished-new"
    for folder in (old, new):
        folder.mkdir(parents=True)
    os.utime(old, (0, 0))
    load(str(root))
    assert new.exists()
    assert not old.exists()


def test_the_environment_names_the_cache_folder(root: Path, tmp_path: Path) -> None:
    check(load_dataset(str(root)))
    assert entry(tmp_path / "default-cache").is_dir()


def test_without_any_setting_the_cache_is_in_the_home_folder(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AMLA_CACHE")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    check(load_dataset(str(root)))
    assert entry(tmp_path / "home" / ".cache" / "amla").is_dir()


def test_what_cannot_be_used_leaves_nothing_in_the_cache(load: Load, put: Put, png: Png, cache: Path) -> None:
    put("a/1.png", png(1, (64, 64)))
    with pytest.raises(DataError):
        load(str(put("b/1.png", png(1, (64, 64))[:-30])))
    assert not list((cache / "datasets").iterdir())
