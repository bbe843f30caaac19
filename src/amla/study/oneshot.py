"""One-shot methods as a study names them: settings, and the algorithms that they stand for."""

from dataclasses import asdict, field
from typing import Literal

from amla.algorithms.darts import Darts
from amla.algorithms.enas import Enas
from amla.algorithms.protocol import Algorithm
from amla.algorithms.sharing import RandomSharing
from amla.spaces.space import Space
from amla.spec.costs import shapes
from amla.spec.supernet import supernet
from amla.spec.values import SpecError, value


@value
class DartsSearchSettings:
    """DARTS; see `amla.algorithms.darts.Darts`. `steps` None: as many as the limit of seconds allows."""

    kind: Literal["darts"] = field(default="darts", kw_only=True)
    steps: int | None = None
    legs: int = 10
    rate: float = 3e-4
    weight_decay: float = 1e-3
    order: Literal["first", "second"] = "first"
    skip: float = 0.0
    select: Literal["weight", "perturbation"] = "weight"
    tuning: int = 10


@value
class EnasSettings:
    """ENAS; see `amla.algorithms.enas.Enas`. `steps` None: as many as the limit of seconds allows."""

    kind: Literal["enas"] = field(default="enas", kw_only=True)
    steps: int | None = None
    legs: int = 30
    paths: int = 20
    examples: int | None = None
    rate: float = 1.0
    memory: float = 0.95


@value
class RandomSharingSettings:
    """Random search with weight sharing; see `amla.algorithms.sharing.RandomSharing`.

    `steps` None: as many as the limit of seconds allows.
    """

    kind: Literal["random_sharing"] = field(default="random_sharing", kw_only=True)
    steps: int | None = None
    legs: int = 10
    paths: int = 100
    examples: int | None = None


OneShotSettings = DartsSearchSettings | EnasSettings | RandomSharingSettings


def one_shot(settings: OneShotSettings, space: Space, steps: int, seed: int) -> Algorithm:
    """Return the algorithm that `settings` describe. Raises SpecError where it cannot search the space, ValueError."""
    try:
        shapes(supernet(space.template))
    except SpecError as error:
        raise SpecError(f"{settings.kind} cannot search this space: {error}") from None
    given = {name: number for name, number in asdict(settings).items() if name not in ("kind", "steps")}
    match settings:
        case DartsSearchSettings():
            return Darts(space, steps, seed=seed, **given)
        case EnasSettings():
            return Enas(space, steps, seed=seed, **given)
        case RandomSharingSettings():
            return RandomSharing(space, steps, seed=seed, **given)
