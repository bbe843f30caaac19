"""Naming a dataset: what is understood, what is suggested, and what is told on the way."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from amla.tasks.dataset import DataError, Dataset

Load = Callable[..., Dataset]
Put = Callable[[str, bytes], Path]
Png = Callable[..., bytes]


@pytest.mark.parametrize(
    ("source", "suggestion"),
    [
        ("cifar-10", "Did you mean 'cifar10'?"),
        ("CIFAR10", "Did you mean 'cifar10'?"),
        ("fashion-mnist", "Did you mean 'fashion_mnist'?"),
        ("digit", "Did you mean 'digits'?"),
        ("no/such/folder", "Give one of the built-in names"),
        ("", "Give one of the built-in names"),
    ],
)
def test_unknown_names(load: Load, source: str, suggestion: str) -> None:
    with pytest.raises(DataError) as raised:
        load(source)
    message = str(raised.value)
    assert message.startswith(f"{source!r} is neither a built-in dataset nor a path that exists. {suggestion}")
    assert "(digits, cifar10, fashion_mnist)" in message
    for kind in ("CLASS/*.png", "train-*.parquet", "train-images-idx3-ubyte", ".npz", "cifar-10-binary.tar.gz"):
        assert kind in message


@pytest.mark.parametrize(("name", "kind"), [("data.csv", "a file of kind '.csv'"), ("data", "a file without a suffix")])
def test_files_of_another_kind(load: Load, tmp_path: Path, name: str, kind: str) -> None:
    (tmp_path / name).write_text("1,2,3")
    with pytest.raises(
        DataError, match=rf"{name}' is no dataset that can be read: it is {kind}. Expected one of these"
    ):
        load(str(tmp_path / name))


@pytest.mark.parametrize("size", [(8,), (8, 8, 3), (0, 8), (8, -1), (8.0, 8), ("8", "8"), ()])
def test_senseless_sizes(load: Load, size: tuple[object, ...]) -> None:
    with pytest.raises(DataError, match=r"size is \(.*\), but images have two lengths in pixels, both 1 or more"):
        load("digits", size=size)


def test_progress_counts_images(load: Load, put: Put, png: Png) -> None:
    for number in range(300):
        root = put(f"{'ab'[number % 2]}/{number}.png", png(1))
    calls: list[tuple[int, int]] = []
    load(str(root), progress=lambda done, total: calls.append((done, total)))
    assert calls == [(256, 300), (300, 300)]
    load(str(root), progress=lambda done, total: calls.append((done, total)))
    assert len(calls) == 2


def test_paths_may_start_in_the_home_folder(load: Load, put: Put, png: Png, monkeypatch: pytest.MonkeyPatch) -> None:
    put("a/1.png", png(1))
    root = put("b/1.png", png(1))
    monkeypatch.setenv("HOME", str(root.parent))
    assert load("~/data").name == "data"


def test_the_name_of_a_relative_path(load: Load, put: Put, png: Png, monkeypatch: pytest.MonkeyPatch) -> None:
    put("a/1.png", png(1))
    monkeypatch.chdir(put("b/1.png", png(1)))
    assert load(".").name == "data"


def test_files_that_may_not_be_read(load: Load, put: Put, png: Png, monkeypatch: pytest.MonkeyPatch) -> None:
    put("a/1.png", png(1))
    root = put("b/1.png", png(1))

    def refuse(file: Path, *_: object, **__: object) -> os.stat_result:
        raise PermissionError(13, "Permission denied", str(file))

    monkeypatch.setattr("amla.tasks.fingerprint._content_digest", refuse)
    with pytest.raises(DataError, match=r"a/1.png' cannot be read \(Permission denied\). Check that it is there and"):
        load(str(root))


def test_nothing_is_printed(load: Load, put: Put, png: Png, capfd: pytest.CaptureFixture[str]) -> None:
    put("a/1.png", png(1))
    load(str(put("b/1.png", png(1, (9, 9)))))
    assert capfd.readouterr() == ("", "")
