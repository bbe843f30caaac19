"""Snapshots, curves and texts: on disks and elsewhere, whole or not at all."""

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar
from uuid import uuid4

import fsspec
import numpy as np
import pytest
from fsspec.implementations.memory import MemoryFileSystem
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from safetensors import safe_open
from safetensors.numpy import load_file, save

from amla.spec import ops
from amla.spec.architecture import Architecture, Node
from amla.storage import tensors
from amla.storage.errors import DamagedFile
from amla.storage.files import Files
from amla.storage.tensors import packed, packed_weights, unpacked, unpacked_weights
from amla.trials.progress import Progress
from amla.trials.snapshot import Arrays, Snapshot

NODES = Node("image", ops.Input((1, 4, 4))), Node("head", ops.GlobalPool(), ("image",))
NETWORK = Architecture((*NODES, Node("stage0/logits", ops.Classify(2), ("head",))))
WEIGHTS = {"stage0/logits.kernel": np.arange(6, dtype=np.float32).reshape(2, 3), "stage0/logits.bias": np.ones(2)}
SNAPSHOT = Snapshot(NETWORK, "fit", 70, WEIGHTS, {"stage0/logits.kernel.momentum": np.zeros((2, 3)), "t": np.array(7)})


def assert_same(one: Arrays, other: Arrays) -> None:
    assert set(one) == set(other)
    for name, array in one.items():
        assert (array.dtype.newbyteorder("="), array.shape) == (other[name].dtype, other[name].shape)
        np.testing.assert_array_equal(array, other[name])
        assert other[name].flags.writeable


def assert_whole(snapshot: Snapshot, read: Snapshot) -> None:
    assert (read.architecture, read.method, read.steps) == (snapshot.architecture, snapshot.method, snapshot.steps)
    assert_same(snapshot.weights, read.weights)
    assert_same(snapshot.resume, read.resume)


def line(step: int) -> Progress:
    return Progress(3, step, 100, 1 / step, 0.5, 0.1, 2.0 * step)


class Bucket(MemoryFileSystem):
    """A store as S3 is one: keys without folders, nothing is appended or renamed, and deleting nothing is no error."""

    protocol = "bucket"
    root_marker = "/"
    store: ClassVar[dict[str, Any]] = {}
    pseudo_dirs: ClassVar[list[str]] = [""]

    def makedirs(self, path: str, exist_ok: bool = False) -> None:
        pass

    def mkdir(self, path: str, create_parents: bool = True, **_: object) -> None:
        pass

    def mv(self, path1: str, path2: str, **_: object) -> None:
        self.pipe_file(path2, self.cat_file(path1))
        self.rm_file(path1)

    def rm_file(self, path: str) -> None:
        self.store.pop(self._strip_protocol(path), None)

    def _open(self, path: str, mode: str = "rb", **more: Any) -> Any:
        if mode not in ("rb", "wb", "xb"):
            raise NotImplementedError(f"An object store has no mode {mode!r}.")
        return super()._open(path, mode, **more)


fsspec.register_implementation("bucket", Bucket)


@pytest.fixture(params=["path", "text", "memory", "bucket"])
def files(request: pytest.FixtureRequest, tmp_path: Path) -> Files:
    elsewhere = {name: f"{name}://{uuid4().hex}/deep" for name in ("memory", "bucket")}
    return Files({"path": tmp_path, "text": str(tmp_path), **elsewhere}[request.param])


