"""Charts of comparisons: what they show of few runs and of many."""

from made_up_records import comparison, records

from amla.comparison.charts import accuracies
from amla.comparison.judgement import judged


def begins(accuracy: list[float]) -> float:
    found = records(ours=accuracy)
    drawn = accuracies(judged(comparison(), found, len(found)).tasks[0])
    assert drawn is not None
    return float(drawn["layer"][0]["encoding"]["x"]["scale"]["domainMin"])


def test_few_runs_are_all_within_the_axis():
    assert begins([0.9, 0.9, 0.1]) == 0.1


def test_a_few_bad_runs_of_many_do_not_press_the_others_together():
    assert 0.1 < begins([0.1, 0.1, *[0.9] * 98]) < 0.9  # and the interval of the mean is within it
