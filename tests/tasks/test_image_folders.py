"""Folders of images: layouts, colours, sizes, and files that are no images."""

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from amla.tasks.dataset import DataError, Dataset

Load = Callable[..., Dataset]
Put = Callable[[str, bytes], Path]
Png = Callable[..., bytes]


def encoded(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def test_class_folders_without_parts(load: Load, put: Put, png: Png) -> None:
    for name, value in {"b/2.png": 20, "b/1.PNG": 10, "a/x.png": 1, "a/deep/er/y.png": 2, "c/z.png": 3}.items():
        root = put(name, png(value))
    put("a/notes.txt", b"not an image")
    put("a/._x.png", b"what a Macintosh leaves behind")
    data = load(str(root))
    assert data.name == "data"
    assert data.classes == ("a", "b", "c")
    assert data.train.labels.tolist() == [0, 0, 1, 1, 2]
    assert data.train.inputs[:, 0, 0, 0].tolist() == [1, 2, 10, 20, 3]
    assert data.train.inputs.shape == (5, 4, 4, 1)
    assert data.shape == (1, 4, 4)
    assert data.validation is None
    assert data.test is None
    assert data.notices == ()


@pytest.mark.parametrize("validation", ["val", "valid", "validation"])
def test_parts(load: Load, put: Put, png: Png, validation: str) -> None:
    for number, name in enumerate(["train/a/1", "train/b/2", "test/b/3", f"{validation}/a/4"]):
        root = put(f"{name}.png", png(number))
    data = load(str(root))
    assert data.test is not None
    assert data.validation is not None
    assert data.train.labels.tolist() == [0, 1]
    assert (data.test.labels.tolist(), data.test.inputs.max()) == ([1], 2)
    assert (data.validation.labels.tolist(), data.validation.inputs.max()) == ([0], 3)


def test_a_class_may_be_called_train(load: Load, put: Put, png: Png) -> None:
    put("train/1.png", png(1))
    assert load(str(put("bus/1.png", png(1)))).classes == ("bus", "train")


def test_folders_beside_the_parts_are_mentioned(load: Load, put: Put, png: Png) -> None:
    for name in ("train/a/1.png", "train/b/1.png", "test/unlabelled.png", "notes/a/1.png"):
        root = put(name, png(1))
    assert load(str(root)).notices == ("Folders without a folder for each class were left out: notes, test.",)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "BMP", "GIF", "WEBP", "TIFF"])
def test_kinds_of_images(load: Load, put: Put, png: Png, kind: str) -> None:
    suffix = kind.lower()
    put(f"a/1.{suffix}", png((200, 100, 50), (16, 16), kind))
    data = load(str(put(f"b/1.{suffix}", png((0, 0, 255), (16, 16), kind))))
    assert data.train.inputs.shape == (2, 16, 16, 3)
    assert np.abs(data.train.inputs[0].astype(int) - (200, 100, 50)).max() < 8


def test_one_coloured_image_makes_all_rgb(load: Load, put: Put, png: Png) -> None:
    put("a/1.png", png(7))
    data = load(str(put("b/1.png", png((1, 2, 3, 0)))))  # transparent: the colours count all the same
    assert data.train.inputs[:, 0, 0].tolist() == [[7, 7, 7], [1, 2, 3]]


def test_transparency_that_is_left_out_is_said_once(load: Load, put: Put, png: Png) -> None:
    put("a/1.png", png((1, 2, 3, 0)))
    put("a/2.png", png(7))
    put("a/3.gif", encoded(Image.new("P", (4, 4), 0), "GIF", transparency=0))
    root = str(put("b/1.png", encoded(Image.new("LA", (4, 4), (5, 9)))))
    for _ in "read", "kept":
        (notice,) = load(root).notices
        assert notice.startswith("3 of 4 images have transparency, which was left out")


