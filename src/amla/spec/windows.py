"""Operations that look at windows: convolutions and pools.

Kernels, strides and dilations are tuples, one number per spatial axis, so the same ones serve series (1-D), images
(2-D) and volumes (3-D). An empty stride or dilation means 1 everywhere. Padding is "same" or "valid". With "same",
along an axis of n elements with stride s the output has ceil(n / s) elements; dilation * (kernel - 1) elements of
padding are split evenly between both ends, the odd one at the far end. With "valid" nothing is padded: the output has
floor((n - dilation * (kernel - 1) - 1) / s) + 1 elements.
"""

from dataclasses import field
from typing import Literal

from amla.spec.numbers import Sizes, check_positive, check_window
from amla.spec.values import SpecError, value

Padding = Literal["same", "valid"]


@value
class Conv:
    """A convolution to `channels` outputs, weights (channels, inputs / groups, *kernel).

    `channels` is None only in an open architecture: the convolution then gets its share of the width of the Pick
    that it feeds.
    """

    kind: Literal["conv"] = field(default="conv", kw_only=True)
    channels: int | None
    kernel: Sizes
    stride: Sizes = ()
    dilation: Sizes = ()
    groups: int = 1
    bias: bool = False
    padding: Padding = "same"

    def __post_init__(self) -> None:
        check_window(self, self.kernel)
        check_positive(self, "groups", (self.groups,))
        if self.channels is not None:
            check_positive(self, "channels", (self.channels,))
            if self.channels % self.groups:
                raise SpecError(f"conv.channels is {self.channels}, which {self.groups} groups do not divide.")


@value
class Depthwise:
    """A convolution of every channel by itself to `multiplier` outputs, weights (inputs * multiplier, 1, *kernel)."""

    kind: Literal["depthwise"] = field(default="depthwise", kw_only=True)
    kernel: Sizes
    stride: Sizes = ()
    dilation: Sizes = ()
    multiplier: int = 1
    bias: bool = False
    padding: Padding = "same"

    def __post_init__(self) -> None:
        check_window(self, self.kernel)
        check_positive(self, "multiplier", (self.multiplier,))


@value
class Pool:
    """The maximum or the mean of every window; padding takes no part in either."""

    kind: Literal["pool"] = field(default="pool", kw_only=True)
    reduce: Literal["max", "mean"]
    kernel: Sizes
    stride: Sizes = ()
    dilation: Sizes = ()
    padding: Padding = "same"

    def __post_init__(self) -> None:
        check_window(self, self.kernel)
