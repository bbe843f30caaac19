"""NumPy archives: names, axes, ranges, and the labels beside them."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from amla.tasks.dataset import DataError, Dataset
from amla.tasks.readers.labels import Column, class_indices

Load = Callable[..., Dataset]
Archive = Callable[..., Path]

IMAGES = np.arange(6 * 5 * 7, dtype=np.uint8).reshape(6, 5, 7)
LABELS = np.array([0, 1, 2, 0, 1, 2])


@pytest.mark.parametrize("names", [("x_train", "y_train"), ("images", "labels"), ("x", "y")])
def test_names(load: Load, archive: Archive, names: tuple[str, str]) -> None:
    data = load(str(archive(**dict(zip(names, (IMAGES, LABELS), strict=True)))))
    assert data.name == "data"
    assert data.classes == ("0", "1", "2")
    assert data.shape == (1, 5, 7)
    assert np.array_equal(data.train.inputs[..., 0], IMAGES)
    assert data.train.labels.dtype == np.int64
    assert data.train.labels.tolist() == LABELS.tolist()
    assert data.validation is None
    assert data.test is None


def test_parts(load: Load, archive: Archive) -> None:
    parts = {"x_val": IMAGES[:2], "y_val": LABELS[:2], "x_test": IMAGES[3:], "y_test": LABELS[3:, None]}
    data = load(str(archive(x_train=IMAGES, y_train=LABELS.astype(np.float32), **parts)))
    assert data.validation is not None
    assert data.test is not None
    assert data.validation.labels.tolist() == [0, 1]
    assert data.test.labels.tolist() == [0, 1, 2]
    assert np.array_equal(data.test.inputs[..., 0], IMAGES[3:])


@pytest.mark.parametrize(
    ("shape", "expected"),
    [((6, 8, 9), (8, 9, 1)), ((6, 8, 9, 3), (8, 9, 3)), ((6, 3, 8, 9), (8, 9, 3)), ((6, 8, 9, 4), (8, 9, 4))],
)
def test_axes(load: Load, archive: Archive, shape: tuple[int, ...], expected: tuple[int, ...]) -> None:
    images = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    data = load(str(archive(images=images, labels=LABELS)))
    assert data.train.inputs.shape == (6, *expected)
    assert data.train.inputs.flags.c_contiguous
    if shape[1] == 3:
        images = images.transpose(0, 2, 3, 1)
    assert np.array_equal(data.train.inputs, images.reshape(6, 8, 9, -1))
    assert not data.notices


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ((6, 8, 9, 2), (8, 9, 2)),
        ((6, 2, 8, 9), (8, 9, 2)),
        ((6, 12, 13, 9), (12, 13, 9)),
        ((6, 9, 12, 13), (12, 13, 9)),
        ((6, 8, 8, 40), (8, 8, 40)),
        ((6, 40, 8, 8), (8, 8, 40)),
        ((6, 4, 9, 3), (4, 9, 3)),
    ],
)
def test_any_number_of_channels_is_kept_and_said(
    load: Load, archive: Archive, shape: tuple[int, ...], expected: tuple[int, ...]
) -> None:
    images = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    data = load(str(archive(x_train=images, y_train=LABELS, x_test=images, y_test=LABELS)))
    (notice,) = data.notices
    assert f"images of {expected[0]}x{expected[1]} pixels with {expected[2]} channels." in notice
    wanted = images if shape[1:] == expected else images.transpose(0, 2, 3, 1)
    assert np.array_equal(data.train.inputs, wanted)


@pytest.mark.parametrize("channels", [2, 4, 5])
def test_channels_are_resized_one_by_one(load: Load, archive: Archive, channels: int) -> None:
    images = np.random.default_rng(0).integers(0, 256, (6, 12, 14, channels), np.uint8)
    small = load(str(archive(images=images, labels=LABELS)), size=(6, 7)).train.inputs
    for channel in range(channels):
        alone = load(str(archive(images=images[..., channel], labels=LABELS)), size=(6, 7)).train.inputs
        assert np.array_equal(small[..., channel], alone[..., 0])


@pytest.mark.parametrize("dtype", [np.uint8, np.int64, np.float32, np.float64, np.float16])
def test_values_from_0_to_255(load: Load, archive: Archive, dtype: type) -> None:
    data = load(str(archive(images=IMAGES.astype(dtype), labels=LABELS)))
    assert np.array_equal(data.train.inputs[..., 0], IMAGES)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_values_from_0_to_1(load: Load, archive: Archive, dtype: type) -> None:
    test = {"x_test": (IMAGES == 0).astype(dtype), "y_test": LABELS}
    data = load(str(archive(x_train=IMAGES.astype(dtype) / 255, y_train=LABELS, **test)))
    assert data.test is not None
    assert np.array_equal(data.train.inputs[..., 0], IMAGES)
    assert np.array_equal(data.test.inputs[..., 0], (IMAGES == 0) * 255)


def test_truth_values_are_black_and_white(load: Load, archive: Archive) -> None:
    data = load(str(archive(images=IMAGES > 9, labels=LABELS)))
    assert np.array_equal(data.train.inputs[..., 0], (IMAGES > 9) * 255)


def test_words_as_labels(load: Load, archive: Archive) -> None:
    words = np.array(["cat", "dog", "ant", "cat", "dog", "ant"])
    data = load(str(archive(x_train=IMAGES, y_train=words, x_test=IMAGES, y_test=words[::-1])))
    assert data.test is not None
    assert data.classes == ("ant", "cat", "dog")
    assert data.train.labels.tolist() == [1, 2, 0, 1, 2, 0]
    assert data.test.labels.tolist() == [0, 2, 1, 0, 2, 1]


def test_resizing(load: Load, archive: Archive) -> None:
    flat = np.repeat(np.arange(6, dtype=np.uint8), 35).reshape(6, 5, 7)
    path = str(archive(x_train=flat, y_train=LABELS, x_test=flat[:, :4], y_test=LABELS))
    data = load(path)
    assert data.test is not None
    assert data.test.inputs.shape == (6, 5, 7, 1)
    assert data.test.inputs[:, 0, 0, 0].tolist() == [0, 1, 2, 3, 4, 5]
    assert data.notices == ("Images of 2 sizes were resized to 5x7: 6 of 12 had another size.",)
    assert load(path, size=(2, 2)).shape == (1, 2, 2)


def changed(values: np.ndarray, position: int, value: object) -> np.ndarray:
    values = values.copy()
    values[position] = value
    return values


@pytest.mark.parametrize(
    ("arrays", "expected"),
    [
        ({"pictures": IMAGES}, r"must hold x_train and y_train .*; it holds pictures. Rename its arrays"),
        ({}, "it holds nothing"),
        ({"x_train": IMAGES}, "has no y_train to go with x_train. Add it"),
        ({"x": IMAGES, "y": LABELS, "y_test": LABELS}, "has no x_test to go with y_test"),
        (
            {"x": IMAGES[:5], "y": LABELS},
            "x of '.*data.npz' has 5 images, but y of '.*' has 6 labels. There must be one",
        ),
        ({"x": IMAGES[:0], "y": LABELS[:0]}, r"x of '.*' has shape \(0, 5, 7\): there is no image in it"),
        ({"x": IMAGES[:, 0], "y": LABELS}, r"x of '.*' has shape \(6, 7\), but images are \(n, height, width\)"),
        (
            {"x": np.zeros((6, 3, 9, 3), np.uint8), "y": LABELS},
            r"has shape \(6, 3, 9, 3\), which may be .*. Transpose it to \(n, height, width, channels\)",
        ),
        ({"x": np.zeros((6, 40, 50, 60), np.uint8), "y": LABELS}, "Transpose it to .* at most 32 channels"),
        ({"x": IMAGES - 1.0, "y": LABELS}, "x of '.*' holds values from -1 to 208, but pixels are 0 to 255, or 0 to 1"),
        ({"x": IMAGES.astype(int) * 2, "y": LABELS}, "holds values from 0 to 418, but pixels are 0 to 255"),
        ({"x": np.full((6, 5, 7), np.nan), "y": LABELS}, "holds values from nan to nan"),
        ({"x": IMAGES.astype(complex), "y": LABELS}, "x of '.*' holds complex128 values, but pixels are numbers"),
        (
            {"x_train": IMAGES / 1.0, "y_train": LABELS, "x_test": IMAGES / 255, "y_test": LABELS},
            "x_test of '.*' goes from 0 to 1, but other images in it up to 255. Scale all alike",
        ),
        (
            {"x_train": IMAGES, "y_train": LABELS, "x_test": np.zeros((6, 5, 7, 3), np.uint8), "y_test": LABELS},
            r"x_test of '.*' has 3 channel\(s\), but the training images have 1. Give all of them the same",
        ),
        (
            {"x": IMAGES, "y": changed(LABELS, 3, -1)},
            r"y\[3\] of '.*data.npz' is -1, but labels are whole numbers from 0",
        ),
        (
            {"x_train": IMAGES, "y_train": LABELS, "x_test": IMAGES, "y_test": changed(LABELS / 1, 2, 1.5)},
            r"y_test\[2\] of '.*' is 1.5, but labels are whole numbers",
        ),
        ({"x": IMAGES, "y": changed(LABELS / 1, 4, np.nan)}, r"y\[4\] of '.*' is nan, but labels are whole numbers"),
        ({"x": IMAGES, "y": LABELS + 1}, "y of '.*' goes up to 3, but 0 never occurs. Number the 3 classes 0 to 2"),
        ({"x": IMAGES, "y": LABELS * 2}, "y of '.*' goes up to 4, but 1 never occurs"),
        ({"x": IMAGES, "y": LABELS * 0}, r"'.*data.npz' has only one class \(0\), but there must be two or more"),
        (
            {"x": IMAGES, "y": np.eye(6)},
            r"y of '.*' has shape \(6, 6\), .* one-hot labels, store labels.argmax\(axis=1\)",
        ),
        ({"x": IMAGES, "y": LABELS * 1j}, "y of '.*' holds complex128 values, but labels are whole numbers"),
        (
            {"x_train": IMAGES, "y_train": LABELS, "x_test": IMAGES, "y_test": changed(LABELS, 1, 12)},
            r"y_test\[1\] of '.*data.npz' is 12, but there are 3 classes \(0 to 2\). Relabel it, or leave it out",
        ),
        (
            {"x_train": IMAGES, "y_train": LABELS.astype(str), "x_test": IMAGES, "y_test": LABELS},
            "y_test of '.*' holds int64 values, but the training labels are words",
        ),
        (
            {"x_train": IMAGES, "y_train": LABELS.astype(str), "x_test": IMAGES[:2], "y_test": np.array(["1", "z"])},
            r"y_test\[1\] of '.*' is 'z', which is not among the 3 classes of the training labels \(0, 1, 2\)",
        ),
    ],
)
def test_mistakes_are_named(load: Load, archive: Archive, arrays: dict[str, np.ndarray], expected: str) -> None:
    with pytest.raises(DataError, match=expected):
        load(str(archive(**arrays)))


def test_pickles_are_not_loaded(load: Load, archive: Archive) -> None:
    path = archive(x=IMAGES, y=LABELS.astype(object))
    with pytest.raises(
        DataError, match=r"y of '.*' holds Python objects, which are never loaded as they could run code"
    ):
        load(str(path))


@pytest.mark.parametrize("data", [b"", b"PK\x03\x04 and no more", b"\x80\x04N."])
def test_files_that_are_no_archives(load: Load, tmp_path: Path, data: bytes) -> None:
    (tmp_path / "data.npz").write_bytes(data)
    with pytest.raises(DataError, match=r"data.npz' cannot be read as an .npz archive \(.*Write it anew"):
        load(str(tmp_path / "data.npz"))


def test_a_damaged_archive(load: Load, archive: Archive) -> None:
    path = archive(x=IMAGES, y=LABELS)
    content = bytearray(path.read_bytes())
    content[200] ^= 255
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"cannot be read as an .npz archive \(BadZipFile\)"):
        load(str(path))


def test_an_array_called_an_archive(load: Load, tmp_path: Path) -> None:
    np.save(tmp_path / "data.npy", IMAGES)
    (tmp_path / "data.npy").rename(tmp_path / "data.npz")
    with pytest.raises(DataError, match=r"cannot be read as an .npz archive"):
        load(str(tmp_path / "data.npz"))


@given(st.lists(st.integers(0, 6), min_size=2, max_size=50), st.permutations("qwertzu"))
def test_words_name_the_classes_they_are_indices_of(labels: list[int], words: list[str]) -> None:
    values = np.array([words[label] for label in labels])
    if len(set(labels)) > 1:
        classes, indices = class_indices({"train": Column("y", "here", values)})
        assert list(classes) == sorted(set(values.tolist()))
        assert [classes[index] for index in indices["train"]] == values.tolist()
