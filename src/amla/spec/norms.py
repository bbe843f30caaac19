"""Operations that normalise: by the batch, by the example, by neighbouring channels."""

from dataclasses import field
from typing import Literal

from amla.spec.numbers import MOST, check_finite
from amla.spec.values import SpecError, value


@value
class BatchNorm:
    """Normalise every channel over batch and positions; running statistics move by `momentum` a step."""

    kind: Literal["batch_norm"] = field(default="batch_norm", kw_only=True)
    epsilon: float = 1e-5
    momentum: float = 0.1
    scale: bool = True
    shift: bool = True

    def __post_init__(self) -> None:
        check_finite(self, "epsilon", "momentum")


@value
class LayerNorm:
    """Normalise every example over all its channels and positions, then scale and shift by channel."""

    kind: Literal["layer_norm"] = field(default="layer_norm", kw_only=True)
    epsilon: float = 1e-5

    def __post_init__(self) -> None:
        check_finite(self, "epsilon")


@value
class ResponseNorm:
    """x / (bias + alpha * sum of x^2 over the `radius` channels on either side and itself) ^ beta.

    Krizhevsky et al. 2012, section 3.3, with TensorFlow's parameters: `alpha` is not divided by the window.
    """

    kind: Literal["response_norm"] = field(default="response_norm", kw_only=True)
    radius: int = 5
    alpha: float = 1.0
    beta: float = 0.5
    bias: float = 1.0

    def __post_init__(self) -> None:
        check_finite(self, "alpha", "beta", "bias")
        if not 0 <= self.radius <= MOST:
            raise SpecError(f"response_norm.radius is {self.radius}; it must be from 0 to {MOST:,}."[:200])
