"""The macro networks of 2018: layers of parallel branches, wideners between stages, skips by number.

Items are numbered from 0. Item i is cell i + 1; cell 0 is the stem. A layer's inputs are numbers of cells. The files
come in two dialects: AMLA's {"type": "macro", "network": [items]}, and the EnvelopeNets repository's plain list.
"""

import re
from collections.abc import Sequence
from typing import Any, Literal

from amla.spec.architecture import NodeId
from amla.spec.values import SpecError, value

Dialect = Literal["amla", "env"]
Inputs = tuple[int, ...] | Literal["all"] | None  # of a layer
OP = re.compile(r"[1-9]x[1-9](|sep)")  # one digit an axis: the released programs read characters 0 and 2
NAME = re.compile(r"[A-Za-z0-9_+-]+")  # of a branch: it becomes a part of an address


@value
class Layer:
    """Branches (name, op) in order, of which the outputs are concatenated to about `outputs` channels.

    `inputs` are the cells read besides the one before, "all" for every earlier one, None for none. With (), as with
    any other number of them, what is read passes through a 1x1 convolution; with None it does not. Raises SpecError.
    """

    filters: tuple[tuple[str, str], ...]
    outputs: int
    inputs: Inputs = None

    def __post_init__(self) -> None:
        names = [name for name, _ in self.filters]
        if not names or len(set(names)) < len(names):
            raise SpecError(f"filters are {names}; name at least one branch, and none twice.")
        for name, op in self.filters:
            if not NAME.fullmatch(name):
                raise SpecError(f"filters has a branch {name!r}; use letters, digits, '_', '+', '-'.")
            if not OP.fullmatch(op):
                raise SpecError(f"filters.{name} is {op!r}; write a kernel such as '3x3', or '3x3sep'.")
        if self.outputs < 0:
            raise SpecError(f"outputs is {self.outputs}; it must be 0 or more.")


@value
class Widener:
    """Half the resolution, more channels: a max-pool beside a convolution with stride 2.

    With `inputs` (what the files call widener2) it reads them besides the cell before, as a layer does.
    """

    inputs: tuple[int, ...] | None = None


Item = Layer | Widener
Stage = tuple[Layer, ...]


@value
class Macro:
    """A macro network: layers and wideners, in order. Raises SpecError for an input that is not an earlier cell."""

    items: tuple[Item, ...]

    def __post_init__(self) -> None:
        for place, item in enumerate(self.items):
            for cell in item.inputs if isinstance(item.inputs, tuple) else ():
                if not 0 <= cell < place:
                    raise SpecError(
                        f"network[{place}].inputs names cell {cell}; this is cell {place + 1}, and it may name those "
                        f"from 0, the stem, to {place - 1}."
                    )

    def sources(self, place: int) -> tuple[int, ...] | None:
        """Return the cells that an item reads besides the one before it; None if it has no 1x1 convolution."""
        inputs = self.items[place].inputs
        return tuple(range(place)) if inputs == "all" else inputs

    @property
    def stages(self) -> tuple[Stage, ...]:
        """The layers between wideners."""
        found: list[list[Layer]] = [[]]
        for item in self.items:
            if isinstance(item, Widener):
                found.append([])
            else:
                found[-1].append(item)
        return tuple(map(tuple, found))

    @property
    def addresses(self) -> tuple[NodeId, ...]:
        """What each cell is called in an architecture: "stem", "stage0/cell0", "widen0", "stage1/cell0" and so on.

        Unlike the numbers, these stay what they are when an earlier stage grows.
        """
        found, stage, place = ["stem"], 0, 0
        for item in self.items:
            if isinstance(item, Widener):
                found.append(f"widen{stage}")
                stage, place = stage + 1, 0
            else:
                found.append(f"stage{stage}/cell{place}")
                place += 1
        return tuple(found)


def joined(stages: Sequence[Sequence[Layer]]) -> Macro:
    """Return stages with a widener between each two."""
    items: list[Item] = []
    for number, stage in enumerate(stages):
        items += [Widener(), *stage] if number else stage
    return Macro(tuple(items))


