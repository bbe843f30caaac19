"""A network as one readable Python file that needs PyTorch alone, and its weights as that file's modules call them."""

import keyword
import re
from collections.abc import Mapping
from textwrap import fill

import numpy as np
from numpy.typing import NDArray

from amla.export.layers import Line, line
from amla.export.parts import PARTS
from amla.spec.architecture import Architecture, Node, NodeId
from amla.spec.costs import costs, shapes
from amla.spec.values import SpecError, value
from amla.trials.snapshot import Arrays

WIDTH = 110  # of a line of words
# What any module of PyTorch (2.13) has already; a test compares.
MODULE = frozenset((
    "T_destination", "add_module", "apply", "bfloat16", "buffers", "call_super_init", "children", "compile",
    "cpu", "cuda", "double", "dump_patches", "eval", "extra_repr", "float", "forward", "get_buffer",
    "get_extra_state", "get_parameter", "get_submodule", "half", "ipu", "load_state_dict", "modules", "mtia",
    "named_buffers", "named_children", "named_modules", "named_parameters", "parameters",
    "register_backward_hook", "register_buffer", "register_forward_hook", "register_forward_pre_hook",
    "register_full_backward_hook", "register_full_backward_pre_hook", "register_load_state_dict_post_hook",
    "register_load_state_dict_pre_hook", "register_module", "register_parameter",
    "register_state_dict_post_hook", "register_state_dict_pre_hook", "requires_grad_", "set_extra_state",
    "set_submodule", "share_memory", "state_dict", "to", "to_empty", "train", "training", "type", "xpu",
    "zero_grad",
))  # fmt: skip
UNITS = ("target_mean", "target_deviation")
_TAKEN = MODULE | {"x", "self", "torch", "nn", "F", *UNITS, *PARTS}


@value
class Facts:
    """What a user of a network must know besides: how inputs are normalised, and what outputs mean.

    `mean` and `deviation` are of each channel, in the units of the inputs. With `mirrored` its accuracy was measured
    with the mean of the logits of an input and of its mirror image. Where numbers are predicted, `classes` are what
    these are called, and outputs times `target_deviation` plus `target_mean` are in the units of the data.
    """

    name: str
    classes: tuple[str, ...]
    mean: tuple[float, ...]
    deviation: tuple[float, ...]
    mirrored: bool = False
    note: str = ""
    target_mean: tuple[float, ...] = ()
    target_deviation: tuple[float, ...] = ()


def source(architecture: Architecture, facts: Facts) -> str:
    """Return the file. Raises SpecError for an open architecture."""
    trunk, lines, names = _written(architecture)
    needed = dict.fromkeys(part for written in lines.values() for part in written.needs)
    found = costs(architecture)
    shape = trunk.shape
    about = (
        f"{facts.name}: a network of {found.parameters:,} parameters and {found.macs:,} multiply-accumulates, for "
        f"inputs of {'x'.join(map(str, shape))}. {facts.note}".strip()
    )
    rounded = [[float(f"{number:.7g}") for number in numbers] for numbers in (facts.mean, facts.deviation)]
    return "".join(
        (
            f'"""{fill(_quoted(about), WIDTH)}\n\nIt needs PyTorch, and safetensors to load its weights.\n"""\n\n',
            "import torch\nfrom torch import nn\nfrom torch.nn import functional as F\n\n",
            f"{'TARGETS' if facts.target_mean else 'CLASSES'} = {list(facts.classes)!r}\n",
            f"MEAN = {rounded[0]!r}  # of each channel, in the units of the inputs\n",
            f"DEVIATION = {rounded[1]!r}\n",
            *_units(facts),
            "\n",
            *(f"{PARTS[part]}\n" for part in needed),
            *_network(trunk, lines, names, bool(facts.target_mean)),
            _LOAD,
            (_SAY if facts.target_mean else _USE).format(average=_MIRRORED if facts.mirrored else _ONCE),
        )
    )


def renamed(architecture: Architecture, weights: Arrays) -> dict[str, NDArray[np.generic]]:
    """Return the weights of a network by the names that the modules of its source give them. Raises SpecError."""
    trunk, lines, names = _written(architecture)
    found = {}
    for node in trunk:
        for role, called in (lines[node.id].roles or {}).items():
            if (array := weights.get(f"{node.id}.{role}")) is not None:
                found[f"{names[node.id]}.{called}".removesuffix(".")] = array
    return found


