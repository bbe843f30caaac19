"""The network found is trained wider: as wide as is said, or as the time pays for, with the same decisions."""

from dataclasses import replace

import pytest
from made_up_runs import made_up

from amla.spec.architecture import Architecture, Node
from amla.spec.costs import costs
from amla.spec.ops import Activation, Conv
from amla.study.resolve import task_of
from amla.study.run import Limit
from amla.study.settings.searches import FixedSettings, NacSettings
from amla.study.settings.spaces import EnvelopeSettings
from amla.study.spaces import envelope_of
from amla.study.study import Data, Final, Study, StudyError
from amla.study.widen import GOOD_FLOPS, GOOD_MACS, widened

SPACE = EnvelopeSettings(width=40, cells=(1, 2), max_cells=(2, 2), macs=100_000)
STUDY = Study("x", Data("x"), space=SPACE, algorithm=NacSettings(2, 10), final=Final(10), limit=Limit(seconds=60.0))
TASK = task_of(STUDY, made_up())
ENVELOPE = envelope_of(SPACE, TASK.shape, TASK.classes)


def found() -> Architecture:
    decisions = dict(ENVELOPE.initial())
    decisions["stage1/cell0"] = ("stage1/cell0/3x3", "stage1/cell0/5x5sep")
    return ENVELOPE.space.close(decisions)


def final(macs: object, flops: float = 0.0) -> Architecture:
    return widened(replace(STUDY, final=Final(10, macs=macs)), TASK, found(), flops)


@pytest.mark.parametrize("macs", [200_000, 1_000_000])
def test_it_is_as_wide_as_is_said_and_decided_alike(macs: int):
    wide = final(macs)
    assert 0.8 * macs < costs(wide).macs <= macs
    assert ENVELOPE.space.read(wide) == ENVELOPE.space.read(found())


@pytest.mark.parametrize("macs", [None, 1, 50_000])
def test_it_is_never_narrower(macs: int | None):
    assert final(macs) == found()


def test_four_times_the_operations_pay_for_a_network_twice_as_large():
    few, many = (GOOD_FLOPS * (times / GOOD_MACS * 4e5) ** 2 for times in (1, 2))
    assert many == pytest.approx(4 * few)
    assert costs(final("auto", few)).macs == pytest.approx(4e5, rel=0.2)
    assert costs(final("auto", many)).macs == pytest.approx(8e5, rel=0.2)
    assert final("auto", 0.0) == found()


def at_half(macs: int) -> Architecture:
    """Return the final network, of a search at half the resolution."""
    space = replace(SPACE, stem_stride=2, macs=30_000)
    study = replace(STUDY, space=space, final=Final(10, macs=macs, stem_stride=1))
    half = envelope_of(space, TASK.shape, TASK.classes)
    return widened(study, TASK, half.space.close(ENVELOPE.space.read(found())), 0.0)


def stride(network: Architecture) -> tuple[int, ...]:
    return next(node.op.stride for node in network if isinstance(node.op, Conv))


def test_the_final_network_may_see_its_images_at_a_higher_resolution():
    network = at_half(300_000)
    assert stride(network) == (1, 1)
    assert 0.8 * 300_000 < costs(network).macs <= 300_000
    assert ENVELOPE.space.read(network) == ENVELOPE.space.read(found())


def test_unless_it_were_narrower_for_that():
    network = at_half(60_000)
    assert stride(network) == (2, 2)
    assert 0.7 * 60_000 < costs(network).macs <= 60_000


def test_what_cannot_be_meant_is_said():
    with pytest.raises(StudyError, match=r"final.macs is auto, which needs limit.seconds"):
        replace(STUDY, final=Final(10, macs="auto"), limit=Limit())
    with pytest.raises(StudyError, match=r"final.stem_stride is given, which needs final.macs"):
        replace(STUDY, final=Final(10, stem_stride=1))


def test_a_given_network_that_is_none_of_the_space_stays_as_it_is():
    study = replace(STUDY, final=Final(10, macs=1_000_000), algorithm=FixedSettings(("a.json",), 10))
    assert widened(study, TASK, found(), 0.0) == final(1_000_000) != found()
    other = envelope_of(replace(SPACE, branches=("3x3", "5x5")), TASK.shape, TASK.classes)
    stranger = other.space.close(other.initial())
    assert "stage0/cell0/1x1" not in stranger
    several = replace(SPACE, branches=("1x1", "3x3"), cells=(1, 1, 1), max_cells=(1, 1, 1))
    longer = envelope_of(several, TASK.shape, TASK.classes)
    for network in (longer.space.close(longer.initial()), renamed(found())):
        assert widened(study, TASK, network, 0.0) == network


def renamed(network: Architecture) -> Architecture:
    """Return a network of which the space has all decisions, but with a node more."""
    last = network.output
    return Architecture((*network.nodes, Node("more", Activation("relu"), (last.id,))))
