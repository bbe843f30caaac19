"""What a server takes of a stranger: studies that name what they may, and that can be built."""

import time
from pathlib import Path
from typing import Any

import pytest

from amla.services.uploads import Allowed, checked, nodes_of
from amla.spaces.envelope import envelope
from amla.spaces.space import SpaceError
from amla.spec.values import SpecError
from amla.study.presets import preset
from amla.study.settings.spaces import EnvelopeSettings
from amla.study.study import Data, StudyError, from_plain
from amla.tasks.load import load

GENERATOR = "http://127.0.0.1:8750"
ALLOWED = Allowed(workers=4)


def study(**parts: Any) -> Any:
    return from_plain({"name": "x", "data": {"source": "digits"}, "limit": {"seconds": 60}, **parts})


BOMBS: dict[str, dict[str, Any]] = {
    "deep": {"space": {"cells": [1] * 4, "max_cells": [64] * 4}},
    "many stages": {"space": {"cells": [1] * 9_000, "max_cells": [1] * 9_000}},
    "wide": {"space": {"width": 10**9}},
    "wide at last": {"space": {"cells": [1, 1], "max_cells": [1, 1], "growth": [1, 1e9]}},
    "wide by doubling": {"space": {"cells": [1] * 40, "max_cells": [1] * 40}},
    "many branches": {"space": {"width": 4_000, "branches": [f"3x3-{n}" for n in range(4_000)]}},
    "a kernel of a mile": {"space": {"branches": ["999999999x999999999"]}},
    "a name of a mile": {"space": {"branches": ["9" * 4_000]}},
    "huge images": {"data": {"source": "digits", "size": [10**6, 10**6]}},
    "many processes": {"executor": {"kind": "local", "workers": 1_000}},
    "many connections": {"executor": {"kind": "http", "urls": [GENERATOR], "workers": 10_000}},
    "many threads": {"executor": {"kind": "inline", "threads": 1_000}},
    "many iterations": {"algorithm": {"kind": "nac", "iterations": 10**12}},
    "many candidates": {"algorithm": {"kind": "nac", "candidates": 10**12}},
    "many windows": {"algorithm": {"kind": "nac", "windows": 10**12}},
    "a book": {"name": "x" * 10_000},
    "no text": {"name": "a\x00b"},
    "a number beyond numbers": {"data": {"source": "digits", "split_seed": 10**40}},
    "no number": {"data": {"source": "digits", "validation": float("nan")}},
    "an endless number": {"space": {"dropout": float("inf")}},
}


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_is_refused_at_once(name: str):
    begin = time.process_time()
    with pytest.raises((StudyError, SpaceError, SpecError)) as refused:
        checked(study(**BOMBS[name]), ALLOWED)
    assert time.process_time() - begin < 0.5  # some milliseconds, on a machine that is slow and busy
    assert len(str(refused.value)) < 1_000


def test_workers_elsewhere_may_be_more_than_there_are_cores_here():
    many = study(executor={"kind": "http", "urls": [GENERATOR], "workers": 64, "threads": 64})
    assert checked(many, Allowed(urls=(GENERATOR,), workers=4)) == many


def test_what_amla_chooses_for_data_is_allowed(tmp_path: Path):
    chosen = preset(load("digits", cache_dir=tmp_path), Data("digits"), seconds=600)
    assert checked(chosen, ALLOWED) == chosen


@pytest.mark.parametrize("cells", [(1,), (5, 5), (3, 3, 3), (20,)])
def test_the_nodes_of_a_space_are_never_counted_too_few(cells: tuple[int, ...]):
    for skeleton in ("wideners", "pools"):
        for skips in ("add", "none"):
            given = {
                "cells": (1,) * len(cells),
                "max_cells": cells,
                "skips": skips,
                "skeleton": skeleton,
                "dropout": 0.1,
            }
            built = envelope((3, 64, 64), 10, **given)  # type: ignore[arg-type]
            settings = EnvelopeSettings(**given)  # type: ignore[arg-type]
            assert len(built.space.template) <= nodes_of(settings) <= 3 * len(built.space.template)


