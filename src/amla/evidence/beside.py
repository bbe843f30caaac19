"""Was a search worth it? What it found beside networks that nobody searched for, all trained alike."""

from amla.spec.values import value


@value
class Rated:
    """A network, by name, and the share of the validation examples that it has right, with its 95 % interval."""

    name: str
    accuracy: float
    low: float
    high: float
    parameters: int
    macs: int


@value
class Beside:
    """What was `found` beside its `rivals`, the best first and one at least.

    Each trained for so many `steps`, all together for so many `seconds`.
    """

    found: Rated
    rivals: tuple[Rated, ...]
    steps: int
    seconds: float

    @property
    def best(self) -> Rated:
        """The best of the rivals."""
        return self.rivals[0]

    @property
    def is_worth_it(self) -> bool:
        """Whether what was found is better than all rivals: its interval lies above theirs."""
        return all(self.found.low > rival.high for rival in self.rivals)

    @property
    def is_beaten(self) -> bool:
        """Whether the best rival is better: its interval lies above that of what was found."""
        return self.best.low > self.found.high
