"""What is said of records: true differences are told, chance is not, and what does not belong is refused."""

import re
from dataclasses import replace

import numpy as np
import pytest
from made_up_records import FILE, comparison, record, records

from amla.comparison.checklist import checklist
from amla.comparison.comparison import to_yaml
from amla.comparison.judgement import as_json, by_limit, judged, together
from amla.comparison.markdown import markdown
from amla.comparison.page import render
from amla.comparison.runs import Bout
from amla.comparison.words import alone, limits, noise, too_few, verdict


def on_digits(found):
    return judged(comparison(), found, len(found)).tasks[0]


def test_a_difference_that_all_seeds_show_is_told_with_its_size():
    theirs = [0.80, 0.81, 0.82, 0.80, 0.79, 0.83, 0.80, 0.81]
    task = on_digits(records(ours=[a + 0.02 for a in theirs], random_search=theirs))
    (pair,) = task.pairs
    assert pair.is_real
    assert verdict(pair).startswith(
        "ours beats random-search by 2.00 points (95\u202f% interval 2.00 to 2.00, p = 0.008"
    )


def test_it_is_told_the_other_way_round_too():
    ours = [0.80, 0.81, 0.82, 0.80, 0.79, 0.83, 0.80, 0.81]
    wider = [a + 0.02 + 0.001 * place for place, a in enumerate(ours)]
    (pair,) = on_digits(records(ours=ours, random_search=wider)).pairs
    assert verdict(pair).startswith("random-search beats ours by 2.35 points (95\u202f% interval 2.1")


@pytest.mark.parametrize(
    ("ours", "theirs", "said"),
    [
        (
            [0.8, 0.9],
            [0.7, 0.8],
            "A run of ours is better than one of random-search 88\u202f% of the time (95\u202f% int",
        ),
        (
            [0.7, 0.8],
            [0.8, 0.9],
            "A run of random-search is better than one of ours 88\u202f% of the time (95\u202f% int",
        ),
        ([0.9], [0.8], "A run of ours is better than one of random-search 100\u202f% of the time. With 1 seed"),
        ([0.8], [0.8], "A run of ours is better than one of random-search 50\u202f% of the time."),
    ],
)
def test_how_often_a_run_of_one_is_better_is_told_of_whoever_is_ahead(ours, theirs, said: str):
    judgement = judged(comparison(), records(ours=ours, random_search=theirs), 2)
    assert said in verdict(judgement.tasks[0].pairs[0])
    assert "% of the time" in markdown(judgement, (), "", "")
    assert said in render(judgement, (), "", "")


def test_a_real_loss_says_it_of_the_winner_too():
    theirs = [0.80, 0.81, 0.82, 0.80, 0.79, 0.83, 0.80, 0.81]
    (pair,) = on_digits(records(ours=[a - 0.05 for a in theirs], random_search=theirs)).pairs
    said = "A run of random-search is better than one of ours 100\u202f% of the time (95\u202f% interval 100 to 100)."
    assert verdict(pair).endswith(said)


def test_few_seeds_say_that_they_are_too_few():
    (pair,) = on_digits(records(ours=[0.9, 0.9, 0.9], random_search=[0.8, 0.8, 0.8])).pairs
    said = verdict(pair)
    assert said.startswith("No evidence at this n that ours and random-search differ: 10.00 points")
    assert said.endswith("With 3 seeds none could be told; it takes 6 or more.")
    assert "8 seeds" in str(too_few(3, 6))
    assert too_few(8, 6) is None


def test_one_contender_without_controls_is_compared_with_nothing_and_that_is_said():
    assert "compared with nothing; add a contender, or set controls to true" in str(too_few(8, 0))
    judgement = judged(comparison(FILE + "controls: false\n"), records(ours=[0.9, 0.91]), 2)
    page = render(judgement, (), "", "")
    assert "Nothing is compared<" in page
    for told in (page, markdown(judgement, (), "", "")):
        assert "Only ours has been run, so that there is nothing to compare it with." in told
    assert alone(on_digits(records(ours=[0.9], random_search=[0.8]))) is None