@pytest.mark.parametrize(
    "source",
    ["photos", "../photos", "/etc", "/etc/passwd", "~", "", ".", "\x00", "http://127.0.0.1/x", "s3://bucket/x"],
)
def test_without_a_folder_of_data_only_built_in_names_are_taken(source: str):
    with pytest.raises(StudyError):
        checked(study(data={"source": source}), ALLOWED)


def test_data_are_named_below_their_folder_alone(tmp_path: Path):
    root, outside = tmp_path / "data", tmp_path / "secret"
    (root / "photos").mkdir(parents=True)
    outside.mkdir()
    (root / "link").symlink_to(outside)
    allowed = Allowed(data=root)
    assert checked(study(data={"source": "photos"}), allowed).data.source == str(root / "photos")
    assert checked(study(data={"source": str(root / "photos")}), allowed).data.source == str(root / "photos")
    for source in ("../secret", "link", "photos/../../secret", str(outside), "nothing", "photos/\x00", "x" * 4_000):
        with pytest.raises(StudyError, match=r"not below|text of up to") as refused:
            checked(study(data={"source": source}), allowed)
        assert str(tmp_path) not in str(refused.value).replace(repr(source), "")


def test_networks_are_named_below_the_folder_of_data_alone(tmp_path: Path):
    network = "docs/pictures/digits.arch.json"
    repository = Path(__file__).parents[2]
    fixed = {"kind": "fixed", "architectures": [network], "steps": 3}
    found = checked(study(algorithm=fixed), Allowed(data=repository))
    assert found.algorithm.architectures == (str(repository / network),)  # type: ignore[union-attr]
    with pytest.raises(StudyError, match="not below"):
        checked(study(algorithm={**fixed, "architectures": ["../" + network]}), Allowed(data=repository / "src"))
    with pytest.raises(StudyError, match="has no data"):
        checked(study(algorithm=fixed), ALLOWED)


@pytest.mark.parametrize(
    "parts",
    [
        {"algorithm": {"kind": "remote", "url": GENERATOR}},
        {"algorithm": {"kind": "remote", "url": "file:///etc/passwd"}},
        {"algorithm": {"kind": "remote", "url": "127.0.0.1:80"}},
        {"algorithm": {"kind": "remote", "url": ""}},
        {"executor": {"kind": "ray", "address": "192.0.2.1:6379"}},
        {"executor": {"kind": "ray", "address": "auto"}},
    ],
)
def test_addresses_are_taken_only_if_they_are_allowed(parts: dict[str, Any]):
    with pytest.raises(StudyError, match="allow"):
        checked(study(**parts), ALLOWED)
    with pytest.raises(StudyError, match="allow"):
        checked(
            study(**parts),
            Allowed(urls=("http://127.0.0.1:87500", "http://127.0.0.1:8750.evil", "https://127.0.0.1:8750")),
        )


@pytest.mark.parametrize("uri", ["/var/x", "x", "file:/var/x", "sqlite:/var/x.db", "databricks", GENERATOR, None])
def test_mlflow_is_where_whoever_runs_the_server_has_it(uri: str | None, monkeypatch: pytest.MonkeyPatch):
    """A uri that is a path, or has no //, would have MLflow write anywhere on the server."""
    shown = study(trackers=[{"kind": "mlflow", "uri": uri}])
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    with pytest.raises(StudyError, match="allow"):
        checked(shown, ALLOWED)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:5000")
    if uri is not None:
        with pytest.raises(StudyError, match="does not allow"):
            checked(shown, ALLOWED)
    assert checked(shown, Allowed(urls=(uri or GENERATOR,))) == shown


def test_an_address_that_is_allowed_is_taken():
    for url in (GENERATOR, f"{GENERATOR}/mine", GENERATOR.upper().replace("HTTP", "http")):
        remote = {"kind": "remote", "url": url, "options": {"see": "https://example.org"}}
        assert checked(study(algorithm=remote), Allowed(urls=(GENERATOR,))).algorithm.url == url  # type: ignore[union-attr]
    ray = {"kind": "ray", "address": "192.0.2.1:6379"}
    assert checked(study(executor=ray), Allowed(urls=("192.0.2.1:6379",)))


def test_what_the_algorithm_cannot_do_is_said_before_anything_is_made():
    with pytest.raises(StudyError, match="windows"):
        checked(study(algorithm={"kind": "nac", "windows": 2, "stable": 0.5}), ALLOWED)
