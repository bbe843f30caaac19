"""What searches spent: their limit is the same, but some end before it, and the last leg of others goes beyond it."""

from amla.comparison.judgement import OnTask, Standing
from amla.spec.values import value

EQUAL = 0.05  # of the most: searches that are further apart did not spend the same


@value
class Spending:
    """Of those that search, who spent the fewest and the most operations on it, on average over runs."""

    least: Standing
    most: Standing

    @property
    def apart(self) -> float:
        """How much less the least is, as a share of the most."""
        return 1 - self.least.search_flops / self.most.search_flops

    @property
    def is_equal(self) -> bool:
        """Whether all spent the same, to a twentieth."""
        return self.apart <= EQUAL


def spending(found: OnTask) -> Spending | None:
    """Return what searches of a task spent, None below two searches, or where operations were not counted."""
    searching = sorted((s for s in found.standings if s.searches), key=lambda standing: standing.search_flops)
    if len(searching) < 2 or searching[-1].search_flops <= 0:
        return None
    return Spending(searching[0], searching[-1])
