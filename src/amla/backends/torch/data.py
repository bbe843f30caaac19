"""Batches on a device: the order of the data and all augmentation as functions of (seed, step)."""

import warnings
from collections.abc import Iterator, Sequence
from functools import cached_property
from math import prod
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from amla.backends.torch.ahead import Ahead
from amla.backends.torch.native.images import read, reads
from amla.tasks.cropping import Crop, taken
from amla.tasks.dataset import Examples
from amla.tasks.recipe import Augment

ORDER, CHANGE, DROP, MIRROR = 1, 2, 3, 4  # what a generator is for: each purpose has random numbers of its own
AHEAD = 2  # batches that are read while one is trained on, where the data are not held
SCORED_AT_ONCE = 2**24  # elements of inputs: 64 MiB of single precision, 500 images up to 105x105

_Step = tuple[int, int, float | None]  # seed, step, and the least share of a crop
_Order = tuple[Tensor, Tensor]  # the same twice: in memory, by which data are read, and on the device


def generator(device: torch.device, *key: int) -> torch.Generator:
    """Return a generator whose numbers are a function of `key`."""
    return torch.Generator(device=device).manual_seed(mixed(*key))


def mixed(*key: int) -> int:
    """Return a seed of 63 bits that is a function of `key`."""
    return int(np.random.SeedSequence(key).generate_state(1, np.uint64)[0]) >> 1


