"""What a study says of the networks that its search must beat."""

from amla.spec.values import value


@value
class BaselineSettings:
    """Networks nobody searched for, trained beside the one that was found; see `amla.study.baselines`.

    Those that people would build by hand, where the space has such, and so many `random` ones of the size of that one.
    """

    random: int = 2
