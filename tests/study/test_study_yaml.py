"""Numbers of a study as people write them: YAML 1.1 takes 1e-3 for a text, no reader of a recipe does."""

import pytest

from amla.study.changes import changed
from amla.study.settings.searches import NacSettings
from amla.study.study import Data, Final, Study, from_yaml, to_yaml

STUDY = Study("x", Data("x"), algorithm=NacSettings(4, 100), final=Final(200))


@pytest.mark.parametrize("text", ["1e-3", "1E-3", "0.001", "1.0e-3", ".001"])
def test_a_small_number_may_be_written_in_any_usual_way(text: str):
    assert changed(STUDY, [f"recipe.optimiser.rate={text}"]).recipe.optimiser.rate == 1e-3
    assert from_yaml(to_yaml(STUDY).replace("rate: 0.1\n", f"rate: {text}\n")).recipe.optimiser.rate == 1e-3


@pytest.mark.parametrize("name", ["1e5", "-2E+3", "1e-3"])
def test_a_name_that_looks_like_such_a_number_stays_a_name(name: str):
    study = Study(name, Data("x"), algorithm=NacSettings(4, 100), final=Final(200))
    assert from_yaml(to_yaml(study)).name == name
