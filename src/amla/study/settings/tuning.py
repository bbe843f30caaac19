"""What a study says of tuning how its network is trained."""

from typing import Literal

from amla.spec.values import value


@value
class TuningSettings:
    """Tune the recipe of the final training in so many `trials` of `steps`; see `amla.algorithms.tuning`.

    `steps` None: as many as the longest training of the search, or as its share of the limit of seconds allows.
    """

    trials: int = 10
    steps: int | None = None
    sampler: Literal["tpe", "gp", "random"] = "tpe"
