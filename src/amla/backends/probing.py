"""What a study and an agent that measures latencies (`amla probe-device`) say to each other over HTTP."""

from urllib.parse import urlencode

from pydantic import TypeAdapter

from amla.backends.latency import Runtime
from amla.spec.architecture import Architecture
from amla.spec.values import SpecError, value

MOST_BATCH, MOST_THREADS = 1024, 256
LARGEST = 8 << 20  # bytes of a question, also of an ONNX file


@value
class Asked:
    """How long does this closed network take for a batch, in a runtime with so many threads? Raises SpecError."""

    architecture: Architecture
    runtime: Runtime = "onnx"
    batch: int = 1
    threads: int = 1

    def __post_init__(self) -> None:
        check(self.batch, self.threads)
        if self.architecture.is_open:
            raise SpecError("An open architecture takes no time; decide its Picks first.")


@value
class Device:
    """What an agent measures on."""

    device: str


asking = TypeAdapter(Asked)


def check(batch: int, threads: int) -> None:
    """Raise SpecError for numbers of inputs or threads that cannot be."""
    for name, number, most in (("batch", batch, MOST_BATCH), ("threads", threads, MOST_THREADS)):
        if not 1 <= number <= most:
            raise SpecError(f"{name} is {number}; it must be from 1 to {most}.")


def device_path(runtime: Runtime, batch: int, threads: int) -> str:
    """Return where an agent says what it measures on."""
    return "latency?" + urlencode({"runtime": runtime, "batch": batch, "threads": threads})
