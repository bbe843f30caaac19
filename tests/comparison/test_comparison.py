"""The file of a comparison: checked whole, and controls that follow from it."""

from dataclasses import replace

import pytest
from made_up_records import FILE, comparison

from amla.algorithms.protocol import Algorithm
from amla.comparison.comparison import from_yaml, load, to_yaml
from amla.comparison.controls import searching
from amla.comparison.record import benchmark
from amla.spec.constraints import Constraints
from amla.study.algorithm import algorithm_of
from amla.study.resolve import space_of, task_of
from amla.study.settings.searches import NacSettings, RandomSettings, Terms
from amla.study.study import StudyError
from amla.study.unsearched import plain_network
from amla.tasks.load import load as load_dataset
from amla.trials.history import History
from amla.trials.trial import Proposal


def test_a_comparison_is_its_file():
    assert from_yaml(to_yaml(comparison())) == comparison()


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (FILE.replace("seeds: 8", "seeds: 0"), "seeds is 0; it must be from 1 to 1000"),
        (FILE.replace("ours:", "our/s:"), "contenders has 'our/s'; use letters"),
        (FILE.replace(", steps: 10}}", "}}"), "ours: algorithm.steps is not given; without limit.seconds it must be"),
        (FILE.replace("kind: nac", "kind: magic"), "contenders.ours.algorithm"),
        (FILE + "limits: {short: {steps: 10}}\n", "limit and limits are both given"),
        (FILE.replace("limit:", "limits:").replace("steps: 100", "a/b: {steps: 10}"), "limits has 'a/b'; use letters"),
        (
            FILE.replace("limit:", "limits:")
            .replace("steps: 100", "one: {flops: 10}")
            .replace("{steps: 10}", "{}")
            .replace("one: {flops: 10}", "one: {flops: 10}, two: {steps: 10}"),
            "limits.two: ours on digits: final.steps is not given",
        ),
        (FILE.replace("algorithm: {", "space: {kind: envelope}, algorithm: {"), "contenders.ours"),
        ("- 1", ""),
        ("a: &a [*a]", ""),
    ],
)
def test_what_is_wrong_is_said_by_its_address(wrong, said):
    with pytest.raises(StudyError, match=said or None):
        from_yaml(wrong)


def test_within_several_limits_it_is_one_comparison_for_each():
    limits = "limits: {short: {steps: 50}, long: {steps: 200}}"
    whole = comparison(FILE.replace("limit: {steps: 100}", limits))
    assert {name: (part.limit.steps, dict(part.limits)) for name, part in whole.parts.items()} == {
        "short": (50, {}),
        "long": (200, {}),
    }
    assert whole.parts["long"] == comparison(FILE.replace("steps: 100", "steps: 200"))
    assert from_yaml(to_yaml(whole)) == whole
    assert comparison().parts == {"": comparison()}


def test_its_costs_are_those_that_any_contender_goes_by():
    assert comparison().costs == ()
    nsga2 = "  small: {algorithm: {kind: nsga2, steps: 10, costs: [macs, parameters]}}\nseeds:"
    asha = "  quick: {algorithm: {kind: asha, steps: 10, costs: [parameters]}}\nseeds:"
    file = FILE.replace("seeds:", asha).replace("seeds:", nsga2)
    assert comparison(file).costs == ("parameters", "macs")


def test_on_a_table_it_takes_simulated_time():
    table = "backend: {kind: tabular, table: nasbench201}"
    with pytest.raises(StudyError, match=r"executor.kind is inline, .* take simulated time"):
        from_yaml(f"{FILE}\n{table}\n")


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(StudyError, match="There is no comparison"):
        load(tmp_path / "none.yaml")


def test_chance_is_always_there_and_for_nac_its_own_controls():
    found = searching(comparison())
    assert list(found) == ["random-sampling", "random-search", "ours-random-pruning", "ours-worst-case"]
    assert found["random-sampling"].algorithm == RandomSettings(1, 10)
    chance, worst = found["ours-random-pruning"].algorithm, found["ours-worst-case"].algorithm
    assert isinstance(chance, NacSettings)
    assert isinstance(worst, NacSettings)
    assert (chance.statistic, worst.worst) == ("random", True)


def test_a_control_that_is_a_contender_runs_once():
    file = FILE.replace("seeds:", "  random-search: {algorithm: {kind: random, steps: 20}}\nseeds:")
    assert "random-search" not in searching(comparison(file))


CELLS = "space: {kind: nasbench201, width: 16, cells: 1}"
RUN_OFF = "run_off: {networks: 2, times: 2}"


def test_chance_has_the_run_off_of_the_first_contender_after_as_many_networks():
    nac = FILE.replace("nac, steps: 10}}", f"nac, steps: 10, iterations: 3, candidates: 2}}, {RUN_OFF}}}")
    chance = searching(comparison(nac))["random-search"]
    assert chance.algorithm == RandomSettings(7, 10)
    assert chance.run_off == comparison(nac).contenders["ours"].run_off is not None


