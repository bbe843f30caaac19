"""Which operations networks have where their space leaves a choice of them."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from amla.spec import text
from amla.study.choices import operations
from amla.study.settings.searches import RandomSettings
from amla.study.settings.spaces import (
    DartsSettings,
    EnasMacroSettings,
    EnvelopeSettings,
    NasBench201Settings,
    NasBenchMacroSettings,
    SpaceSettings,
    TemplateSettings,
)
from amla.study.spaces import space_of
from amla.study.study import Data, Final, Study
from amla.trials.history import History
from amla.trials.trial import Proposal

SHAPE, CLASSES = (3, 16, 16), 10
STUDY = Study("x", Data("x"), algorithm=RandomSettings(2, 1), final=Final(1))
KINDS = {
    "nasbench201": {"none", "skip", "1x1", "3x3", "pool"},
    "nasbench_macro": {"identity", "mb3-3x3", "mb6-5x5"},
    "darts": {"max", "mean", "skip", "3x3sep", "5x5sep", "3x3dil", "5x5dil"},
    "enas_macro": {"3x3", "5x5", "3x3sep", "5x5sep", "mean", "max"},
}


def sampled(settings: SpaceSettings) -> History:
    space, history = space_of(settings, SHAPE, CLASSES).space, History()
    for seed in range(3):
        history = history.asked(Proposal(space.sample(np.random.default_rng(seed)), 1))
    return history


@pytest.mark.parametrize(
    ("settings", "number"),
    [
        (NasBench201Settings(), 6),  # edges of the cell
        (NasBenchMacroSettings(), 8),  # layers
        (DartsSettings(cells=4), 16),  # two edges of four nodes of two cells
        (EnasMacroSettings(), 12),  # layers
    ],
    ids=lambda each: getattr(each, "kind", ""),
)
def test_each_network_has_one_in_each_place(settings: SpaceSettings, number: int):
    found = operations(replace(STUDY, space=settings), sampled(settings))
    assert [len(chosen) for chosen in found.values()] == [number] * 3
    assert {name for chosen in found.values() for name in chosen} <= KINDS[settings.kind]
    assert len(set(found.values())) > 1


def test_of_envelopes_and_of_networks_that_leave_all_open_there_are_none():
    assert operations(STUDY, sampled(EnvelopeSettings())) == {}
    assert operations(STUDY, History()) == {}
    cells = NasBench201Settings()
    template = space_of(cells, SHAPE, CLASSES).space.template
    assert operations(replace(STUDY, space=cells), History().asked(Proposal(template, 1))) == {}


def test_a_template_has_its_own_until_its_file_is_gone(tmp_path: Path):
    cells = sampled(NasBench201Settings())
    space = space_of(NasBench201Settings(), SHAPE, CLASSES).space
    file = tmp_path / "open.arch.json"
    file.write_text(text.to_json(space.template))
    study = replace(STUDY, space=TemplateSettings(str(file), tied=space.tied))
    assert operations(study, cells) == operations(replace(STUDY, space=NasBench201Settings()), cells)
    file.unlink()
    assert operations(study, cells) == {}
