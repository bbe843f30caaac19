"""The law of spaces: decisions can be read back, and whatever is drawn, changed or listed is in the space."""

from itertools import islice

import numpy as np
from numpy.random import Generator

from amla.spaces.space import Space, SpaceError
from amla.spec.architecture import Architecture
from amla.spec.constraints import counts
from amla.spec.costs import costs
from amla.spec.values import SpecError

MOST_NEIGHBOURS = 50  # looked at; a large space has thousands


def check_space(space: Space, seed: int = 0) -> None:
    """Raise AssertionError where `space` breaks its law, at a place that `seed` draws.

    Reading a closed architecture gives back the decisions on its living Picks; `sample`, `mutate` and `neighbours`
    give closed architectures that the space accepts, that are within its constraints, and that a library can build,
    each but the first unlike its parent; and the same seed gives the same architectures.
    """
    rng = np.random.default_rng(seed)
    _check_read(space, rng)
    parent = space.sample(rng)
    _check_inside(space, parent, "sample gave")
    _check_neighbours(space, parent)
    _check_mutate(space, parent, rng)
    if space.sample(np.random.default_rng(seed)) != space.sample(np.random.default_rng(seed)):
        raise AssertionError("The same rng gave two different samples; draw from nothing but the rng.")


def _check_read(space: Space, rng: Generator) -> None:
    decisions = space.draw(rng)
    closed = space.close(decisions)
    living = {pick: kept for pick, kept in decisions.items() if pick in closed}
    for pick, kept in space.read(closed).items():
        if kept != living.get(pick):
            raise AssertionError(f"{pick!r} was told to keep {living.get(pick)}, but reads back as {kept}.")
    if space.read(closed).keys() != living.keys():
        raise AssertionError(f"Decided {sorted(living)}, but read back {sorted(space.read(closed))}.")


def _check_neighbours(space: Space, parent: Architecture) -> None:
    seen = {parent}
    for neighbour in islice(space.neighbours(parent), MOST_NEIGHBOURS):
        _check_inside(space, neighbour, "neighbours gave")
        if neighbour in seen:
            raise AssertionError(f"neighbours gave {'the parent' if neighbour == parent else 'the same'} again.")
        seen.add(neighbour)


def _check_mutate(space: Space, parent: Architecture, rng: Generator) -> None:
    state = rng.bit_generator.state
    try:
        child = space.mutate(parent, rng)
    except SpaceError:
        if any(space.neighbours(parent)):
            raise AssertionError("mutate found nothing, though the parent has neighbours.") from None
        return
    _check_inside(space, child, "mutate gave")
    if child == parent:
        raise AssertionError("mutate gave its parent.")
    before, after = space.read(parent), space.read(child)
    changed = [pick for pick in before if pick in after and before[pick] != after[pick]]
    if len(changed) != 1:
        raise AssertionError(f"mutate should change one decision, but changed {changed}.")
    rng.bit_generator.state = state
    if space.mutate(parent, rng) != child:
        raise AssertionError("The same rng gave two different mutations; draw from nothing but the rng.")


def _check_inside(space: Space, architecture: Architecture, who: str) -> None:
    if architecture.is_open:
        raise AssertionError(f"{who} an open architecture; {sorted(architecture.picks)} are undecided.")
    if not space.accepts(architecture):
        raise AssertionError(f"{who} an architecture of {len(architecture)} nodes that the space does not accept.")
    if space.close(space.read(architecture)) != architecture:
        raise AssertionError(f"{who} an architecture that is not a closing of the template.")
    try:
        counted = counts(costs(architecture))
    except SpecError as error:
        raise AssertionError(f"{who} an architecture that cannot be built: {error}") from None
    if broken := space.within.broken(counted):
        raise AssertionError(f"{who} an architecture beyond the space's constraints: it has {broken}.")