def first_inputs(place: int, skip: bool, dialect: Dialect) -> Inputs:
    """Return what a new layer reads besides the cell before: nothing, everything, or in AMLA all but the stem."""
    if not skip:
        return None
    return "all" if dialect == "env" else tuple(range(place - 1, 0, -1))


def read_macro(plain: object, width: int, address: str = "network") -> Macro:
    """Read a macro network in either dialect. Layers without outputs have `width`, doubled by every widener.

    Branches are put in the order of their names, as the released programs do. Raises SpecError with address, rule and
    value.
    """
    if isinstance(plain, dict):
        if plain.get("type", "macro") != "macro":
            raise SpecError(f"{address}.type is {plain['type']!r}; a macro network has the type 'macro'.")
        if unknown := sorted(map(str, plain.keys() - {"type", "network"})):
            raise SpecError(f"{address} has {unknown}; a macro network has type and network only.")
        plain, address = plain.get("network"), f"{address}.network"
    if not isinstance(plain, list) or not plain:
        raise SpecError(f"{address} is {str(plain)[:60]!r}; it must be a list of layers and wideners, not empty.")
    items: list[Item] = []
    for place, item in enumerate(plain):
        items.append(_item(item, width << sum(isinstance(one, Widener) for one in items), f"{address}[{place}]"))
    return Macro(tuple(items))


def written_macro(macro: Macro, dialect: Dialect = "amla") -> Any:
    """Return a macro network as plain values, in either dialect; `read_macro` reads it as the same."""
    items = [_written(item) for item in macro.items]
    return {"type": "macro", "network": items} if dialect == "amla" else items


def _item(plain: Any, width: int, address: str) -> Item:
    if not isinstance(plain, dict):
        raise SpecError(f"{address} is {plain!r}; an item is a layer (with filters) or a widener.")
    match sorted(map(str, plain)):
        case ["widener"]:
            return Widener()
        case ["inputs", "widener2"]:
            return Widener(_cells(plain["inputs"], f"{address}.inputs"))
        case ["widener2"]:
            return Widener(())
        case names if "filters" in names and set(names) <= {"filters", "inputs", "outputs"}:
            return _layer(plain, width, address)
        case names:
            raise SpecError(f"{address} has {names}; a layer has filters, outputs and inputs, a widener only that.")


def _layer(plain: dict[str, Any], width: int, address: str) -> Layer:
    filters, outputs, inputs = plain["filters"], plain.get("outputs", width), plain.get("inputs")
    if not isinstance(filters, dict) or not all(isinstance(text, str) for pair in filters.items() for text in pair):
        raise SpecError(f"{address}.filters is {filters!r}; it must name branches, each with its op.")
    if type(outputs) is not int:
        raise SpecError(f"{address}.outputs is {outputs!r}; it must be a whole number of channels.")
    cells = inputs if inputs in ("all", None) else _cells(inputs, f"{address}.inputs")
    try:
        return Layer(tuple(sorted(filters.items())), outputs, cells)
    except SpecError as error:
        raise SpecError(f"{address}: {error}") from None


def _cells(plain: object, address: str) -> tuple[int, ...]:
    if not isinstance(plain, list) or not all(type(cell) is int for cell in plain):
        raise SpecError(f"{address} is {plain!r}; it must be a list of numbers of cells, or 'all'.")
    return tuple(plain)


def _written(item: Item) -> dict[str, Any]:
    match item:
        case Widener(inputs=None):
            return {"widener": {}}
        case Widener(inputs=inputs):
            return {"widener2": {}, "inputs": list(inputs or ())}
        case Layer(filters=filters, outputs=outputs, inputs=inputs):
            plain: dict[str, Any] = {"filters": dict(filters), "outputs": outputs}
            if inputs is not None:
                plain["inputs"] = inputs if inputs == "all" else list(inputs)
            return plain
