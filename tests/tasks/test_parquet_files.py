"""Parquet files in the layout of Hugging Face: columns, class names, shards, and what can be missing."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from amla.tasks.dataset import DataError, Dataset

pyarrow = pytest.importorskip("pyarrow")
parquet = pytest.importorskip("pyarrow.parquet")

Load = Callable[..., Dataset]
Png = Callable[..., bytes]


@pytest.fixture
def shard(tmp_path: Path, png: Png) -> Callable[..., Path]:
    """Write a shard of images of these colours, in columns as given; returns the folder of all shards."""

    def write(
        name: str,
        colours: list[Any],
        labels: Any,
        *,
        classes: list[str] | None = None,
        struct: bool = True,
        label: str = "label",
        **more: Any,
    ) -> Path:
        images = [None if colour is None else png(colour) for colour in colours]
        kind = pyarrow.struct({"bytes": pyarrow.binary(), "path": pyarrow.string()}) if struct else pyarrow.binary()
        image = pyarrow.array([{"bytes": each, "path": None} for each in images] if struct else images, kind)
        table = pyarrow.table({"img": image, label: labels, **more})
        if classes:
            features = {"img": {"_type": "Image"}, label: {"names": classes, "_type": "ClassLabel"}}
            table = table.replace_schema_metadata({"huggingface": json.dumps({"info": {"features": features}})})
        file = tmp_path / "data" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        parquet.write_table(table, file, row_group_size=2)
        return tmp_path / "data"

    return write


Shard = Callable[..., Path]


def test_shards_of_all_parts_with_class_names(load: Load, shard: Shard) -> None:
    classes = ["zebra", "ant", "never seen"]
    shard("train-00000-of-00002.parquet", [1, 2, 3], [0, 1, 0], classes=classes)
    shard("train-00001-of-00002.parquet", [4, 5], [1, 1], classes=classes)
    shard("validation-00000-of-00001.parquet", [6], [1], classes=classes)
    data = load(str(shard("test-00000-of-00001.parquet", [7, 8], [1, 0], classes=classes)))
    assert data.validation is not None
    assert data.test is not None
    assert data.classes == ("zebra", "ant", "never seen")
    assert data.shape == (1, 4, 4)
    assert data.train.inputs[:, 0, 0, 0].tolist() == [1, 2, 3, 4, 5]
    assert data.train.labels.tolist() == [0, 1, 0, 1, 1]
    assert data.validation.labels.tolist() == [1]
    assert data.test.inputs[:, 0, 0, 0].tolist() == [7, 8]
    assert data.test.labels.tolist() == [1, 0]


@pytest.mark.parametrize("names", [["train.parquet", "test.parquet"], ["train/0.parquet", "test/0.parquet"]])
def test_other_names_of_files(load: Load, shard: Shard, names: list[str]) -> None:
    for number, name in enumerate(names):
        root = shard(name, [1, 2], [0, 1], extra=[number, number])
    data = load(str(root))
    assert data.test is not None
    assert len(data.train.labels) == len(data.test.labels) == 2


def test_files_without_parts_train(load: Load, shard: Shard) -> None:
    shard("a.parquet", [1, 2], ["cat", "ant"], struct=False)
    root = shard("b.parquet", [3], ["cat"], struct=False)
    data = load(str(root))
    assert data.classes == ("ant", "cat")
    assert data.train.labels.tolist() == [1, 0, 1]
    assert data.test is None
    data = load(str(root / "a.parquet"))
    assert data.name == "a"
    assert data.train.labels.tolist() == [1, 0]


def test_words_may_be_dictionaries(load: Load, shard: Shard) -> None:
    words = pyarrow.array(["b", "a", "b"]).dictionary_encode()
    assert load(str(shard("train.parquet", [1, 2, 3], words))).train.labels.tolist() == [1, 0, 1]


def test_colours(load: Load, shard: Shard) -> None:
    data = load(str(shard("train.parquet", [1, (9, 8, 7)], [0, 1])))
    assert data.train.inputs[:, 0, 0].tolist() == [[1, 1, 1], [9, 8, 7]]


def test_the_column_with_class_names_is_the_label(load: Load, shard: Shard) -> None:
    root = shard("train.parquet", [1, 2], [0, 1], classes=["x", "y"], label="kind", width=[4, 4], author=["me", "you"])
    assert load(str(root)).classes == ("x", "y")


def test_unreadable_images_are_named_by_row(load: Load, shard: Shard) -> None:
    shard("train-00000-of-00002.parquet", [7] * 200, [0, 1] * 100)
    root = shard("train-00001-of-00002.parquet", [7] * 60 + [None] + [7] * 39, [0, 1] * 50)
    data = load(str(root))
    assert len(data.train.labels) == 299
    assert data.notices == (
        "1 of 300 images could not be read and were left out: row 60 of train-00001-of-00002.parquet.",
    )


def test_a_missing_shard(load: Load, shard: Shard) -> None:
    shard("train-00000-of-00003.parquet", [1, 2], [0, 1])
    with pytest.raises(DataError, match=r"has 2 of the 3 files train-\*-of-00003.parquet. Add the missing ones"):
        load(str(shard("train-00002-of-00003.parquet", [1, 2], [0, 1])))


def test_files_of_no_part(load: Load, shard: Shard) -> None:
    shard("train.parquet", [1, 2], [0, 1])
    with pytest.raises(DataError, match=r"has parquet files for train, and others that name no part: extra-1.parquet"):
        load(str(shard("extra-1.parquet", [1, 2], [0, 1])))


def test_nothing_to_train_on(load: Load, shard: Shard) -> None:
    with pytest.raises(DataError, match=r"has parquet files for test, but none to train on. Name them train-"):
        load(str(shard("test.parquet", [1, 2], [0, 1])))


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({"labels": [0, None]}, r"label\[1\] of '.*train.parquet' is missing. Label it, or leave it out"),
        ({"labels": [0, -1]}, r"label\[1\] of '.*train.parquet' is -1, but labels are whole numbers from 0 up"),
        ({"labels": [0, 2], "classes": ["a", "b"]}, r"label\[1\] of '.*' is 2, but there are 2 classes \(0 to 1\)"),
        ({"labels": [True, False]}, "must have one column of labels .* but has no such column. Keep exactly one"),
        (
            {"labels": [0.5, float("nan")]},
            r"label\[1\] of '.*train.parquet' is missing \(NaN\) or infinite. Fill it in",
        ),
        ({"labels": [0, 1], "label": "a", "b": [0, 1]}, "of labels .* but has 2 such columns: a, b. Keep exactly one"),
        ({"labels": [0, 1], "other": [b"1", b"2"]}, r"of encoded images \(bytes\), but has 2 such columns: img, other"),
        ({"colours": [], "labels": pyarrow.array([], pyarrow.int64())}, "has no examples to train on. Add some"),
        ({"colours": [None, None], "labels": [0, 1]}, "2 of 2 images in '.*' cannot be read: row 0 of train.parquet"),
    ],
)
def test_mistakes_are_named(load: Load, shard: Shard, arguments: dict[str, Any], expected: str) -> None:
    with pytest.raises(DataError, match=expected):
        load(str(shard("train.parquet", **{"colours": [1, 2], **arguments})))


def test_a_wrong_label_is_placed_in_its_own_file(load: Load, shard: Shard) -> None:
    shard("train-00000-of-00002.parquet", [1, 2, 3], [0, 1, 0])
    with pytest.raises(DataError, match=r"label\[1\] of '.*train-00001-of-00002.parquet' is -7"):
        load(str(shard("train-00001-of-00002.parquet", [1, 2], [0, -7])))


def test_files_with_other_columns(load: Load, shard: Shard) -> None:
    shard("train.parquet", [1, 2], [0, 1])
    with pytest.raises(
        DataError, match=r"test.parquet' has no column 'label' as the first training file has, only img, y"
    ):
        load(str(shard("test.parquet", [1, 2], [0, 1], label="y")))


def test_files_that_are_no_parquet(load: Load, tmp_path: Path) -> None:
    (tmp_path / "train.parquet").write_bytes(b"PAR1 or so")
    with pytest.raises(DataError, match=r"train.parquet' cannot be read as a parquet file \(.*\). Get it anew"):
        load(str(tmp_path / "train.parquet"))


def test_a_damaged_file(load: Load, shard: Shard) -> None:
    file = shard("train.parquet", list(range(50)), [0, 1] * 25) / "train.parquet"
    content = bytearray(file.read_bytes())
    content[4:400] = bytes(396)
    file.write_bytes(content)
    with pytest.raises(DataError, match=r"train.parquet' is damaged \(.*\). Get it anew"):
        load(str(file))


def test_without_pyarrow(load: Load, shard: Shard, monkeypatch: pytest.MonkeyPatch) -> None:
    root = shard("train.parquet", [1, 2], [0, 1])
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(DataError, match=r"needs pyarrow, which is missing: pip install amla\[datasets\]"):
        load(str(root))


def test_without_pyarrow_what_was_decoded_can_be_used(
    load: Load, shard: Shard, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = shard("train.parquet", [1, 2], [0, 1])
    first = load(str(root))
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    assert np.array_equal(load(str(root)).train.inputs, first.train.inputs)
