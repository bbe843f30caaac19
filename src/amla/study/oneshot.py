"""One-shot methods as a study names them: settings, and the algorithms that they stand for."""

from dataclasses import asdict

from amla.algorithms.darts import Darts
from amla.algorithms.enas import Enas
from amla.algorithms.protocol import Algorithm
from amla.algorithms.sharing import RandomSharing
from amla.spaces.space import Space
from amla.spec.costs import shapes
from amla.spec.supernet import supernet
from amla.spec.values import SpecError
from amla.study.settings.searches import DartsSearchSettings, EnasSettings, OneShotSettings, RandomSharingSettings


def one_shot(settings: OneShotSettings, space: Space, steps: int, seed: int, metric: str) -> Algorithm:
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
            return Enas(space, steps, seed=seed, metric=metric, **given)
        case RandomSharingSettings():
            return RandomSharing(space, steps, seed=seed, metric=metric, **given)
