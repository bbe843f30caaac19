"""Measures a machine and a network, and keeps in the cache what the machine can do: the roofs of `amla bench`."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from hashlib import blake2b
from importlib import import_module, metadata

from pydantic import TypeAdapter

from amla.backends import processor
from amla.backends.bench import STANDING, Bench, Effort, Machine, NetworkSpeed, Pass, Roof, Speed, Times
from amla.backends.protocol import OutOfMemory
from amla.execution.work import is_of_memory
from amla.spec.architecture import Architecture, NodeId
from amla.spec.costs import shape, shapes
from amla.spec.ops import Op, Size
from amla.spec.traffic import Work, backward, forward, inner
from amla.spec.values import value
from amla.storage.files import Files
from amla.study.study import StudyError
from amla.tasks import cache

BENCHES = {"torch": "amla.backends.torch.bench:TorchBench"}

Tell = Callable[[str], None]  # what is being measured, for a person who waits
_Key = tuple[Op, tuple[Size, ...], bool]


@value
class _Kept:
    """A roof in the cache, and what it depends on."""

    of: dict[str, str]
    roof: Roof


_kept = TypeAdapter(_Kept)


def opened(device: str | None, effort: Effort, library: str = "torch") -> Bench:
    """Return what measures. Raises StudyError if the library is not installed, or the device not there."""
    module, name = BENCHES[library].split(":")
    try:
        bench: Bench = getattr(import_module(module), name)(device, effort)
    except ModuleNotFoundError as error:
        raise StudyError(f"Measuring needs {error.name!r}; install it with: pip install 'amla[{library}]'.") from None
    except ValueError as error:
        raise StudyError(f"--device: {error}") from None
    return bench


def machine(bench: Bench, batch: int, tell: Tell, *, keep: bool) -> Machine:
    """Measure a machine: with one thread, with all, and with powers of two between. If `keep`, for the cache too."""
    counts = _counts() if bench.device == "cpu" else (1,)
    roofs = []
    with _memory_faults():
        for threads in counts:
            tell(f"matrix products and memory, {threads} of {counts[-1]} threads")
            roofs.append(bench.roof(threads))
            if keep:
                _keep(_described(bench, threads), roofs[-1])
        speeds = tuple(
            _measured(bench, (op, (source,), True), batch, 1, (f"standing{place}",), tell)
            for place, (op, source) in enumerate(STANDING)
        )
    return Machine(bench.device, processor.name(), _library(), processor.cores(), batch, tuple(roofs), speeds)


def network(
    bench: Bench, architecture: Architecture, batch: int, threads: int, tell: Tell, *, fresh: bool, keep: bool
) -> NetworkSpeed:
    """Measure a closed network in training: each operation once for all nodes that are alike, and a whole step.

    The roof is that of the cache if it is there, unless it must be `fresh`. Raises SpecError for an open network.
    """
    alike = _alike(architecture)
    with _memory_faults():
        roof = None if fresh else _cached(_described(bench, threads))
        if roof is None:
            tell("matrix products and memory")
            roof = bench.roof(threads)
            if keep:
                _keep(_described(bench, threads), roof)
        tell("a whole training step")
        step = bench.step(architecture, batch, threads)
        speeds = tuple(_measured(bench, key, batch, threads, nodes, tell) for key, nodes in alike.items())
    heaviest = sorted(speeds, key=lambda speed: -speed.seconds)
    return NetworkSpeed(bench.device, processor.name(), _library(), batch, roof, tuple(heaviest), step)


def _alike(architecture: Architecture) -> dict[_Key, tuple[NodeId, ...]]:
    """Return the nodes that do the same to inputs of the same shapes."""
    found, behind = shapes(architecture), inner(architecture)
    alike: dict[_Key, tuple[NodeId, ...]] = {}
    for node in architecture:
        key = node.op, tuple(found[source] for source in node.inputs), node.id in behind
        alike[key] = (*alike.get(key, ()), node.id)
    return alike


def _measured(bench: Bench, key: _Key, batch: int, threads: int, nodes: tuple[NodeId, ...], tell: Tell) -> Speed:
    op, sources, is_inner = key
    target = shape(op, *sources)
    there, back = forward(op, sources, target, batch), backward(op, sources, target, batch, inner=is_inner)
    if not there.bytes and not back.bytes:
        return Speed(op, sources, target, nodes, None, None)
    tell(f"{op.kind} on {' and '.join('×'.join(map(str, source)) for source in sources)}")
    first, second = bench.passes(op, sources, batch, threads, inner=is_inner)
    return Speed(op, sources, target, nodes, _pass(there, first), _pass(back, second))


def _pass(work: Work, times: Times | None) -> Pass | None:
    return Pass(work, times) if work.bytes and times else None


def _counts() -> tuple[int, ...]:
    """Return the powers of two up to the number of cores, and that."""
    return tuple(sorted({2**power for power in range(processor.cores().bit_length())} - {0} | {processor.cores()}))


def _described(bench: Bench, threads: int) -> dict[str, str]:
    """Return all that a roof depends on; how busy the machine was is not known beforehand."""
    return {
        "processor": f"{processor.description()}, {processor.cores()} cores",
        "library": _library(),
        "device": bench.device,
        "threads": str(threads),
    }


def _library() -> str:
    try:
        return f"torch {metadata.version('torch')}"
    except metadata.PackageNotFoundError:
        return "no torch"


def _cached(of: dict[str, str]) -> Roof | None:
    with suppress(OSError, ValueError):
        found = _kept.validate_json(Files(cache.folder(None)).read_text(_name(of)))
        return found.roof if found.of == of else None
    return None


def _keep(of: dict[str, str], roof: Roof) -> None:
    with suppress(OSError):  # without a cache it is measured again
        Files(cache.folder(None)).write_text(_name(of), _kept.dump_json(_Kept(of, roof), indent=1).decode() + "\n")


def _name(of: dict[str, str]) -> str:
    return f"machines/{blake2b(json.dumps(of).encode(), digest_size=8).hexdigest()}.json"


@contextmanager
def _memory_faults() -> Iterator[None]:
    try:
        yield
    except (MemoryError, OutOfMemory, RuntimeError) as error:
        if isinstance(error, RuntimeError) and not is_of_memory(str(error)):
            raise
        raise StudyError(f"The device has not enough memory for that ({error}); try a smaller --batch.") from None
