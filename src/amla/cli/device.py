"""`amla probe-device`: what networks take on this machine, said here or served to searches elsewhere."""

from pathlib import Path

from rich.console import Console

from amla.backends.latency import Latency, Runtime, latencies
from amla.cli.console import escape, opened, say
from amla.cli.serving import Listening, listen
from amla.cli.speeds import architecture_file
from amla.services.errors import ServiceError
from amla.spaces.envelope import envelope
from amla.spec import text
from amla.spec.architecture import Architecture
from amla.study.exporting import needed
from amla.study.gauged import told
from amla.study.study import StudyError

REFERENCE = ((3, 32, 32), 10, 10_000_000)  # inputs, classes and MACs of the network that is measured if none is given


def probe(network: Path | None, runtime: Runtime, batch: int, threads: int, as_json: bool) -> None:
    """Print the latency of a network in a file, or of one that is the same everywhere. Raises StudyError, SpecError."""
    console = opened()
    if network is not None and network.suffix == ".onnx":
        library = needed("amla.export.latency", "onnx")
        try:
            found: Latency = library.of_file(network.read_bytes(), batch, threads)
        except ValueError as error:
            raise StudyError(f"'{network}': {error}") from None
        _print(console, str(network), found, as_json)
        return
    architecture = reference() if network is None else text.load(architecture_file(network))
    library = needed("amla.export.latency", runtime)
    if runtime == "onnx":
        needed("onnxruntime", "onnx")
    name = "an EnvelopeNet of 10 M MACs for images of 3 × 32×32" if network is None else str(network)
    _print(console, name, library.of_network(architecture, runtime, batch, threads), as_json)


def reference() -> Architecture:
    """Return the network that all devices are compared by: the first EnvelopeNet for CIFAR-10, of 10 M MACs."""
    shape, classes, macs = REFERENCE
    found = envelope(shape, classes, macs=macs)
    return found.space.close(found.initial())


def serve_device(listening: Listening) -> None:
    """Measure for others until SIGINT or SIGTERM. Raises ServiceError where that cannot be."""
    try:
        from amla.services.device import Probe
    except ModuleNotFoundError as error:
        raise ServiceError(f"This needs {error.name!r}; install it with: pip install 'amla[serve]'.") from None
    listen({"device": Probe()}, listening)


def _print(console: Console, name: str, found: Latency, as_json: bool) -> None:
    if as_json:
        print(latencies.dump_json(found).decode())  # noqa: T201 - for another program, as it is
        return
    say(console, f"[bold]{escape(name)}[/bold]: {told(found)}, the median of {found.goes} goes")
    say(console, f"on {escape(found.device)}")