class TestSnapshots:
    def test_one_comes_back_as_it_was_saved(self, files):
        files.save("search/7", SNAPSHOT)
        assert_whole(SNAPSHOT, files.load("search/7"))

    def test_one_can_be_replaced_and_dropped(self, files):
        assert not files.exists("7")
        files.save("7", SNAPSHOT)
        files.save("7", replace(SNAPSHOT, steps=80))
        assert files.load("7").steps == 80
        files.drop("7")
        files.drop("7")
        assert not files.exists("7")
        with pytest.raises(FileNotFoundError, match=r"could not read.*snapshots/7\.safetensors"):
            files.load("7")

    @given(
        st.dictionaries(
            st.text(st.characters(codec="utf-8"), min_size=1),
            arrays.arrays(
                st.sampled_from(["?", "i1", "u2", "<i4", ">i4", "i8", "f2", "<f4", ">f4", "f8", "c8"]),
                arrays.array_shapes(min_dims=0, min_side=0),
            ).map(lambda array: array.T),
            max_size=3,
        )
    )
    def test_any_tensors_come_back(self, drawn):
        snapshot = Snapshot(NETWORK, "relax", 0, drawn, {"rng/state": np.array(5, dtype=np.uint64)})
        assert_whole(snapshot, unpacked(packed(snapshot), "x"))

    def test_none_at_all_come_back(self):
        snapshot = Snapshot(NETWORK, "fit", 0, {}, {})
        assert_whole(snapshot, unpacked(packed(snapshot), "x"))

    def test_weights_alone_come_back(self, files):
        files.save_weights("best", SNAPSHOT, {"mean": "[1.0]"})
        assert_same(WEIGHTS, files.load_weights("best")[0])

    def test_weights_alone_are_read_by_any_reader(self, tmp_path):
        path = Files(tmp_path).save_weights("best", SNAPSHOT)
        assert Path(path) == tmp_path / "weights" / "best.safetensors"
        assert_same(WEIGHTS, load_file(path))
        with safe_open(path, framework="np") as file:
            assert file.metadata()["steps"] == "70"


class TestDamage:
    @given(st.data())
    def test_no_altered_byte_goes_unnoticed(self, data):
        content = bytearray(packed(SNAPSHOT))
        place = data.draw(st.integers(0, len(content) - 1))
        content[place] ^= data.draw(st.integers(1, 255))
        try:
            read = unpacked(bytes(content), "x")
        except DamagedFile:
            return
        assert_whole(SNAPSHOT, read)  # a byte that says nothing, such as a space in the header

    @given(st.integers(0, len(packed(SNAPSHOT)) - 1))
    def test_a_torn_one_is_noticed(self, length):
        with pytest.raises(DamagedFile, match=r"'x' is torn, or is no snapshot .* can be run again"):
            unpacked(packed(SNAPSHOT)[:length], "x")

    def test_the_file_is_named(self, files):
        files.save("search/7", SNAPSHOT)
        files.write_text("snapshots/search/7.safetensors", "accuracy,loss\n" * 10)
        with pytest.raises(DamagedFile, match=r"/snapshots/search/7\.safetensors' is torn"):
            files.load("search/7")

    @given(st.data())
    def test_no_altered_byte_of_weights_alone_goes_unnoticed(self, data):
        content = bytearray(packed_weights(SNAPSHOT, {"mean": "[1.0]"}))
        place = data.draw(st.integers(0, len(content) - 1))
        content[place] ^= data.draw(st.integers(1, 255))
        try:
            read, _ = unpacked_weights(bytes(content), "x")
        except DamagedFile:
            return
        assert_same(WEIGHTS, read)

    def test_weights_of_before_had_no_checksum_and_can_be_read(self, files):
        files._folder.write("weights/best.safetensors", save(WEIGHTS, {"steps": "70"}))
        assert_same(WEIGHTS, files.load_weights("best")[0])
        files._folder.write("weights/best.safetensors", save(WEIGHTS, {"steps": "70"})[:-1])
        with pytest.raises(DamagedFile, match=r"/weights/best\.safetensors' is torn"):
            files.load_weights("best")

    def test_weights_alone_are_no_snapshot(self, files):
        files.save_weights("7", SNAPSHOT)
        with pytest.raises(DamagedFile, match="no snapshot"):
            unpacked(files._folder.read("weights/7.safetensors"), "x")

    def test_a_newer_format_is_refused(self):
        content = packed(SNAPSHOT).replace(b"amla-snapshot/1", b"amla-snapshot/2")
        with pytest.raises(DamagedFile, match=r"format 'amla-snapshot/2'; this amla reads 'amla-snapshot/1'"):
            unpacked(content, "x")

    @pytest.mark.parametrize(
        ("without", "array"),
        [("method", "weights/a"), ("architecture", "weights/a"), (None, "a"), (None, "other/a")],
    )
    def test_one_that_a_worker_wrote_wrongly_is_said_for_all_its_right_checksum(self, without, array):
        about = {"format": tensors.FORMAT, "architecture": "{}", "method": "fit", "steps": "7"}
        about.pop(without, None)
        arrays = {array: np.zeros(2)}
        content = save(arrays, {**about, "checksum": tensors._checksum(about, arrays)})
        with pytest.raises(DamagedFile, match=r"'x' is no snapshot .* can be run again"):
            unpacked(content, "x")


