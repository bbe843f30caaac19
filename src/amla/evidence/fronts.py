"""What is best in two respects at once: Pareto fronts of cost and worth, and the area that one dominates."""

from collections.abc import Iterable, Sequence

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


def extent(fronts: Iterable[Sequence[Point]]) -> Point:
    """Return the reference for comparing fronts: the dearest cost and the least worth among all of their points."""
    points = [point for found in fronts for point in found]
    return max(cost for cost, _ in points), min(worth for _, worth in points)