def test_tiff_files_are_images_as_others_are(load: Load, put: Put) -> None:
    pages = [Image.new("RGB", (4, 4), (1, 2, 3)), Image.new("RGB", (8, 8))]
    put("a/pages.TIF", encoded(pages[0], "TIFF", save_all=True, append_images=pages[1:], compression="tiff_lzw"))
    deep = Image.fromarray(np.full((4, 4), 5 * 256 + 9, np.uint16))
    data = load(str(put("b/deep.tiff", encoded(deep, "TIFF"))))
    assert data.train.inputs[:, 0, 0].tolist() == [[1, 2, 3], [5, 5, 5]]
    put("b/real.tif", encoded(Image.new("F", (4, 4), 0.5), "TIFF"))
    with pytest.raises(DataError, match=r"1 of 3 images .* cannot be read: b/real.tif"):
        load(str(put("b/deep.tiff", encoded(deep, "TIFF"))))


def test_every_way_to_be_grey_has_one_channel(load: Load, put: Put) -> None:
    palette = Image.new("P", (4, 4), 5)
    palette.putpalette([value for value in range(256) for _ in range(3)])
    deep = Image.fromarray(np.full((4, 4), 5 * 256 + 9, np.uint16))
    for name, image in {
        "palette": palette,
        "deep": deep,
        "alpha": Image.new("LA", (4, 4), (5, 9)),
        "bits": Image.new("1", (4, 4), 1),
    }.items():
        put(f"a/{name}.png", encoded(image))
    data = load(str(put("b/plain.png", encoded(Image.new("L", (4, 4), 5)))))
    assert data.train.inputs.shape == (5, 4, 4, 1)
    assert data.train.inputs[:, 0, 0, 0].tolist() == [5, 255, 5, 5, 5]


def test_a_coloured_palette_becomes_rgb(load: Load, put: Put, png: Png) -> None:
    palette = Image.new("P", (4, 4), 1)
    palette.putpalette([0, 0, 0, 250, 120, 60])
    put("a/1.png", encoded(palette, transparency=b"\xff\x00"))
    data = load(str(put("b/1.png", png(9))))
    assert data.train.inputs[:, 0, 0].tolist() == [[250, 120, 60], [9, 9, 9]]


def test_sizes_become_the_most_common(load: Load, put: Put, png: Png) -> None:
    for number in range(3):
        put(f"a/{number}.png", png(50, (6, 4)))  # Pillow gives the width first
    put("b/1.png", png(50, (9, 9)))
    data = load(str(put("b/2.png", png(50, (3, 3)))))
    assert data.train.inputs.shape == (5, 4, 6, 1)
    assert (data.train.inputs == 50).all()
    assert data.notices == ("Images of 3 sizes were resized to 4x6: 2 of 5 had another size.",)


def test_sizes_become_the_one_asked_for(load: Load, put: Put, png: Png) -> None:
    put("a/1.png", png(50, (6, 4)))
    root = str(put("b/1.png", png(50, (6, 4))))
    data = load(root, size=(2, 3))
    assert data.train.inputs.shape == (2, 2, 3, 1)
    assert data.notices == ("Images of 4x6 pixels were resized to 2x3.",)
    assert load(root).shape == (1, 4, 6)
    assert load(root, size=(4, 6)).notices == ()
    assert load(root).fingerprint == data.fingerprint


def test_large_images_are_decoded_by_threads_in_order(load: Load, put: Put, png: Png) -> None:
    for number in range(40):
        put(f"a/{number:02}.png", png(number, (200, 200)))
    data = load(str(put("b/1.png", png(99, (200, 200)))), size=(2, 2))
    assert data.train.inputs[:, 0, 0, 0].tolist() == [*range(40), 99]


@pytest.fixture
def many(put: Put, png: Png) -> Path:
    for number in range(299):
        put(f"{'ab'[number % 2]}/{number:03}.png", png(number % 250, (3, 3)))
    return put("a/998.png", png(1, (3, 3)))


