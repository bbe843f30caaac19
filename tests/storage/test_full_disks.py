"""Disks that are full, broken or read-only: an OSError says so, and what was there before stays."""

import errno
import os
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

from amla.spec import ops
from amla.spec.architecture import Architecture, Node
from amla.storage.errors import explained
from amla.storage.files import Files
from amla.storage.records import Records
from amla.trials.progress import Progress
from amla.trials.snapshot import Snapshot
from amla.trials.trial import Failure, Proposal

NODES = Node("image", ops.Input((1, 4, 4))), Node("head", ops.GlobalPool(), ("image",))
NETWORK = Architecture((*NODES, Node("logits", ops.Classify(2), ("head",))))


def snapshot(size: int) -> Snapshot:
    return Snapshot(NETWORK, "fit", size, {"logits.kernel": np.ones(size, np.uint8)}, {})


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """Return where a disk of one megabyte is mounted, if we may mount one."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = shutil.which("mount")
    command = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)]
    if not mount or subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("cannot mount a small disk")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def fill(disk: Path) -> Path:
    """Leave no space on a disk; the file returned takes it."""
    taken = disk / "taken"
    with open(taken, "wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError:
            return taken


def read_only(disk: Path) -> None:
    subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)


class TestFull:
    def test_an_event_that_does_not_fit_is_not_there_and_can_be_written_later(self, disk):
        with Records(disk / "events.sqlite") as records:
            records.asked("x", Proposal(NETWORK, 10))
            taken = fill(disk)
            with pytest.raises(OSError, match=r"could not write that trial 0 of study 'x' was told") as raised:
                records.told("x", 0, Failure("crashed", "x" * 100_000))
            assert (raised.value.errno, raised.value.filename) == (errno.ENOSPC, str(disk / "events.sqlite"))
            assert records.history("x").pending == 1
            taken.unlink()
            records.told("x", 0, Failure("crashed", "x" * 100_000))
            assert records.history("x").pending == 0

    def test_records_that_cannot_begin(self, disk):
        fill(disk)
        with pytest.raises(OSError, match="could not open the records") as raised:
            Records(disk / "events.sqlite")
        assert raised.value.errno == errno.ENOSPC

    def test_a_snapshot_that_does_not_fit_leaves_the_old_one(self, disk):
        files = Files(disk)
        files.save("7", snapshot(1000))
        with pytest.raises(OSError, match="could not write") as raised:
            files.save("7", snapshot(2_000_000))
        assert (raised.value.errno, raised.value.filename) == (errno.ENOSPC, str(disk / "snapshots/7.safetensors"))
        assert files.load("7").steps == 1000
        assert [path.name for path in (disk / "snapshots").iterdir()] == ["7.safetensors"]

    def test_a_line_that_does_not_fit(self, disk):
        files, line = Files(disk), Progress(0, 1, 10, 0.5, 0.5, 0.1, 0.0)
        files.append_curve("7", line)
        fill(disk)
        for _ in range(4096 // 50):  # what is left of the block that the first line began
            with suppress(OSError):
                files.append_curve("7", line)
        with pytest.raises(OSError, match="could not write") as raised:
            files.append_curve("7", line)
        assert raised.value.errno == errno.ENOSPC
        assert set(files.curve("7")) == {line}


class TestReadOnly:
    def test_records_of_it_can_be_read_and_not_written(self, disk):
        with Records(disk / "events.sqlite") as records:
            records.asked("x", Proposal(NETWORK, 10))
        read_only(disk)
        with Records(disk / "events.sqlite", read_only=True) as records:
            assert len(records.history("x")) == 1
        with pytest.raises(OSError, match="could not") as raised, Records(disk / "events.sqlite") as records:
            records.asked("x", Proposal(NETWORK, 10))
        assert raised.value.errno == errno.EROFS

    def test_records_cannot_begin_there(self, disk):
        read_only(disk)
        with pytest.raises(OSError, match="could not open the records") as raised:
            Records(disk / "events.sqlite")
        assert raised.value.errno == errno.EROFS

    def test_files_cannot_be_written(self, disk):
        Files(disk).save("7", snapshot(10))
        read_only(disk)
        for write in (
            lambda: Files(disk).save("7", snapshot(10)),
            lambda: Files(disk).drop("7"),
            lambda: Files(disk).append_curve("7", Progress(0, 1, 10, 0.5, 0.5, 0.1, 0.0)),
        ):
            with pytest.raises(OSError, match="could not") as raised:
                write()
            assert raised.value.errno == errno.EROFS


class TestForbidden:
    def test_nothing_can_be_written_where_permissions_forbid_it(self, tmp_path):
        with Records(tmp_path / "events.sqlite") as records:
            records.asked("x", Proposal(NETWORK, 10))
        os.chmod(tmp_path / "events.sqlite", 0o444)
        os.chmod(tmp_path, 0o500)
        try:
            if os.access(tmp_path, os.W_OK):
                pytest.skip("root may do anything")
            with Records(tmp_path / "events.sqlite", read_only=True) as records:
                assert len(records.history("x")) == 1
            with pytest.raises(PermissionError), Records(tmp_path / "events.sqlite") as records:
                records.asked("x", Proposal(NETWORK, 10))
            with pytest.raises(PermissionError):
                Records(tmp_path / "new.sqlite")
            with pytest.raises(PermissionError):
                Files(tmp_path).save("7", snapshot(10))
        finally:
            os.chmod(tmp_path, 0o700)


class TestAnywhere:
    """What needs no disk of its own to be tried."""

    @pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO, errno.EDQUOT])
    def test_a_snapshot_that_does_not_reach_the_disk_leaves_the_old_one(self, tmp_path, monkeypatch, number):
        def fsync(file: int) -> None:
            raise OSError(number, os.strerror(number))

        files = Files(tmp_path)
        files.save("7", snapshot(10))
        monkeypatch.setattr(os, "fsync", fsync)
        with pytest.raises(OSError, match=r"could not write: '.*/7\.safetensors'") as raised:
            files.save("7", snapshot(20))
        assert raised.value.errno == number
        assert files.load("7").steps == 10
        assert [path.name for path in (tmp_path / "snapshots").iterdir()] == ["7.safetensors"]

    def test_an_sqlite_database_that_is_full(self, tmp_path):
        connection = sqlite3.connect(tmp_path / "x")
        connection.execute("PRAGMA max_page_count = 2")
        connection.execute("CREATE TABLE t (x)")
        with pytest.raises(sqlite3.OperationalError) as raised:
            connection.execute("INSERT INTO t VALUES (zeroblob(100000))")
        connection.close()
        error = explained(raised.value, tmp_path / "x", "write the event")
        assert isinstance(error, OSError)
        assert (error.errno, error.filename) == (errno.ENOSPC, str(tmp_path / "x"))

    def test_records_where_a_folder_is(self, tmp_path):
        with pytest.raises(IsADirectoryError):
            Records(tmp_path)

    def test_records_below_a_file(self, tmp_path):
        (tmp_path / "file").touch()
        with pytest.raises((FileExistsError, NotADirectoryError)):
            Records(tmp_path / "file" / "events.sqlite")
