"""Every kind of data that a path may lead to, searched to the end, and run again from the study that was written."""

import io
import os
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from terminal import TINY, Here

from amla.study.folder import read
from amla.study.result import result

Pictures = tuple[np.ndarray, np.ndarray]


def parquet(folder: Path, pictures: Pictures) -> Path:
    pyarrow = pytest.importorskip("pyarrow")
    writer = pytest.importorskip("pyarrow.parquet")
    folder.mkdir()
    encoded = [{"bytes": png(image), "path": None} for image in pictures[0]]
    table = pyarrow.table({"image": encoded, "label": pictures[1]})
    writer.write_table(table.slice(0, 45), folder / "train-00000-of-00001.parquet")
    writer.write_table(table.slice(45), folder / "test-00000-of-00001.parquet")
    return folder


def idx(folder: Path, pictures: Pictures) -> Path:
    folder.mkdir()
    for part, examples in (("train", slice(0, 45)), ("t10k", slice(45, None))):
        for what, array in (("images-idx3", pictures[0]), ("labels-idx1", pictures[1].astype(np.uint8))):
            chosen = array[examples]
            head = struct.pack(f">HBB{chosen.ndim}I", 0, 8, chosen.ndim, *chosen.shape)
            (folder / f"{part}-{what}-ubyte").write_bytes(head + chosen.tobytes())
    return folder


def folders(folder: Path, pictures: Pictures) -> Path:
    for number, (image, label) in enumerate(zip(*pictures, strict=True)):
        place = folder / "train" / f"shape{label}"
        place.mkdir(parents=True, exist_ok=True)
        (place / f"{number}.png").write_bytes(png(image))
    return folder


def npz(folder: Path, pictures: Pictures) -> Path:
    np.savez(folder, images=pictures[0], labels=pictures[1])
    return folder.with_suffix(".npz")


def png(image: np.ndarray) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(image).save(stream, "PNG")
    return stream.getvalue()


@pytest.mark.parametrize("make", [parquet, idx, folders, npz])
def test_each_kind_is_searched_and_its_study_can_be_run_again(
    make: Callable[[Path, Pictures], Path], tmp_path: Path, pictures: Pictures, here: Here
):
    source = make(tmp_path / "shapes", pictures)
    ended = here("search", str(source), *TINY)
    assert (ended.code, ended.err) == (0, "")
    assert ended.out.startswith("shapes: ")
    assert "images of 1 × 8×8, 3 classes\n" in ended.out
    again = here("run", "runs/shapes/study.yaml", "--run", "again")
    assert (again.code, again.accuracy) == (0, ended.accuracy)
    assert Path("again/best.arch.json").read_bytes() == Path("runs/shapes/best.arch.json").read_bytes()
    one, other = result(read(Path("again"))), result(read(Path("runs/shapes")))
    assert one
    assert other
    assert (one.architecture, one.tested) == (other.architecture, other.tested)


def test_a_table_among_classes_is_told_of_and_read_if_that_is_said(tmp_path: Path, pictures: Pictures, here: Here):
    source = folders(tmp_path / "shapes", pictures)
    names = sorted(path.relative_to(source / "train") for path in source.rglob("*.png"))
    lines = [f"{name},{number / 7:.3f}" for number, name in enumerate(names)]
    (source / "train" / "metadata.csv").write_text("\n".join(["file_name,weight", *lines]))
    ended = here("search", str(source), *TINY, "--run", "classes")
    assert ended.code == 0
    assert "3 classes\n" in ended.out
    assert "note The folders are classes, and the numbers in train/metadata.csv were left alone." in ended.out
    ended = here("search", str(source), *TINY, "--run", "numbers", "--labels", "numbers")
    assert ended.code == 0
    assert "1 number to be predicted (weight)" in ended.out


def test_images_of_several_sizes_are_brought_to_one_and_that_is_said(tmp_path: Path, pictures: Pictures, here: Here):
    source = folders(tmp_path / "shapes", pictures)
    (source / "train" / "shape0" / "large.png").write_bytes(png(np.zeros((20, 20), np.uint8)))
    ended = here("search", str(source), *TINY)
    assert ended.code == 0
    assert "note Images of 2 sizes were resized to 8x8" in ended.out


def test_another_size_is_taken_from_the_settings(archive: Path, here: Here):
    ended = here("search", str(archive), *TINY, "--set", "data.size=[4, 4]")
    assert ended.code == 0
    assert "images of 1 × 4×4" in ended.out


def test_other_data_in_the_settings_are_the_ones_that_are_used(tmp_path: Path, archive: Path, here: Here):
    images = np.random.default_rng(1).integers(0, 255, (40, 6, 6), dtype=np.uint8)
    np.savez(tmp_path / "others.npz", images=images, labels=np.arange(40) % 2)
    ended = here("search", str(archive), *TINY, "--set", f"data.source={tmp_path / 'others.npz'}")
    assert ended.code == 0
    assert "images of 1 × 6×6, 2 classes" in ended.out


class TestChangedData:
    @pytest.fixture
    def done(self, archive: Path, pictures: Pictures, here: Here) -> Path:
        """Return the archive after a search of it, and a change of one pixel since."""
        assert here("search", str(archive), *TINY).code == 0
        images = pictures[0].copy()
        images[7, 3, 3] ^= 1
        np.savez(archive, images=images, labels=pictures[1])
        later = archive.stat().st_mtime + 5
        os.utime(archive, (later, later))
        return archive

    def test_the_same_command_refuses_them(self, done: Path, here: Here):
        ended = here("search", str(done), *TINY)
        assert ended.code == 2
        assert f"The data '{done}' have changed since 'runs/shapes' was begun" in ended.err
        assert "Name another folder with --run" in ended.err

    def test_the_study_that_was_written_refuses_them_anywhere(self, done: Path, here: Here):
        ended = here("run", "runs/shapes/study.yaml", "--run", "again")
        assert ended.code == 2
        assert "The study was written for data with the fingerprint" in ended.err
        assert not Path("again").exists()

    def test_nothing_is_lost(self, done: Path, pictures: Pictures, here: Here):
        kept = {path: path.read_bytes() for path in Path("runs").rglob("*") if path.is_file()}
        here("search", str(done), *TINY)
        assert {path: path.read_bytes() for path in Path("runs").rglob("*") if path.is_file()} == kept
