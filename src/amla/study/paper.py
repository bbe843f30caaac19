"""From the settings of a study to NAC's paper mode; what that mode does not read must be as it is by default."""

from dataclasses import MISSING, fields
from typing import Any

from amla.algorithms.construct import ConstructionError, Rules, initial
from amla.algorithms.paper import PaperNac, PaperRandom, trainings
from amla.spaces.macro import Frame
from amla.spec.ops import Size
from amla.spec.values import SpecError
from amla.study.settings.searches import NacSettings, PaperSettings
from amla.study.settings.spaces import EnvelopeSettings
from amla.study.spaces import of_envelopes
from amla.study.study import Study, StudyError

OF_SPACE = ("width", "stem_stride", "cells", "max_cells", "branches", "dropout", "head_dropout")  # what is read of it
OF_NAC = ("iterations", "steps", "statistic", "quota", "mode", "paper")


def paper_mode(study: Study, nac: NacSettings, shape: Size, classes: int, steps: int) -> PaperNac | PaperRandom:
    """Return the algorithm of a study in paper mode, for inputs of `shape`, whose trials have `steps`.

    Raises StudyError for settings that the mode does not read, and for a first network that it cannot construct.
    """
    space = of_envelopes(study.space)
    _refuse("space", space, OF_SPACE, "is not read in paper mode")
    _refuse("algorithm", nac, OF_NAC, "is not read in paper mode, where it is as it was in 2018")
    if study.final.macs is not None:
        raise StudyError(f"final.macs is {study.final.macs}, but networks of 2018 keep their width; leave it out.")
    try:
        rules = _rules(space, nac)
        frame = Frame(shape, classes, space.width, nac.paper.stem, space.stem_stride, space.dropout, space.head_dropout)
        frame.network(initial(rules))
        if not trainings(rules, nac.iterations):
            raise StudyError(
                "algorithm.iterations is 0; with the dialect 'amla' of paper mode nothing would be trained."
            )
        if nac.paper.arm == "random":
            return PaperRandom(frame, rules, steps, nac.iterations, study.seed)
    except (ConstructionError, SpecError) as error:
        raise StudyError(f"The networks of 2018 cannot be constructed with these settings: {error}") from None
    return PaperNac(frame, rules, steps, nac.iterations, nac.statistic or "msss", study.seed)


def refuse_paper(nac: NacSettings) -> None:
    """Raise StudyError for settings of the paper mode without it."""
    _refuse("algorithm.paper", nac.paper, (), "is read in paper mode only, with algorithm.mode: paper")


def _rules(space: EnvelopeSettings, nac: NacSettings) -> Rules:
    stages, paper = len(space.cells), nac.paper
    return Rules(
        cell=tuple((branch, branch.partition("-")[0]) for branch in space.branches),
        layers=space.cells,
        max_layers=space.max_cells,
        construction=paper.construction or (True,) * stages,
        limits=paper.parameter_limits or (False,) * stages,
        width=space.width,
        quota=nac.quota,
        skip=paper.skip,
        worst_case=paper.arm == "worst",
        dialect=paper.dialect,
    )


def _refuse(address: str, settings: EnvelopeSettings | NacSettings | PaperSettings, read: Any, why: str) -> None:
    """Raise StudyError for a setting that is not among those `read` and is not what it is by default."""
    for setting in fields(settings):
        given = getattr(settings, setting.name)
        if setting.name not in read and setting.default is not MISSING and given != setting.default:
            raise StudyError(
                f"{address}.{setting.name} is {given}; it {why}. Leave it out: it is then {setting.default}."
            )
