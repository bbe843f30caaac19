"""How fast a machine and a network are: what was measured, and how near it comes to what the machine could do.

Everything is told per second of processor time, that of all threads together: it stays meaningful on a machine that
other programs use too. A device that is no CPU has no such clock; there, seconds are those that pass.
"""

from typing import Literal, Protocol

from amla.spec import ops
from amla.spec.architecture import Architecture, NodeId
from amla.spec.ops import Op, Size
from amla.spec.traffic import Work
from amla.spec.values import value

GIGA = 1e9
STANDING: tuple[tuple[Op, Size], ...] = (  # what networks are made of here, thin branches of an EnvelopeNet included
    (ops.Conv(64, (1, 1)), (64, 32, 32)),
    (ops.Conv(64, (3, 3)), (64, 32, 32)),
    (ops.Conv(64, (5, 5)), (64, 32, 32)),
    (ops.Conv(256, (3, 3)), (256, 8, 8)),
    (ops.Conv(10, (1, 1)), (64, 32, 32)),
    (ops.Conv(10, (3, 3)), (64, 32, 32)),
    (ops.Conv(10, (5, 5)), (64, 32, 32)),
    (ops.Depthwise((3, 3)), (64, 32, 32)),
    (ops.Depthwise((5, 5)), (64, 32, 32)),
    (ops.Depthwise((7, 7)), (64, 32, 32)),
    (ops.BatchNorm(), (64, 32, 32)),
    (ops.Activation("relu"), (64, 32, 32)),
    (ops.Pool("max", (3, 3)), (64, 32, 32)),
    (ops.Pool("max", (2, 2), (2, 2)), (64, 32, 32)),
    (ops.Pool("mean", (3, 3)), (64, 32, 32)),
    (ops.GlobalPool("mean"), (64, 32, 32)),
    (ops.Dense(1024), (1024,)),
)
STANDING_BATCH, QUICK_BATCH = 64, 8


@value
class Effort:
    """How carefully to measure: `seconds` for each thing, in at least so many goes, each at least `go` seconds long."""

    seconds: float
    goes: int
    go: float
    batch: int
    sizes: tuple[int, ...]  # of the square matrices that are multiplied


CAREFUL = Effort(0.4, 5, 0.005, STANDING_BATCH, (256, 512, 1024, 2048))
QUICK = Effort(0.03, 3, 0.001, QUICK_BATCH, (256, 512))


@value
class Times:
    """How many seconds something takes: of processor time and by the clock, the median over `goes` and the least."""

    median: float
    least: float
    clock_median: float
    clock_least: float
    goes: int


@value
class Rate:
    """Billions of something a second: of processor time and by the clock, each in the median and at best."""

    median: float
    best: float
    clock_median: float
    clock_best: float

    @classmethod
    def of(cls, amount: float, times: Times) -> "Rate":
        """Return how fast so much was done."""
        spans = times.median, times.least, times.clock_median, times.clock_least
        return cls(*(amount / GIGA / max(span, 1e-12) for span in spans))


@value
class Product:
    """Pure arithmetic, in GFLOP: of two square matrices, or of images and 3x3 kernels with as many channels as `size`.

    Libraries compute both by code of their own, and either can be the faster one.
    """

    kind: Literal["matrix", "convolution"]
    size: int
    rate: Rate


@value
class Stream:
    """Arrays of so many bytes each, larger than all caches: one copied (a = b) or two summed (a = b + s c), in GB."""

    kind: Literal["copy", "triad"]
    bytes: int
    rate: Rate


@value
class Roof:
    """What a machine can do with so many threads, measured: what it computes from memory is not faster than that."""

    threads: int
    products: tuple[Product, ...]
    streams: tuple[Stream, ...]

    @property
    def peak(self) -> float:
        """GFLOP per second of processor time of the best product."""
        return max(product.rate.best for product in self.products)

    @property
    def matrix(self) -> Product:
        """The best product of matrices."""
        return max((each for each in self.products if each.kind == "matrix"), key=lambda each: each.rate.best)

    @property
    def stream(self) -> Stream:
        """The best stream."""
        return max(self.streams, key=lambda stream: stream.rate.best)

    @property
    def bandwidth(self) -> float:
        """GB per second of processor time to and from memory."""
        return self.stream.rate.best

    @property
    def ridge(self) -> float:
        """FLOP per byte from which on arithmetic is the bound, not memory."""
        return self.peak / self.bandwidth


