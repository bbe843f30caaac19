"""The datasets known by name: found, downloaded, or missed with advice."""

import gzip
import hashlib
import io
import os
import pickle
import sys
import tarfile
from collections.abc import Callable
from dataclasses import replace
from email.message import Message
from pathlib import Path

import numpy as np
import pytest

from amla.tasks import builtin
from amla.tasks.dataset import DataError, Dataset
from amla.tasks.readers.cifar import CLASSES

Load = Callable[..., Dataset]

TRAIN = tuple(f"data_batch_{number}.bin" for number in range(1, 6))
REAL = Path(os.environ.get("AMLA_DATA", "nowhere"))
real = pytest.mark.skipif("AMLA_DATA" not in os.environ, reason="AMLA_DATA is not set")


def records(count: int = 20, *, start: int = 0) -> bytes:
    """CIFAR-10 records whose planes are start, start + 1, start + 2; labels 0 to 9 and over again."""
    pixels = np.repeat(np.arange(start, start + 3, dtype=np.uint8), 1024)
    return b"".join(bytes([number % 10]) + pixels.tobytes() for number in range(count))


def cifar_files() -> dict[str, bytes]:
    return {**{name: records(start=10 * number) for number, name in enumerate(TRAIN)}, "test_batch.bin": records(10)}