class TestCurves:
    def test_one_grows_line_by_line(self, files):
        assert files.curve("7") == []
        files.start_curve("7")
        for step in range(1, 4):
            files.append_curve("7", line(step))
            assert files.curve("7") == [line(earlier) for earlier in range(1, step + 1)]
        assert [json.loads(text)["step"] for text in files.read_text("curves/7.jsonl").splitlines()] == [1, 2, 3]

    def test_one_may_begin_unstarted(self, files):
        files.append_curve("search/7", line(1))
        assert files.curve("search/7") == [line(1)]

    def test_a_leg_that_goes_on_drops_what_came_after(self, files):
        for step in range(1, 6):
            files.append_curve("7", line(step))
        files.start_curve("7", step=3)
        assert files.curve("7") == [line(1), line(2), line(3)]
        files.start_curve("7")
        assert files.curve("7") == []

    def test_a_torn_last_line_is_ignored(self, files):
        files.append_curve("7", line(1))
        files._folder.append("curves/7.jsonl", b'{"trial": 3, "st')
        assert files.curve("7") == [line(1)]
        files.start_curve("7", step=1)
        files.append_curve("7", line(2))
        assert files.curve("7") == [line(1), line(2)]

    def test_damage_is_named_but_stops_no_leg(self, files):
        files.write_text("curves/7.jsonl", '{"trial": 3}\n')
        with pytest.raises(DamagedFile, match=r"curves/7\.jsonl' is no learning curve"):
            files.curve("7")
        files.start_curve("7", step=10)
        assert files.curve("7") == []

    def test_a_number_that_json_lacks_survives(self, files):
        files.append_curve("7", replace(line(1), loss=float("nan")))
        assert np.isnan(files.curve("7")[0].loss)


class TestNames:
    @pytest.mark.parametrize(
        "key",
        [
            "",
            "/etc/passwd",
            "../x",
            "a/../../x",
            "a//b",
            ".hidden",
            "a/.",
            "a\\b",
            "c:x",
            "a\0b",
            "a\nb",
            "*",
            "[x]",
            "a/",
        ],
    )
    def test_none_leads_out(self, files, key):
        for reach in (files.load, files.exists, files.drop, files.curve, files.read_text, files.start_curve):
            with pytest.raises(ValueError, match="cannot name a file"):
                reach(key)

    @pytest.mark.parametrize("key", ["7", "search/7", "a study/7-cut-off", "größe", "a.b", "100%#1"])
    def test_others_may_be_as_they_like(self, files, key):
        files.save(key, SNAPSHOT)
        assert files.exists(key)
        files.append_curve(key, line(1))
        assert files.curve(key) == [line(1)]
        files.write_text(key, "a text")
        assert files.read_text(key) == "a text"


def test_texts_come_back(files):
    files.write_text("report.html", "größer ≠ besser\r\n")
    assert files.read_text("report.html") == "größer ≠ besser\r\n"
    with pytest.raises(FileNotFoundError, match=r"missing\.html"):
        files.read_text("missing.html")


def test_nothing_passing_is_left_behind(tmp_path):
    files = Files(tmp_path)
    files.save("7", SNAPSHOT)
    files.append_curve("7", line(1))
    files.write_text("x", "y")
    found = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()}
    assert found == {os.path.join("snapshots", "7.safetensors"), os.path.join("curves", "7.jsonl"), "x"}
