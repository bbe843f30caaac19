"""The networks of the engine's benchmark: as architectures, and as a careful PyTorch user would write them by hand.

`construction`: what the search of 2018 began with, iteration 0 of NAC's `config.nac.construction` for CIFAR-10 (three
stages of two cells of six branches, 64 channels, 1,839,274 weights). `plain`: 3x3 convolutions to 64, 256 and 256
channels. Both pairs have the same layers, weights and operations; by hand, what is equivalent and faster in eager
PyTorch is used: channels_last memory, in-place ReLU, one dropout a cell, response normalisation by a banded 1x1
convolution, pooled skips shared by their readers.
"""

from collections.abc import Callable, Iterable, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from amla.spec import ops
from amla.spec.architecture import Architecture
from amla.spec.legacy.macro import build_macro
from amla.spec.legacy.nodes import RESPONSE, Nodes
from amla.spec.macro import Layer, Macro, Widener

BRANCHES = ("1x1", "3x3", "3x3sep", "5x5", "5x5sep", "7x7sep")
SHAPE, CLASSES = (3, 32, 32), 10
WIDTH, STAGES, CELLS = 64, 3, 2
KEEP, EPSILON = 0.8, 1e-3  # of every branch and of the head; slim's default
RADIUS, ALPHA, BETA, BIAS = 4, 0.001 / 9, 0.75, 1.0  # of the stem's response normalisation
PLAIN = (64, 256, 256)


def construction() -> Architecture:
    """Return what the search of 2018 began with: the first two cells read no skips, the others all but the stem."""
    net = Nodes()
    image = net.add("image", ops.Input(SHAPE))
    stem = net.convolved("stem/relu", image, ops.Conv(WIDTH, (1, 1), bias=True))
    items: list[Layer | Widener] = []
    for stage in range(STAGES):
        items += [Widener()] if stage else []
        for _ in range(CELLS):
            earlier = tuple(range(len(items) - 1, 0, -1))
            items.append(Layer(tuple((branch, branch) for branch in BRANCHES), WIDTH << stage, earlier))
    outputs = build_macro(net, Macro(tuple(items)), net.add("stem", RESPONSE, stem), WIDTH, 1 - KEEP)
    net.add("head", ops.GlobalPool("mean"), outputs[-1])
    net.add("head/dropout", ops.Dropout(1 - KEEP), "head")
    net.add("logits", ops.Classify(CLASSES), "head/dropout")
    return Architecture(tuple(net.nodes))


def plain(widths: Sequence[int] = PLAIN) -> Architecture:
    """Return two 3x3 convolutions of each of `widths`; after the first of every two, the resolution is halved."""
    net = Nodes()
    source = net.add("image", ops.Input(SHAPE))
    for stage, width in enumerate(widths):
        for place in range(2):
            name = f"stage{stage}/layer{place}"
            source = net.add(f"{name}/conv", ops.Conv(width, (3, 3)), source)
            if not place:
                source = net.add(f"{name}/pool", ops.Pool("max", (2, 2), (2, 2)), source)
            source = net.add(f"{name}/norm", ops.BatchNorm(), source)
            source = net.add(name, ops.Activation("relu"), source)
    net.add("head", ops.GlobalPool("max"), source)
    net.add("logits", ops.Classify(CLASSES), "head")
    return Architecture(tuple(net.nodes))


class ResponseNorm(nn.Module):
    """Local response normalisation: PyTorch's own takes three times as long."""

    band: Tensor

    def __init__(self, channels: int) -> None:
        super().__init__()
        place = torch.arange(channels)
        band = ((place[:, None] - place[None, :]).abs() <= RADIUS).float()
        self.register_buffer("band", band[:, :, None, None], persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        return x * (BIAS + ALPHA * functional.conv2d(x * x, self.band)).pow(-BETA)


def joined(inputs: int, outputs: int, kernel: int, stride: int = 1) -> nn.Sequential:
    """A convolution with bias and ReLU."""
    return nn.Sequential(nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2), nn.ReLU(inplace=True))