def cifar_archive(files: dict[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as archive:
        for name, data in files.items():
            member = tarfile.TarInfo(f"cifar-10-batches-bin/{name}")
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return stream.getvalue()


def fashion_files(classes: int = 10) -> dict[str, bytes]:
    images = bytes((0, 0, 8, 3, 0, 0, 0, classes, 0, 0, 0, 2, 0, 0, 0, 2)) + bytes(range(4 * classes))
    labels = bytes((0, 0, 8, 1, 0, 0, 0, classes)) + bytes(range(classes))
    return {
        f"{part}-{name}-ubyte.gz": gzip.compress(data, mtime=0)
        for part in ("train", "t10k")
        for name, data in (("images-idx3", images), ("labels-idx1", labels))
    }


def write(folder: Path, files: dict[str, bytes]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in files.items():
        (folder / name).write_bytes(data)
    return folder


class Web:
    """Answers for the addresses that were published, with these files; says what it was asked for."""

    def __init__(self, files: dict[str, bytes]) -> None:
        self.files = files
        self.asked: list[str] = []

    def urlopen(self, url: str, timeout: float) -> io.BytesIO:
        assert timeout > 0
        name = url.rsplit("/", 1)[1]
        self.asked.append(name)
        answer = io.BytesIO(self.files[name])
        answer.headers = Message()  # type: ignore[attr-defined]
        answer.headers["Content-Length"] = str(len(self.files[name]))  # type: ignore[attr-defined]
        return answer


@pytest.fixture
def web(monkeypatch: pytest.MonkeyPatch) -> Web:
    web = Web({"cifar-10-binary.tar.gz": cifar_archive(cifar_files()), **fashion_files()})
    monkeypatch.setattr("amla.tasks.download.urlopen", web.urlopen)
    for name, published in builtin._PUBLISHED.items():
        sums = {file: hashlib.md5(web.files[file], usedforsecurity=False).hexdigest() for file in published.files}
        monkeypatch.setitem(builtin._PUBLISHED, name, replace(published, files=sums))
    return web


def check_cifar(data: Dataset) -> None:
    assert data.test is not None
    assert data.classes == CLASSES
    assert data.train.inputs.shape == (100, 32, 32, 3)
    assert data.test.inputs.shape == (10, 32, 32, 3)
    assert data.train.inputs[::20, 5, 7].tolist() == [[n, n + 1, n + 2] for n in (0, 10, 20, 30, 40)]
    assert data.train.labels.tolist() == [*range(10)] * 10


def test_digits(load: Load) -> None:
    data = load("digits")
    assert data.test is not None
    assert (data.name, data.shape, data.classes) == ("digits", (1, 8, 8), tuple("0123456789"))
    assert len(data.train.labels) + len(data.test.labels) == 1797
    assert data.train.inputs.max() == 255
    assert np.bincount(data.test.labels).tolist() == [36, 36, 35, 37, 36, 36, 36, 36, 35, 36]
    assert data.validation is None
    assert data.fingerprint == "a79e829c01a4795ad6bf65dcd9af3f7f"
    assert (
        hashlib.md5(data.test.inputs.tobytes(), usedforsecurity=False).hexdigest() == "ff5ce3fe49e1de73d7663c18a0256df4"
    )
    assert load("digits", size=(16, 16)).shape == (1, 16, 16)


def test_digits_without_scikit_learn(load: Load, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
    with pytest.raises(DataError, match=r"'digits' comes with scikit-learn, .*: pip install amla\[datasets\]"):
        load("digits")


@pytest.mark.parametrize("place", ["cifar10", "cifar-10-batches-bin", "cifar10/cifar-10-batches-bin"])
def test_cifar10_as_files(load: Load, tmp_path: Path, place: str) -> None:
    write(tmp_path / place, cifar_files())
    data = load("cifar10", data_dir=tmp_path)
    assert data.name == "cifar10"
    check_cifar(data)


@pytest.mark.parametrize("place", ["cifar10", "."])
def test_cifar10_as_archive(load: Load, tmp_path: Path, place: str) -> None:
    write(tmp_path / place, {"cifar-10-binary.tar.gz": cifar_archive(cifar_files())})
    check_cifar(load("cifar10", data_dir=tmp_path))
    check_cifar(load(str(tmp_path / place / "cifar-10-binary.tar.gz")))


def test_the_environment_names_the_data_folder(load: Load, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "here" / "fashion_mnist", fashion_files())
    monkeypatch.setenv("AMLA_DATA", str(tmp_path / "here"))
    data = load("fashion_mnist")
    assert (data.classes[0], data.classes[9], data.shape) == ("T-shirt/top", "Ankle boot", (1, 2, 2))
    with pytest.raises(DataError):
        load("fashion_mnist", data_dir=tmp_path / "elsewhere")


def test_a_path_has_numbers_for_classes_and_the_name_has_words(load: Load, tmp_path: Path) -> None:
    folder = write(tmp_path / "fashion_mnist", fashion_files())
    by_path, by_name = load(str(folder)), load("fashion_mnist", data_dir=tmp_path)
    assert by_path.classes == tuple("0123456789")
    assert by_name.classes[1] == "Trouser"
    assert by_path.fingerprint == by_name.fingerprint


@pytest.mark.parametrize("given", [True, False])
def test_downloads(load: Load, cache: Path, tmp_path: Path, web: Web, given: bool) -> None:
    folder = tmp_path / "mine" if given else None
    calls: list[tuple[int, int]] = []
    check_cifar(load("cifar10", data_dir=folder, progress=lambda *counts: calls.append(counts)))
    archive = web.files["cifar-10-binary.tar.gz"]
    assert calls[0] == (len(archive), len(archive))
    assert calls[-1] == (110, 110)
    target = (folder or cache / "downloads") / "cifar10"
    assert [(file.name, file.read_bytes()) for file in target.iterdir()] == [("cifar-10-binary.tar.gz", archive)]
    check_cifar(load("cifar10", data_dir=folder))
    assert web.asked == ["cifar-10-binary.tar.gz"]


def test_an_interrupted_download_goes_on(load: Load, tmp_path: Path, web: Web) -> None:
    files = fashion_files()
    write(tmp_path / "fashion_mnist", {name: files[name] for name in list(files)[:3]})
    assert len(load("fashion_mnist", data_dir=tmp_path).train.labels) == 10
    assert web.asked == list(files)[3:]


def test_a_data_folder_that_cannot_be_written_is_not_needed(load: Load, cache: Path, tmp_path: Path, web: Web) -> None:
    (tmp_path / "file").write_text("no folder")
    check_cifar(load("cifar10", data_dir=tmp_path / "file"))
    assert (cache / "downloads" / "cifar10" / "cifar-10-binary.tar.gz").exists()


def test_a_wrong_checksum_leaves_nothing(load: Load, tmp_path: Path, web: Web) -> None:
    web.files["cifar-10-binary.tar.gz"] += b"!"
    with pytest.raises(DataError, match=r"what came from https://.*/cifar-10-binary.tar.gz has the MD5 sum .* publ"):
        load("cifar10", data_dir=tmp_path / "mine")
    assert not list((tmp_path / "mine" / "cifar10").iterdir())


def test_without_a_network_there_is_advice(load: Load, cache: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError) as raised:
        load("cifar10", data_dir=tmp_path / "mine")
    message = str(raised.value)
    assert f"'cifar10' is not in '{tmp_path / 'mine' / 'cifar10'}' or '{cache / 'downloads' / 'cifar10'}'" in message
    assert "downloading it failed (https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz: tests do not" in message
    assert f"Download cifar-10-binary.tar.gz from https://www.cs.toronto.edu/~kriz/ by hand into '{tmp_path}" in message
    assert "let --data-dir or the environment variable AMLA_DATA name the folder that holds the folder" in message


def test_downloading_can_be_switched_off(load: Load, web: Web) -> None:
    with pytest.raises(
        DataError, match=r"'fashion_mnist' is not in .*, and downloading it is switched off. Download tr"
    ):
        load("fashion_mnist", download=False)
    assert not web.asked


def test_pickles_are_not_loaded(load: Load, tmp_path: Path) -> None:
    write(tmp_path / "cifar10", {"data_batch_1": pickle.dumps({}), "test_batch": pickle.dumps({})})
    with pytest.raises(DataError, match=r"holds CIFAR-10 as Python pickles, which are never loaded .* Get the binary"):
        load("cifar10", data_dir=tmp_path)


@pytest.mark.parametrize("archived", [False, True])
@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"data_batch_3.bin": None}, "lacks data_batch_3.bin. "),
        (
            {"data_batch_3.bin": records()[:-1]},
            "data_batch_3.bin of '.*' has 61,459 bytes, but must have a multiple of 3",
        ),
        ({"test_batch.bin": b""}, "test_batch.bin of '.*' has 0 bytes, but must have a multiple of 3,073"),
        (
            {"test_batch.bin": b"\x0a" + records(1)[1:]},
            r"test labels\[0\] of '.*' is 10, but there are 10 classes \(0 to",
        ),
    ],
)
def test_damaged_cifar_files(
    load: Load, tmp_path: Path, archived: bool, changes: dict[str, bytes | None], expected: str
) -> None:
    files = {name: data for name, data in {**cifar_files(), **changes}.items() if data is not None}
    if archived:
        files = {"cifar-10-binary.tar.gz": cifar_archive(files)}
    with pytest.raises(DataError, match=expected):
        load(str(write(tmp_path / "data", files)))


