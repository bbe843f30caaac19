"""A configuration file of 2018 as a value: stem, network, head, training, from either dialect."""

from typing import Any

from amla.spec.legacy.fields import Fields
from amla.spec.legacy.growth import Growth, Randoms, read_growth, read_randoms
from amla.spec.legacy.micro import Micro, read_micro
from amla.spec.legacy.notes import Note, about_body, unread
from amla.spec.legacy.training import Training, read_training
from amla.spec.macro import Dialect, Macro, read_macro
from amla.spec.ops import Size
from amla.spec.values import SpecError, value


@value
class StemConv:
    """A convolution of the stem, followed by ReLU."""

    outputs: int
    kernel: Size
    stride: int = 1
    bias: bool = True


@value
class Lrn:
    """Local response normalisation, with the constants of TensorFlow's CIFAR-10 tutorial."""


Block = StemConv | Lrn
Stem = tuple[tuple[Block, ...], ...]  # layers, each of blocks whose outputs are concatenated
Body = Macro | Micro | Growth | Randoms


@value
class Config:
    """What a configuration of 2018 says, as far as it determines a network and its training.

    `heads` are the auxiliary heads of a macro network: the item that each one reads, and its classes. `head_dropout`
    and `classes` are those of the classifier. `batch` is that of all devices together, `image_size` the pixels of an
    edge, as the file has it.
    """

    name: str
    stem: Stem
    body: Body
    heads: tuple[tuple[int, int], ...]
    classes: int
    head_dropout: float
    cutout: int
    training: Training
    batch: int
    steps: int
    dataset: str
    image_size: int
    iterations: int

    @property
    def width(self) -> int:
        """The channels of the first stage: the outputs of the last layer of the stem that has any."""
        return _width(self.stem)


def read_config(plain: object) -> tuple[Config, tuple[Note, ...]]:
    """Return the configuration that plain values say, and notes on what of them has no effect, or another.

    `plain` is a file of either repository (`init_cell`, `classification_cell`, `child_training`, `parameters`, and one
    of `arch`, `envelopenet`, `random`), or a record of a collection of them (`stem`, `classification`, `training`).
    Raises SpecError with address, rule and value.
    """
    fields = Fields(plain)
    fields.forget("name", "source", "license", "arch_type")  # of a record: where it comes from
    parameters = _section(fields, "parameters")
    stem, cutout = _stem(_section(fields, "stem", "init_cell"))
    classes, dropout = _head(_section(fields, "classification", "classification_cell"))
    gpus = parameters.glimpse("gpus")
    body, heads = _body(fields, parameters, _width(stem))
    config = Config(
        name=parameters.text("arch_name", "archname"),
        stem=stem,
        body=body,
        heads=heads,
        classes=classes,
        head_dropout=dropout,
        cutout=cutout,
        training=read_training(fields.inside("training", "child_training")),
        batch=parameters.whole("batch_size", "batchsize") * (len(gpus) if isinstance(gpus, list) and gpus else 1),
        steps=parameters.whole("steps"),
        dataset=parameters.text("dataset"),
        image_size=parameters.whole("image_size"),
        iterations=parameters.whole("iterations", default=1),
    )
    return config, (*about_body(config.body, heads), *unread(fields.unread()))


def _stem(fields: Fields) -> tuple[Stem, int]:
    """Return the layers of the stem, and the size of the cutout that the files count among them; 0 for none."""
    layers: list[tuple[Block, ...]] = []
    cutout = 0
    for branches in _layers(fields):
        blocks: list[Block] = []
        for branch in branches:
            match kind := branch.text("block"):
                case "cutout":
                    cutout = branch.whole("size")
                case "conv2d":
                    kernel = branch.wholes("kernel_size")
                    stride, bias = branch.whole("stride", default=1), branch.truth("bias", default=True)
                    blocks.append(StemConv(branch.whole("outputs"), kernel, stride, bias))
                case "lrn":
                    blocks.append(Lrn())
                case _:
                    raise SpecError(f"{branch.at('block')} is {kind!r}; in a stem, conv2d, lrn and cutout are known.")
        if blocks:
            layers.append(tuple(blocks))
    if not any(isinstance(block, StemConv) for layer in layers for block in layer):
        raise SpecError(f"{fields.address} has no conv2d; the network's width is that of the last one.")
    return tuple(layers), cutout


def _head(fields: Fields) -> tuple[int, float]:
    """Return the number of classes, and the dropout before the classifier."""
    classes, dropout = 0, 0.0
    for branches in _layers(fields):
        for branch in branches:
            match kind := branch.text("block"):
                case "reduce_mean":
                    branch.forget("size")  # the axes
                case "flatten":
                    branch.forget("size")  # of what is already flat
                case "dropout":
                    dropout = round(1 - branch.number("keep_prob", least=1e-9), 9)
                case "fc-final":
                    classes = branch.whole("outputs", least=2)
                case _:
                    raise SpecError(
                        f"{branch.at('block')} is {kind!r}; in a head, reduce_mean, flatten, dropout and fc-final are "
                        "known."
                    )
    if not classes:
        raise SpecError(f"{fields.address} has no fc-final; a network ends in one, with an output for each class.")
    return classes, dropout


def _layers(fields: Fields) -> list[list[Fields]]:
    """Return the branches of every layer, both in the order of their names, in which the programs built them."""
    found = []
    for name in sorted(fields):
        layer = fields.inside(name)
        branches = [layer.inside(branch) for branch in sorted(layer)] if layer else []
        found.append([branch for branch in branches if branch is not None])
    return found


def _body(fields: Fields, parameters: Fields, width: int) -> tuple[Body, tuple[tuple[int, int], ...]]:
    """Return what lies between stem and head: the network given, or else what the algorithm begins with."""
    parameters.forget("algorithm")
    if "arch" in fields:
        return _network(fields, width)
    if parameters.text("algorithm") == "random":
        return read_randoms(_section(fields, "random")), ()
    dialect: Dialect = "env" if "archname" in parameters else "amla"
    return read_growth(_section(fields, "envelopenet"), dialect), ()


def _network(fields: Fields, width: int) -> tuple[Macro | Micro, tuple[tuple[int, int], ...]]:
    """Return the network under `arch`, in the form of AMLA, or a plain list of items."""
    plain: Any = fields.plain("arch")
    if isinstance(plain, list):
        plain = {"network": plain}
    arch = Fields(plain, "arch")
    if arch.text("type", default="macro") == "micro":
        return read_micro(arch), ()
    items: list[object] = []
    heads: list[tuple[int, int]] = []
    network = arch.plain("network")
    if not isinstance(network, list):
        return read_macro({"network": network}, width, "arch"), ()
    for place, item in enumerate(network):
        if isinstance(item, dict) and "auxiliary" in item:
            heads.append((len(items) - 1, Fields(item, f"arch.network[{place}]").whole("outputs", least=2)))
        else:
            items.append(item)
    return read_macro(items, width, "arch.network"), tuple(heads)


def _section(fields: Fields, *names: str) -> Fields:
    found = fields.inside(*names)
    if found is None:
        raise SpecError(f"{fields.at(names[-1])} is missing; a configuration of 2018 has it.")
    return found


def _width(stem: Stem) -> int:
    """Return the outputs of the first convolution of the last layer that has one."""
    return next(block.outputs for layer in reversed(stem) for block in layer if isinstance(block, StemConv))
