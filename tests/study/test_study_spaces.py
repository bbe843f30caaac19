"""From what a study says of its space to that space, and what it may not say."""

import json
from pathlib import Path

import pytest

from amla.spaces.darts import darts
from amla.spaces.enas_macro import enas_macro
from amla.spaces.nasbench201 import nasbench201
from amla.spaces.nasbench_macro import nasbench_macro
from amla.spaces.space import SpaceError
from amla.spec import ops, text
from amla.spec.architecture import Architecture, Node
from amla.spec.values import SpecError
from amla.study.settings.spaces import (
    DartsSettings,
    EnasMacroSettings,
    EnvelopeSettings,
    NasBench201Settings,
    NasBenchMacroSettings,
    TemplateSettings,
)
from amla.study.spaces import of_envelopes, space_of
from amla.study.study import StudyError, from_plain

SHAPE, CLASSES = (2, 8, 8), 3
TABULAR = {
    "name": "x",
    "data": {"source": "cifar10"},
    "space": {"kind": "nasbench201"},
    "algorithm": {"kind": "random", "steps": 12},
    "final": {"steps": 200},
    "backend": {"kind": "tabular", "table": "nasbench201"},
    "executor": {"kind": "simulated", "workers": 4},
}


def template(classes: int = CLASSES) -> Architecture:
    """Return a network in which two Picks are left open."""
    nodes, source = [Node("x", ops.Input(SHAPE))], "x"
    for number in range(2):
        nodes += [Node(f"thin{number}", ops.Conv(4, (1, 1)), (source,))]
        nodes += [Node(f"wide{number}", ops.Conv(4, (3, 3)), (source,))]
        nodes += [Node(f"pick{number}", ops.Pick(1, 2), (f"thin{number}", f"wide{number}"))]
        source = f"pick{number}"
    ends = [Node("head", ops.GlobalPool(), (source,)), Node("logits", ops.Classify(classes), ("head",))]
    return Architecture((*nodes, *ends))


@pytest.fixture
def file(tmp_path: Path) -> str:
    text.save(template(), tmp_path / "my.arch.json")
    return str(tmp_path / "my.arch.json")


@pytest.mark.parametrize(
    ("settings", "space"),
    [
        (NasBench201Settings(4, 1), nasbench201(SHAPE, CLASSES, width=4, cells=1)),
        (NasBenchMacroSettings(4, 8), nasbench_macro(SHAPE, CLASSES, width=4, last=8)),
        (DartsSettings(2, 3, 1, None), darts(SHAPE, CLASSES, width=2, cells=3, stem=1, auxiliary=None)),
        (DartsSettings(2, 3, drop_path=0.2), darts(SHAPE, CLASSES, width=2, cells=3, drop_path=0.2)),
        (EnasMacroSettings(2, 3, 1, 0.0), enas_macro(SHAPE, CLASSES, width=2, layers=3, growth=1, dropout=0.0)),
    ],
)
def test_settings_say_which_space(settings, space):
    assert space_of(settings, SHAPE, CLASSES).space == space


def test_a_network_of_ones_own_is_a_space(file: str):
    space = space_of(TemplateSettings(file=file), SHAPE, CLASSES).space
    assert space.template == template()
    assert space.size == 9
    tied = space_of(TemplateSettings(file=file, tied={"pick1": "pick0"}, even=True), SHAPE, CLASSES).space
    assert (tied.size, tied.even) == (3, True)


def test_bounds_on_it_hold(file: str):
    space = space_of(TemplateSettings(file=file, parameters=60, macs=2_000), SHAPE, CLASSES).space
    thin = {"pick0": ("thin0",), "pick1": ("thin1",)}
    assert space.accepts(space.close(thin))
    assert not space.accepts(space.close(thin | {"pick1": ("wide1",)}))


@pytest.mark.parametrize(
    ("shape", "classes", "words"),
    [((1, 8, 8), 3, r"reads \(2, 8, 8\) .* must read \(1, 8, 8\)"), (SHAPE, 4, r"ends in \(3,\); .* end in \(4,\)")],
)
def test_it_must_be_made_for_the_data(file: str, shape, classes, words):
    with pytest.raises(StudyError, match=words):
        space_of(TemplateSettings(file=file), shape, classes)


def test_it_must_be_there_and_open(tmp_path: Path, file: str):
    with pytest.raises(SpaceError, match="space: There is no file"):
        space_of(TemplateSettings(file="nowhere.arch.json"), SHAPE, CLASSES)
    whole = space_of(TemplateSettings(file=file), SHAPE, CLASSES).space
    text.save(whole.close(whole.fullest()), tmp_path / "closed.arch.json")
    with pytest.raises(StudyError, match="has no Pick: it is one network and no space"):
        space_of(TemplateSettings(file=str(tmp_path / "closed.arch.json")), SHAPE, CLASSES)
    with pytest.raises(SpaceError, match="'pick7' is no Pick"):
        space_of(TemplateSettings(file=file, tied={"pick7": "pick0"}), SHAPE, CLASSES)


@pytest.mark.parametrize(
    "settings", [NasBenchMacroSettings(0), DartsSettings(0), EnasMacroSettings(growth=0), NasBench201Settings(cells=0)]
)
def test_numbers_that_no_network_can_have_are_refused(settings):
    with pytest.raises((SpaceError, SpecError), match=r"it must be 1 or more|say 1 or more"):
        space_of(settings, SHAPE, CLASSES)


def test_what_needs_envelopes_says_so():
    assert of_envelopes(EnvelopeSettings()) == EnvelopeSettings()
    with pytest.raises(StudyError, match=r"space.kind is darts; this needs"):
        of_envelopes(DartsSettings())


def test_kinds_that_were_the_only_ones_may_be_left_out():
    plain = {"name": "x", "data": {"source": "digits"}, "limit": {"seconds": 9}}
    study = from_plain(plain | {"space": {"width": 12}, "backend": {"device": "cpu"}})
    assert (study.space.kind, study.backend.kind) == ("envelope", "torch")


def test_a_table_answers_trials_wherever_they_run():
    for executor in ({"kind": "inline"}, {"kind": "local"}, {"kind": "ray"}, {"kind": "http", "urls": ["http://x"]}):
        study = from_plain(TABULAR | {"executor": executor})
        assert (study.backend.kind, study.executor.kind) == ("tabular", executor["kind"])


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"backend": {"kind": "torch"}}, "executor.kind is simulated, but only what is looked up"),
        ({"space": {"kind": "darts"}}, "space.kind is darts, but the table is about nasbench201"),
        (
            {"space": {"kind": "nasbench201", "width": 8}},
            "networks of the published size; leave all but space.kind out",
        ),
        ({"algorithm": {"kind": "random"}, "limit": {"seconds": 9}}, "algorithm.steps is not given; .* epochs"),
        ({"final": {"steps": 200, "macs": 1000}}, "networks of space.kind nasbench201 keep their width"),
        ({"space": {"kind": "cells"}}, "does not match any of the expected tags: 'envelope', 'nasbench201'"),
    ],
)
def test_what_does_not_go_together_is_refused(changes: dict[str, object], words: str):
    assert from_plain(json.loads(json.dumps(TABULAR))).executor.workers == 4
    with pytest.raises(StudyError, match=words):
        from_plain(TABULAR | changes)
