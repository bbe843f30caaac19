"""A user has limits: what is found is within them, or it is said at once that nothing is."""

import json
from pathlib import Path

import pytest
from terminal import TINY, Ended, Here

from amla.spec.constraints import Constraints
from amla.spec.digest import digest
from amla.spec.text import load
from amla.study.log import reading
from amla.study.study import from_yaml

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
    assert ended.out.splitlines()[2].endswith(" no")
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


FAST = ("--set", "latency.networks=8", "--set", "latency.runtime=torch")


def test_a_limit_of_latency_is_shown_and_reported(archive: Path, here: Here):
    few = ("--algorithm", "random", "--set", "algorithm.trials=3", "--workers", "0")
    ended = here("search", str(archive), "--max-latency", "1s", "--prefer", "fast", *few, *FAST, *STEPS)
    assert ended.code == 0, ended.err
    assert "fastest" in ended.out
    assert "estimated from counts" in ended.out
    assert "Preferred fast" in ended.out
    (run,) = Path("runs").iterdir()
    assert "latency:\n    at_most: " in (run / "study.yaml").read_text()
    report = (run / "report.html").read_text()
    assert "measured before it was trained" in report
    assert "Preferred fast" in report
    again = here("search", str(archive), "--max-latency", "1s", "--prefer", "fast", *few, *FAST, *STEPS)
    assert again.code == 0, again.err


def test_nothing_slower_than_the_limit_is_trained(archive: Path, here: Here):
    few = ("--algorithm", "random", "--set", "algorithm.trials=3", "--workers", "0", "--no-baselines", *FAST, *STEPS)
    assert here("search", str(archive), "--max-latency", "1s", "--run", "loose", *few).code == 0
    learned = from_yaml(Path("loose/study.yaml").read_text()).latency.learned
    limit = learned.most  # of the slowest network that was measured
    ended = here("search", str(archive), "--max-latency", f"{limit:.9f}s", "--run", "tight", *few)
    assert ended.code == 0, ended.err
    with reading(Path("tight")) as records:
        done = records.history("search").done
    trained = {digest(trial.proposal.architecture): trial.measurement.metrics["latency"] for trial in done}
    assert trained
    assert max(trained.values()) <= limit
    assert digest(load(Path("tight/best.arch.json"))) in trained


def test_a_latency_that_nothing_meets_is_told_before_anything_is_written(archive: Path, here: Here):
    ended = here("search", str(archive), "--max-latency", "2us", *FAST, *TINY)
    assert ended.code == 2
    assert "No network of the space is known to be within 0.002\u202fms" in ended.err
    assert not Path("runs").exists()


def test_a_device_that_is_not_there_is_told(archive: Path, here: Here):
    ended = here("search", str(archive), "--max-latency", "1s", "--latency-device", "http://127.0.0.1:9", *TINY)
    assert ended.code == 2
    assert "http://127.0.0.1:9 does not answer" in ended.err
    assert "amla probe-device --listen" in ended.err


def test_a_device_measures_a_network_of_a_run(digits: tuple[Path, Ended], here: Here):
    folder, _ = digits
    ended = here("probe-device", str(folder / "runs/digits"), "--runtime", "torch", "--json")
    assert ended.code == 0, ended.err
    assert json.loads(ended.out)["median"] > 0
    refused = here("probe-device", "--listen", "--host", "0.0.0.0")  # noqa: S104 - it is refused
    assert refused.code == 2
    assert "it needs tokens" in refused.err