def test_what_cannot_be_told_yet_says_how_many_seeds_would():
    (pair,) = on_digits(
        records(ours=[0.80, 0.84, 0.79, 0.85, 0.81, 0.83], random_search=[0.81, 0.81, 0.8, 0.82, 0.8, 0.8])
    ).pairs
    assert not pair.is_real
    assert pair.needed
    assert pair.needed > 6
    assert f"About {pair.needed} seeds would tell" in verdict(pair)


def test_alike_contenders_are_told_apart_one_time_in_twenty_at_most():
    """An A/A comparison: one in twenty would be told by mistake among all pairs, 7 in 100 are allowed for luck."""
    two = comparison(FILE.replace("seeds:", "  again: {algorithm: {kind: random, steps: 10}}\nseeds:"))
    rng, told = np.random.default_rng(0), 0
    for _ in range(200):
        drawn = {name: (0.9 + 0.01 * rng.normal(size=8)).tolist() for name in ("ours", "again", "random_search")}
        found = records(**drawn)
        told += any(pair.is_real for pair in judged(two, found, 24).tasks[0].pairs)
    assert told <= 0.07 * 200


def test_only_seeds_that_both_have_run_are_a_pair():
    (pair,) = on_digits(records(ours=[0.9, 0.8, 0.7], random_search=[0.8, 0.8])).pairs
    assert pair.difference.n == 2


def test_a_run_of_another_task_is_refused_a_place():
    found = records(ours=[0.9, 0.9], random_search=[0.8, 0.8])
    other = Bout("digits", "ours", 1)
    task = on_digits({**found, other: replace(found[other], task="other")})
    assert task.refused == ("ours, seed 1: its task has the digest other, the others t",)
    assert {s.name: len(s.accuracies) for s in task.standings} == {"ours": 1, "random-search": 2}


def test_the_noise_is_that_of_one_network_with_several_seeds():
    found = records(ours=[0.9, 0.8])
    found |= {Bout("digits", "hand-made", seed): record(a, seed) for seed, a in enumerate((0.90, 0.92))}
    task = on_digits(found)
    assert task.noise == pytest.approx(0.0141, abs=1e-4)
    assert "1.41 points" in str(noise(task))


def test_improvement_is_relative_to_networks_drawn_at_random():
    task = on_digits(records(ours=[0.9], random_sampling=[0.75]))
    assert {s.name: s.relative for s in task.standings} == {"ours": pytest.approx(20.0), "random-sampling": 0.0}


def test_runs_from_several_machines_are_no_controlled_comparison():
    found = records(ours=[0.9, 0.9])
    found[Bout("digits", "ours", 1)] = record(0.9, 1, machine="another")
    judgement = judged(comparison(), found, 2)
    item = next(item for item in checklist(comparison(), judgement) if item.practice.startswith("11."))
    assert item.met is False
    assert "another" in item.evidence


def test_runs_of_several_versions_are_no_controlled_comparison():
    found = records(ours=[0.9, 0.9])
    found[Bout("digits", "ours", 1)] = record(0.9, 1, code="amla 2")
    judgement = judged(comparison(), found, 2)
    assert judgement.about == {"machine": ("m",), "code": ("amla", "amla 2")}
    item = next(item for item in checklist(comparison(), judgement) if item.practice.startswith("11."))
    assert (item.met, item.evidence) == (False, "runs differ in code (amla; amla 2)")
    for told in (render(judgement, (), "", ""), markdown(judgement, (), "", "")):
        assert "This is no controlled comparison: runs differ in code (amla; amla 2)." in told


