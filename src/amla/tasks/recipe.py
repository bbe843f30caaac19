"""How a network is trained: optimiser, schedule, augmentation. The same for every candidate of a comparison."""

from dataclasses import field
from math import cos, pi
from typing import Annotated, Literal

from pydantic import Field

from amla.spec.values import SpecError, value


@value
class Sgd:
    """Stochastic gradient descent with momentum; `rate` is the highest learning rate of the schedule.

    With `decoupled`, weight decay shrinks the weights at each step by the rate times the decay, and does not pass
    through the momentum (Loshchilov and Hutter 2019).
    """

    kind: Literal["sgd"] = field(default="sgd", kw_only=True)
    rate: float = 0.1
    momentum: float = 0.9
    nesterov: bool = True
    decoupled: bool = False


@value
class AdamW:
    """Adam with decoupled weight decay (Loshchilov and Hutter 2019)."""

    kind: Literal["adamw"] = field(default="adamw", kw_only=True)
    rate: float = 1e-3
    beta1: float = 0.9
    beta2: float = 0.999


@value
class Constant:
    """One learning rate throughout, after a linear warm-up over the fraction `warm_up` of the horizon."""

    kind: Literal["constant"] = field(default="constant", kw_only=True)
    warm_up: float = 0.0


@value
class Cosine:
    """Half a cosine down to the fraction `final`, after a linear warm-up over the fraction `warm_up`."""

    kind: Literal["cosine"] = field(default="cosine", kw_only=True)
    warm_up: float = 0.05
    final: float = 0.0


@value
class OneCycle:
    """Linear from the fraction `start` up to 1 at `peak`, then linear down to `final` (Smith and Topin 2018)."""

    kind: Literal["one_cycle"] = field(default="one_cycle", kw_only=True)
    peak: float = 0.25
    start: float = 0.2
    final: float = 0.0


@value
class Steps:
    """Times `factor` at each of the fractions `at`, after a linear warm-up over the fraction `warm_up`."""

    kind: Literal["steps"] = field(default="steps", kw_only=True)
    at: tuple[float, ...] = (0.5, 0.75)
    factor: float = 0.1
    warm_up: float = 0.0


@value
class Exponential:
    """Times `factor` after every `every` steps, however long the horizon."""

    kind: Literal["exponential"] = field(default="exponential", kw_only=True)
    factor: float = 0.97
    every: int = 1000


@value
class Restarts:
    """Half cosines from 1 to the fraction `final`, however long the horizon (Loshchilov and Hutter 2017, eq. 5).

    The first takes `first` steps, each other one `growth` times as many as the one before it.
    """

    kind: Literal["restarts"] = field(default="restarts", kw_only=True)
    first: int = 1000
    growth: float = 2.0
    final: float = 0.0


@value
class Muon:
    """Momentum whose steps are orthogonalised, for kernels (Jordan et al. 2024); all else moves by `other`.

    The step of a kernel, seen as a matrix with a row for every output, gets singular values of about 1. With
    `on_sphere`, each such kernel is first brought to the norm sqrt(outputs): for networks in which every convolution
    is normalised after, so that a kernel's norm only sets how fast it turns. Weight decay then does nothing to it;
    otherwise it is decoupled. The kernel of `classify` moves by `other`.
    """

    kind: Literal["muon"] = field(default="muon", kw_only=True)
    rate: float = 0.1
    momentum: float = 0.6
    nesterov: bool = True
    on_sphere: bool = False
    other: Sgd = Sgd()


Optimiser = Annotated[Sgd | AdamW | Muon, Field(discriminator="kind")]
Schedule = Annotated[Constant | Cosine | OneCycle | Steps | Exponential | Restarts, Field(discriminator="kind")]


@value
class Augment:
    """Random changes of training inputs: mirror the last axis, shift by up to `shift`, blank a square of `cutout`.

    A shift moves every spatial axis by a number of elements, drawn for each example; what comes in is zero, or with
    `border` "reflect" the image mirrored at its edge. The place of the cutout square (DeVries and Taylor 2017) is drawn
    likewise; it may lie partly outside. With `flip` "alternate" an example that is mirrored in one epoch is not in the
    next (Jordan 2024): two epochs show both, where coins would show one of them twice half of the time.
    With `crop` a network is first shown a random part of each image, brought to its size (Szegedy et al. 2015): `crop`
    is the least share of the area that it has, 0.08 for ImageNet, more for small networks or few epochs.
    """

    flip: bool | Literal["alternate"] = False
    shift: int = 0
    cutout: int = 0
    border: Literal["zero", "reflect"] = "zero"
    crop: float | None = None

    def __post_init__(self) -> None:
        if self.crop is not None and not 0 < self.crop <= 1:
            raise SpecError(f"augment.crop is {self.crop}; it must be above 0 and at most 1.")
        if self.shift < 0 or self.cutout < 0:
            raise SpecError(f"augment.shift is {self.shift}, augment.cutout {self.cutout}; both must be 0 or more.")