class ShiftNorm(nn.BatchNorm2d):
    """Batch normalisation with a learned shift and no scale."""

    def __init__(self, channels: int) -> None:
        super().__init__(channels, EPSILON)
        self.register_parameter("weight", None)


def branch(name: str, inputs: int, outputs: int) -> nn.Sequential:
    kernel, depthwise = int(name[0]), []
    if name.endswith("sep"):
        depthwise = [nn.Conv2d(inputs, inputs, kernel, padding=kernel // 2, groups=inputs, bias=False)]
        kernel = 1
    conv = nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2, bias=False)
    return nn.Sequential(*depthwise, conv, ShiftNorm(outputs), nn.ReLU(inplace=True))


class Cell(nn.Module):
    def __init__(self, inputs: int, skips: int, count: int, width: int) -> None:
        super().__init__()
        self.scales = nn.ParameterList(nn.Parameter(torch.tensor(0.5)) for _ in range(count))
        self.join = joined(inputs + skips, inputs, 1)
        share = width // len(BRANCHES)
        self.branches = nn.ModuleList(branch(name, inputs, share) for name in BRANCHES)
        self.drop = nn.Dropout(1 - KEEP, inplace=True)

    def forward(self, x: Tensor, skips: Iterable[Tensor]) -> Tensor:
        scaled = [skip * scale for skip, scale in zip(skips, self.scales, strict=True)]
        x = self.join(torch.cat([x, *scaled], 1) if scaled else x)
        out: Tensor = self.drop(torch.cat([branch(x) for branch in self.branches], 1))
        return out


class Construction(nn.Module):
    """What `construction` returns, by hand."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(*joined(SHAPE[0], WIDTH, 1), ResponseNorm(WIDTH))
        self.cells, self.wideners = nn.ModuleList(), nn.ModuleList()
        outputs = [WIDTH]
        for stage in range(STAGES):
            width = WIDTH << stage
            if stage:
                self.wideners.append(joined(outputs[-1], width // 2, 3, 2))
                outputs.append(outputs[-1] + width // 2)
            for _ in range(CELLS):
                skips = outputs[1:-1] if stage else []
                self.cells.append(Cell(outputs[-1], sum(skips), len(skips), width))
                outputs.append(width // len(BRANCHES) * len(BRANCHES))
        self.pool = nn.MaxPool2d(2)
        self.drop = nn.Dropout(1 - KEEP)
        self.head = nn.Linear(outputs[-1], CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        earlier: list[Tensor] = []
        for number, cell in enumerate(self.cells):
            stage, place = divmod(number, CELLS)
            if stage and not place:
                earlier = [self.pool(skip) for skip in earlier]  # the last of them is also the widener's half
                x = torch.cat([earlier[-1], self.wideners[stage - 1](x)], 1)
                earlier.append(x)
            x = cell(x, reversed(earlier[:-1]) if stage else ())
            earlier.append(x)
        logits: Tensor = self.head(self.drop(x.mean((2, 3))))
        return logits


class Plain(nn.Sequential):
    """What `plain` returns, by hand."""

    def __init__(self) -> None:
        layers: list[nn.Module] = []
        inputs = SHAPE[0]
        for width in PLAIN:
            layers += [nn.Conv2d(inputs, width, 3, padding=1, bias=False), nn.MaxPool2d(2)]
            layers += [nn.BatchNorm2d(width), nn.ReLU(inplace=True)]
            layers += [nn.Conv2d(width, width, 3, padding=1, bias=False)]
            layers += [nn.BatchNorm2d(width), nn.ReLU(inplace=True)]
            inputs = width
        super().__init__(*layers, nn.AdaptiveMaxPool2d(1), nn.Flatten(), nn.Linear(inputs, CLASSES))


PAIRS: dict[str, tuple[Callable[[], Architecture], Callable[[], nn.Module]]] = {
    "construction": (construction, Construction),
    "plain": (plain, Plain),
}
