"""A network as an ONNX file, checked against PyTorch in ONNX Runtime, and a smaller one in whole numbers of 8 bits."""

import logging
import warnings
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from math import prod
from pathlib import Path
from threading import Timer

import numpy as np
import onnxruntime
import torch
from numpy.typing import NDArray
from torch import nn

onnxruntime.disable_telemetry_events()  # it would keep a file of them in the user's cache
TOLERANCE = 1e-4  # of a logit, absolute and relative: what the order of sums does in single precision
INPUT, LOGITS, VALUES = "input", "logits", "values"  # what is in a file; values are numbers that are predicted
WEIGHTED = ("Gemm", "MatMul", "Conv")  # what layers with weights are in a file
OPSET = 20  # of ONNX, which runtimes since 2024 read


class ExportError(RuntimeError):
    """An exported network that does not compute what the network computes."""


Batches = Iterable[NDArray[np.float32]]


def export(network: nn.Module, inputs: torch.Tensor, path: Path, output: str = LOGITS) -> None:
    """Write a network for any number of inputs in a batch, normalised, into one file; what it says is its `output`."""
    batch = torch.export.Dim("batch", min=1)
    with _quiet():
        torch.onnx.export(
            network, (inputs,), str(path), input_names=[INPUT], output_names=[output], opset_version=OPSET,
            dynamic_shapes=({0: batch},), dynamo=True, external_data=False, verbose=False,
        )  # fmt: skip


def export_quickly(network: nn.Module, inputs: torch.Tensor, path: Path) -> None:
    """Write a network for batches of one size, by PyTorch's older exporter, which takes a thirtieth of the time."""
    with _quiet():
        torch.onnx.export(
            network, (inputs,), str(path), input_names=[INPUT], output_names=[LOGITS], opset_version=OPSET,
            dynamo=False,
        )  # fmt: skip


def compare(network: nn.Module, path: Path, batches: Batches, units: Sequence[float] = (1.0,)) -> float:
    """Return the largest difference of an output between PyTorch and the file in ONNX Runtime, in these units.

    Raises ExportError where one is beyond what rounding explains.
    """
    scale = np.array(units, np.float32)
    session, worst = opened(path), 0.0
    for batch in batches:
        with torch.no_grad():
            ours = network(torch.from_numpy(batch)).numpy() / scale
        theirs = logits(session, batch) / scale
        apart = float(np.abs(ours - theirs).max())
        if not np.allclose(ours, theirs, rtol=TOLERANCE, atol=TOLERANCE):
            raise ExportError(
                f"'{path}' differs from the network by {apart:.2g} in an output; {TOLERANCE:g} is allowed."
            )
        worst = max(worst, apart)
    return worst


def last_layer(path: Path) -> list[str]:
    """Return the names of the last layer of a file that has weights, and of what is computed after it."""
    import onnx

    graph = onnx.load(str(path)).graph
    makers = {output: node for node in graph.node for output in node.output}
    names, waiting = [], [graph.output[0].name]
    while waiting:
        node = makers.get(waiting.pop())
        if node is None or node.name in names:
            continue
        names.append(node.name)
        if node.op_type not in WEIGHTED:
            waiting += node.input
    return names


def quantise(path: Path, small: Path, calibration: Batches, kept: Sequence[str] = ()) -> None:
    """Write a file with weights and activations in whole numbers of 8 bits; ranges are those of `calibration`.

    The nodes that are `kept` stay in single precision.
    """
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

    class Reader(CalibrationDataReader):  # type: ignore[misc]
        def __init__(self) -> None:
            self._batches = iter(calibration)

        def get_next(self) -> dict[str, NDArray[np.float32]] | None:
            batch = next(self._batches, None)
            return None if batch is None else {INPUT: batch}

    with _quiet():
        quantize_static(
            str(path), str(small), Reader(), quant_format=QuantFormat.QDQ, per_channel=True,
            activation_type=QuantType.QUInt8, weight_type=QuantType.QInt8,
            nodes_to_exclude=list(kept),
        )  # fmt: skip


def opened(model: Path | bytes, threads: int = 1) -> onnxruntime.InferenceSession:
    """Return a session of ONNX Runtime on the processor, with so many threads, of a file or its bytes."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(
        model if isinstance(model, bytes) else str(model), options, providers=["CPUExecutionProvider"]
    )


def filled(content: bytes, batch: int) -> int:
    """Return the bytes of the inputs of a file and of all that its nodes make, as far as shapes follow from the file.

    A dimension that an input leaves free is the batch. Nothing is made for it. Raises what ONNX does for what is none.
    """
    import onnx

    model = onnx.load_model_from_string(content)
    for given in model.graph.input:
        for extent in given.type.tensor_type.shape.dim:
            if not extent.HasField("dim_value"):
                extent.dim_value = batch
    graph = onnx.shape_inference.infer_shapes(model, data_prop=True).graph
    tensors = [each.type.tensor_type for each in (*graph.input, *graph.value_info, *graph.output)]
    return sum(prod(extent.dim_value or 1 for extent in each.shape.dim) * _bytes(each.elem_type) for each in tensors)


def _bytes(kind: int) -> int:
    """Return the bytes of an element, 8 where its kind is not known."""
    import onnx

    known = onnx.helper.get_all_tensor_dtypes()
    return onnx.helper.tensor_dtype_to_np_dtype(kind).itemsize if kind in known else 8


@contextmanager
def stopping(seconds: float) -> Iterator[onnxruntime.RunOptions]:
    """Yield options of a run that ends it after so many seconds."""
    options = onnxruntime.RunOptions()
    options.log_severity_level = 4
    timer = Timer(seconds, lambda: setattr(options, "terminate", True))
    timer.daemon = True
    timer.start()
    try:
        yield options
    finally:
        timer.cancel()


def logits(session: onnxruntime.InferenceSession, batch: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the logits of a batch of normalised inputs, (batch, classes); or the numbers that are predicted."""
    found: NDArray[np.float32] = session.run(None, {INPUT: batch})[0]
    return found


@contextmanager
def _quiet() -> Iterator[None]:
    """Have exporters say nothing: what is wrong with their work is found by comparing."""
    root = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(root)