@value
class Pass:
    """A pass through an operation: what it takes, and how long it took."""

    work: Work
    times: Times

    @property
    def intensity(self) -> float:
        """FLOP per byte."""
        return self.work.flops / self.work.bytes

    @property
    def rate(self) -> float:
        """GFLOP per second of processor time."""
        return Rate.of(self.work.flops, self.times).median

    @property
    def throughput(self) -> float:
        """GB per second of processor time, by the bytes that must move."""
        return Rate.of(self.work.bytes, self.times).median

    def floor(self, roof: Roof) -> float:
        """Return the seconds that it would take at its roof."""
        return max(self.work.flops / GIGA / roof.peak, self.work.bytes / GIGA / roof.bandwidth)

    def is_bound_by_memory(self, roof: Roof) -> bool:
        """Return whether moving its bytes takes longer than its arithmetic."""
        return self.intensity < roof.ridge


@value
class Speed:
    """An operation on inputs of certain shapes, the nodes of a network that are such, and both of its passes.

    A pass is None if there is nothing to do in it: a flatten only looks at its input in another way.
    """

    op: Op
    sources: tuple[Size, ...]
    target: Size
    nodes: tuple[NodeId, ...]
    forward: Pass | None
    backward: Pass | None

    @property
    def passes(self) -> tuple[Pass, ...]:
        """Those that there are."""
        return tuple(found for found in (self.forward, self.backward) if found)

    @property
    def seconds(self) -> float:
        """What all of its nodes take in both passes."""
        return len(self.nodes) * sum(found.times.median for found in self.passes)

    @property
    def work(self) -> Work:
        """What one node takes in both passes."""
        found = [each.work for each in self.passes]
        return Work(sum(work.flops for work in found), sum(work.bytes for work in found))


@value
class Machine:
    """What was measured of a machine: its roof for each number of threads, and the standing operations with one."""

    device: str
    processor: str
    library: str
    cores: int
    batch: int
    roofs: tuple[Roof, ...]
    speeds: tuple[Speed, ...]


@value
class NetworkSpeed:
    """What was measured of a network in training: its operations one by one, and a whole step of the real backend."""

    device: str
    processor: str
    library: str
    batch: int
    roof: Roof
    speeds: tuple[Speed, ...]
    step: Times

    @property
    def seconds(self) -> float:
        """The sum over all nodes."""
        return sum(speed.seconds for speed in self.speeds)

    @property
    def work(self) -> Work:
        """What all nodes take in both passes."""
        found = [(len(speed.nodes), speed.work) for speed in self.speeds]
        return Work(sum(times * work.flops for times, work in found), sum(times * work.bytes for times, work in found))

    @property
    def arithmetic_floor(self) -> float:
        """The seconds of a step in which memory costs nothing and all arithmetic goes as fast as matrix products."""
        return self.work.flops / GIGA / self.roof.peak

    @property
    def floor(self) -> float:
        """The seconds of a step whose every pass is at its roof, tensors coming from memory."""
        return sum(len(speed.nodes) * found.floor(self.roof) for speed in self.speeds for found in speed.passes)


class Bench(Protocol):
    """Measures what a library does on a device. Raises whatever a lack of memory raises there."""

    device: str

    def roof(self, threads: int) -> Roof:
        """Measure matrix products and memory."""

    def passes(
        self, op: Op, sources: tuple[Size, ...], batch: int, threads: int, *, inner: bool
    ) -> tuple[Times, Times | None]:
        """Measure an operation forward and backward, for its inputs too if it is `inner`; None without a gradient."""

    def step(self, architecture: Architecture, batch: int, threads: int) -> Times:
        """Measure a whole training step of the backend: data, both passes, loss and optimiser."""
