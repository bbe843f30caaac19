"""A user has limits: what is found is within them, or it is said at once that nothing is."""

from pathlib import Path

import pytest
from terminal import TINY, Here

from amla.spec.constraints import Constraints
from amla.spec.text import load

LIMITS = Constraints(2_000, 60_000, 8_192)
OPTIONS = ("--max-params", "2k", "--max-macs", "60k", "--max-memory", "8KiB")
STEPS = ("--set", "algorithm.steps=3", "--set", "final.steps=5")


@pytest.mark.parametrize("algorithm", ["nac", "evolution"])
def test_the_network_found_is_within_the_limits(algorithm: str, archive: Path, here: Here):
    few = () if algorithm == "nac" else ("--set", "algorithm.trials=3", "--workers", "0")
    ended = here("search", str(archive), "--algorithm", algorithm, *OPTIONS, *STEPS, *few)
    assert ended.code == 0, ended.err
    assert ended.out.count("yes") == 3
    (found,) = Path("runs").glob("*/best.arch.json")
    assert LIMITS.hold(load(found))


def test_the_final_network_that_is_made_wider_is_too(archive: Path, here: Here):
    ended = here("search", str(archive), *OPTIONS, *TINY, "--set", "final.macs=5000000")
    assert ended.code == 0, ended.err
    (found,) = Path("runs").glob("*/best.arch.json")
    assert LIMITS.hold(load(found))


def test_limits_that_nothing_meets_are_told_before_anything_is_written(archive: Path, here: Here):
    ended = here("search", str(archive), "--max-params", "50", *TINY)
    assert ended.code == 2
    assert "no" in ended.out.splitlines()[1]
    assert "No network of the space is within the constraints: the smallest one found has" in ended.err
    assert not Path("runs").exists()


def test_a_given_network_beyond_is_refused(archive: Path, here: Here):
    assert here("search", str(archive), *TINY).code == 0
    (found,) = Path("runs").glob("*/best.arch.json")
    Path("study.yaml").write_text(
        f"name: given\ndata: {{source: {archive}}}\nfinal: {{steps: 5}}\nconstraints: {{parameters: 100}}\n"
        f"algorithm: {{kind: fixed, architectures: [{found}], steps: 3}}\n"
    )
    ended = here("run", "study.yaml")
    assert ended.code == 2
    assert "parameters, where 100 are allowed by the study's constraints" in ended.err


def test_what_is_no_size_is_refused(archive: Path, here: Here):
    ended = here("search", str(archive), "--max-memory", "two apples")
    assert ended.code == 2
    assert "max-memory 'two apples' is no size; write for example 2MB" in ended.err
