"""Measures with PyTorch: matrix products, memory, single operations forward and backward, and whole training steps."""

import os
from collections.abc import Callable
from math import ceil
from statistics import median
from time import perf_counter, process_time

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from amla.backends.bench import Effort, Product, Rate, Roof, Stream, Times
from amla.backends.initial import initial
from amla.backends.processor import last_level_cache
from amla.backends.torch.backend import TorchBackend
from amla.backends.torch.layers import layer
from amla.backends.torch.network import write_arrays
from amla.backends.torch.threads import computing
from amla.spec import ops
from amla.spec.architecture import Architecture, Node
from amla.spec.costs import shapes
from amla.spec.ops import Op, Size
from amla.tasks.dataset import Dataset, Examples, Parts
from amla.tasks.recipe import Constant, Recipe, Sgd
from amla.tasks.task import Task
from amla.trials.snapshot import weight_name
from amla.trials.trial import Fit

MOST_GOES = 30
BEYOND = 4  # times the last-level cache that an array of STREAM has; its rules ask for that (McCalpin 1995)
LARGEST = 1 << 30  # bytes of such an array
IMAGES = (16, 256, 8)  # batch, channels and resolution of the convolution that pure arithmetic is measured by
DEVICE_ARRAY, DEVICE_SIZES, DEVICE_IMAGES = 256 << 20, (1024, 2048, 4096, 8192), (128, 512, 16)  # if that is no CPU
_FORMATS = {4: torch.channels_last, 5: torch.channels_last_3d}  # those that learners train in


class TorchBench:
    """Measures on `device` ("cpu", "cuda", "mps"; None: the best there is). Raises ValueError for others."""

    def __init__(self, device: str | None, effort: Effort) -> None:
        self._device = TorchBackend(device).device
        self.device = self._device.type
        self._effort = effort

    def roof(self, threads: int) -> Roof:
        """Measure matrix products and memory."""
        is_cpu = self.device == "cpu"
        sizes = self._effort.sizes if is_cpu else DEVICE_SIZES[: len(self._effort.sizes)]
        with computing(threads), torch.no_grad():
            matrices = tuple(self._matrices(size) for size in sizes)
            images = self._images(*(IMAGES if is_cpu else DEVICE_IMAGES))
            return Roof(threads, (*matrices, images), self._streams(_array() if is_cpu else DEVICE_ARRAY))

    def passes(
        self, op: Op, sources: tuple[Size, ...], batch: int, threads: int, *, inner: bool
    ) -> tuple[Times, Times | None]:
        """Measure an operation forward and backward, for its inputs too if it is `inner`; None without a gradient."""
        with computing(threads):
            module = _module(op, sources).to(self._device)
            inputs = [self._random((batch, *source)).requires_grad_(inner) for source in sources]
            there = self._times(lambda: module(*inputs))
            output = module(*inputs)
            wanted = [tensor for tensor in (*inputs, *module.parameters()) if tensor.requires_grad]
            if not wanted or not output.requires_grad:
                return there, None
            gradient = torch.randn_like(output)
            back = self._times(
                lambda: torch.autograd.grad(output, wanted, gradient, retain_graph=True, allow_unused=True)
            )
            return there, back

    def step(self, architecture: Architecture, batch: int, threads: int) -> Times:
        """Measure a whole training step of the backend: data, both passes, loss and optimiser."""
        with computing(threads):
            learner = TorchBackend(str(self._device)).build(architecture, Fit(), _task(architecture, batch), seed=0)
            return self._times(lambda: learner.fit(1, 1_000_000, _unheard))

    def _matrices(self, size: int) -> Product:
        a, b, out = (self._random((size, size)) for _ in range(3))
        return Product("matrix", size, Rate.of(2 * size**3, self._times(lambda: torch.mm(a, b, out=out))))

    def _images(self, batch: int, channels: int, extent: int) -> Product:
        images, kernel = self._random((batch, channels, extent, extent)), self._random((channels, channels, 3, 3))
        took = self._times(lambda: functional.conv2d(images, kernel, padding=1))
        return Product("convolution", channels, Rate.of(18 * batch * extent**2 * channels**2, took))

    def _streams(self, length: int) -> tuple[Stream, ...]:
        a, b, c = (torch.ones(length // 4, device=self._device) for _ in range(3))
        copied = self._times(lambda: a.copy_(b))
        summed = self._times(lambda: torch.add(b, c, alpha=3.0, out=a))
        return (
            Stream("copy", length, Rate.of(2 * length, copied)),
            Stream("triad", length, Rate.of(3 * length, summed)),
        )

    def _random(self, shape: Size) -> Tensor:
        found = torch.randn(shape, device=self._device)
        return found.to(memory_format=_FORMATS[len(shape)]) if len(shape) in _FORMATS else found

    def _times(self, work: Callable[[], object]) -> Times:
        """Measure `work`, repeated within a go so often that clocks can tell; the first time does not count."""
        self._go(work, 1)
        repeats = max(1, ceil(self._effort.go / max(self._go(work, 1)[1], 1e-7)))
        goes = list[tuple[float, float]]()
        began = perf_counter()
        while len(goes) < self._effort.goes or (
            len(goes) < MOST_GOES and perf_counter() - began < self._effort.seconds
        ):
            goes.append(self._go(work, repeats))
        busy, clock = zip(*goes, strict=True)
        return Times(median(busy), min(busy), median(clock), min(clock), len(goes))

    def _go(self, work: Callable[[], object], repeats: int) -> tuple[float, float]:
        """Return the processor time and the clock time of one repeat."""
        self._wait()
        busy, clock = process_time(), perf_counter()
        for _ in range(repeats):
            work()
        self._wait()
        busy, clock = (process_time() - busy) / repeats, (perf_counter() - clock) / repeats
        return (busy if self.device == "cpu" else clock), clock

    def _wait(self) -> None:
        """Wait until the device has done all that it was told."""
        if self.device == "cuda":
            torch.cuda.synchronize(self._device)
        elif self.device == "mps":
            torch.mps.synchronize()


def _array() -> int:
    """Return how many bytes an array must have that no cache can hold; less where memory is scarce."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") if hasattr(os, "sysconf") else 8 << 30
    return min(BEYOND * last_level_cache(), LARGEST, memory // 12)


def _module(op: Op, sources: tuple[Size, ...]) -> nn.Module:
    """Return an operation by itself, with the weights that it would begin to train with."""
    inputs = tuple(Node(f"input{place}", ops.Input(source)) for place, source in enumerate(sources))
    alone = Architecture((*inputs, Node("op", op, tuple(node.id for node in inputs))))
    module = layer(op, sources[0])
    tensors = {weight_name("op", role): tensor for role, tensor in module.state_dict(keep_vars=True).items()}
    write_arrays(tensors, initial(alone, seed=0))
    return module


def _task(architecture: Architecture, batch: int) -> Task:
    """Return a task of random images that the network can be trained on."""
    found = shapes(architecture)
    shape = architecture.shape
    classes, rng = found[architecture.output.id][0], np.random.default_rng(0)
    inputs = rng.integers(0, 256, (4 * batch, *shape[1:], shape[0]), dtype=np.uint8)
    examples = Examples(inputs, rng.integers(0, classes, 4 * batch))
    recipe = Recipe(batch, Sgd(rate=1e-3), Constant(), precision="single")
    data = Dataset("random", "0", tuple(map(str, range(classes))), examples, None, None)
    return Task(data, Parts(examples, examples, examples), recipe, score_on=None)


def _unheard(step: int, loss: float, accuracy: float, rate: float) -> None:
    """Ignore a line of the learning curve."""
