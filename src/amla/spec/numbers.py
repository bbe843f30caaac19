"""What the numbers of an operation may be."""

from math import isfinite
from typing import Annotated, Protocol

from pydantic import FailFast

from amla.spec.values import SpecError

Size = tuple[int, ...]
Sizes = Annotated[Size, FailFast()]  # as a field: what is wrong with a long one is told once

MOST = 2**31 - 1  # of any size: what libraries count elements of an axis with
MOST_AXES = 8


class _Named(Protocol):
    """An operation, as far as it is named in errors."""

    @property
    def kind(self) -> str:
        """What it is called."""
        ...


def check_window(op: _Named, kernel: Size) -> None:
    """Check a window, and write an empty stride or dilation out, so that equal ops compare equal. Raises SpecError."""
    check_positive(op, "kernel", kernel)
    for name in ("stride", "dilation"):
        given: Size = getattr(op, name)
        if not given:
            object.__setattr__(op, name, (1,) * len(kernel))
        elif len(given) != len(kernel):
            raise SpecError(f"{op.kind}.{name} is {given}, but the kernel {kernel} has {len(kernel)} axes.")
        else:
            check_positive(op, name, given)


def check_positive(op: _Named, name: str, numbers: Size) -> None:
    """Raise SpecError unless there are numbers, each 1 or more, and neither they nor their number are too large."""
    said = f"{numbers if len(numbers) != 1 else numbers[0]}"[:100]
    if not numbers or min(numbers) < 1:
        raise SpecError(f"{op.kind}.{name} is {said}; it must be 1 or more.")
    if max(numbers) > MOST or len(numbers) > MOST_AXES:
        raise SpecError(f"{op.kind}.{name} is {said}; it must be {MOST:,} at most, along {MOST_AXES} axes at most.")


def check_finite(op: _Named, *names: str) -> None:
    """Check numbers that weights are computed with: what is not finite, or no epsilon, makes all of them NaN."""
    for name in names:
        number = getattr(op, name)
        if not isfinite(number) or (name == "epsilon" and number < 0):
            rule = "0 or more, and finite" if name == "epsilon" else "finite"
            raise SpecError(f"{op.kind}.{name} is {number}; it must be {rule}.")
