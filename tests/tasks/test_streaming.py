"""Data that are read batch by batch are the same data: examples, what is said of them, and what is left out."""

import io
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from amla.tasks import streaming
from amla.tasks.carved import parts
from amla.tasks.dataset import DataError, Dataset, Examples
from amla.tasks.findings import findings
from amla.tasks.inputs import Filed
from amla.tasks.pictured import Pictured
from amla.tasks.recipe import Recipe
from amla.tasks.task import Task

Load = Callable[..., Dataset]
Put = Callable[[str, bytes], Path]
Png = Callable[..., bytes]
WAYS = {"never": np.memmap, "disk": Filed, "decode": Pictured}
GIVEN = {"size": (6, 6), "canvas": (8, 8)}


def photo(number: int, size: tuple[int, int] = (12, 10)) -> bytes:
    """Return a JPEG of (width, height) with something to see in it."""
    pixels = np.random.default_rng(number).integers(0, 255, (3, 4, 3), dtype=np.uint8)
    stream = io.BytesIO()
    Image.fromarray(pixels).resize(size).save(stream, "JPEG")
    return stream.getvalue()


@pytest.fixture
def folder(put: Put) -> Path:
    """Return a folder of 36 photographs in two classes, of two sizes, of which two are the same."""
    for number in range(36):
        put(f"{'ab'[number % 2]}/{number:02}.jpg", photo(max(number, 1), (12, 10) if number % 3 else (10, 14)))
    return put("b/35.jpg", photo(33))


@pytest.fixture
def shards(tmp_path: Path) -> Path:
    """Return a folder of parquet shards of such photographs."""
    pyarrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    (tmp_path / "shards").mkdir()
    for shard in range(2):
        of = range(18 * shard, 18 * shard + 18)
        images = [{"bytes": photo(number), "path": None} for number in of]
        table = pyarrow.table({"image": images, "label": [number % 2 for number in of]})
        parquet.write_table(table, tmp_path / "shards" / f"train-{shard:05}-of-00002.parquet", row_group_size=5)
    return tmp_path / "shards"


def task(data: Dataset) -> Task:
    return Task(data, parts(data, validation=0.2, test=0.2, seed=0), Recipe(4))


def each(of: Task) -> tuple[Examples, ...]:
    return of.parts.train, of.parts.validation, of.parts.test, of.final().fitting


def check_same(load: Load, source: Path, **given: object) -> dict[str, Dataset]:
    """Check that data are the same in all ways, and return them."""
    found = {way: load(str(source), stream=way, **given) for way in WAYS}
    tasks = {way: task(data) for way, data in found.items()}
    for way, kind in WAYS.items():
        assert isinstance(found[way].train.inputs, kind)
        assert tasks[way].digest == tasks["never"].digest
        assert tasks[way].moments == tasks["never"].moments
        assert tasks[way].shape == tasks["never"].shape
        said = [list(findings(tasks[way])) for way in (way, "never")]
        assert said[0] == said[1]
        for one, other in zip(each(tasks[way]), each(tasks["never"]), strict=True):
            np.testing.assert_array_equal(one.inputs[:], other.inputs[:])
            np.testing.assert_array_equal(one.labels, other.labels)
            assert one.size == other.size
    return found


@pytest.mark.parametrize("given", [{}, {"size": (5, 7)}, GIVEN])
def test_folders_are_the_same_in_all_ways(load: Load, folder: Path, given: dict[str, tuple[int, int]]):
    found = check_same(load, folder, **given)
    for way in WAYS:  # and opened again
        again = load(str(folder), stream=way, **given)
        np.testing.assert_array_equal(again.train.inputs[:], found[way].train.inputs[:])


def test_parquet_shards_are_the_same_in_all_ways(load: Load, shards: Path):
    check_same(load, shards, **GIVEN)


@pytest.mark.parametrize("given", [{}, GIVEN])
def test_numbers_to_be_predicted_are_the_same_in_all_ways(
    load: Load, put: Put, tmp_path: Path, given: dict[str, tuple[int, int]]
):
    names = [f"{number:02}.jpg" for number in range(30)]
    for number, name in enumerate(names):
        root = put(name, photo(number))
    rows = [f"{name},{30 + number},{number / 7}" for number, name in enumerate(names)]
    put("table.csv", "\n".join(["file_name,age,weight", *rows]).encode())
    for way, data in check_same(load, root, **given).items():
        of = task(data)
        assert of.are_numbers, way
        assert of.fitting.inputs is of.parts.train.inputs  # the labels alone are standardised
        assert of.fitting.size == given.get("size")
        np.testing.assert_allclose(of.fitting.labels.mean(0), 0, atol=1e-6)


def test_duplicates_are_found_without_the_images(load: Load, put: Put, png: Png):
    for number in range(20):
        root = put(f"{'ab'[number % 2]}/{number:02}.png", png(7))
    of = task(load(str(root), stream="disk"))
    assert [re.sub(r"of .*", "", said) for said in findings(of)] == ["4 ", "4 "]


def test_arrays_can_be_read_from_the_disk_but_not_decoded(load: Load, archive: Callable[..., Path]):
    images = np.random.default_rng(0).integers(0, 255, (20, 5, 5), dtype=np.uint8)
    path = archive(images=images, labels=np.arange(20) % 2)
    never, disk = (load(str(path), stream=way) for way in ("never", "disk"))
    np.testing.assert_array_equal(never.train.inputs[:], disk.train.inputs[:])
    with pytest.raises(DataError, match=r"holds arrays, which need no decoding. Choose 'disk'"):
        load(str(path), stream="decode")


