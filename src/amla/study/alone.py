"""Trains a given network as a study would train what it finds: a baseline of a search, say, to the end.

So two networks can be compared that had the same final training: recipe, time or steps, and width by the same rule.
"""

from dataclasses import replace
from pathlib import Path

from amla.study.baselines import SUFFIX
from amla.study.presets import name_of
from amla.study.settings.places import TabularSettings
from amla.study.settings.searches import FixedSettings
from amla.study.settings.spaces import EnvelopeSettings
from amla.study.study import Study, StudyError
from amla.study.unsearched import USUAL_DEPTH

STEPS = 1  # of the search: with one network there is nothing to decide


def alone(study: Study, file: Path) -> Study:
    """Return a study without a search, which trains the network in a file to the end and tests it.

    Its space also has plain networks, which may have more cells a stage than a search may grow. Raises StudyError.
    """
    if isinstance(study.backend, TabularSettings):
        raise StudyError("backend is a table, in which networks are looked up; it trains none to the end.")
    space = study.space
    if isinstance(space, EnvelopeSettings):
        space = replace(space, max_cells=tuple(max(most, USUAL_DEPTH) for most in space.max_cells))
    return replace(
        study,
        name=name_of(f"{study.name}-{file.name.removesuffix(SUFFIX)}"),
        space=space,
        algorithm=FixedSettings((str(file),), STEPS),
        limit=replace(study.limit, trials=None, steps=None, flops=None),
        terms=None,
        run_off=None,
        baselines=None,
        tuning=None,
        prefer="accurate",
    )
