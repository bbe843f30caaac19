"""The checklist says what was done: of networks that were trained one thing, of tables that answered another."""

from dataclasses import replace

import pytest
from made_up_records import comparison, records

from amla.comparison.checklist import Item, checklist
from amla.comparison.comparison import Comparison, from_yaml
from amla.comparison.judgement import judged
from amla.comparison.record import Known
from amla.comparison.runs import Records

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


def test_tables_that_are_looked_up_on_several_machines_are_no_confounder():
    found = dict(looked_up(Known(0.95, None)))
    bout = next(iter(found))
    found[bout] = replace(found[bout], about={"machine": "another"})
    assert items(from_yaml(TABLED), found)[11].met


@pytest.mark.parametrize(
    ("held_out", "said"), [(True, "searches see the validation part alone"), (False, "is of the test part too")]
)
def test_whether_searches_see_the_test_part_is_said(held_out: bool, said: str):
    found = items(from_yaml(TABLED), looked_up(Known(0.95, None, held_out=held_out)))
    assert found[6].met
    assert said in found[6].evidence


def test_runs_that_are_missing_are_counted():
    for of, found in ((comparison(), records(ours=[0.9])), (from_yaml(TABLED), {})):
        item = items(of, found)[14]
        assert item.met is False
        assert f"{len(found)} of 8 runs done" in item.evidence
