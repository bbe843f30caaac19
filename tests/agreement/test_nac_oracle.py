"""Paper mode answers as the program released in 2018 did, on every recorded step."""

import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from nac_oracle import step

from amla.algorithms.construct import ConstructionError

CASES = json.loads(gzip.decompress((Path(__file__).parent / "nac_cases.json.gz").read_bytes()))["cases"]
ENVELOPE = {f"Branch{n}": op for n, op in enumerate(("1x1", "3x3", "5x5"), 1)}
CONFIG = {
    "stages": 2,
    "layers_per_stage": [2, 1],
    "max_layers_per_stage": [3, 3],
    "construction": [True, True],
    "parameter_limits": [False, False],
    "max_filter_prune": 6,
    "envelopecell": ENVELOPE,
    "skip": True,
    "worst_case": False,
    "stem_outputs": 12,
}


def steps() -> Iterator[Any]:
    for case in CASES:
        first = case.get("initial_arch"), case.get("initial_error")
        yield pytest.param(case, None, {}, {}, *first, id=f"{case['id']}-initial")
        for number, each in enumerate(case["iterations"]):
            given = each["arch_in"], each["stats"], each["scalars"]
            yield pytest.param(case, *given, each.get("arch_out"), each.get("error"), id=f"{case['id']}-{number}")


@pytest.mark.parametrize(("case", "arch", "stats", "scalars", "answer", "error"), list(steps()))
def test_every_recorded_step_agrees(case: Any, arch: Any, stats: Any, scalars: Any, answer: Any, error: str | None):
    if error:
        with pytest.raises(ConstructionError, match=r"^stage \d+ has "):
            step(case["dialect"], case["config"], arch, stats, scalars)
    else:
        assert step(case["dialect"], case["config"], arch, stats, scalars) == answer


def test_each_network_is_made_of_the_one_before():
    """So agreement on single steps is agreement on whole searches, and answers can be given as questions."""
    for case in CASES:
        after = [case.get("initial_arch"), *(each.get("arch_out") for each in case["iterations"])]
        assert [each["arch_in"] for each in case["iterations"]] == after[: len(case["iterations"])]


def test_of_several_readings_the_last_counts():
    """Cases with earlier readings agree by the last ones alone, and the first ones would mostly answer otherwise."""
    told = [(case, each) for case in CASES if "history" in case["flags"] for each in case["iterations"]]
    answers = [
        step(case["dialect"], case["config"], each["arch_in"], each["stats_history"][0], each["scalars"])
        == each["arch_out"]
        for case, each in told
    ]
    assert len(answers) > 5
    assert answers.count(True) < len(answers) / 2


def measured(arch: Any, **worth: float) -> dict[str, float]:
    """Return a statistic of 1 for every branch, but for those named, such as I0_Branch2."""
    layers = arch["network"] if isinstance(arch, dict) else arch
    found = {f"{i}/{name}": 1.0 for i, layer in enumerate(layers) for name in layer.get("filters", {})}
    return found | {name.removeprefix("I").replace("_", "/"): number for name, number in worth.items()}


def test_in_env_every_layer_reads_all_before_it_for_good():
    first = step("env", CONFIG, None, {}, {})
    assert [item.get("inputs") for item in first] == ["all", "all", None, "all"]
    after = step("env", CONFIG, first, measured(first), {"0->2": -1.0, "1->4": 5.0})
    assert [item.get("inputs") for item in after] == ["all", "all", "all", None, "all", "all"]


def test_both_dialects_prune_alike():
    amla, env = step("amla", CONFIG, None, {}, {}), step("env", CONFIG, None, {}, {})
    worth = {"I0_Branch2": 0.1, "I1_Branch1": 0.2, "I3_Branch3": 0.3}
    grown = step("amla", CONFIG, amla, measured(amla, **worth), {})["network"]
    assert [item.get("filters") for item in grown] == [
        item.get("filters") for item in step("env", CONFIG, env, measured(env, **worth), {})
    ]
    assert [sorted(item.get("filters", {})) for item in grown] == [
        ["Branch1", "Branch3"],
        ["Branch2", "Branch3"],
        sorted(ENVELOPE),
        [],
        ["Branch1", "Branch2"],
        sorted(ENVELOPE),
    ]


def test_the_worst_case_prunes_the_best():
    first = step("env", CONFIG, None, {}, {})
    after = step("env", CONFIG | {"worst_case": True}, first, measured(first, I0_Branch2=9.0, I1_Branch3=8.0), {})
    assert [sorted(item["filters"]) for item in after[:2]] == [["Branch1", "Branch3"], ["Branch1", "Branch2"]]


def test_ties_go_to_the_first_in_the_log_in_the_worst_case_too():
    first = step("env", CONFIG, None, {}, {})
    log = dict(reversed(measured(first).items()))  # begins with 3/Branch3, 1/Branch3
    for worst in (False, True):
        after = step("env", CONFIG | {"worst_case": worst}, first, log, {})
        assert [sorted(item.get("filters", {})) for item in after[:2]] == [sorted(ENVELOPE), ["Branch1"]]


def test_more_than_nine_branches_are_branches_like_others():
    many = CONFIG | {"envelopecell": {f"Branch{n}": "3x3" for n in range(1, 13)}, "stem_outputs": 24}
    first = step("amla", many, None, {}, {})
    after = step("amla", many, first, measured(first, I0_Branch10=0.1, I3_Branch12=0.2), {})
    assert "Branch10" not in after["network"][0]["filters"]
    assert len(after["network"][0]["filters"]) + len(after["network"][1]["filters"]) == 24 - 6
    assert "Branch12" not in after["network"][4]["filters"]


def test_names_are_only_names():
    named = CONFIG | {"envelopecell": {"Branchcat": "3x3", "a": "5x5", "Celine1": "1x1"}, "max_filter_prune": 1}
    first = step("amla", named, None, {}, {})
    after = step("amla", named, first, measured(first, I0_Branchcat=0.1, I3_Celine1=0.1), {})
    assert sorted(after["network"][0]["filters"]) == ["Celine1", "a"]
    assert sorted(after["network"][4]["filters"]) == ["Branchcat", "a"]


def test_flags_of_stages_that_do_not_exist_are_not_read():
    longer = CONFIG | {"construction": [True] * 4, "parameter_limits": [False] * 4}
    assert step("amla", longer, None, {}, {}) == step("amla", CONFIG, None, {}, {})


@pytest.mark.parametrize("without", ["statistics", "choice"])
def test_where_no_branch_can_leave_the_reason_is_told(without: str):
    """The released programs exited: without statistics of a stage, and where all its layers have a single branch."""
    config = CONFIG if without == "statistics" else CONFIG | {"envelopecell": {"Branch1": "1x1"}}
    first = step("amla", config, None, {}, {})
    log = {} if without == "statistics" else measured(first)
    with pytest.raises(ConstructionError, match="stage 0 has nothing to prune"):
        step("amla", config, first, log, {})