def test_a_few_unreadable_images_are_left_out(load: Load, many: Path, put: Put, png: Png) -> None:
    put("a/500.png", b"\x89PNG\r\n\x1a\nand then nothing")
    put("b/100.png", png(1, (64, 64))[:-30])  # its header can be read, its pixels cannot
    data = load(str(many))
    assert len(data.train.labels) == len(data.train.inputs) == 300
    notice = "2 of 302 images could not be read and were left out: a/500.png, b/100.png."
    assert notice in data.notices
    assert notice in load(str(many)).notices  # from the cache
    assert np.bincount(data.train.labels).tolist() == [151, 149]


def test_many_unreadable_images_are_an_error(load: Load, many: Path, put: Put) -> None:
    for number in range(7):
        put(f"a/bad{number}.png", b"")
    with pytest.raises(
        DataError,
        match=r"7 of 307 images in '.*data' cannot be read: a/bad0.png, .*, a/bad4.png and 2 more\. Fewer than 1",
    ):
        load(str(many))


def test_pixels_that_cannot_be_read_count_as_well(load: Load, put: Put, png: Png) -> None:
    put("a/1.png", png(1, (64, 64)))
    with pytest.raises(DataError, match=r"1 of 2 images .* cannot be read: b/1.png"):
        load(str(put("b/1.png", png(1, (64, 64))[:-30])))


def test_decompression_bombs_are_unreadable(
    load: Load, many: Path, put: Put, png: Png, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    put("a/warned.png", png(1, (11, 10)))
    put("b/refused.png", png(1, (100, 100)))
    assert (
        "2 of 302 images could not be read and were left out: a/warned.png, b/refused.png." in load(str(many)).notices
    )


def test_a_file_of_another_kind_is_not_opened_by_its_suffix(load: Load, many: Path, put: Put) -> None:
    put("a/really.png", encoded(Image.new("L", (3, 3)), "PPM"))
    assert "1 of 301 images could not be read and were left out: a/really.png." in load(str(many)).notices


def test_a_part_of_unreadable_images_is_an_error(load: Load, put: Put, png: Png) -> None:
    for number in range(120):
        put(f"train/{'ab'[number % 2]}/{number:03}.png", png(number, (3, 3)))
    with pytest.raises(DataError, match=r"no image of test in '.*data' can be read"):
        load(str(put("test/a/1.png", b"nothing")))


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["a/1.png"], r"has only one class \(a\), but there must be two or more"),
        (["train/a/1.png", "train/b/1.png", "test/c/1.png"], "test of '.*' has classes that train lacks: c. The cla"),
        (["train/a/1.png", "train/b/none.txt"], r"class 'b' of '.*' has no images to train on \(.png, .*\). Add some"),
        (["train/a/1.png", "train/b/1.png", "val/a/none.txt"], "validation of '.*' has no images. Add some, or rem"),
        (["test/a/1.png", "test/b/1.png"], "has test but no 'train' with a folder for each class"),
        (["train/a/1.png", "val/a/1.png", "valid/a/1.png"], "has both 'val' and 'valid' for validation. Keep one"),
        (["1.png", "2.png"], r"holds 2 images without classes \(1.png, 2.png\). Put them in a folder for each class"),
        (
            ["a/none.txt", "b/none.txt"],
            r"is no dataset .* a folder with 2 folders without images \(a, b\). Expected one",
        ),
        (
            ["x.csv", "y.csv", "README"],
            r"a folder with 2 files \(.csv\), 1 file \(no suffix\). Expected one of these:\n  a",
        ),
    ],
)
def test_folders_that_are_no_dataset(load: Load, put: Put, png: Png, names: list[str], expected: str) -> None:
    for name in names:
        root = put(name, png(1) if name.endswith(".png") else b"")
    with pytest.raises(DataError, match=expected):
        load(str(root))


def test_an_empty_folder(load: Load, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(
        DataError, match=r"empty' is no dataset that can be read: it is an empty folder. Expected one of"
    ):
        load(str(tmp_path / "empty"))
