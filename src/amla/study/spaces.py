"""From what a study says of its space to that space, for the data it has."""

from dataclasses import asdict, fields
from pathlib import Path

from amla.spaces.darts import darts
from amla.spaces.enas_macro import enas_macro
from amla.spaces.envelope import Envelope, envelope
from amla.spaces.nasbench201 import nasbench201
from amla.spaces.nasbench_macro import nasbench_macro
from amla.spaces.space import Space, SpaceError, constrained
from amla.spaces.whole import Whole
from amla.spec import ops, text
from amla.spec.constraints import Constraints
from amla.spec.costs import shapes
from amla.spec.ops import Size
from amla.spec.values import SpecError
from amla.study.settings.spaces import (
    DartsSettings,
    EnasMacroSettings,
    EnvelopeSettings,
    NasBench201Settings,
    NasBenchMacroSettings,
    SpaceSettings,
    TemplateSettings,
)
from amla.study.study import StudyError

Found = Envelope | Whole
NONE = Constraints()


def space_of(settings: SpaceSettings, shape: Size, classes: int, constraints: Constraints = NONE) -> Found:
    """Return the space that `settings` describe, for inputs of `shape`, as far as it is within `constraints`.

    EnvelopeNets are then as wide as these allow. Raises SpaceError, SpecError, StudyError.
    """
    try:
        if isinstance(settings, EnvelopeSettings):
            return envelope_of(settings, shape, classes, constraints)
        return Whole(constrained(_whole(settings, shape, classes), constraints))
    except SpecError as error:
        raise SpaceError(f"space: {error}") from None


def envelope_of(settings: EnvelopeSettings, shape: Size, classes: int, constraints: Constraints = NONE) -> Envelope:
    """Return the space of EnvelopeNets that `settings` describe, as wide as `constraints` allow. Raises SpaceError."""
    given = {name: number for name, number in asdict(settings).items() if name != "kind"}
    within = Constraints(settings.parameters, settings.macs).tightened(constraints)
    given |= {limit.name: getattr(within, limit.name) for limit in fields(within)}
    try:
        return envelope(shape, classes, **given)
    except SpaceError as error:
        raise SpaceError(f"space: {error}") from None


def _whole(settings: SpaceSettings, shape: Size, classes: int) -> Space:
    given = {name: number for name, number in asdict(settings).items() if name != "kind"}
    match settings:
        case NasBench201Settings():
            return nasbench201(shape, classes, **given)
        case NasBenchMacroSettings():
            return nasbench_macro(shape, classes, **given)
        case DartsSettings():
            return darts(shape, classes, **given)
        case EnasMacroSettings():
            return enas_macro(shape, classes, **given)
        case TemplateSettings():
            return _of_file(settings, shape, classes)
        case EnvelopeSettings():
            return envelope_of(settings, shape, classes).space


def of_envelopes(settings: SpaceSettings) -> EnvelopeSettings:
    """Return settings that must be those of EnvelopeNets. Raises StudyError."""
    if not isinstance(settings, EnvelopeSettings):
        raise StudyError(f"space.kind is {settings.kind}; this needs the space of EnvelopeNets, space.kind: envelope.")
    return settings


def _of_file(settings: TemplateSettings, shape: Size, classes: int) -> Space:
    """Return all closings of the network in a file, which must be open and made for the data."""
    template = text.load(Path(settings.file))
    if not template.is_open:
        raise StudyError(f"'{settings.file}' has no Pick: it is one network and no space. Train it by algorithm fixed.")
    inputs = {node.op.shape for node in template if isinstance(node.op, ops.Input)}
    found = Space(template, tied=settings.tied, even=settings.even)
    first = found.close(found.fullest())
    end = shapes(first)[first.output.id]
    if inputs != {shape} or end != (classes,):
        raise StudyError(
            f"'{settings.file}' reads {' and '.join(map(str, sorted(inputs)))} and ends in {end}; for these data it "
            f"must read {shape} and end in {(classes,)}."
        )
    return constrained(found, Constraints(settings.parameters, settings.macs))
