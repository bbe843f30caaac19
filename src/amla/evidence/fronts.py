"""What is best in two respects at once: Pareto fronts of cost and worth, and the area that one dominates."""

from collections.abc import Iterable, Sequence

MARGIN = 0.1  # of the range of what is compared
Point = tuple[float, float]  # cost, of which less is better; worth, of which more is better


def front(points: Iterable[Point]) -> list[Point]:
    """Return the points that no other one is better than in both respects, the cheapest first."""
    found: list[Point] = []
    for cost, worth in sorted(set(points), key=lambda point: (point[0], -point[1])):
        if not found or worth > found[-1][1]:
            found.append((cost, worth))
    return found


def hypervolume(points: Iterable[Point], reference: Point) -> float:
    """Return the area between points and a `reference` that is dearer and worse than all that shall count."""
    dearest, worst = reference
    kept = [(cost, worth) for cost, worth in front(points) if cost < dearest and worth > worst]
    ends = [*(cost for cost, _ in kept), dearest][1:]
    return sum((end - cost) * (worth - worst) for (cost, worth), end in zip(kept, ends, strict=True))


def reference(fronts: Iterable[Sequence[Point]]) -> Point:
    """Return the corner for comparing fronts: beyond the dearest cost and the least worth, by a tenth of their ranges.

    Exactly there, the dearest point and the worst one would not count at all (Ishibuchi et al. 2018).
    """
    points = [point for found in fronts for point in found]
    costs, worths = zip(*points, strict=True)
    beyond = tuple(MARGIN * (max(numbers) - min(numbers)) for numbers in (costs, worths))
    return max(costs) + beyond[0], min(worths) - beyond[1]
