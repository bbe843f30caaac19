"""What a node computes. Library-neutral values; a backend translates each one.

Shapes are (channels, *spatial) without the batch. Those that look at windows are in `amla.spec.windows`, those that
normalise in `amla.spec.norms`; all have their name here.
"""

from dataclasses import field
from math import inf
from typing import Annotated, Literal

from pydantic import Field

from amla.spec.norms import BatchNorm as BatchNorm
from amla.spec.norms import LayerNorm as LayerNorm
from amla.spec.norms import ResponseNorm as ResponseNorm
from amla.spec.numbers import MOST as MOST
from amla.spec.numbers import Size as Size
from amla.spec.numbers import Sizes, check_finite, check_positive
from amla.spec.values import SpecError, value
from amla.spec.windows import Conv as Conv
from amla.spec.windows import Depthwise as Depthwise
from amla.spec.windows import Pool as Pool


@value
class Input:
    """Where data enters: a tensor of `shape` (channels, *spatial)."""

    kind: Literal["input"] = field(default="input", kw_only=True)
    shape: Sizes

    def __post_init__(self) -> None:
        check_positive(self, "shape", self.shape)


@value
class GlobalPool:
    """The maximum or the mean over all positions: (channels, *spatial) to (channels,)."""

    kind: Literal["global_pool"] = field(default="global_pool", kw_only=True)
    reduce: Literal["max", "mean"] = "mean"


@value
class Flatten:
    """All elements in a row, channels outermost: (channels, *spatial) to (channels * positions,)."""

    kind: Literal["flatten"] = field(default="flatten", kw_only=True)


@value
class Dense:
    """A linear layer (features,) to (units,), weights (units, features)."""

    kind: Literal["dense"] = field(default="dense", kw_only=True)
    units: int
    bias: bool = True

    def __post_init__(self) -> None:
        check_positive(self, "units", (self.units,))


@value
class Classify:
    """The linear layer that gives one logit per class, weights (classes, features): a network's output.

    With `auxiliary` it is a head besides the output: while training, that many times its loss is added (Szegedy et al.
    2015, section 5). Nothing reads it.
    """

    kind: Literal["classify"] = field(default="classify", kw_only=True)
    classes: int
    bias: bool = True
    auxiliary: float | None = None

    def __post_init__(self) -> None:
        check_positive(self, "classes", (self.classes,))
        if self.auxiliary is not None and not 0 < self.auxiliary < inf:
            raise SpecError(f"classify.auxiliary is {self.auxiliary}; the weight of a loss must be above 0 and finite.")


@value
class Activation:
    """An element-wise function."""

    kind: Literal["activation"] = field(default="activation", kw_only=True)
    function: Literal["relu", "relu6", "leaky_relu", "gelu", "silu", "hardswish", "sigmoid", "tanh"] = "relu"


@value
class Identity:
    """The input, unchanged."""

    kind: Literal["identity"] = field(default="identity", kw_only=True)


@value
class Zero:
    """Zeros in the shape of the input: the absence of a connection, as a choice."""

    kind: Literal["zero"] = field(default="zero", kw_only=True)


@value
class Scale:
    """The input times a learned number that starts at `initial`, plus normal noise of standard deviation `spread`.

    A skip connection is a Scale node of its own, so its learned weight needs no address of an edge.
    """

    kind: Literal["scale"] = field(default="scale", kw_only=True)
    initial: float = 1.0
    spread: float = 0.0

    def __post_init__(self) -> None:
        check_finite(self, "initial", "spread")


@value
class Dropout:
    """Training only: zero each element with probability `rate`, and divide the others by 1 - rate."""

    kind: Literal["dropout"] = field(default="dropout", kw_only=True)
    rate: float

    def __post_init__(self) -> None:
        if not 0 <= self.rate < 1:
            raise SpecError(f"dropout.rate is {self.rate}; it must be at least 0 and below 1.")


@value
class DropPath:
    """Training only: drop all of an example with a probability, and divide what is kept by 1 - that.

    The probability rises linearly over training, from 0 to `rate` (Zoph et al. 2018, ScheduledDropPath; Larsson et al.
    2017 have one that stays). Where a network has many paths to choose from (one-shot), none is dropped.
    """

    kind: Literal["drop_path"] = field(default="drop_path", kw_only=True)
    rate: float

    def __post_init__(self) -> None:
        if not 0 <= self.rate < 1:
            raise SpecError(f"drop_path.rate is {self.rate}; it must be at least 0 and below 1.")


@value
class Merge:
    """The sum, or the concatenation along channels, of the inputs in their order."""

    kind: Literal["merge"] = field(default="merge", kw_only=True)
    how: Literal["add", "concat"] = "add"


@value
class Pick:
    """An undecided Merge: keep between `at_least` and `at_most` of the inputs.

    The first `fixed` inputs are always kept (and counted). With a `width`, a concatenation is that many channels
    wide whatever is kept: every kept input whose convolution has no channels of its own gets an equal share, the
    remainder going to the first ones.
    """

    kind: Literal["pick"] = field(default="pick", kw_only=True)
    at_least: int = 1
    at_most: int = 1
    how: Literal["add", "concat"] = "add"
    width: int | None = None
    fixed: int = 0

    def __post_init__(self) -> None:
        if not 1 <= self.at_least <= self.at_most:
            kept = f"{self.at_least} to {self.at_most}"[:100]
            raise SpecError(f"pick may keep {kept} inputs; say 1 <= at_least <= at_most.")
        if not 0 <= self.fixed <= self.at_least:
            raise SpecError(f"pick.fixed is {self.fixed}; it must be 0 to at_least ({self.at_least})."[:200])
        if max(self.at_most, self.width or 0) > MOST:
            raise SpecError(f"pick.at_most and pick.width must be {MOST:,} at most.")
        if self.width is not None and (self.how != "concat" or self.width < self.at_most):
            raise SpecError(
                f"pick.width is {self.width}; it needs how='concat', and a channel for each of {self.at_most} inputs."
            )


Op = Annotated[
    Input
    | Conv
    | Depthwise
    | Pool
    | GlobalPool
    | Flatten
    | Dense
    | Classify
    | BatchNorm
    | LayerNorm
    | ResponseNorm
    | Activation
    | Identity
    | Zero
    | Scale
    | Dropout
    | DropPath
    | Merge
    | Pick,
    Field(discriminator="kind"),
]

Channelwise = BatchNorm | LayerNorm | Activation | Identity | Zero | Scale | Dropout | DropPath | Pool | Depthwise
