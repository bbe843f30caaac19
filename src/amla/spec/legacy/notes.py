"""What a reader of a configuration of 2018 should know: what has no effect here, or another than there."""

from collections.abc import Iterable, Sequence
from typing import Any

from amla.spec.legacy.growth import Growth, Randoms
from amla.spec.legacy.micro import AUXILIARY, Micro
from amla.spec.macro import Macro, Widener
from amla.spec.values import value


@value
class Note:
    """A field of the file, by address, and what amla does about it."""

    field: str
    says: str


_REASONS = {
    "envelopenet": "how the network was found; the network itself is imported",
    "random": "not used by the algorithm of this file",
    "parameters.gpus": "amla trains on one device; those of a list share a batch, which is imported as their sum",
    "parameters.gpu_usage": "amla takes the memory that it needs",
    "parameters.mode": "what is done with a network is the study's algorithm",
    "parameters.exec": "where a study runs is its executor",
    "parameters.log_stats": "what is watched is the algorithm's choice",
    "parameters.eval_interval": "amla scores when a leg ends",
    "parameters.evalintval": "amla scores when a leg ends",
    "parameters.data_dir": "set --data-dir or AMLA_DATA",
    "parameters.train_dir": "amla writes into the run folder",
    "parameterlimits": "random networks have the full width in all layers",
    "parameter_limits": "random networks have the full width in all layers",
    "inputs": "only the spread of the classifier's first weights; amla's follows from its real inputs",
}
_NOTHING: tuple[object, ...] = (None, [], {}, "[]")
_OTHER = "not known to amla; it has no effect"


def unread(left: Iterable[tuple[str, Any]]) -> tuple[Note, ...]:
    """Return a note on every field that nobody has read and that says something."""
    return tuple(
        Note(address, _REASONS.get(address, _REASONS.get(address.rsplit(".", 1)[-1], _OTHER)))
        for address, said in left
        if said not in _NOTHING
    )


def about_body(body: Macro | Micro | Growth | Randoms, heads: Sequence[tuple[int, int]]) -> tuple[Note, ...]:
    """Return notes on how the network was read, where the file leaves that open or its program did otherwise."""
    match body:
        case Micro():
            return tuple(_about_micro(body))
        case Macro():
            found = []
            if heads:
                says = f"heads after the mean over all positions, weight {AUXILIARY:g}; they are not numbered as cells"
                found.append(Note("arch.network auxiliary", says))
            if any(isinstance(item, Widener) and item.inputs is not None for item in body.items):
                found.append(Note("arch.network widener2", "a widener that reads its inputs as a layer does"))
            return tuple(found)
        case Growth():
            return (Note("envelopenet", "the network in NAME.arch.json is the one that the search begins with"),)
        case Randoms():
            return (Note("random", "one network, drawn with the seed given; not those that were published"),)


def _about_micro(micro: Micro) -> Iterable[Note]:
    yield Note("arch", "inputs of a cell pass a 1x1 convolution to its channels; finer ones are halved by max-pooling")
    for name, cell in micro.cells:
        if cell.head:
            yield Note(f"arch.{name}", f"an auxiliary head after the mean over all positions, weight {AUXILIARY:g}")
            continue
        if "reduction" in name:
            yield Note(f"arch.{name}", "what reads an input of the cell has stride 2, unless it says another")
        strided = [node.name for node in cell.nodes if node.stride not in (None, 1)]
        if strided and "reduction" not in name:
            yield Note(f"arch.{name}", f"strides of {', '.join(strided)} do not count: this cell keeps the resolution")
        if idle := {node.name for node in cell.nodes} - {node.name for node in cell.needed}:
            yield Note(f"arch.{name}", f"{', '.join(sorted(idle))} reach no output, and are left out")
        if any(node.type.endswith("avg") for node in cell.nodes):
            yield Note(f"arch.{name}", "'avg' is average pooling; the program of 2018 took a plain convolution")
