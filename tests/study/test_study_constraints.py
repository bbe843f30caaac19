"""Constraints of a study: what they say of a space, and that whatever is trained is within them."""

import pytest

from amla.spaces.space import SpaceError
from amla.spec.constraints import Constraints
from amla.study.amounts import constraints_of
from amla.study.constraints import check_met, reaches
from amla.study.settings.searches import NacSettings
from amla.study.settings.spaces import EnvelopeSettings, NasBenchMacroSettings, SpaceSettings
from amla.study.spaces import envelope_of, space_of
from amla.study.study import Data, Final, Study, StudyError, from_yaml

SHAPE, CLASSES = (3, 8, 8), 3
ENVELOPE = EnvelopeSettings(width=16, cells=(1,), max_cells=(2,), branches=("1x1", "3x3sep"))
MACRO = NasBenchMacroSettings(2, 4)


@pytest.mark.parametrize("settings", [ENVELOPE, MACRO])
@pytest.mark.parametrize("name", ["parameters", "macs", "memory"])
def test_a_constraint_can_be_met_from_the_smallest_network_on(settings: SpaceSettings, name: str):
    (loose,) = reaches(settings, SHAPE, CLASSES, Constraints(**{name: 10**9}))
    assert loose.is_met
    assert loose.least <= loose.middle <= loose.most
    exact, below = (Constraints(**{name: loose.least - less}) for less in (0, 1))
    check_met(space_of(settings, SHAPE, CLASSES, exact))
    (row,) = reaches(settings, SHAPE, CLASSES, below)
    assert not row.is_met
    assert row.least == loose.least
    with pytest.raises(SpaceError, match=f"the smallest one found has {loose.least:,} "):
        check_met(space_of(settings, SHAPE, CLASSES, below))


def test_limits_that_can_be_met_alone_may_not_be_met_together():
    rows = reaches(MACRO, SHAPE, CLASSES, Constraints(10**6, 10**9, 10**9))
    assert len(rows) == 3
    assert reaches(MACRO, SHAPE, CLASSES, Constraints()) == []


def test_the_tighter_of_two_bounds_on_envelopes_holds():
    both = EnvelopeSettings(width=16, cells=(1,), max_cells=(2,), branches=("1x1", "3x3sep"), parameters=900)
    assert envelope_of(both, SHAPE, CLASSES, Constraints(500, 60_000)).space.within == Constraints(500, 60_000)
    assert envelope_of(both, SHAPE, CLASSES, Constraints(2000)).space.within == Constraints(900)


def test_a_study_says_its_constraints():
    study = from_yaml(
        "{name: a, data: {source: digits}, constraints: {parameters: 20_000, memory: 4096}, "
        "algorithm: {kind: random, steps: 3}, final: {steps: 3}}"
    )
    assert study.constraints == Constraints(20_000, None, 4096)


@pytest.mark.parametrize("name", ["parameters", "macs", "memory"])
def test_a_limit_of_nothing_is_refused(name: str):
    with pytest.raises(StudyError, match=rf"constraints.{name} is 0; it must be 1 or more."):
        Study("a", Data("digits"), algorithm=NacSettings(1, 3), final=Final(3), constraints=Constraints(**{name: 0}))


def test_paper_mode_knows_none():
    with pytest.raises(StudyError, match="constraints are given, but networks of 2018 know none"):
        Study(
            "a",
            Data("digits"),
            algorithm=NacSettings(1, 3, mode="paper"),
            final=Final(3),
            constraints=Constraints(5),
        )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("200k", 200_000),
        ("30M", 30_000_000),
        ("1.5k", 1500),
        ("1500", 1500),
        ("1B", 10**9),
        (1500, 1500),
        (2e5, 200_000),
    ],
)
def test_numbers_are_read_as_people_write_them(text: str | float, said: int):
    assert constraints_of(max_macs=text) == Constraints(macs=said)


@pytest.mark.parametrize(
    ("text", "said"), [("2MB", 2_000_000), ("512KiB", 524_288), ("64k", 64_000), ("4096", 4096), ("1 GiB", 2**30)]
)
def test_sizes_are_read_as_people_write_them(text: str, said: int):
    assert constraints_of(max_memory=text) == Constraints(memory=said)


@pytest.mark.parametrize("text", ["", "k", "-1", "1.5", "0", "3 apples", "1e3", "1kib", "9" * 40])
def test_what_is_no_size_is_refused(text: str):
    with pytest.raises(StudyError, match="max-params"):
        constraints_of(text)
