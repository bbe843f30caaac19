"""What an operation on inputs of certain shapes is called where there is little room: "conv 3×3 64→10 @32"."""

from collections.abc import Sequence
from typing import Literal

from amla.spec import ops
from amla.spec.ops import Op, Size

_CALLED = {2: ("a series", "series"), 3: ("an image", "images"), 4: ("a volume", "volumes")}

Family = Literal["convolution", "depthwise", "pooling", "normalisation", "linear", "other"]


def example_words(shape: Sequence[int]) -> tuple[str, str]:
    """Return what an example of shape (channels, *spatial) is called ("an image"), and several of them ("images")."""
    return _CALLED.get(len(shape), ("an example", "examples"))


def metric_name(metric: str) -> str:
    """Return what a metric is called in a sentence: "balanced accuracy", "macro F1"."""
    return metric.replace("_", " ").replace("f1", "F1").replace("r2", "R²")


def metric_title(metric: str) -> str:
    """Return what a metric is called at the head of a column: "Balanced accuracy", "Macro F1"."""
    name = metric_name(metric)
    return name[:1].upper() + name[1:]


def short(op: Op, sources: Sequence[Size], target: Size) -> str:
    """Return an operation with its channels and, after "@", its resolution: one number if that is square."""
    match op:
        case ops.Conv(kernel=kernel, groups=groups):
            grouped = f" in {groups}" if groups > 1 else ""
            return f"conv {_times(kernel)}{_window(op)} {sources[0][0]}→{target[0]}{grouped}{_at(sources[0])}"
        case ops.Depthwise(kernel=kernel, multiplier=multiplier):
            wider = f"→{target[0]}" if multiplier > 1 else ""
            return f"depthwise {_times(kernel)}{_window(op)} {sources[0][0]}{wider}{_at(sources[0])}"
        case ops.Pool(kernel=kernel, reduce=reduce):
            return f"{reduce} pool {_times(kernel)}{_window(op)} {sources[0][0]}{_at(sources[0])}"
        case ops.GlobalPool(reduce=reduce):
            return f"global {reduce} {sources[0][0]}{_at(sources[0])}"
        case ops.Dense() | ops.Classify():
            return f"{op.kind} {sources[0][0]}→{target[0]}"
        case ops.Merge(how=how):
            return f"{'sum' if how == 'add' else 'concat'} of {len(sources)}, {target[0]}{_at(target)}"
        case ops.Activation(function=function):
            return f"{function} {target[0]}{_at(target)}"
        case _:
            return f"{op.kind.replace('_', ' ')} {target[0]}{_at(target)}"


def family(op: Op) -> Family:
    """Return which kind of operation it is, as far as colours go."""
    match op:
        case ops.Conv():
            return "convolution"
        case ops.Depthwise():
            return "depthwise"
        case ops.Pool() | ops.GlobalPool():
            return "pooling"
        case ops.BatchNorm() | ops.LayerNorm() | ops.ResponseNorm():
            return "normalisation"
        case ops.Dense() | ops.Classify():
            return "linear"
        case _:
            return "other"


def _window(op: ops.Conv | ops.Depthwise | ops.Pool) -> str:
    stride = f"/{_one(op.stride)}" if set(op.stride) != {1} else ""
    dilation = f" by {_one(op.dilation)}" if set(op.dilation) != {1} else ""
    return stride + dilation + (" valid" if op.padding == "valid" else "")


def _at(shape: Size) -> str:
    return f" @{_one(shape[1:])}" if shape[1:] else ""


def _one(numbers: Size) -> str:
    return str(numbers[0]) if len(set(numbers)) == 1 else _times(numbers)


def _times(numbers: Size) -> str:
    return "×".join(map(str, numbers))
