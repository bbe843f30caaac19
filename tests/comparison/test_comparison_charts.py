"""Charts of comparisons: what they show of few runs and of many."""

from made_up_records import comparison, record, records

from amla.comparison.charts import accuracies, anytime
from amla.comparison.checklist import checklist
from amla.comparison.judgement import judged
from amla.comparison.markdown import markdown
from amla.comparison.page import render
from amla.comparison.runs import Bout


def drawn_against_joules(*, all_known: bool) -> bool:
    found = records(ours=[0.9, 0.8], random_search=[0.8, 0.8])
    found = {bout: record(run.accuracy, bout.seed, joules=500.0) for bout, run in found.items()}
    if not all_known:
        found[Bout("digits", "ours", 1)] = record(0.8, 1)
    judgement = judged(comparison(), found, len(found))
    is_drawn = anytime(judgement.tasks[0], "joules") is not None
    page, text = render(judgement, checklist(comparison(), judgement), "", ""), markdown(judgement, (), "", "")
    assert ("joules of training" in page) is is_drawn
    assert ("4.00\u202fkJ" in page) is is_drawn  # four runs of 500 J, search and final training
    assert ("operations, joules and seconds" in page) is is_drawn
    assert "not readable" not in page or not is_drawn
    assert "1.00\u00a0kJ" in text  # of random search at least
    return is_drawn


def test_joules_are_drawn_and_summed_where_all_runs_have_them():
    assert drawn_against_joules(all_known=True)
    assert not drawn_against_joules(all_known=False)


def begins(accuracy: list[float]) -> float:
    found = records(ours=accuracy)
    drawn = accuracies(judged(comparison(), found, len(found)).tasks[0])
    assert drawn is not None
    return float(drawn["layer"][0]["encoding"]["x"]["scale"]["domainMin"])


def test_few_runs_are_all_within_the_axis():
    assert begins([0.9, 0.9, 0.1]) == 0.1


def test_a_few_bad_runs_of_many_do_not_press_the_others_together():
    assert 0.1 < begins([0.1, 0.1, *[0.9] * 98]) < 0.9  # and the interval of the mean is within it
