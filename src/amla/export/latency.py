"""Measures the latency of a network with random weights on this machine, in ONNX Runtime or PyTorch, on the CPU.

Weights are random, as latency follows from the structure. What runs is the network as it is exported: its plain source.
"""

from importlib import metadata
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from numpy.typing import NDArray

from amla.backends import processor
from amla.backends.initial import initial
from amla.backends.latency import LONGEST, Latency, Runtime, measured
from amla.backends.torch.threads import computing
from amla.export.module import example, module
from amla.export.source import Facts
from amla.spec.architecture import Architecture
from amla.spec.costs import shapes

LIBRARY = {"onnx": "onnxruntime", "torch": "torch"}
ROOM = 4 << 30  # bytes that a file may fill; those of ResNet-50 for 32 images of 224 × 224 come to about 3 GB


def device(runtime: Runtime, batch: int, threads: int) -> str:
    """Return what a latency depends on besides the network."""
    library = f"{LIBRARY[runtime]} {metadata.version(LIBRARY[runtime])}"
    described = ", ".join(filter(None, processor.description().split(", ")))
    return f"{described}, {processor.cores()} cores, {library}, threads {threads}, batch {batch}"


def of_network(architecture: Architecture, runtime: Runtime, batch: int, threads: int) -> Latency:
    """Measure a closed network. Raises SpecError for an open one, ModuleNotFoundError without the runtime."""
    trunk = architecture.trunk
    classes = shapes(trunk)[trunk.output.id][0]
    channels = trunk.shape[0]
    facts = Facts("measured", tuple(map(str, range(classes))), (0.0,) * channels, (1.0,) * channels)
    network, inputs = module(trunk, initial(trunk, seed=0), facts), example(trunk, batch)
    where = device(runtime, batch, threads)
    if runtime == "torch":
        with computing(threads), torch.inference_mode():
            return measured(lambda: network(inputs), where, alone=threads == 1)
    from amla.export.onnx import export_quickly

    with TemporaryDirectory(prefix="amla-latency-") as folder:
        path = Path(folder) / "network.onnx"
        export_quickly(network, inputs, path)
        return of_file(path.read_bytes(), batch, threads)


def of_file(content: bytes, batch: int, threads: int) -> Latency:
    """Measure the network in the bytes of an ONNX file, on made-up inputs; a dimension that is free is the batch.

    As it is no file any more, it can refer to no other. Raises ValueError for what ONNX Runtime cannot run, or not in
    ten seconds, and before anything is made for what would fill more than `ROOM` by the shapes that follow from it.
    """
    from amla.export.onnx import filled, opened, stopping

    try:
        if (needed := filled(content, batch)) > ROOM:
            raise ValueError(
                f"its inputs and what its nodes make have {needed:,} bytes for a batch of {batch:,}, and up to "
                f"{ROOM:,} are measured; take a smaller batch or network"
            )
        session = opened(content, threads)
        rng = np.random.default_rng(0)
        inputs = {
            each.name: _made_up(rng, each.type, [size if isinstance(size, int) else batch for size in each.shape])
            for each in session.get_inputs()
        }
        with stopping(LONGEST) as options:
            session.run(None, inputs, options)
    except Exception as error:  # ONNX and ONNX Runtime have kinds of their own for what is wrong with a file
        if isinstance(error, MemoryError | ModuleNotFoundError):
            raise
        said = next(iter(str(error).splitlines()), "") or type(error).__name__
        raise ValueError(f"ONNX Runtime cannot run this file: {said[:300]}") from None
    return measured(lambda: session.run(None, inputs), device("onnx", batch, threads), alone=threads == 1)


def _made_up(rng: np.random.Generator, kind: str, shape: list[int]) -> NDArray[np.float32]:
    if kind != "tensor(float)":
        raise ValueError(f"an input is a {kind}, where single precision is expected")
    return rng.standard_normal(shape, np.float32)
