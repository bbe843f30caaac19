"""Series in archives and in the text files of the UCR archive come out as they went in, and every mistake is named."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from amla.tasks.carved import parts
from amla.tasks.dataset import DataError, Dataset
from amla.tasks.load import load
from amla.tasks.readers import ucr
from amla.tasks.shown import arrays, shown

SERIES = np.random.default_rng(0).normal(-300, 200, (30, 2, 7)).astype(np.float32)
LABELS = np.arange(30) % 3
Load = Callable[[Path], Dataset]
Archive = Callable[..., Path]


@pytest.fixture
def opened(tmp_path: Path) -> Load:
    return lambda path: load(str(path), cache_dir=tmp_path / "cache")


def table(path: Path, values: np.ndarray, labels: list[str], between: str = "\t") -> Path:
    lines = [between.join([label, *map(repr, row.tolist())]) for row, label in zip(values, labels, strict=True)]
    path.write_text("\n".join(lines) + "\n")
    return path


class TestArchives:
    def test_values_and_labels_are_kept_with_channels_last(self, opened: Load, archive: Archive):
        found = opened(archive(series_train=SERIES, y_train=LABELS, series_test=SERIES[:6], y_test=LABELS[:6]))
        assert (found.shape, found.classes) == ((2, 7), ("0", "1", "2"))
        assert found.train.inputs.dtype == np.float32
        assert isinstance(found.train.inputs, np.memmap)
        np.testing.assert_array_equal(found.train.inputs, SERIES.transpose(0, 2, 1))
        assert found.test
        np.testing.assert_array_equal(found.test.inputs, SERIES[:6].transpose(0, 2, 1))
        np.testing.assert_array_equal(found.train.labels, LABELS)

    def test_two_axes_are_one_channel_and_whole_numbers_are_taken(self, opened: Load, archive: Archive):
        found = opened(archive(series=np.arange(60).reshape(6, 10), labels=LABELS[:6]))
        assert found.shape == (1, 10)
        assert found.train.inputs[5, :, 0].tolist() == list(range(50, 60))

    def test_parts_that_are_carved_keep_their_values(
        self, opened: Load, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, archive: Archive
    ):
        monkeypatch.setenv("AMLA_CACHE", str(tmp_path / "splits"))
        found = opened(archive(series_train=SERIES, y_train=LABELS))
        carved = [parts(found, validation=0.1, test=0.2, seed=1) for _ in range(2)]
        for which in ("train", "validation", "test"):
            once, again = (getattr(each, which).inputs for each in carved)
            assert once.dtype == np.float32
            np.testing.assert_array_equal(once, again)
        together = np.concatenate([carved[0].train.inputs, carved[0].validation.inputs, carved[0].test.inputs])
        np.testing.assert_array_equal(
            np.sort(together.reshape(30, -1), axis=0), np.sort(found.train.inputs.reshape(30, -1), axis=0)
        )

    @pytest.mark.parametrize(
        ("given", "said"),
        [
            ({"series_train": SERIES[:29], "y_train": LABELS}, "has 29 series, but y_train has 30 labels"),
            ({"series_train": SERIES[:0], "y_train": LABELS[:0]}, "there is no series in it"),
            ({"series_train": SERIES[..., None], "y_train": LABELS}, r"are \(n, channels, time\)"),
            ({"series_train": np.full((30, 9), "a"), "y_train": LABELS}, "series are of numbers"),
            (
                {"series_train": np.where(SERIES[4, 1, 2] == SERIES, np.nan, SERIES), "y_train": LABELS},
                r"series_train\[4\]",
            ),
            ({"series_train": np.full((30, 9), 1e300), "y_train": LABELS}, "missing .NaN. or too large"),
            (
                {"series_train": SERIES, "y_train": LABELS, "series_test": SERIES[:, :1], "y_test": LABELS},
                "series_test of .* has 1 channels of 7 values, but the training part 2 of 7",
            ),
            ({"x": SERIES, "y": LABELS}, "If these are series .n, channels, time., call them series_train"),
            ({"x": SERIES[:, 0], "y": LABELS}, "If these are series .n, channels, time., call them series"),
        ],
    )
    def test_mistakes_are_named(self, opened: Load, archive: Archive, given: dict[str, np.ndarray], said: str):
        with pytest.raises(DataError, match=said):
            opened(archive(**given))

    def test_series_have_no_size(self, tmp_path: Path, archive: Archive):
        path = archive(series_train=SERIES, y_train=LABELS)
        with pytest.raises(DataError, match="series, which keep their length"):
            load(str(path), cache_dir=tmp_path / "cache", size=(8, 8))


class TestTexts:
    @pytest.mark.parametrize("between", ["\t", ",", " ", " , "])
    def test_a_line_is_a_label_and_values(self, opened: Load, tmp_path: Path, between: str):
        labels = [str(label + 1) for label in LABELS]
        for part, count in (("TRAIN", 30), ("TEST", 9)):
            table(tmp_path / f"Waves_{part}.txt", SERIES[:count, 0], labels[:count], between)
        for named in (tmp_path, tmp_path / "Waves_TRAIN.txt", tmp_path / "Waves_TEST.txt"):
            found = opened(named)
            assert (found.name, found.classes, found.shape) == ("Waves", ("1", "2", "3"), (1, 7))
            np.testing.assert_array_equal(found.train.inputs[..., 0], SERIES[:, 0])
            assert found.test
            assert len(found.test.labels) == 9

    def test_labels_may_be_numbers_in_any_form_or_words(self, opened: Load, tmp_path: Path):
        table(tmp_path / "A_TRAIN.tsv", SERIES[:4, 0], ["-1.0000e+00", "1", "1.0", "-1"])
        assert opened(tmp_path / "A_TRAIN.tsv").classes == ("-1", "1")
        table(tmp_path / "B_TRAIN.tsv", SERIES[:2, 0], ["cat", "1"])
        assert opened(tmp_path / "B_TRAIN.tsv").classes == ("1", "cat")

    def test_channels_are_separated_by_colons(self, opened: Load, tmp_path: Path):
        (tmp_path / "C_TRAIN.ts").write_text(
            "#a comment\n@problemName C\n@timeStamps false\n@data\n1,2,3:4,5,6:walk\n-1,-2,-3:-4,-5,-6:run\n\n"
        )
        found = opened(tmp_path / "C_TRAIN.ts")
        assert (found.shape, found.classes) == ((2, 3), ("run", "walk"))
        assert found.train.inputs[0].tolist() == [[1, 4], [2, 5], [3, 6]]

    @pytest.mark.parametrize(
        ("name", "text", "said"),
        [
            ("D_TRAIN.tsv", "", "has no series in it"),
            ("D_TRAIN.tsv", "1\n", "Line 1 .* has a label, but no values"),
            ("D_TRAIN.tsv", "1\t2\t3\n2\t3\n", "series of 1 to 2 values"),
            ("D_TRAIN.tsv", "1\t2\tx\n", "Line 1 .* is no number"),
            ("D_TRAIN.tsv", "1\t2\tNaN\n2\t3\t4\n", r"D_TRAIN.tsv\[0\] of .* is missing"),
            ("D_TRAIN.ts", "@data\n1,?:a\n1,2:b\n", "is missing"),
            ("D_TRAIN.ts", "@data\n1,2:3:a\n1,2:3,4:b\n", "series of 1 to 2 values"),
            ("D_TRAIN.ts", "@data\n1,2\n", "a colon is missing"),
            ("D_TRAIN.ts", "@timestamps true\n@data\n", "has time stamps"),
            ("D_TEST.tsv", "1\t2\n", "lacks D_TRAIN.tsv"),
        ],
    )
    def test_mistakes_are_named(self, opened: Load, tmp_path: Path, name: str, text: str, said: str):
        (tmp_path / name).write_text(text)
        with pytest.raises(DataError, match=said):
            opened(tmp_path / name)

    def test_bytes_that_are_no_text(self, opened: Load, tmp_path: Path):
        (tmp_path / "D_TRAIN.tsv").write_bytes(b"\xff\xfe\x00")
        with pytest.raises(DataError, match="no text in UTF-8"):
            opened(tmp_path)

    def test_of_several_in_a_folder_one_must_be_named(self, opened: Load, tmp_path: Path):
        for name in ("A", "B"):
            table(tmp_path / f"{name}_TRAIN.tsv", SERIES[:4, 0], ["1", "2", "1", "2"])
        with pytest.raises(DataError, match="holds 2 datasets of series"):
            opened(tmp_path)
        assert opened(tmp_path / "A_TRAIN.tsv").name == "A"


class TestShown:
    def test_files_are_shown_as_in_training(self, opened: Load, tmp_path: Path, archive: Archive):
        path = table(tmp_path / "A_TRAIN.tsv", SERIES[:4, 0], ["1", "2", "1", "2"])
        (part,) = shown([path], (1, 7))
        np.testing.assert_array_equal(part.inputs, opened(path).train.inputs)
        assert part.names == tuple(f"{path}[{i}]" for i in range(4))
        (other,) = shown([archive(series=SERIES[:4, 0])], (1, 7))
        np.testing.assert_array_equal(other.inputs, part.inputs)

    def test_other_series_than_those_of_the_training_are_refused(self, tmp_path: Path):
        with pytest.raises(DataError, match="2 channels of 7 values; the network reads 1 of 7"):
            arrays(SERIES, (1, 7))
        with pytest.raises(DataError, match="is no file of series"):
            list(shown([tmp_path], (1, 7)))
        with pytest.raises(DataError, match=r"array.* is missing"):
            arrays(np.full((2, 7), np.nan), (1, 7))


def test_any_table_of_numbers_is_read_as_numpy_writes_it(tmp_path: Path):
    np.savetxt(tmp_path / "A_TRAIN.csv", np.column_stack([LABELS, SERIES[:, 0]]), delimiter=",")
    values, labels = ucr.read(tmp_path / "A_TRAIN.csv")
    np.testing.assert_array_equal(values[:, 0], SERIES[:, 0])
    assert labels == [str(label) for label in LABELS]