class Batches:
    """The examples of one part, as normalised batches of (batch, channels, *spatial) and labels."""

    def __init__(
        self,
        examples: Examples,
        moments: tuple[tuple[float, ...], tuple[float, ...]],
        batch: int,
        device: torch.device,
    ) -> None:
        self.labels = _tensor(examples.labels).to(device)
        self._examples = examples
        # an array that networks read all of is looked up whole, on the device; of others come only the rows of a batch
        self._held = isinstance(examples.inputs, np.ndarray) and examples.size is None
        self.batch = min(batch, len(self.labels))
        self.device = device
        mean, deviation = moments
        self._mean = torch.tensor(mean, device=device)
        self._inverse = 1 / torch.tensor(deviation, device=device)
        self._orders: dict[tuple[int, int], _Order] = {}
        self._coins: tuple[int, Tensor] | None = None
        self._ahead: Ahead[_Step, NDArray[Any]] = Ahead()
        self._ahead_of_scoring: Ahead[range, NDArray[Any]] = Ahead()

    @cached_property
    def inputs(self) -> Tensor:
        """All of the inputs on the device, (n, *spatial, channels)."""
        return _tensor(self._examples.inputs[:]).to(self.device)

    def __len__(self) -> int:
        return len(self.labels)

    def training(self, seed: int, step: int, augment: Augment) -> tuple[Tensor, Tensor]:
        """Return the batch of `step`, augmented: every epoch in a new order, its incomplete last batch left out."""
        _, index = self._index(seed, step)
        numbers = generator(self.device, seed, CHANGE, step)
        mirrored = self._mirrored(seed, step // (len(self) // self.batch), index, augment, numbers)
        if augment.crop is not None or not self._held:
            whole, which = self._read(seed, step, augment.crop), torch.arange(len(index), device=self.device)
        else:
            whole, which = self.inputs, index
        if reads(whole):
            rows, columns = places((len(which), *whole.shape[1:-1]), augment, mirrored, numbers)
            inputs = read(whole, which, rows, columns, self._mean, self._inverse)
        else:
            inputs = self._normalised(moved(whole[which], augment, mirrored, numbers))
        if augment.cutout:
            inputs *= outside_squares(inputs, augment.cutout, numbers)
        return _first(inputs), self.labels[index]

    def scoring(self, size: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield all examples in order, `size` at a time, or fewer where they are large."""
        size = max(1, min(size, SCORED_AT_ONCE // prod(self._examples.shape)))
        parts = [range(start, min(start + size, len(self))) for start in range(0, len(self), size)]
        for place, part in enumerate(parts):
            if self._held:
                inputs = self.inputs[part.start : part.stop]
            else:
                some = self._ahead_of_scoring.get(part, parts[place + 1 : place + 2], self._in_order)
                inputs = _tensor(some).to(self.device)
            yield _first(self._normalised(inputs)), self.labels[part.start : part.stop]

    def _read(self, seed: int, step: int, crop: float | None) -> Tensor:
        """Return the inputs of a step, (batch, *spatial, channels), while those of the next steps are read."""
        coming = [(seed, step + later, crop) for later in range(1, 1 + AHEAD)]
        return _tensor(self._ahead.get((seed, step, crop), coming, self._of_step)).to(self.device)

    def _of_step(self, which: _Step) -> NDArray[Any]:
        """Return the inputs of a step in memory; in any thread."""
        seed, step, crop = which
        index, _ = self._index(seed, step)
        return taken(self._examples, index.numpy(), None if crop is None else Crop(seed, step, crop))

    def _in_order(self, places: range) -> NDArray[Any]:
        return taken(self._examples, slice(places.start, places.stop))

    def _index(self, seed: int, step: int) -> _Order:
        """Return which examples the batch of a step has."""
        epoch, place = divmod(step, len(self) // self.batch)
        here, there = self._order(seed, epoch)
        some = slice(place * self.batch, (place + 1) * self.batch)
        return here[some], there[some]

    def _order(self, seed: int, epoch: int) -> _Order:
        orders = self._orders
        if (seed, epoch) not in orders:
            shuffled = torch.randperm(len(self), generator=generator(torch.device("cpu"), seed, ORDER, epoch))
            # of this epoch and of another one, in which batches may be that are read ahead
            orders = {**dict(list(orders.items())[-1:]), (seed, epoch): (shuffled, shuffled.to(self.device))}
            self._orders = orders
        return orders[seed, epoch]

    def _mirrored(
        self, seed: int, epoch: int, index: Tensor, augment: Augment, numbers: torch.Generator
    ) -> Tensor | None:
        """Return (batch, 1), whether each example is mirrored; None for none."""
        if augment.flip == "alternate":
            if self._coins is None or self._coins[0] != seed:
                drawn = torch.rand(len(self), generator=generator(torch.device("cpu"), seed, MIRROR)) < 0.5
                self._coins = (seed, drawn.to(self.device))
            return (self._coins[1][index] ^ bool(epoch % 2)).unsqueeze(1)
        if augment.flip:
            return torch.rand((len(index), 1), device=self.device, generator=numbers) < 0.5
        return None

    def _normalised(self, inputs: Tensor) -> Tensor:
        """Subtract the mean and divide by the deviation of every channel, the last axis."""
        return inputs.to(torch.float32, copy=True).sub_(self._mean).mul_(self._inverse)


def moved(inputs: Tensor, augment: Augment, mirrored: Tensor | None, numbers: torch.Generator) -> Tensor:
    """Return (batch, *spatial, channels) with each example shifted at random, and mirrored where `mirrored` says.

    One gather does both: along each axis, an example of the result reads its own places of the padded input.
    """
    if mirrored is None and not augment.shift:
        return inputs
    rank = inputs.ndim - 2
    pad = augment.shift if augment.border == "zero" else 0
    padded = functional.pad(inputs, [0, 0] + [pad, pad] * rank) if pad else inputs
    found = places(inputs.shape[:-1], augment, mirrored, numbers)
    index = [_column(torch.arange(len(inputs), device=inputs.device), rank)]
    return padded[tuple(index + [_row(along + pad, axis, rank) for axis, along in enumerate(found)])]


def places(shape: Sequence[int], augment: Augment, mirrored: Tensor | None, numbers: torch.Generator) -> list[Tensor]:
    """Return for every spatial axis (batch, extent): which places an example of the result reads.

    `shape` is (batch, *spatial). Places before 0 and beyond the last lie in the border.
    """
    batch, *extents = shape
    shift, found = augment.shift, []
    for axis, extent in enumerate(extents):
        along = torch.arange(extent, device=numbers.device).expand(batch, extent)
        if mirrored is not None and axis == len(extents) - 1:
            along = torch.where(mirrored, extent - 1 - along, along)
        if shift:
            drawn = torch.randint(0, 2 * shift + 1, (batch, 1), device=numbers.device, generator=numbers)
            along = along + (drawn - shift)
            along = along if augment.border == "zero" else _inside(along, extent)
        found.append(along)
    return found


def outside_squares(inputs: Tensor, size: int, numbers: torch.Generator) -> Tensor:
    """Return (batch, *spatial, 1): 0 within one square (interval, cube) of `size` in each example, 1 elsewhere."""
    batch, *extents = inputs.shape[:-1]
    inside = torch.ones((), dtype=torch.bool, device=inputs.device)
    for axis, extent in enumerate(extents):
        start = torch.randint(0, extent, (batch, 1), device=inputs.device, generator=numbers) - size // 2
        places = torch.arange(extent, device=inputs.device)
        inside = inside & _row((places >= start) & (places < start + size), axis, len(extents))
    return ~inside.unsqueeze(-1)


def reduced(inputs: Tensor, scale: float) -> Tensor:
    """Return (batch, channels, *spatial) at `scale` times the resolution, each place the mean of what it covers."""
    if scale == 1:
        return inputs
    return functional.interpolate(inputs, [max(1, round(extent * scale)) for extent in inputs.shape[2:]], mode="area")


def _inside(places: Tensor, extent: int) -> Tensor:
    """Reflect places beyond 0 and `extent` - 1 back inside, as often as that takes."""
    period = max(1, 2 * (extent - 1))
    places = places.remainder(period)
    return torch.minimum(places, period - places)


def _row(places: Tensor, axis: int, rank: int) -> Tensor:
    """Return (batch, extent) as (batch, 1, ..., extent, ..., 1), the extent along spatial `axis`."""
    return places.reshape(len(places), *(-1 if a == axis else 1 for a in range(rank)))


def _column(numbers: Tensor, rank: int) -> Tensor:
    return numbers.reshape(-1, *(1 for _ in range(rank)))


def _first(inputs: Tensor) -> Tensor:
    """Return the channels first: a view, so images keep channels_last memory."""
    return inputs.movedim(-1, 1)


def _tensor(array: NDArray[np.generic]) -> Tensor:
    """Return a tensor on the array's own memory, which nothing here writes to."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # that the array is read-only
        return torch.from_numpy(np.ascontiguousarray(array))
