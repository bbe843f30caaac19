"""What a study says of its space."""

from collections.abc import Mapping
from dataclasses import field
from typing import Annotated, Literal

from pydantic import Field

from amla.spec.values import value


@value
class EnvelopeSettings:
    """The space of EnvelopeNets; see `amla.spaces.envelope.envelope`."""

    kind: Literal["envelope"] = field(default="envelope", kw_only=True)
    width: int = 32
    growth: tuple[float, ...] = ()
    skeleton: Literal["wideners", "pools"] = "wideners"
    stem_stride: int = 1
    cells: tuple[int, ...] = (2, 2)
    max_cells: tuple[int, ...] = (6, 6)
    branches: tuple[str, ...] = ("1x1", "3x3", "3x3sep", "5x5", "5x5sep", "7x7sep")
    skips: Literal["add", "concat", "none"] = "add"
    dropout: float = 0.0
    head_dropout: float = 0.2
    macs: int | None = None
    parameters: int | None = None


@value
class NasBench201Settings:
    """The space of NAS-Bench-201; see `amla.spaces.nasbench201.nasbench201`."""

    kind: Literal["nasbench201"] = field(default="nasbench201", kw_only=True)
    width: int = 16
    cells: int = 5


@value
class NasBenchMacroSettings:
    """The space of NAS-Bench-Macro; see `amla.spaces.nasbench_macro.nasbench_macro`."""

    kind: Literal["nasbench_macro"] = field(default="nasbench_macro", kw_only=True)
    width: int = 32
    last: int = 1280


@value
class DartsSettings:
    """The space of DARTS; see `amla.spaces.darts.darts`."""

    kind: Literal["darts"] = field(default="darts", kw_only=True)
    width: int = 36
    cells: int = 20
    stem: int = 3
    auxiliary: float | None = 0.4
    drop_path: float = 0.0


@value
class EnasMacroSettings:
    """The macro space of ENAS; see `amla.spaces.enas_macro.enas_macro`."""

    kind: Literal["enas_macro"] = field(default="enas_macro", kw_only=True)
    width: int = 36
    layers: int = 12
    growth: int = 2
    dropout: float = 0.1


@value
class TemplateSettings:
    """All closings of the network in a file; see `amla.spaces.space.Space` for what `tied` and `even` mean.

    With `macs` or `parameters` those alone that have no more.
    """

    kind: Literal["template"] = field(default="template", kw_only=True)
    file: str
    tied: Mapping[str, str] = field(default_factory=dict)
    even: bool = False
    macs: int | None = None
    parameters: int | None = None


SpaceSettings = Annotated[
    EnvelopeSettings
    | NasBench201Settings
    | NasBenchMacroSettings
    | DartsSettings
    | EnasMacroSettings
    | TemplateSettings,
    Field(discriminator="kind"),
]