def _written(architecture: Architecture) -> tuple[Architecture, dict[NodeId, Line], dict[NodeId, str]]:
    """Return all that classifies an example, how each node is written, and what it is called."""
    if architecture.is_open:
        raise SpecError("An open architecture has no source; close it first.")
    trunk = architecture.trunk
    found = shapes(trunk)
    lines = {node.id: line(node.op, found[(node.inputs or (node.id,))[0]], len(node.inputs)) for node in trunk}
    return trunk, lines, _names(trunk)


def _names(architecture: Architecture) -> dict[NodeId, str]:
    """Return a name for every node that Python accepts: its address, with a number where that is taken."""
    found: dict[NodeId, str] = {}
    taken = set(_TAKEN)
    for node in architecture:
        plain = re.sub(r"\W+", "_", node.id, flags=re.ASCII).strip("_") or "node"
        plain = f"n{plain}" if plain[0].isdigit() else plain
        name, number = plain, 2
        while name in taken or keyword.iskeyword(name):
            name, number = f"{plain}_{number}", number + 1
        taken.add(name)
        found[node.id] = name
    return found


def _units(facts: Facts) -> list[str]:
    """Return what outputs are brought into units of the data by, in all digits: it is part of what is computed."""
    if not facts.target_mean:
        return []
    return [
        f"TARGET_MEAN = {list(facts.target_mean)!r}  # of each of TARGETS, in its units\n",
        f"TARGET_DEVIATION = {list(facts.target_deviation)!r}\n",
    ]


def _network(
    architecture: Architecture, lines: Mapping[NodeId, Line], names: Mapping[NodeId, str], numbers: bool
) -> list[str]:
    to = "TARGETS, in their units" if numbers else "the logits of CLASSES"
    text = [
        "\nclass Network(nn.Module):\n",
        f'    """Maps (batch, channels, ...), normalised, to {to}."""\n\n',
    ]
    text += ["    def __init__(self):\n        super().__init__()\n"]
    if numbers:
        text += [
            f'        self.register_buffer("{name}", torch.tensor({name.upper()}), persistent=False)\n'
            for name in UNITS
        ]
    modules = [(names[i], written.module) for i, written in lines.items() if written.module]
    text += [f"        self.{name} = {module}\n" for name, module in modules]
    text += ["\n    def forward(self, x):\n"]
    values: dict[NodeId, str] = {}
    for node in architecture:
        values[node.id] = _value(node, lines[node.id], names[node.id], values, text)
    last = values[architecture.output.id]
    return [*text, f"        return {f'{last} * self.target_deviation + self.target_mean' if numbers else last}\n"]


def _value(node: Node, written: Line, name: str, values: Mapping[NodeId, str], text: list[str]) -> str:
    """Write a line that computes a node, and return what its value is called."""
    inputs = [values[i] for i in node.inputs] or ["x"]
    expression = written.call.format(*inputs, all=", ".join(inputs), layer=f"self.{name}")
    if expression == inputs[0]:  # nothing is done to it
        return inputs[0]
    text.append(f"        {name} = {expression}\n")
    return name


def _quoted(text: str) -> str:
    """Return text that may stand between three quotation marks."""
    return re.sub(r'[\\"\x00-\x1f]', "'", text)


_ONCE = "model(x)"
_MIRRORED = "(model(x) + model(x.flip(-1))) / 2  # of an input and its mirror image: how its accuracy was measured"
_LOAD = '''

def load(path):
    """Return the network with the weights in a .safetensors file, ready to be used."""
    from safetensors.torch import load_file

    model = Network()
    model.load_state_dict(load_file(path))
    return model.eval()


def prepared(inputs):
    """Return inputs of shape (batch, channels, ...), as they are in files (pixels from 0 to 255), normalised."""
    shape = [1, -1] + [1] * (inputs.ndim - 2)
    return (inputs.float() - torch.tensor(MEAN).view(shape)) / torch.tensor(DEVIATION).view(shape)
'''
_SAY = '''

@torch.no_grad()
def predict(model, inputs):
    """Return TARGETS in their units, (batch, targets), for inputs as they are in files."""
    x = prepared(inputs)
    return {average}
'''
_USE = '''

@torch.no_grad()
def predict(model, inputs):
    """Return the probability of each class, (batch, classes), for inputs as they are in files."""
    x = prepared(inputs)
    logits = {average}
    return logits.softmax(1)
'''
