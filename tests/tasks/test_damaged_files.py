"""Whatever bytes a file holds, loading it succeeds or says what is wrong; nothing else is ever raised."""

import gzip
import io
import random
import tarfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from amla.tasks.dataset import DataError, Dataset

Load = Callable[..., Dataset]
Png = Callable[..., bytes]
IMAGES = np.arange(6 * 5 * 7, dtype=np.uint8).reshape(6, 5, 7)


def npz_files(_: Png) -> dict[str, bytes]:
    stream = io.BytesIO()
    np.savez_compressed(stream, x=IMAGES, y=np.array(list("abcabc")))
    return {"data.npz": stream.getvalue()}


def idx_files(_: Png) -> dict[str, bytes]:
    images = bytes((0, 0, 8, 3, 0, 0, 0, 6, 0, 0, 0, 5, 0, 0, 0, 7)) + IMAGES.tobytes()
    labels = bytes((0, 0, 8, 1, 0, 0, 0, 6, 0, 1, 0, 1, 0, 1))
    return {"train-images-idx3-ubyte": images, "train-labels-idx1-ubyte.gz": gzip.compress(labels, mtime=0)}


def cifar_files(_: Png) -> dict[str, bytes]:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as archive:
        for name in (*(f"data_batch_{number}.bin" for number in range(1, 6)), "test_batch.bin"):
            member = tarfile.TarInfo(name)
            member.size = 2 * 3073
            archive.addfile(member, io.BytesIO(bytes(3073) + b"\1" * 3073))
    return {"cifar-10-binary.tar.gz": stream.getvalue()}


def image_files(png: Png) -> dict[str, bytes]:
    return {f"{kind}/1.{kind.lower()}": png((9, 8, 7), (5, 5), kind) for kind in ("PNG", "JPEG", "GIF", "BMP", "WEBP")}


def damaged(data: bytes, chance: random.Random) -> bytes:
    content = bytearray(data)
    for _ in range(chance.choice((1, 1, 3))):
        position = chance.randrange(chance.choice((len(content), min(64, len(content)))))
        change = chance.randrange(4)
        if change == 0:
            del content[max(1, position) :]
        elif change == 1:
            content[position:position] = chance.randbytes(5)
        else:
            content[position] = chance.randrange(256)
    return bytes(content)


@pytest.mark.parametrize("files", [npz_files, idx_files, cifar_files, image_files])
def test_damaged_files(load: Load, tmp_path: Path, png: Png, files: Callable[[Png], dict[str, bytes]]) -> None:
    chance = random.Random(0)
    original = files(png)
    refused = 0
    for number in range(60):
        folder = tmp_path / str(number)
        victim = chance.choice(list(original))
        for name, data in original.items():
            file = folder / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(damaged(data, chance) if name == victim else data)
        message = outcome(load, folder / "data.npz" if "data.npz" in original else folder)
        refused += bool(message)
        assert not message or message[-1] == "."
    assert refused > 20


def outcome(load: Load, source: Path) -> str:
    """The message of the error, empty where the dataset could be loaded."""
    try:
        data = load(str(source))
    except DataError as error:
        return str(error)
    assert len(data.train.inputs) == len(data.train.labels)
    return ""