@value
class Small:
    """Train on images of a lower resolution at first: `scale` of it in each axis, `until` so far in the horizon.

    For networks that read images of any size, which those with a `flatten` do not.
    """

    scale: float = 0.75
    until: float = 0.5

    def __post_init__(self) -> None:
        if not (0 < self.scale < 1 and 0 <= self.until <= 1):
            raise SpecError(
                f"small.scale is {self.scale}, small.until {self.until}; the first must be above 0 and below 1, the "
                "second 0 to 1."
            )


@value
class Recipe:
    """How every candidate is trained.

    `weight_decay` spares biases, normalisation and learned scales, whose learning rate is `shift_rate` times that of
    kernels; `clip` bounds the norm of the whole gradient, or with `clip_each` that of each weight's; `ema` is the decay
    a step of the averaged weights that are scored and kept, None for none. Inputs are normalised by the training part's
    mean and deviation of each channel.
    `start` "identity" lets kernels begin by passing their inputs on (dirac), as far as there are outputs for them;
    `whiten` gives convolutions that read an input the principal components of the training part's patches, which are
    then not trained (Page 2018). With `class_weights` "balanced" the loss of a training example counts by the inverse
    frequency of its class, 1 on average; what is scored on held-out examples is not weighted. `score_mirrored` scores
    the mean of the logits of an input and its mirror image. With `precision` "auto" a device that is faster in bfloat16
    uses it; a CPU never does.
    """

    batch: int = 64
    optimiser: Optimiser = Sgd()
    schedule: Schedule = Cosine()
    weight_decay: float = 5e-4
    label_smoothing: float = 0.0
    class_weights: Literal["none", "balanced"] = "none"
    clip: float | None = None
    clip_each: bool = False
    ema: float | None = None
    augment: Augment = Augment()
    small: Small | None = None
    start: Literal["he", "identity"] = "he"
    whiten: bool = False
    shift_rate: float = 1.0
    score_mirrored: bool = False
    precision: Literal["auto", "single"] = "auto"

    def __post_init__(self) -> None:
        if self.batch < 2:
            raise SpecError(f"recipe.batch is {self.batch}; batch normalisation needs 2 or more.")
        if not 0 <= self.label_smoothing < 1:
            raise SpecError(f"recipe.label_smoothing is {self.label_smoothing}; it must be at least 0 and below 1.")
        if self.ema is not None and not 0 <= self.ema < 1:
            raise SpecError(f"recipe.ema is {self.ema}; it must be at least 0 and below 1.")


def rate(schedule: Schedule, step: int, horizon: int) -> float:
    """Return what the highest learning rate is multiplied with at `step` (from 0) of `horizon`."""
    done = step / horizon
    match schedule:
        case OneCycle(peak=peak, start=start, final=final):
            if done < peak:
                return start + (1 - start) * done / peak
            return final + (1 - final) * max(0.0, 1 - done) / (1 - peak)
        case Cosine(warm_up=warm_up, final=final):
            after = min(1.0, max(0.0, done - warm_up) / (1 - warm_up))
            return _warm(step, horizon, warm_up) * (final + (1 - final) * (1 + cos(pi * after)) / 2)
        case Steps(at=at, factor=factor, warm_up=warm_up):
            return float(_warm(step, horizon, warm_up) * factor ** sum(done >= place for place in at))
        case Exponential(factor=factor, every=every):
            return float(factor ** (step // every))
        case Restarts(final=final) as restarts:
            return final + (1 - final) * (1 + cos(pi * _since_restart(restarts, step))) / 2
        case Constant(warm_up=warm_up):
            return _warm(step, horizon, warm_up)


def _since_restart(schedule: Restarts, step: int) -> float:
    """Return how much of its half cosine is over at `step`."""
    if schedule.growth == 1:
        return step % schedule.first / schedule.first
    start, length = 0.0, float(schedule.first)
    while step >= start + length:
        start, length = start + length, length * schedule.growth
    return (step - start) / length


def _warm(step: int, horizon: int, warm_up: float) -> float:
    return min(1.0, (step + 1) / (warm_up * horizon + 1))
