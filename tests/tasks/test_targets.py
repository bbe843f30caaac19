"""Numbers to be predicted: told from classes, read from every source, divided by seed, and standardised."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from amla.tasks.carved import parts
from amla.tasks.dataset import DataError, Dataset, split
from amla.tasks.findings import findings
from amla.tasks.recipe import Recipe
from amla.tasks.task import Task

Load = Callable[..., Dataset]
Png = Callable[..., bytes]
VALUES = np.random.default_rng(5).normal(70, 12, 40)


def labelled(folder: Path, labels: np.ndarray, **more: np.ndarray) -> str:
    images = np.random.default_rng(1).integers(0, 256, (len(labels), 6, 6), dtype=np.uint8)
    path = folder / "data.npz"
    np.savez(path, images=images, labels=labels, **more)
    return str(path)


def test_fractions_are_numbers_and_whole_ones_are_classes(load: Load, tmp_path: Path):
    found = load(labelled(tmp_path, VALUES))
    assert found.are_numbers
    assert found.classes == ("target",)
    assert np.array_equal(found.train.labels, VALUES[:, None])
    whole = load(labelled(tmp_path, (np.arange(40) % 2).astype(float)))
    assert not whole.are_numbers
    assert whole.train.labels.dtype == np.int64


def test_several_numbers_an_example_are_several_targets_and_one_hot_labels_are_none(load: Load, tmp_path: Path):
    found = load(labelled(tmp_path, np.stack([VALUES, np.round(VALUES)], axis=1)))
    assert found.classes == ("target 0", "target 1")
    assert found.train.labels.shape == (40, 2)
    with pytest.raises(DataError, match="one-hot"):
        load(labelled(tmp_path, np.eye(2)[np.arange(40) % 2]))


def test_whole_numbers_are_predicted_if_that_is_said(load: Load, tmp_path: Path):
    ages = np.random.default_rng(0).integers(18, 90, 40)
    with pytest.raises(DataError, match="--labels numbers"):
        load(labelled(tmp_path, ages))
    found = load(labelled(tmp_path, ages), labels="numbers")
    assert found.train.labels[:, 0].tolist() == ages.tolist()
    assert not load(labelled(tmp_path, np.arange(40) % 2)).are_numbers  # not what the cache has of numbers
    assert load(labelled(tmp_path, np.arange(40) % 2), labels="numbers").are_numbers


def test_what_cannot_be_is_refused(load: Load, tmp_path: Path):
    with pytest.raises(DataError, match=r"labels\[3\] of .* is missing"):
        load(labelled(tmp_path, np.where(np.arange(40) == 3, np.nan, VALUES)), labels="numbers")
    with pytest.raises(DataError, match="labels is classes"):
        load(labelled(tmp_path, VALUES), labels="classes")
    with pytest.raises(DataError, match="holds <U1 values, but numbers are to be predicted"):
        load(labelled(tmp_path, np.array(list("ab") * 20)), labels="numbers")
    with pytest.raises(DataError, match="Numbers are read from"):
        load("digits", labels="numbers")


def test_every_part_has_as_many(load: Load, tmp_path: Path):
    images = np.zeros((4, 6, 6), np.uint8)
    path = labelled(tmp_path, VALUES, x_test=images, y_test=np.zeros((4, 2)))
    with pytest.raises(DataError, match="has 2 numbers an example, but labels has 1"):
        load(path)


def test_a_table_of_files_and_numbers_is_read(load: Load, tmp_path: Path, png: Png):
    for part, count in (("train", 6), ("test", 3)):
        (tmp_path / part).mkdir()
        rows = ["file_name,age,weight"]
        for number in range(count):
            (tmp_path / part / f"{number}.png").write_bytes(png((number * 20, 0, 0)))
            rows.append(f"{number}.png,{number + 20},{number / 2}")
        (tmp_path / part / "table.csv").write_text("\n".join(rows) + "\n")
    found = load(str(tmp_path))
    assert found.classes == ("age", "weight")
    assert found.train.labels.tolist() == [[number + 20, number / 2] for number in range(6)]
    assert found.test is not None
    assert found.test.labels.shape == (3, 2)
    assert found.train.inputs[3, 0, 0, 0] == 60
    before = found.fingerprint
    table = tmp_path / "train" / "table.csv"
    table.write_text(table.read_text().replace("0.png,20,", "0.png,21,"))
    assert load(str(tmp_path)).fingerprint != before


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ("7.png,1.0", r"line 3 of .* names '7.png', which is not there"),
        ("../0.png,1.0", "not below the table's folder"),
        ("0.png,", "has no number in the column 'age'"),
        ("0.png,nan", "has no number in the column 'age'"),
        ("0.png,1,2", "has 3 columns, but the head has 2"),
    ],
)
def test_a_row_that_is_wrong_is_named(load: Load, tmp_path: Path, png: Png, row: str, expected: str):
    (tmp_path / "0.png").write_bytes(png((9, 9, 9)))
    (tmp_path / "table.csv").write_text(f"file_name,age\n0.png,30\n{row}\n")
    with pytest.raises(DataError, match=expected):
        load(str(tmp_path))


def test_a_table_beside_folders_of_classes_that_has_no_numbers_is_left_alone(load: Load, tmp_path: Path, png: Png):
    for name in ("cat", "dog"):
        (tmp_path / name).mkdir()
        for number in range(3):
            (tmp_path / name / f"{number}.png").write_bytes(png((number, 0, 0)))
    (tmp_path / "notes.csv").write_text("file_name,who\ncat/0.png,me\n")
    assert load(str(tmp_path)).classes == ("cat", "dog")


class TestTablesBesideClasses:
    @pytest.fixture(params=["", "train"])
    def root(self, tmp_path: Path, png: Png, request: pytest.FixtureRequest) -> Path:
        """Return a folder of two classes of three images, with a table of numbers beside them, in a part or not."""
        rows = ["file_name,age"]
        for name in ("cat", "dog"):
            folder = tmp_path / "pets" / request.param / name
            folder.mkdir(parents=True)
            for number in range(3):
                (folder / f"{number}.png").write_bytes(png((number, 0, 0)))
                rows.append(f"{name}/{number}.png,{number}")
        (tmp_path / "pets" / request.param / "metadata.csv").write_text("\n".join(rows))
        return tmp_path / "pets"

    def test_classes_are_kept_and_it_is_said_what_to_do_for_numbers(self, load: Load, root: Path):
        for _ in range(2):  # also when the images come from the cache
            found = load(str(root))
            assert (found.classes, found.are_numbers) == (("cat", "dog"), False)
            (said,) = [notice for notice in found.notices if "metadata.csv" in notice]
            assert "--labels numbers" in said
            assert "move the table away" in said
        assert load(str(root), labels="classes").classes == ("cat", "dog")

    def test_numbers_are_read_where_that_is_said(self, load: Load, root: Path):
        found = load(str(root), labels="numbers")
        assert found.classes == ("age",)
        assert found.train.labels[:, 0].tolist() == [0, 1, 2, 0, 1, 2]
        assert not found.notices

    def test_a_table_that_could_not_be_read_does_not_matter_to_classes(self, load: Load, root: Path):
        (table,) = root.rglob("metadata.csv")
        table.write_text(table.read_text() + "\ngone.png,7\n")
        assert load(str(root)).classes == ("cat", "dog")
        with pytest.raises(DataError, match=r"names 'gone.png', which is not there"):
            load(str(root), labels="numbers")
        table.write_text(f"file_name,story\ncat/0.png,{'long ' * 40_000}\n")
        assert not load(str(root)).notices


def test_folders_of_images_that_are_parts_are_no_classes(load: Load, tmp_path: Path, png: Png):
    for part in ("train", "test"):
        (tmp_path / part).mkdir()
        for number in range(4):
            (tmp_path / part / f"{number}.png").write_bytes(png((number, 0, 0)))
    rows = [f"{part}/{number}.png,{number}" for part in ("train", "test") for number in range(4)]
    (tmp_path / "table.csv").write_text("\n".join(["file,age", *rows]))
    assert load(str(tmp_path)).classes == ("age",)


def test_a_table_is_one_by_its_head_and_any_number_in_it(load: Load, tmp_path: Path, png: Png):
    (tmp_path / "0.png").write_bytes(png((9, 9, 9)))
    (tmp_path / "table.csv").write_text("file_name,age\n0.png,\n0.png,30\n")
    with pytest.raises(DataError, match=r"line 2 of .*table.csv' has no number in the column 'age'"):
        load(str(tmp_path))


@pytest.mark.parametrize("text", ["file_name,age\n0.png,{long}\n", "file_name,age\n0.png,1\n0.png,{long}\n"])
def test_a_cell_that_no_table_may_have_is_named(load: Load, tmp_path: Path, png: Png, text: str):
    (tmp_path / "0.png").write_bytes(png((9, 9, 9)))
    (tmp_path / "table.csv").write_text(text.format(long="9" * 140_000))
    with pytest.raises(DataError, match=r"line [23] of .*table.csv' .*field larger than field limit \(131072\)"):
        load(str(tmp_path))


def test_a_floating_point_column_of_parquet_is_predicted(load: Load, tmp_path: Path, png: Png):
    pyarrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    images = [png((number, 0, 0)) for number in range(8)]
    kinds = {
        "price": pyarrow.array(np.arange(8) * 1.0),
        "box": pyarrow.array([[number, number / 2] for number in range(8)], pyarrow.list_(pyarrow.float32())),
    }
    for name, column in kinds.items():
        parquet.write_table(pyarrow.table({"image": images, name: column}), tmp_path / "train.parquet")
        found = load(str(tmp_path))
        assert found.classes == (("price",) if name == "price" else ("box 0", "box 1"))
        assert found.train.labels[3].tolist() == ([3.0] if name == "price" else [3.0, 1.5])
        (tmp_path / "train.parquet").unlink()


def test_series_have_numbers_too(load: Load, tmp_path: Path):
    np.savez(tmp_path / "s.npz", series=np.random.default_rng(0).normal(size=(40, 2, 16)), labels=VALUES)
    found = load(str(tmp_path / "s.npz"))
    assert found.are_numbers
    assert found.shape == (2, 16)


def dataset(values: np.ndarray = VALUES) -> Dataset:
    from amla.tasks.dataset import Examples

    inputs = np.arange(len(values), dtype=np.uint8)[:, None, None, None] * np.ones((1, 4, 4, 1), np.uint8)
    return Dataset("made up", "0", ("weight",), Examples(inputs, values.reshape(len(values), -1)), None, None)


def test_a_split_is_by_seed_and_does_not_follow_the_values():
    one, same, other = (split(dataset(), seed=seed) for seed in (0, 0, 1))
    assert np.array_equal(one.test.labels, same.test.labels)
    assert not np.array_equal(one.test.labels, other.test.labels)
    assert [len(part.labels) for part in (one.train, one.validation, one.test)] == [28, 4, 8]
    for seed in range(4):  # values that are the very numbers that a split by class would draw
        values = np.random.default_rng(seed).random(200)
        found = split(dataset(values), seed=seed)
        assert abs(found.test.labels.mean() - values.mean()) < 0.15


def test_a_number_that_never_differs_is_refused_and_so_are_too_few_examples():
    with pytest.raises(DataError, match="'weight' of 'made up' is 3 for every training example"):
        split(dataset(np.full(10, 3.0)))
    with pytest.raises(DataError, match="has 5 training examples, but 6 or more are needed"):
        split(dataset(VALUES[:5]))
    once = np.where(np.arange(40) == split(dataset(np.arange(40.0))).test.labels[0, 0], 5.0, 3.0)  # in the test part
    with pytest.raises(DataError, match="is 3 for every training example"):
        split(dataset(once))
    twice = np.where(np.isin(np.arange(40.0), split(dataset(np.arange(40.0))).train.labels), np.arange(40), 3.0)
    with pytest.raises(DataError, match=r"is 3 for every validation example.*data\.split_seed"):
        split(dataset(twice))


def test_no_part_is_so_small_that_it_has_no_variance():
    for count in (6, 7, 12):
        parts = split(dataset(VALUES[:count]), validation=0.01, test=0.9)
        sizes = [len(part.labels) for part in (parts.train, parts.validation, parts.test)]
        assert sum(sizes) == count
        assert min(sizes) == 2


def test_learners_see_standardised_numbers_by_the_training_part_alone():
    task = Task(dataset(), split(dataset()), Recipe(16), "r2")
    fitted = task.fitting.labels
    assert fitted.dtype == np.float32
    assert fitted.mean() == pytest.approx(0, abs=1e-5)
    assert fitted.std() == pytest.approx(1, abs=1e-5)
    mean, deviation = task.targets
    held_out = task.held_out
    assert held_out is not None
    assert held_out.labels * deviation + mean == pytest.approx(task.parts.validation.labels, rel=1e-5)
    assert task.final().targets == task.targets
    assert len(task.final().fitting.labels) == 32


def test_a_carved_split_comes_back_from_the_cache_as_numbers(
    load: Load, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    def never(*asked: object, **how: object) -> None:
        raise AssertionError("it was carved again")

    path = labelled(tmp_path, VALUES)
    first = parts(load(path), validation=0.1, test=0.2, seed=0)
    monkeypatch.setattr("amla.tasks.carved.split", never)
    again = parts(load(path), validation=0.1, test=0.2, seed=0)
    assert np.array_equal(first.validation.labels, again.validation.labels)
    assert again.validation.labels.dtype == np.float64


def test_the_findings_say_what_is_predicted_so_that_classes_are_seen():
    (said,) = findings(Task(dataset(), split(dataset()), Recipe(16), "r2"))
    assert said.startswith("'weight' is a number to be predicted: ")
    assert "28 values" in said
    assert "classes" not in said
    few = dataset(np.tile([0.5, 1.5, 2.5], 20))
    (said,) = findings(Task(few, split(few), Recipe(16), "r2"))
    assert "if they are classes" in said
    values = np.append(np.random.default_rng(0).normal(size=200), 900.0)
    far = dataset(values)
    told = list(findings(Task(far, split(far, validation=0.05, test=0.05, seed=1), Recipe(16), "r2")))
    assert any("deviations from the mean" in line for line in told)
