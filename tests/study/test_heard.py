"""What running trials report is written into their curves, once, whatever happens to their workers."""

from pathlib import Path

import pytest

from amla.storage.files import Files
from amla.study.heard import Curves
from amla.trials.progress import Progress


class Ears:
    """A listener that counts lines."""

    def __init__(self) -> None:
        self.lines = 0

    def progress(self, phase: str, progress: Progress) -> None:
        self.lines += 1


@pytest.fixture
def curves(tmp_path: Path) -> Curves:
    return Curves("search", Files(tmp_path), Ears())  # type: ignore[arg-type]


def hear(curves: Curves, *steps: int) -> None:
    for step in steps:
        curves(Progress(3, step, 50, 1.0, 0.5, 0.1, 2.0))


def steps(curves: Curves) -> list[int]:
    return [line.step for line in curves.files.curve("search/3")]


def test_lines_are_appended(curves: Curves):
    hear(curves, 10, 20, 30)
    assert steps(curves) == [10, 20, 30]


@pytest.mark.parametrize(
    ("again", "whole"), [((10, 20), [10, 20]), ((20, 30, 40), [10, 20, 30, 40]), ((30,), [10, 20, 30])]
)
def test_a_trial_that_lost_its_worker_goes_on_from_where_it_begins_again(
    curves: Curves, again: tuple[int, ...], whole: list[int]
):
    hear(curves, 10, 20, 30)
    hear(curves, *again)
    assert steps(curves) == whole


def test_one_that_was_cut_off_keeps_what_was_before_its_checkpoint(curves: Curves, tmp_path: Path):
    hear(curves, 10, 20, 30)
    hear(Curves("search", Files(tmp_path), Ears()), 20)  # type: ignore[arg-type]
    assert steps(curves) == [10, 20]


def test_a_trial_of_the_record_has_its_curve_already(curves: Curves):
    hear(curves, 10, 20)
    curves.mended.add(3)
    hear(curves, 10, 20, 30)
    assert steps(curves) == [10, 20]
    assert curves.listener.lines == 2  # type: ignore[attr-defined]
