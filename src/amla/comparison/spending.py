"""What runs spent: their limit is the same, but some searches end before it, and the last leg of others goes beyond."""

from amla.comparison.judgement import OnTask
from amla.comparison.standing import Standing
from amla.spec.values import value

EQUAL = 0.05  # of the most: what is further apart did not spend the same


@value
class Spending:
    """Who spent the fewest and the most operations, on average over runs.

    On the `whole` run, where the limit is that of whole runs, or else on the search, of those that search.
    """

    least: Standing
    most: Standing
    whole: bool = False

    @property
    def fewest(self) -> float:
        """The operations of the least."""
        return self.least.flops if self.whole else self.least.search_flops

    @property
    def dearest(self) -> float:
        """The operations of the most."""
        return self.most.flops if self.whole else self.most.search_flops

    @property
    def apart(self) -> float:
        """How much less the least is, as a share of the most."""
        return 1 - self.fewest / self.dearest

    @property
    def is_equal(self) -> bool:
        """Whether all spent the same, to a twentieth."""
        return self.apart <= EQUAL


def spending(found: OnTask) -> Spending | None:
    """Return what was spent on a task, None below two of those it is about, or where operations were not counted."""
    if found.whole:
        ordered = sorted(found.standings, key=lambda standing: standing.flops)
    else:
        ordered = sorted((s for s in found.standings if s.searches), key=lambda standing: standing.search_flops)
    if len(ordered) < 2:
        return None
    spent = Spending(ordered[0], ordered[-1], found.whole)
    return spent if spent.dearest > 0 else None
