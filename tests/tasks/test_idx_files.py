"""IDX files: plain or gzipped, and what can be wrong with their bytes."""

import gzip
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from amla.tasks.dataset import DataError, Dataset

Load = Callable[..., Dataset]
Put = Callable[[str, bytes], Path]

IMAGES = np.arange(4 * 3 * 5, dtype=np.uint8).reshape(4, 3, 5)
LABELS = np.array([0, 1, 1, 0], np.uint8)
TRAIN_IMAGES, TRAIN_LABELS = "train-images-idx3-ubyte", "train-labels-idx1-ubyte"


def idx(array: np.ndarray) -> bytes:
    return struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape) + array.tobytes()


@pytest.mark.parametrize("suffix", ["", ".gz"])
@pytest.mark.parametrize("test", ["t10k", "test"])
def test_both_parts(load: Load, put: Put, suffix: str, test: str) -> None:
    encode = gzip.compress if suffix else bytes
    put(TRAIN_IMAGES + suffix, encode(idx(IMAGES)))
    put(TRAIN_LABELS + suffix, encode(idx(LABELS)))
    put(f"{test}-images-idx3-ubyte{suffix}", encode(idx(IMAGES[:2])))
    root = put(f"{test}-labels-idx1-ubyte{suffix}", encode(idx(LABELS[:2])))
    data = load(str(root))
    assert data.test is not None
    assert (data.name, data.classes, data.shape) == ("data", ("0", "1"), (1, 3, 5))
    assert np.array_equal(data.train.inputs[..., 0], IMAGES)
    assert data.train.labels.tolist() == LABELS.tolist()
    assert np.array_equal(data.test.inputs[..., 0], IMAGES[:2])
    assert data.test.labels.tolist() == [0, 1]


def test_the_folder_may_lie_in_another(load: Load, put: Put) -> None:
    put(f"raw/{TRAIN_IMAGES}", idx(IMAGES))
    put("README.md", b"")
    data = load(str(put(f"raw/{TRAIN_LABELS}", idx(LABELS))))
    assert (data.name, len(data.train.labels)) == ("raw", 4)


@pytest.mark.parametrize(
    ("images", "labels", "expected"),
    [
        (idx(IMAGES), None, "lacks train-labels-idx1-ubyte \\(or .gz\\). Add the missing files"),
        (None, idx(LABELS), "lacks train-images-idx3-ubyte"),
        (
            idx(LABELS),
            idx(LABELS),
            "images-idx3-ubyte' starts with 00000801, but an IDX file of images .* with 00000803",
        ),
        (idx(IMAGES), b"", "labels-idx1-ubyte' starts with nothing, but an IDX file of labels .* starts with 00000801"),
        (idx(IMAGES)[:10], idx(LABELS), "images-idx3-ubyte' ends within its first 16 bytes"),
        (
            idx(IMAGES)[:-1],
            idx(LABELS),
            r"says that it holds \(4, 3, 5\) values, which is 60 bytes, but only 59 follow",
        ),
        (idx(IMAGES) + b"!", idx(LABELS), r"says that it holds \(4, 3, 5\) values, .* but more follow. Get it anew"),
        (idx(IMAGES), idx(LABELS[:3]), "has 4 images, but labels of '.*labels-idx1-ubyte' has 3 labels"),
        (idx(IMAGES[:0]), idx(LABELS[:0]), "there is no image in it"),
        (idx(IMAGES), idx(LABELS * 7), "goes up to 7, but 1 never occurs"),
    ],
)
def test_mistakes_are_named(load: Load, put: Put, images: bytes | None, labels: bytes | None, expected: str) -> None:
    for name, content in ((TRAIN_IMAGES, images), (TRAIN_LABELS, labels)):
        if content is not None:
            root = put(name, content)
    with pytest.raises(DataError, match=expected):
        load(str(root))


def test_test_alone_is_not_enough(load: Load, put: Put) -> None:
    put("t10k-images-idx3-ubyte", idx(IMAGES))
    with pytest.raises(DataError, match=r"lacks train-images-idx3-ubyte, train-labels-idx1-ubyte"):
        load(str(put("t10k-labels-idx1-ubyte", idx(LABELS))))


@pytest.mark.parametrize("damage", [lambda data: data[:-12], lambda data: data[:40] + b"\0" * 9, lambda _: b"no gzip"])
def test_damaged_gzip_files(load: Load, put: Put, damage: Callable[[bytes], bytes]) -> None:
    put(f"{TRAIN_IMAGES}.gz", damage(gzip.compress(idx(IMAGES))))
    with pytest.raises(DataError, match=r"train-images-idx3-ubyte.gz' is damaged .*Get it anew"):
        load(str(put(TRAIN_LABELS, idx(LABELS))))


def test_a_label_out_of_range_is_placed(load: Load, put: Put) -> None:
    put(TRAIN_IMAGES, idx(IMAGES))
    put(TRAIN_LABELS, idx(LABELS))
    put("t10k-images-idx3-ubyte", idx(IMAGES))
    with pytest.raises(
        DataError, match=r"labels\[2\] of '.*t10k-labels-idx1-ubyte' is 7, but there are 2 classes \(0 to"
    ):
        load(str(put("t10k-labels-idx1-ubyte", idx(np.array([0, 1, 7, 0], np.uint8)))))
