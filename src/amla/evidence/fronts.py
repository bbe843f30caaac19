"""What is best in several respects at once: Pareto fronts of cost and worth, and the volume that one dominates."""

from collections.abc import Iterable, Sequence
from operator import le, lt

MARGIN = 0.1  # of the range of what is compared
Point = tuple[float, float]  # cost, of which less is better; worth, of which more is better


def front(points: Iterable[Point]) -> list[Point]:
    """Return the points that no other one is better than in both respects, the cheapest first."""
    found: list[Point] = []
    for cost, worth in sorted(set(points), key=lambda point: (point[0], -point[1])):
        if not found or worth > found[-1][1]:
            found.append((cost, worth))
    return found


def undominated(rows: Iterable[Sequence[float]]) -> list[tuple[float, ...]]:
    """Return the rows, of numbers that should all be low, than which no other is as low in all, each once, in order."""
    found: list[tuple[float, ...]] = []
    for row in sorted({tuple(row) for row in rows}):  # what is as low as it in all comes before it
        if not any(all(map(le, other, row)) for other in found):
            found.append(row)
    return found


def hypervolume(points: Iterable[Point], reference: Point) -> float:
    """Return the area between points and a `reference` that is dearer and worse than all that shall count."""
    dearest, worst = reference
    return dominated([(cost, -worth) for cost, worth in points], (dearest, -worst))


def dominated(rows: Sequence[Sequence[float]], corner: Sequence[float]) -> float:
    """Return the volume between rows of numbers that should all be low and a `corner` that is higher in all of them.

    It is summed up in slices along the last number, each as wide as the next row is away (While et al. 2006).
    """
    kept = sorted((row for row in rows if all(map(lt, row, corner))), key=lambda row: row[-1])
    if not kept:
        return 0.0
    if len(corner) == 1:
        return corner[0] - kept[0][0]
    ends = [*(row[-1] for row in kept[1:]), corner[-1]]
    slices = (
        (end - row[-1], [row[:-1] for row in kept[: place + 1]])
        for place, (row, end) in enumerate(zip(kept, ends, strict=True))
    )
    return sum(width * dominated(below, corner[:-1]) for width, below in slices if width > 0)


def reference(fronts: Iterable[Sequence[Point]]) -> Point:
    """Return the corner for comparing fronts: beyond the dearest cost and the least worth, by a tenth of their ranges.

    Exactly there, the dearest point and the worst one would not count at all (Ishibuchi et al. 2018).
    """
    points = [point for found in fronts for point in found]
    costs, worths = zip(*points, strict=True)
    beyond = tuple(MARGIN * (max(numbers) - min(numbers)) for numbers in (costs, worths))
    return max(costs) + beyond[0], min(worths) - beyond[1]
