"""Classes out of balance: the user is told, searches by another metric, and finds it named everywhere."""

import re
from pathlib import Path

import numpy as np
import pytest
from terminal import TINY, Here

from amla.study.folder import REPORT, STUDY


@pytest.fixture
def thinned(pictures: tuple[np.ndarray, np.ndarray]) -> str:
    """Return a file with twelve times as many images of one class as of another; all are tested on."""
    images, labels = pictures
    many = np.concatenate([np.flatnonzero(labels == label)[: (18, 2, 4)[label]] for label in range(3)] * 2)
    many = np.concatenate([many, np.flatnonzero(labels == 0)])
    np.savez("thinned.npz", x_train=images[many], y_train=labels[many], x_test=images, y_test=labels)
    return "thinned.npz"


def test_a_search_by_balanced_accuracy_names_it_wherever_it_stands(thinned: str, here: Here):
    by = ("--metric", "balanced_accuracy", "--set", "recipe.class_weights=balanced")
    found = here("search", thinned, *TINY, *by, "--run", "run")
    assert (found.code, found.err) == (0, "")
    assert "classes are out of balance: '0' has 50 training examples, '1' 3" in found.out
    assert "you may" not in found.out
    assert "validation balanced accuracy" in found.out
    assert "validation accuracy" not in found.out
    shown = here("show", "run")
    assert "test balanced accuracy" in shown.out
    assert "by which it was chosen" in shown.out
    assert "Test balanced accuracy" in Path("run", REPORT).read_text()
    assert "metric: balanced_accuracy" in Path("run", STUDY).read_text()
    assert here("export", "run", "--to", "card").code == 0
    assert "| Chosen by | balanced accuracy on the validation part |" in Path("run/export/card.md").read_text()
    assert here("replay", "run").code == 0
    again = here("search", thinned, *TINY, "--set", "recipe.class_weights=balanced", "--run", "run")
    assert again.code == 2
    assert "metric" in again.err


def test_baselines_are_compared_by_the_metric_without_an_interval(thinned: str, here: Here):
    by = ("--metric", "macro_f1", "--set", "baselines.random=1")
    assert here("search", thinned, *TINY, *by, "--run", "run").code == 0
    shown = " ".join(here("show", "run").out.split())
    assert "validation gives no interval of macro F1" in shown
    assert "no interval of macro F1" in Path("run", REPORT).read_text()


def test_a_search_that_does_nothing_about_it_is_told_what_there_is(thinned: str, here: Here):
    found = here("search", thinned, *TINY, "--run", "run")
    assert found.code == 0
    said = " ".join(found.out.split())
    assert "you may search by what counts each class the same (metric balanced_accuracy or macro_f1)" in said
    assert "recipe.class_weights balanced" in said
    assert "test balanced accuracy" not in here("show", "run").out


def test_what_was_found_in_the_data_stays_with_the_run(thinned: str, here: Here):
    told = here("search", thinned, *TINY, "--run", "run")
    assert told.code == 0
    assert here("export", "run", "--to", "card").code == 0
    shown, page, card = here("show", "run").out, Path("run", REPORT).read_text(), Path("run/export/card.md").read_text()
    for said in (told.out, shown, page, card):
        assert re.search(r"test examples \(.* %\) are training examples, too", " ".join(said.split()))


def test_a_metric_that_there_is_not_is_refused(thinned: str, here: Here):
    found = here("search", thinned, "--metric", "auc")
    assert found.code == 2
    assert "balanced_accuracy" in found.err
