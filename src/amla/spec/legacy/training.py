"""How a network of 2018 was trained, as its file says it."""

from amla.spec.legacy.fields import Fields
from amla.spec.values import SpecError, value


@value
class Decay:
    """The rate begins at `initial` and is multiplied by `factor` after every `epochs`."""

    initial: float
    factor: float
    epochs: int


@value
class Cosines:
    """Half cosines from `high` to `low`, the first of `epochs`, each other one `growth` times as long."""

    high: float
    low: float
    epochs: int
    growth: float


@value
class Training:
    """Optimiser, learning rate, bounds. `l2` is the factor of the sum of squared weights, without a half.

    `clip` bounds the norm of each weight's gradient by itself.
    """

    momentum: float
    rate: Decay | Cosines
    clip: float | None = None
    l2: float = 0.0
    smoothing: float = 0.0


# The EnvelopeNets repository has no such section; its program has these numbers (those of TensorFlow's tutorial).
ENVELOPENETS = Training(0.0, Decay(0.1, 0.1, 350))
_FACTOR, _EPOCHS = 0.999, 2  # of AMLA's exponential decay, where the file leaves them out


def read_training(fields: Fields | None) -> Training:
    """Read the section on training; None is that of the EnvelopeNets repository. Raises SpecError."""
    if fields is None:
        return ENVELOPENETS
    optimiser = _section(fields, "optimizer")
    kind = _one_of(optimiser, "type", "momentum", "nesterov", "sgd")
    clipping, squares, smoothing = (
        fields.inside(name) for name in ("gradient_clipping", "regularization", "label_smoothing")
    )
    if clipping:
        _one_of(clipping, "type", "norm")
    if squares:
        _one_of(squares, "type", "l2")
    return Training(
        momentum=0.0 if kind == "sgd" else optimiser.number("momentum", default=0.9),
        rate=_rate(_section(fields, "lr")),
        clip=clipping.number("value", least=1e-9) if clipping else None,
        l2=squares.number("value") if squares else 0.0,
        smoothing=smoothing.number("value") if smoothing else 0.0,
    )


def _rate(fields: Fields) -> Decay | Cosines:
    if _one_of(fields, "type", "exponential_decay", "cosine_decay") == "cosine_decay":
        high, low = fields.number("max", least=1e-12), fields.number("min", default=0.0)
        if low > high:
            raise SpecError(f"{fields.at('min')} is {low}, more than {fields.at('max')}, {high}; it must be less.")
        return Cosines(high, low, fields.whole("T_0"), fields.number("T_mul", default=1, least=1))
    return Decay(
        fields.number("initial", least=1e-12),
        fields.number("decay", default=_FACTOR, least=1e-12),
        fields.whole("epochs_per_decay", default=_EPOCHS),
    )


def _section(fields: Fields, name: str) -> Fields:
    found = fields.inside(name)
    if found is None:
        raise SpecError(f"{fields.at(name)} is missing; say how the network is trained.")
    return found


def _one_of(fields: Fields, name: str, *known: str) -> str:
    found = fields.text(name)
    if found not in known:
        raise SpecError(f"{fields.at(name)} is {found!r}; known are {', '.join(known)}.")
    return found
