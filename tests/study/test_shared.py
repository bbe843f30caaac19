"""Where the snapshots of a run are is said once, and may be wherever fsspec reaches."""

import json
from collections.abc import Iterator
from pathlib import Path

import fsspec
import pytest
from made_up_runs import STUDY, finished

from amla.spec import ops
from amla.spec.architecture import Architecture, Node
from amla.study.doctor import diagnose
from amla.study.folder import BEST, REPORT
from amla.study.runs import forget
from amla.study.shared import SHARED, files_of, publish, reach, share, shared
from amla.study.study import StudyError
from amla.trials.snapshot import Snapshot

NETWORK = Architecture((Node("image", ops.Input((1, 4, 4))), Node("logits", ops.Classify(2), ("image",))))
SNAPSHOT = Snapshot(NETWORK, "fit", 70, {}, {})
URL = "memory://bucket/amla"


@pytest.fixture(autouse=True)
def _empty() -> Iterator[None]:
    yield
    memory = fsspec.filesystem("memory")
    memory.store.clear()
    memory.pseudo_dirs[:] = [""]


@pytest.fixture
def run(tmp_path: Path) -> Path:
    folder = finished(tmp_path / "run")
    share(folder, URL, STUDY.name)
    return folder


def there(folder: Path) -> set[str]:
    """Return the names of the files at the address that a run folder names."""
    found = shared(folder)
    assert found
    root = "/" + found.url.removeprefix("memory://")
    return {path.removeprefix(f"{root}/") for path in fsspec.filesystem("memory").find(root)}


def test_a_run_folder_has_its_snapshots_unless_it_says_otherwise(tmp_path: Path):
    assert shared(tmp_path) is None
    share(tmp_path, None, "x")
    assert files_of(tmp_path).path("search/0") == str(tmp_path / "snapshots/search/0.safetensors")


def test_each_run_has_a_place_of_its_own(tmp_path: Path):
    share(tmp_path / "one", URL, "x")
    share(tmp_path / "two", f"{URL}/", "x")
    one, two = (shared(tmp_path / name) for name in ("one", "two"))
    assert one
    assert two
    assert one != two
    assert {each.url.rpartition("/")[0] for each in (one, two)} == {URL}
    share(tmp_path / "one", URL, "x")
    share(tmp_path / "one", None, "x")
    assert shared(tmp_path / "one") == one


def test_snapshots_go_there_and_the_rest_stays(run: Path):
    files = files_of(run)
    files.save("search/7", SNAPSHOT)
    files.write_text("note.txt", "here")
    assert there(run) == {"snapshots/search/7.safetensors"}
    assert (run / "note.txt").exists()
    assert not (run / "snapshots/search/7.safetensors").exists()
    assert files.snapshots("search") == ["search/7"]
    assert files.snapshots("final") == []


def test_what_came_out_is_put_there_too(run: Path):
    (run / REPORT).write_text("<html>")
    publish(run)
    assert {"study.yaml", BEST, REPORT} <= there(run)


def test_a_run_that_is_forgotten_leaves_nothing_there(run: Path):
    files_of(run).save("search/7", SNAPSHOT)
    forget(run)
    assert there(run) == set()
    forget(run)


def test_a_torn_snapshot_there_is_found_and_mended(run: Path):
    files_of(run).save("search/7", SNAPSHOT)
    found = shared(run)
    assert found
    fsspec.filesystem("memory").pipe_file(f"{found.url}/snapshots/search/7.safetensors", b"torn")
    name = "snapshots/search/7.safetensors"
    assert name in [each.where for each in diagnose(str(run)).findings]
    diagnose(str(run), repair=True)
    assert name not in [each.where for each in diagnose(str(run)).findings]
    assert files_of(run).snapshots("search") == []


class TestMistakes:
    @pytest.mark.parametrize(
        ("url", "said"),
        [
            ("bucket/amla", "is no URL"),
            ("s3://me:secret@bucket", "has a password"),
            ("nonsense://x", "nonsense"),
            ("file:///proc/nowhere", "Nothing can be written"),
        ],
    )
    def test_an_address_that_does_not_serve_is_said(self, url: str, said: str):
        with pytest.raises(StudyError, match=said) as told:
            reach(url)
        assert "secret" not in str(told.value)

    def test_an_address_that_serves_has_nothing_after(self):
        reach(URL)
        assert fsspec.filesystem("memory").find("/") == []

    def test_snapshots_stay_where_they_are(self, tmp_path: Path, run: Path):
        with pytest.raises(StudyError, match=f"not at memory://other. Leave --files out.*into {SHARED}"):
            share(run, "memory://other", "x")
        (tmp_path / "snapshots").mkdir()
        with pytest.raises(StudyError, match="has its snapshots in it"):
            share(tmp_path, URL, "x")

    @pytest.mark.parametrize("content", ["{}", "no JSON", json.dumps({"url": 7})])
    def test_a_damaged_name_is_said(self, tmp_path: Path, content: str):
        (tmp_path / SHARED).write_text(content)
        with pytest.raises(StudyError, match="does not say where the files are"):
            files_of(tmp_path)