def test_series_can_be_read_from_the_disk(load: Load, archive: Callable[..., Path]):
    series = np.random.default_rng(0).normal(size=(20, 2, 9)).astype(np.float32)
    path = archive(series=series, labels=np.arange(20) % 2)
    never, disk = (task(load(str(path), stream=way)) for way in ("never", "disk"))
    assert (never.digest, never.moments) == (disk.digest, disk.moments)
    assert isinstance(disk.dataset.train.inputs, Filed)


def test_what_fits_into_memory_is_mapped_and_nothing_is_said(load: Load, folder: Path):
    data = load(str(folder))
    assert isinstance(data.train.inputs, np.memmap)
    assert not [said for said in data.notices if "data.stream" in said]


def test_what_does_not_fit_into_memory_is_read_from_the_disk(load: Load, folder: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(streaming, "memory", lambda: 30_000)
    for _ in range(2):
        data = load(str(folder))
        assert isinstance(data.train.inputs, Filed)
        (said,) = [said for said in data.notices if "data.stream" in said]
        assert "decoded, more than a quarter of the memory that may be used" in said
        assert "they lie in the cache, and are read from the disk batch by batch" in said


def test_what_does_not_fit_onto_the_disk_is_decoded_anew(load: Load, folder: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(streaming, "memory", lambda: 30_000)
    monkeypatch.setattr(streaming, "_free", lambda _: 15_000)
    for _ in range(2):
        data = load(str(folder))
        assert isinstance(data.train.inputs, Pictured)
        (said,) = [said for said in data.notices if "data.stream" in said]
        assert "more of the cache's disk than there was: images are decoded anew for every batch" in said


def test_what_fits_nowhere_is_refused(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, load: Load):
    monkeypatch.setattr(streaming, "memory", lambda: 5_000)
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(DataError, match=r"more than the memory that may be used .* or let AMLA_CACHE name"):
        load(str(folder), cache_dir=tmp_path / "file" / "cache")


@pytest.mark.parametrize("way", WAYS)
def test_unreadable_images_are_named_and_left_out_in_all_ways(load: Load, put: Put, png: Png, way: str):
    for number in range(120):
        put(f"{'ab'[number % 2]}/{number:03}.png", png(number))
    root = put("a/050.png", png(9, (64, 64))[:-30])
    data = load(str(root), stream=way, size=(4, 4))
    assert data.train.inputs.shape == (119, 4, 4, 1)
    assert "1 of 120 images could not be read and were left out: a/050.png." in data.notices
    expected = [number for number in (*range(0, 120, 2), *range(1, 120, 2)) if number != 50]
    assert data.train.inputs[:][:, 0, 0, 0].tolist() == expected


def test_an_image_that_is_damaged_later_is_named(load: Load, folder: Path, shards: Path):
    data = load(str(folder), stream="decode")
    (folder / "a" / "04.jpg").write_bytes(b"no image")
    (folder / "a" / "06.jpg").unlink()
    assert data.train.inputs[np.array([0, 1])].shape[0] == 2
    for place, name in ((2, "a/04.jpg"), (3, "a/06.jpg")):
        with pytest.raises(DataError, match=f"'{name}' cannot be read any more, though it could"):
            data.train.inputs[np.array([0, place])]
    cached = load(str(shards), stream="decode").train.inputs
    assert isinstance(cached, Pictured)
    assert cached[np.array([35, 0])].shape[0] == 2


def test_a_canvas_is_covered_and_not_stretched(load: Load, put: Put):
    for number, size in enumerate(((40, 20), (20, 40), (20, 20))):
        picture = Image.new("L", size, 0)
        box = (size[0] // 2 - 5, size[1] // 2 - 5, size[0] // 2 + 5, size[1] // 2 + 5)
        picture.paste(255, box)
        stream = io.BytesIO()
        picture.save(stream, "PNG")
        root = put(f"{'ab'[number % 2]}/{number}.png", stream.getvalue())
    data = load(str(root), size=(8, 8), canvas=(20, 20))
    assert data.train.inputs.shape == (3, 20, 20, 1)
    assert data.shape == (1, 8, 8)
    for image in data.train.inputs[:]:
        assert (image[5:15, 5:15] == 255).all()
        assert image.sum() == 100 * 255


@pytest.mark.parametrize("size", [None, (9, 8), (8, 9)])
def test_a_canvas_smaller_than_the_size_is_refused(load: Load, folder: Path, size: tuple[int, int] | None):
    with pytest.raises(DataError, match=r"canvas is \(8, 8\), and size .* Give a size that is not larger"):
        load(str(folder), size=size, canvas=(8, 8))
    with pytest.raises(DataError, match=r"canvas is \(8,\), but images have two lengths"):
        load(str(folder), size=size, canvas=(8,))


def test_carved_parts_know_what_a_network_reads(load: Load, folder: Path, monkeypatch: pytest.MonkeyPatch):
    for given in (GIVEN, {**GIVEN, "canvas": (9, 9)}):
        assert {part.size for part in each(task(load(str(folder), **given)))} == {(6, 6)}