def test_what_was_refused_a_place_is_no_confounder():
    found = records(ours=[0.9, 0.9, 0.9])
    found[Bout("digits", "ours", 1)] = replace(record(0.9, 1, code="amla 2"), task="other")
    assert judged(comparison(), found, 2).about["code"] == ("amla",)


def test_several_tasks_are_ranked():
    shared = "{data: {source: digits}, final: {steps: 10}}"
    file = FILE.replace("  digits:", f"  one: {shared}\n  two: {shared}\n  digits:")
    found = {}
    for task in ("one", "two", "digits"):
        found |= records(task, ours=[0.9], random_search=[0.8], random_sampling=[0.7])
    ranks = judged(comparison(file), found, 9).rankings[""]
    assert ranks.ranks == {"ours": 1.0, "random-search": 2.0, "random-sampling": 3.0}


def test_within_several_limits_all_is_said_of_each_and_what_a_larger_one_buys():
    low = judged(comparison(), records(ours=[0.8, 0.82], random_search=[0.7, 0.72]), 4)
    high = judged(comparison(), records(ours=[0.9, 0.92], random_search=[0.7, 0.72]), 4)
    whole = together({"short": low, "long": high})
    assert (whole.planned, whole.done) == (8, 8)
    assert [found.called for found in whole.tasks] == ["digits within short", "digits within long"]
    assert limits(by_limit(whole)["digits"]) == {
        "ours": ("81.00\u202f% (68.29 to 93.71)", "91.00\u202f% (78.29 to 100.00)"),
        "random-search": ("71.00\u202f% (58.29 to 83.71)", "71.00\u202f% (58.29 to 83.71)"),
    }
    page, text = render(whole, checklist(comparison(), whole), "", ""), markdown(whole, (), "", "")
    assert "2 seeds on 1 task within 2 limits" in page.replace("8 seeds", "2 seeds")
    for told in (page, text):
        assert "hat a larger limit buys" in told
        assert "digits within long" in told
    assert 'href="#digits-within-long-verdicts"' in page
    assert by_limit(together({"": low})) == {}
    assert "larger limit" not in render(together({"": low}), (), "", "")


def test_ranks_are_of_each_limit_by_itself():
    shared = "{data: {source: digits}, final: {steps: 10}}"
    three = comparison(FILE.replace("  digits:", f"  one: {shared}\n  two: {shared}\n  digits:"))
    found = {}
    for task in ("one", "two", "digits"):
        found |= records(task, ours=[0.9], random_search=[0.8], random_sampling=[0.7])
    whole = together({"short": judged(three, found, 6), "long": judged(three, found, 6)})
    assert list(whole.rankings) == ["short", "long"]
    assert "Over all tasks within short" in render(whole, (), "", "")
    assert "## Over all tasks within long" in markdown(whole, (), "", "")


FRONTS = FILE.replace("{kind: nac, steps: 10}", "{kind: nsga2, steps: 10}").replace("nac", "nsga2")


def fronts(found, **fronts):
    """Return records with these fronts, by contender and seed, of an accuracy and a cost."""
    return {bout: replace(of, front=fronts[bout.contender.replace("-", "_")][bout.seed]) for bout, of in found.items()}


def test_whole_fronts_are_compared_by_what_they_dominate():
    good = [((0.9, 1000.0), (0.8, 500.0 - seed)) for seed in range(8)]
    found = fronts(records(ours=[0.9] * 8, random_search=[0.9] * 8), ours=good, random_search=[((0.9, 1000.0),)] * 8)
    task = judged(comparison(FRONTS), found, 16).tasks[0]
    assert task.trade is not None
    (pair,) = task.trade.pairs
    assert pair.is_real
    assert pair.difference.mean > 0.05
    assert not task.pairs[0].is_real  # by accuracy they are the same
    judgement = judged(comparison(FRONTS), found, 16)
    for told in (render(judgement, (), "", ""), markdown(judgement, (), "", "")):
        assert "points of hypervolume" in told
        assert "the front of accuracy and parameters is compared" in told


