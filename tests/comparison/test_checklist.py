"""The checklist says what was done: of networks that were trained one thing, of tables that answered another."""

from dataclasses import replace

import pytest
from made_up_records import FILE, comparison, record, records

from amla.comparison.checklist import Item, checklist
from amla.comparison.comparison import Comparison, from_yaml
from amla.comparison.judgement import judged
from amla.comparison.markdown import markdown
from amla.comparison.page import render
from amla.comparison.record import Known
from amla.comparison.runs import Bout, Records

TABLED = """
name: made-up
tasks:
  digits: {data: {source: cifar10}, space: {kind: nasbench201}, final: {steps: 200}}
contenders:
  ours: {algorithm: {kind: local, steps: 12}}
limit: {trials: 10}
backend: {kind: tabular, table: nasbench201}
executor: {kind: simulated}
"""


def items(of: Comparison, found: Records) -> dict[int, Item]:
    """Return the items of the checklist by their numbers."""
    listed = checklist(of, judged(of, found, 8))
    return {int(item.practice.partition(".")[0]): item for item in listed}


def looked_up(known: Known) -> Records:
    found = records(ours=[0.9] * 5, random_search=[0.8] * 5, random_sampling=[0.7] * 5)
    return {bout: replace(record, known=known) for bout, record in found.items()}


@pytest.fixture(params=[True, False], ids=["looked up", "nothing yet"])
def of_tables(request: pytest.FixtureRequest) -> dict[int, Item]:
    return items(from_yaml(TABLED), looked_up(Known(0.95, None)) if request.param else {})


def test_networks_that_were_trained_have_pipeline_machine_and_reports():
    found = items(comparison(), records(ours=[0.9] * 8))
    assert [number for number, item in found.items() if item.met] == [1, 2, 4, 6, 7, 9, 11, 13, 14]
    assert "same final training and one look at the test part" in found[6].evidence
    assert "threads pinned" in found[11].evidence
    assert "operations of training" in found[13].evidence
    assert found[14].evidence == "8 of 8 runs done; every one has its own report beside this one"


def test_of_tables_nobody_says_that_something_was_trained_tested_or_pinned(of_tables: dict[int, Item]):
    told = " ".join(item.evidence for item in of_tables.values())
    for phrase in ("same final training", "one look", "threads", "cluster", "its own report", "really trained"):
        assert phrase not in told


def test_of_tables_the_pipeline_is_for_the_author_to_say(of_tables: dict[int, Item]):
    assert of_tables[1].met is None
    assert "authors' code" in of_tables[1].evidence


def test_of_tables_it_is_said_where_accuracies_seconds_and_records_are_from(of_tables: dict[int, Item]):
    assert of_tables[6].met
    assert "looked up in the same table" in of_tables[6].evidence
    assert "simulated seconds" in of_tables[7].evidence
    assert of_tables[11].met
    assert "the same on any machine" in of_tables[11].evidence
    assert "simulated time" in of_tables[13].evidence
    assert "what each came to is in records/" in of_tables[14].evidence


def test_it_is_said_by_task_where_there_is_a_network_made_by_hand_and_where_none():
    shared = "{data: {source: digits}, final: {steps: 10}}"
    of = comparison(FILE.replace("  digits:", f"  cells: {shared}\n  digits:"))
    chance = {"ours": [0.9], "random_search": [0.8], "random_sampling": [0.7]}
    found = {**records("cells", **chance), **records("digits", **chance, hand_made=[0.7])}
    item = items(of, found)[8]
    assert item.met
    assert item.evidence.endswith("of networks made by hand one on digits, none on cells")
    less = {bout: record for bout, record in found.items() if (bout.task, bout.contender) != ("cells", "random-search")}
    assert (items(of, less)[8].met, items(of, less)[8].evidence) == (
        False,
        "missing: random-search on cells; run the rest",
    )


