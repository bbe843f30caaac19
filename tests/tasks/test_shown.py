"""Images for a trained network become what it was trained on."""

from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from amla.tasks.dataset import DataError
from amla.tasks.load import load as load_dataset
from amla.tasks.shown import arrays, shown


def test_arrays_in_any_form_are_the_same_images():
    images = np.random.default_rng(0).integers(0, 256, (5, 8, 8, 3), dtype=np.uint8)
    for given in (images, images / 255, images.transpose(0, 3, 1, 2), images.astype(np.int64)):
        assert np.array_equal(arrays(given, (3, 8, 8)), images)
    assert arrays(images, (3, 4, 6)).shape == (5, 4, 6, 3)
    assert arrays(images[:0], (3, 8, 8)).shape == (0, 8, 8, 3)


def test_arrays_of_any_channels_are_as_the_network_reads_them(tmp_path: Path):
    images = np.random.default_rng(0).integers(0, 256, (5, 8, 8, 9), dtype=np.uint8)
    assert np.array_equal(arrays(images, (9, 8, 8)), images)
    assert np.array_equal(arrays(images.transpose(0, 3, 1, 2), (9, 8, 8)), images)
    assert np.array_equal(arrays(images[..., :4], (3, 8, 8)), images[..., :3])
    for given in (images, images[..., :3], images[..., 0]):
        with pytest.raises(DataError, match=r"has images of \d channels, but the network reads 2"):
            arrays(given, (2, 8, 8))
    Image.fromarray(images[0, :, :, :3]).save(tmp_path / "x.png")
    with pytest.raises(DataError, match="Give it an"):
        list(shown([tmp_path / "x.png"], (9, 8, 8)))


def test_colours_become_grey_as_in_files_and_grey_is_repeated(tmp_path: Path):
    images = np.random.default_rng(1).integers(0, 256, (1, 8, 8, 3), dtype=np.uint8)
    Image.fromarray(images[0]).save(tmp_path / "x.png")
    (part,) = shown([tmp_path / "x.png"], (1, 8, 8))
    assert np.abs(part.inputs.astype(int) - arrays(images, (1, 8, 8))).max() <= 1
    assert np.array_equal(arrays(images[..., 0], (3, 8, 8)), images[..., :1].repeat(3, axis=3))


def test_files_are_decoded_as_those_of_a_dataset(tmp_path: Path):
    rng = np.random.default_rng(2)
    for number in range(8):
        folder = tmp_path / "data" / "ab"[number % 2]
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (8, 6 + 2 * (number == 5), 3), dtype=np.uint8)).save(
            folder / f"{number}.png"
        )
    dataset = load_dataset(str(tmp_path / "data"), cache_dir=tmp_path / "cache")
    parts = list(shown([tmp_path / "data"], dataset.shape))
    assert np.array_equal(np.concatenate([part.inputs for part in parts]), dataset.train.inputs)


def test_what_cannot_be_read_is_named_and_all_else_is_kept(tmp_path: Path):
    Image.new("L", (8, 8), 7).save(tmp_path / "good.png")
    (tmp_path / "bad.png").write_bytes(b"none")
    np.savez(tmp_path / "some.npz", x_test=np.zeros((2, 8, 8), np.uint8), y_test=np.zeros(2))
    parts = list(shown([tmp_path / "good.png", tmp_path / "bad.png", tmp_path / "some.npz"], (1, 8, 8)))
    names = [name for part in parts for name in part.names]
    assert [Path(name).name for name in names] == ["good.png", "some.npz[0]", "some.npz[1]"]
    assert [Path(name).name for part in parts for name in part.unreadable] == ["bad.png"]


def test_an_archive_that_was_trained_on_is_looked_at(tmp_path: Path):
    rng = np.random.default_rng(3)
    train, test = (rng.integers(0, 256, (number, 8, 8), dtype=np.uint8) for number in (4, 2))
    np.savez(tmp_path / "both.npz", x_train=train, y_train=np.zeros(4), x_test=test, y_test=np.zeros(2))
    np.savez(tmp_path / "one.npz", x_train=train, y_train=np.zeros(4))
    both, one = shown([tmp_path / "both.npz", tmp_path / "one.npz"], (1, 8, 8))
    assert np.array_equal(both.inputs[..., 0], test)
    assert np.array_equal(one.inputs[..., 0], train)
    waves = np.ones((4, 1, 8), np.float32)
    np.savez(tmp_path / "waves.npz", series_train=waves, y_train=np.zeros(4))
    (part,) = shown([tmp_path / "waves.npz"], (1, 8))
    assert part.inputs.shape == (4, 8, 1)


def test_images_in_parquet_files_are_looked_at_without_labels(tmp_path: Path):
    pyarrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    data = []
    for number in range(3):
        stream = BytesIO()
        Image.new("L", (8, 8), 10 * number).save(stream, "PNG")
        data.append(stream.getvalue())
    (tmp_path / "data").mkdir()
    for name, rows in {"train-0.parquet": data[1:], "test-0.parquet": [data[0], b"none"]}.items():
        parquet.write_table(pyarrow.table({"img": pyarrow.array(rows, pyarrow.binary())}), tmp_path / "data" / name)
    Image.new("L", (8, 8), 50).save(tmp_path / "x.png")
    parts = list(shown([tmp_path / "x.png", tmp_path / "data"], (1, 8, 8)))
    assert [int(value) for part in parts for value in part.inputs[:, 0, 0, 0]] == [50, 0, 10, 20]
    names = [name for part in parts for name in part.names]
    assert names[1:] == ["row 0 of test-0.parquet", "row 0 of train-0.parquet", "row 1 of train-0.parquet"]
    assert [name for part in parts for name in part.unreadable] == ["row 1 of test-0.parquet"]
    (alone,) = shown([tmp_path / "data" / "train-0.parquet"], (1, 8, 8))
    assert len(alone.inputs) == 2


@pytest.mark.parametrize(
    ("write", "said"),
    [
        (lambda path: path.write_bytes(b"PK nothing"), "cannot be read as an .npz archive"),
        (lambda path: np.savez(path, a=np.zeros(3), b=np.zeros(3)), "call the images to be looked at 'images'"),
        (lambda path: np.savez(path, images=np.zeros((2, 8))), "but images are"),
        (lambda path: np.savez(path, images=np.full((2, 8, 8), -1.0)), "values from -1"),
        (lambda path: np.savez(path, images=np.array([None])), "Python objects"),
    ],
)
def test_archives_without_images_are_refused_in_words(tmp_path: Path, write, said: str):
    write(tmp_path / "x.npz")
    with pytest.raises(DataError, match=said):
        list(shown([tmp_path / "x.npz"], (1, 8, 8)))