@pytest.mark.parametrize("damage", [lambda data: data[:-90], lambda _: b"no archive"])
def test_a_damaged_archive(load: Load, tmp_path: Path, damage: Callable[[bytes], bytes]) -> None:
    write(tmp_path / "cifar10", {"cifar-10-binary.tar.gz": damage(cifar_archive(cifar_files()))})
    with pytest.raises(DataError, match=r"cifar-10-binary.tar.gz' is damaged .*Get it anew"):
        load("cifar10", data_dir=tmp_path)


def test_other_data_under_a_known_name(load: Load, tmp_path: Path) -> None:
    write(tmp_path / "fashion_mnist", fashion_files(classes=3))
    with pytest.raises(
        DataError, match=r"has 3 classes, but 'fashion_mnist' has 10. Put the right files there, or give"
    ):
        load("fashion_mnist", data_dir=tmp_path)


@real
@pytest.mark.slow
def test_the_real_cifar10(load: Load) -> None:
    data = load("cifar10", data_dir=REAL)
    assert data.test is not None
    assert data.classes == CLASSES
    assert data.train.inputs.shape == (50000, 32, 32, 3)
    assert data.test.inputs.shape == (10000, 32, 32, 3)
    values = np.arange(256) / 255
    counts = np.stack([np.bincount(data.train.inputs[..., channel].ravel(), minlength=256) for channel in range(3)])
    mean = counts @ values / counts.sum(axis=1)
    deviation = np.sqrt(counts @ values**2 / counts.sum(axis=1) - mean**2)
    assert mean.round(4).tolist() == [0.4914, 0.4822, 0.4465]
    assert deviation.round(4).tolist() == [0.2470, 0.2435, 0.2616]
    assert np.bincount(data.train.labels).tolist() == [5000] * 10
    assert np.bincount(data.test.labels).tolist() == [1000] * 10
    assert data.notices == ()


@real
def test_the_real_fashion_mnist(load: Load) -> None:
    data = load("fashion_mnist", data_dir=REAL)
    assert data.test is not None
    assert data.train.inputs.shape == (60000, 28, 28, 1)
    assert data.test.inputs.shape == (10000, 28, 28, 1)
    assert np.bincount(data.train.labels).tolist() == [6000] * 10
    assert round(float(data.train.inputs.mean()) / 255, 4) == 0.2860