def test_where_it_is_not_known_how_many_networks_that_is_a_contender_takes_its_place():
    evolution = FILE.replace("{kind: nac, steps: 10}}", f"{{kind: evolution, steps: 10}}, {RUN_OFF}}}")
    with pytest.raises(StudyError, match="Put random-search among the contenders"):
        searching(comparison(evolution))
    named = evolution.replace(
        "seeds:", f"  random-search: {{algorithm: {{kind: random, steps: 10}}, {RUN_OFF}}}\nseeds:"
    )
    assert list(searching(comparison(named))) == ["random-sampling"]


def test_runs_on_a_share_of_the_data_stand_in_no_table_with_others():
    study = comparison(FILE).study("digits", comparison(FILE).contenders["ours"], 0)
    assert benchmark(replace(study, data=replace(study.data, share=0.5))) != benchmark(study)


def test_contenders_differ_in_their_terms_on_the_same_task():
    named = "  again: {algorithm: {kind: nac, steps: 10}, terms: {distinct: true, seeds: 2, most: {macs: 9e9}}}\nseeds:"
    both = comparison(FILE.replace("seeds:", named))
    plain, held = (both.study("digits", both.contenders[name], 0) for name in ("ours", "again"))
    assert plain.terms is None
    assert held.terms == Terms(distinct=True, seeds=2, most={"macs": 9e9})
    assert benchmark(plain) == benchmark(held)
    task = task_of(held, load_dataset("digits"))
    tried = algorithm_of(held, space_of(held, task), 10)
    first, second = next_two(tried)
    assert (first.architecture, first.seed) == (second.architecture, second.seed - 1)
    assert searching(both)["again-random-pruning"].terms == held.terms
    assert searching(both)["random-search"].terms is None


def test_no_contender_knows_of_searches_before():
    with pytest.raises(StudyError, match=r"terms\.after is \['runs/digits'\]; a contender begins with nothing"):
        comparison(FILE.replace("steps: 10}}", "steps: 10}, terms: {after: [runs/digits]}}"))


def test_chance_does_not_guess_how_many_networks_terms_leave():
    nac = FILE.replace("nac, steps: 10}}", f"nac, steps: 10}}, {RUN_OFF}, terms: {{distinct: true}}}}")
    with pytest.raises(StudyError, match=r"on its terms is not known\. Put random-search among the contenders"):
        searching(comparison(nac))


def test_without_controls_there_are_none():
    assert searching(comparison(FILE + "controls: false\n")) == {}


def test_a_budget_is_asked_for():
    with pytest.raises(StudyError, match="limit is empty"):
        searching(comparison(FILE.replace("limit: {steps: 100}", "")))


@pytest.mark.parametrize(
    ("space", "kept"),
    [
        ("{kind: nasbench201, width: 4, cells: 1}", ["3x3", "none", "3x3", "skip", "none", "skip"]),
        ("{kind: nasbench_macro, width: 4, last: 8}", ["mb3-3x3"] * 8),
        ("{kind: enas_macro, width: 4, layers: 3}", ["3x3", "op"] * 3),
    ],
)
def test_the_network_made_by_hand_is_what_people_would_build(space: str, kept: list[str]):
    file = comparison(FILE.replace("{source: digits}", f"{{source: digits}}, space: {space}").replace("nac", "random"))
    study = file.study("digits", file.contenders["ours"], 0)
    task = task_of(study, load_dataset("digits"))
    network = plain_network(study.space, study.constraints, task)
    assert network is not None
    found = space_of(study, task).space.read(network)
    assert [name.rsplit("/", 1)[-1] for (name,) in found.values()] == kept


def next_two(algorithm: Algorithm) -> tuple[Proposal, Proposal]:
    history, first = History(), algorithm.ask(History())
    assert first is not None
    second = algorithm.ask(history.asked(first))
    assert second is not None
    return first, second


def test_constraints_of_a_task_hold_for_contenders_and_controls():
    tight = "constraints: {parameters: 9000}"
    file = comparison(FILE.replace("{source: digits}", f"{{source: digits}}, {tight}"))
    study = file.study("digits", file.contenders["ours"], 0)
    assert study.constraints == Constraints(9000)
    by_hand = plain_network(study.space, study.constraints, task_of(study, load_dataset("digits")))
    assert by_hand is not None
    assert study.constraints.hold(by_hand)
    of_cells = FILE.replace("{source: digits}", f"{{source: digits}}, {tight}, {CELLS}").replace("nac", "random")
    fixed = comparison(of_cells)
    study = fixed.study("digits", fixed.contenders["ours"], 0)
    assert plain_network(study.space, study.constraints, task_of(study, load_dataset("digits"))) is None