def test_the_box_is_that_of_what_nobody_beats_so_that_useless_networks_count_nothing():
    one = [((0.9, 1000.0), (0.5, 100.0))]
    with_useless = [((0.9, 1000.0), (0.5, 100.0), (0.1, 99.0))]
    useless = [((0.9, 1000.0), (0.5, 100.0), (0.1, 100.0))]
    usual, same, other = (
        judged(
            comparison(FRONTS),
            fronts(records(ours=[0.9], random_search=[0.9]), ours=front, random_search=one),
            2,
        )
        .tasks[0]
        .trade
        for front in (one, useless, with_useless)
    )
    assert usual
    assert same
    assert other
    assert usual.volumes == same.volumes
    assert usual.corner == pytest.approx((0.46, 1090.0))
    assert other.corner == pytest.approx((0.02, 1090.1))


def test_of_one_seed_no_interval_is_told_and_a_run_without_a_front_is_left_out():
    one = fronts(records(ours=[0.9], random_search=[0.9]), ours=[((0.9, 9.0),)], random_search=[((0.8, 8.0),)])
    judgement = judged(comparison(FRONTS), one, 2)
    for told in (markdown(judgement, (), "", ""), render(judgement, (), "", "")):
        assert not re.search(r"[−-]inf to", told)
    found = fronts(
        records(ours=[0.9] * 2, random_search=[0.9] * 2), ours=[(), ((0.9, 9.0),)], random_search=[((0.8, 8.0),)] * 2
    )
    trade = judged(comparison(FRONTS), found, 4).tasks[0].trade
    assert trade is not None
    assert {name: list(of) for name, of in trade.volumes.items()} == {"ours": [1], "random-search": [0, 1]}
    assert trade.pairs[0].difference.n == 1


def test_of_numbers_that_are_no_shares_nothing_is_cut_off():
    file = FILE.replace("final: {steps: 10}", "metric: r2, final: {steps: 10}")
    found = records(ours=[-0.5, -0.3, -0.4], random_sampling=[-0.2, 0.0, -0.1])
    judgement = judged(comparison(file), found, 6)
    ours = next(s for s in judgement.tasks[0].standings if s.name == "ours")
    assert ours.low < ours.mean < ours.high < 0
    assert ours.relative is None
    assert "| **ours** | \u22120.400 | \u22120.648 to \u22120.152 | 3 |  |" in markdown(judgement, (), "", "")
    assert "\u22120.648 to \u22120.152" in render(judgement, (), "", "")


def test_who_goes_by_no_cost_has_no_fronts_to_compare():
    found = fronts(records(ours=[0.9]), ours=[((0.9, 1000.0),)])
    assert judged(comparison(), found, 1).tasks[0].trade is None
    assert judged(comparison(FRONTS), records(ours=[0.9]), 1).tasks[0].trade is None  # of records of before


def test_reports_hold_every_number_and_need_nothing_else():
    found = records(ours=[0.9, 0.91], random_search=[0.8, 0.81], random_sampling=[0.7, 0.72])
    judgement = judged(comparison(), found, 8)
    items, file = checklist(comparison(), judgement), to_yaml(comparison())
    page = render(judgement, items, file, "amla compare it.yaml")
    text = markdown(judgement, items, file, "amla compare it.yaml")
    for told in (page, text):
        assert "90.50" in told
        assert "amla compare it.yaml" in told
        assert "6 of 8 runs are done" in told
        assert "2 diverged" in told or told is text  # the page alone has what failed
    assert "://" not in page.partition("<script")[0]
    assert '"mean":0.905' in as_json(judgement)


def test_nothing_run_yet_can_be_reported():
    judgement = judged(comparison(), {}, 8)
    items = checklist(comparison(), judgement)
    assert "Nothing can be compared yet" in render(judgement, items, "", "")
    assert "0 of 8 runs are done" in markdown(judgement, items, "", "")