def test_tables_that_are_looked_up_on_several_machines_are_no_confounder():
    found = dict(looked_up(Known(0.95, None)))
    bout = next(iter(found))
    found[bout] = replace(found[bout], about={"machine": "another"})
    assert items(from_yaml(TABLED), found)[11].met


def test_tables_that_are_looked_up_by_several_versions_are_one():
    found = dict(looked_up(Known(0.95, None)))
    bout = next(iter(found))
    found[bout] = replace(found[bout], about={"machine": "another", "code": "amla 2"})
    item = items(from_yaml(TABLED), found)[11]
    assert (item.met, item.evidence) == (False, "runs differ in code (amla; amla 2)")


@pytest.mark.parametrize(
    ("held_out", "said"), [(True, "searches see the validation part alone"), (False, "is of the test part too")]
)
def test_whether_searches_see_the_test_part_is_said(held_out: bool, said: str):
    found = items(from_yaml(TABLED), looked_up(Known(0.95, None, held_out=held_out)))
    assert found[6].met
    assert said in found[6].evidence


@pytest.mark.parametrize(("flops", "met"), [(4e6, True), (3.85e6, True), (3.6e6, False)])
def test_searches_of_equal_limits_are_to_have_spent_the_same(flops: float, met: bool):
    of = comparison(FILE.replace("limit: {steps: 100}", "limit: {flops: 4000000}"))
    found = dict(records(ours=[0.9], random_search=[0.8], random_sampling=[0.7], hand_made=[0.7]))
    ended = Bout("digits", "ours", 0)
    found[ended] = record(0.9, 0, flops=flops)
    for name in ("random-sampling", "hand-made"):  # which search nothing, and are no measure of the others
        found[Bout("digits", name, 0)] = record(0.7, 0, flops=1e3)
    item, judgement = items(of, found)[15], judged(of, found, 4)
    assert item.met is met
    least = f"Searches took {flops / 1e6:.2f}\u202fM operations on average ("
    whole = "with final training runs took 1.00\u202fM (random-sampling) to 5.00\u202fM (random-search)"
    for told in (
        item.evidence,
        markdown(judgement, (), "", "").replace("\u00a0", "\u202f"),
        render(judgement, (), "", ""),
    ):
        assert least in told
        assert whole in told


@pytest.mark.parametrize(("given", "met"), [(3.9e6, True), (3.6e6, False)])
def test_of_whole_runs_it_is_all_that_they_trained_for(given: float, met: bool):
    """What the final training has is what the search has left, so that those count which search nothing."""
    of = comparison(FILE.replace("final: {steps: 10}", "final: {}").replace("{steps: 100}", "{flops: 5000000}"))
    found = dict(records(ours=[0.9], random_search=[0.8]))
    found[Bout("digits", "hand-made", 0)] = record(0.7, 0, flops=given)
    item, judgement = items(of, found)[15], judged(of, found, 3)
    assert item.met is met
    whole = f"Runs took {given / 1e6 + 1:.2f}\u202fM operations on average (hand-made) to 5.00\u202fM ("
    for told in (
        item.evidence,
        markdown(judgement, (), "", "").replace("\u00a0", "\u202f"),
        render(judgement, (), "", ""),
    ):
        assert whole in told


def test_where_operations_are_not_the_limit_it_is_for_the_author_to_say_what_was_spent(of_tables: dict[int, Item]):
    assert items(comparison(), records(ours=[0.9], random_search=[0.8]))[15].met is None
    assert of_tables[15].met is None


def test_one_search_spends_no_less_than_others():
    of = comparison(FILE.replace("limit: {steps: 100}", "limit: {flops: 4000000}"))
    assert items(of, records(ours=[0.9], random_sampling=[0.7]))[15].met is None


def test_runs_that_are_missing_are_counted():
    for of, found in ((comparison(), records(ours=[0.9])), (from_yaml(TABLED), {})):
        item = items(of, found)[14]
        assert item.met is False
        assert f"{len(found)} of 8 runs done" in item.evidence
