"""A search whose trials run on a Ray of its own: it finds what a search in one process finds."""

from pathlib import Path

import pytest
from terminal import TINY, Here, apart

from amla.study.folder import BEST, read

pytest.importorskip("ray")
pytestmark = [pytest.mark.ray, pytest.mark.xdist_group("ray")]

RANDOM = ("search", "digits", "--algorithm", "random", "--set", "algorithm.trials=3", "--set", "algorithm.steps=3")


def test_every_executor_finds_the_same_network(tmp_path: Path, here: Here):
    on_ray = ("--set", "executor.kind=ray", "--set", "executor.workers=2")
    said = {
        "ray": apart(tmp_path, *RANDOM, *TINY[4:], *on_ray, "--run", "ray"),
        "inline": here(*RANDOM, *TINY[4:], "--workers", "0", "--run", "inline"),
        "local": here(*RANDOM, *TINY[4:], "--workers", "2", "--run", "local"),
    }
    assert {name: (ended.code, ended.err) for name, ended in said.items()} == dict.fromkeys(said, (0, ""))
    assert len({ended.accuracy for ended in said.values()}) == 1
    assert len({(tmp_path / name / BEST).read_text() for name in said}) == 1
    run = read(tmp_path / "ray")
    assert [len(run.search.done), len(run.final.done)] == [3, 2]
    assert {path.name for path in (run.folder / "logs").iterdir()} == {"ray-1", "ray-2"}
