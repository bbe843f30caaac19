"""Runs whose snapshots are in an object store that speaks S3, with workers, and when the run is cut off."""

from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest
from terminal import TINY, Here, end, lines, started, wait_for

from amla.storage.files import Files
from amla.study.folder import BEST, REPORT, STUDY, WEIGHTS
from amla.study.shared import shared

pytest.importorskip("moto")
s3fs = pytest.importorskip("s3fs")

pytestmark = pytest.mark.filterwarnings("ignore")  # those of the libraries of AWS

WORKERS = ("--workers", "2")
_numbers = count()


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """Return the address of an object store on this machine."""
    from moto.server import ThreadedMotoServer

    store = ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    store.start()
    host, port = store.get_host_and_port()
    yield f"http://{host}:{port}"
    store.stop()


@pytest.fixture
def bucket(server: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """Return the URL of a new bucket; it is reached by what the environment says, as workers of a cluster do."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", server)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "me")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    s3fs.S3FileSystem.clear_instance_cache()
    name = f"bucket-{next(_numbers)}"
    s3fs.S3FileSystem().mkdir(name)
    return f"s3://{name}"


def there(run: Path) -> set[str]:
    """Return the names of the files that a run has in the store."""
    found = shared(run)
    assert found
    store = s3fs.S3FileSystem()
    store.invalidate_cache()
    root = found.url.removeprefix("s3://")
    return {name.removeprefix(f"{root}/") for name in store.find(root)}


def test_workers_keep_snapshots_there_and_what_comes_out_is_there(bucket: str, archive: Path, here: Here):
    plain = here("search", str(archive), *TINY, *WORKERS, "--run", "plain")
    ended = here("search", str(archive), *TINY, *WORKERS, "--run", "run", "--files", bucket)
    assert (ended.code, ended.err) == (0, "")
    assert ended.accuracy == plain.accuracy
    assert not Path("run/snapshots").exists()
    assert {STUDY, BEST, WEIGHTS, REPORT} <= there(Path("run"))
    found = shared(Path("run"))
    assert found
    assert Files(found.url).load_weights("best")[1] == Files("run").load_weights("best")[1]
    assert here("doctor", "run").code == 0


def test_a_search_that_is_killed_goes_on_from_there(bucket: str, archive: Path, tmp_path: Path, here: Here):
    asked = ("search", str(archive), *TINY, "--set", "final.steps=150", "--run")
    plain = here(*asked, "plain")
    process = started(tmp_path, *asked, "run", "--files", bucket)
    try:
        wait_for(
            lambda: lines(tmp_path / "run") > 2 and any("snapshots/" in name for name in there(tmp_path / "run")),
            process,
        )
    finally:
        end(process)
    assert not Path("run/snapshots").exists()
    again = here(*asked, "run")
    assert (again.code, again.accuracy) == (0, plain.accuracy)


def test_a_store_that_is_not_there_is_said_and_leaves_no_folder(server: str, bucket: str, archive: Path, here: Here):
    ended = here("search", str(archive), *TINY, "--run", "run", "--files", f"{bucket}-of-others")
    assert (ended.code, ended.out) == (2, "")
    assert "Nothing can be written to the files' address" in ended.err
    assert not Path("run").exists()
