"""Was a search worth it? What it found beside networks that nobody searched for, all trained alike."""

from amla.spec.values import value

EARLY = 0.1  # of the final training: below, how fast networks begin to learn says little of how they end (docs/log.md)


@value
class Rated:
    """A network, by name, and what it reached on validation, with the 95 % interval, None where none is known."""

    name: str
    reached: float
    low: float | None
    high: float | None
    parameters: int
    macs: int


@value
class Beside:
    """What was `found` beside its `baselines`, the best first and one at least.

    Each trained for so many `steps`, all together for so many `seconds`. `metric` is what they are compared by. `share`
    is how many examples each has seen, as a share of those of the final training; None while that is not known.
    What was found `is_plain` where a plain network did better in the run-off than all that was searched for.
    """

    found: Rated
    baselines: tuple[Rated, ...]
    steps: int
    seconds: float
    metric: str = "accuracy"
    share: float | None = None
    is_plain: bool = False

    @property
    def is_early(self) -> bool:
        """Whether they trained so briefly that they may well end in another order: it is how they begin to learn."""
        return self.share is not None and self.share < EARLY

    @property
    def best(self) -> Rated:
        """The best of the baselines."""
        return self.baselines[0]

    @property
    def is_decidable(self) -> bool:
        """Whether it can be said which is better: where the intervals of all are known."""
        return all(each.low is not None and each.high is not None for each in (self.found, *self.baselines))

    @property
    def is_worth_it(self) -> bool:
        """Whether what was found is better than all of them: its interval lies above theirs."""
        return all(_above(self.found, each) for each in self.baselines)

    @property
    def is_beaten(self) -> bool:
        """Whether the best of them is better: its interval lies above that of what was found."""
        return _above(self.best, self.found)


def _above(one: Rated, other: Rated) -> bool:
    return one.low is not None and other.high is not None and one.low > other.high
