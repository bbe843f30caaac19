"""Networks with what they reached, made up."""

from amla.evidence.beside import Rated


def rated(name: str, accuracy: float, half: float = 0.01) -> Rated:
    """Return a network with an accuracy, and an interval of `half` on either side."""
    return Rated(name, accuracy, accuracy - half, accuracy + half, 1000, 20_000)
