"""Was a search worth it? What it found beside networks that nobody searched for, all trained alike."""

from amla.spec.values import value

# Below such a share of the final training, or so few steps, how fast networks begin to learn says little of how they
# end (docs/log.md).
EARLY, FEW = 0.1, 50
ABOUT = 1.05  # times as many parameters or MACs are about as many


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
    What was found `is_plain` where a plain network did better in the run-off than all that was searched for. `guess` is
    what guessing reaches on average, None where nobody knows.
    """

    found: Rated
    baselines: tuple[Rated, ...]
    steps: int
    seconds: float
    metric: str = "accuracy"
    share: float | None = None
    is_plain: bool = False
    guess: float | None = None

    @property
    def is_early(self) -> bool:
        """Whether they trained so briefly that they may well end in another order: it is how they begin to learn."""
        return self.share is not None and (self.share < EARLY or self.steps < FEW)

    @property
    def is_blind(self) -> bool:
        """Whether none of them can be told apart from guessing, so that they cannot be compared."""
        lows = [each.low for each in (self.found, *self.baselines) if each.low is not None]
        return self.guess is not None and self.is_decidable and max(lows) <= self.guess

    @property
    def best(self) -> Rated:
        """The best of the baselines."""
        return self.baselines[0]

    @property
    def instead(self) -> Rated | None:
        """The baseline to use instead of what was found: one that is better, or else does as well for no more.

        None where there is no such, or nothing can be said.
        """
        if not self.is_decidable or self.is_blind or self.is_worth_it:
            return None
        if self.is_beaten:
            return self.best
        rivals = (each for each in self.baselines if not _above(self.found, each) and _costs_no_more(each, self.found))
        return None if self.is_plain else next(rivals, None)

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


def _costs_no_more(one: Rated, other: Rated) -> bool:
    return one.parameters <= ABOUT * other.parameters and one.macs <= ABOUT * other.macs
