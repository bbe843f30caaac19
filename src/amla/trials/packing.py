"""Trials that are over, in some hundred bytes each: what they have in common is kept once, and numbers as they are."""

from collections.abc import Hashable, Iterator, Mapping
from dataclasses import fields, is_dataclass
from functools import lru_cache
from itertools import islice
from struct import Struct
from typing import Any, Union, cast
from weakref import WeakKeyDictionary, ref

from amla.spec.architecture import Architecture, Node
from amla.trials.trial import Trial

NUMBER, WORD = "number", "word"
Form = Union[str, tuple[type, Union[int, tuple["Form", ...]]]]  # noqa: UP007 - a recursive type needs names as texts
_NUMBER_OF_FORM = Struct("=I")
_SIZES = ((1 << 8, "B"), (1 << 16, "H"), (1 << 32, "I"))  # of numbers in tables, and the letters of `struct` for them


class _Table:
    """Things by number, equal ones of the same type once."""

    def __init__(self) -> None:
        self.things: list[Any] = []
        self._numbers: dict[tuple[type, Hashable], int] = {}

    def number(self, thing: Hashable) -> int:
        """Return the number of a thing, which it gets if it has none."""
        found = self._numbers.setdefault((type(thing), thing), len(self.things))
        if found == len(self.things):
            self.things.append(thing)
        return found


class _Nodes:
    """Nodes by number: a table for the one thing of which there are so many that it must be quick."""

    def __init__(self) -> None:
        self.things: list[Node] = []
        self._numbers: dict[Node, int] = {}

    def numbers(self, nodes: tuple[Node, ...]) -> tuple[int, ...]:
        """Return the numbers of nodes, which they get if they have none."""
        known = self._numbers
        found = tuple([known.setdefault(node, len(known)) for node in nodes])
        if len(known) > len(self.things):
            self.things += dict.fromkeys(
                node for node, number in zip(nodes, found, strict=True) if number >= len(self.things)
            )
        return found


class Packing:
    """Makes bytes of trials, and equal trials of the bytes.

    A trial is taken apart into a form and leaves. The form says which values of which types it is made of; many trials
    have the same. Leaves are its numbers, as they are, and the places of everything else, nodes of networks among it,
    in tables of what there is. So a trial takes 4 or 8 bytes for a number, mostly 2 for a node of its network, and 1
    for a word or for all names of a mapping together.
    """

    def __init__(self) -> None:
        self._nodes, self._words, self._forms = _Nodes(), _Table(), _Table()
        self._structs: list[Struct] = []  # of the leaves, by the number of the form
        # Networks that are in use, each with itself and the numbers of its nodes.
        self._networks: WeakKeyDictionary[Architecture, tuple[ref[Architecture], tuple[int, ...]]] = WeakKeyDictionary()

    def sharing(self, network: Architecture) -> Architecture:
        """Return the equal network that is in use, or else one that is made of the nodes that there are.

        It has none of the caches of this one: many can be kept.
        """
        if (known := self._networks.get(network)) and (found := known[0]()) is not None:
            return found
        numbers = self._nodes.numbers(network.nodes)
        shared = self._network(numbers)
        self._networks[shared] = ref(shared), numbers
        return shared

    def packed(self, trial: Trial) -> bytes:
        """Return a trial as bytes."""
        leaves: list[float] = []
        letters: list[str] = []
        form = self._apart(trial, leaves, letters)
        number = self._forms.number((form, "".join(letters)))
        if number == len(self._structs):
            self._structs.append(Struct("=I" + "".join(letters)))
        return self._structs[number].pack(number, *leaves)

    def unpacked(self, packed: bytes) -> Trial:
        """Return the trial of these bytes."""
        (number,) = _NUMBER_OF_FORM.unpack_from(packed)
        form, _ = self._forms.things[number]
        leaves = iter(self._structs[number].unpack(packed)[1:])
        return cast("Trial", self._together(form, leaves))

    def _apart(self, given: object, leaves: list[float], letters: list[str]) -> Form:
        """Return the form of a value. Its leaves are appended, and the letters that `struct` has for their types."""
        match given:
            case float():
                leaves.append(given)
                letters.append("d")
                return NUMBER
            case int() if type(given) is int and -(1 << 63) <= given < 1 << 63:
                leaves.append(given)
                letters.append("i" if -(1 << 31) <= given < 1 << 31 else "q")
                return NUMBER
            case Architecture():
                numbers = self._numbers(given)
                leaves.extend(numbers)
                letters.append(f"{len(numbers)}{_letter(max(numbers))}")
                return Architecture, len(numbers)
            case Mapping():
                self._word(tuple(given), leaves, letters)
                return dict, tuple(self._apart(part, leaves, letters) for part in given.values())
            case tuple() | list():
                return type(given), tuple(self._apart(part, leaves, letters) for part in given)
            case _ if is_dataclass(given):
                parts = (getattr(given, name) for name in _names(cast("Hashable", type(given))))
                return type(given), tuple(self._apart(part, leaves, letters) for part in parts)
            case _:
                self._word(given, leaves, letters)
                return WORD

    def _word(self, given: Hashable, leaves: list[float], letters: list[str]) -> None:
        number = self._words.number(given)
        leaves.append(number)
        letters.append(_letter(number))

    def _together(self, form: Form, leaves: Iterator[Any]) -> object:
        """Return the value of a form and of its leaves, unchecked: it was checked when it was made."""
        if form == NUMBER:
            return next(leaves)
        if form == WORD:
            return self._words.things[next(leaves)]
        kind, parts = cast("tuple[type, Any]", form)
        if kind is Architecture:
            return self._network(islice(leaves, parts))
        if kind is dict:
            names = self._words.things[next(leaves)]
            return dict(zip(names, [self._together(part, leaves) for part in parts], strict=True))
        values = [self._together(part, leaves) for part in parts]
        if not is_dataclass(kind):
            return kind(values)
        made: object = object.__new__(kind)
        made.__dict__.update(zip(_names(kind), values, strict=True))
        return made

    def _numbers(self, network: Architecture) -> tuple[int, ...]:
        known = self._networks.get(network)
        return known[1] if known else self._nodes.numbers(network.nodes)

    def _network(self, numbers: "Iterator[int] | tuple[int, ...]") -> Architecture:
        return Architecture.again(tuple(map(self._nodes.things.__getitem__, numbers)))


@lru_cache
def _names(kind: type) -> tuple[str, ...]:
    """Return the names of the fields of a dataclass."""
    return tuple(field.name for field in fields(kind))


def _letter(number: int) -> str:
    """Return the letter that `struct` has for numbers in tables up to this one."""
    return next(letter for size, letter in _SIZES if number < size)
