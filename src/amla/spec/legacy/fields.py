"""Reading plain values by name: a wrong type is told with its address, and what nobody has read can be listed."""

from collections.abc import Iterator, Mapping
from typing import Any

from amla.spec.values import SpecError


class Fields:
    """The fields of a mapping in a file, and which of them have been read.

    A field is asked for by all the names it goes by, in the two dialects of 2018 for instance; the first that is there
    counts. Without a default it must be there. Every method raises SpecError with address, rule and value.
    """

    def __init__(self, plain: object, address: str = "") -> None:
        if not isinstance(plain, Mapping):
            raise SpecError(f"{address or 'The file'} is {_shown(plain)}; it must be a mapping of names to values.")
        self.address = address
        self._plain: Mapping[str, Any] = plain
        self._read: set[str] = set()
        self._inner: list[Fields] = []

    def __contains__(self, name: str) -> bool:
        return self._plain.get(name) is not None

    def __iter__(self) -> Iterator[str]:
        return iter(self._plain)

    def at(self, name: str) -> str:
        """Return the address of a field."""
        return f"{self.address}.{name}" if self.address else name

    def called(self, *names: str) -> str:
        """Return the address of a field by the name that it goes by here."""
        return self.at(next((name for name in names if name in self._plain), names[0]))

    def plain(self, *names: str) -> Any:
        """Return the value of a field, whatever it is; None if it is not there."""
        return next((self._plain[name] for name in names if self._mark(name)), None)

    def glimpse(self, name: str) -> Any:
        """Return the value of a field, and leave it unread, so that a note tells of it; None if it is not there."""
        return self._plain.get(name)

    def inside(self, *names: str) -> "Fields | None":
        """Return the fields of a field that is a mapping; None if it is not there."""
        for name in names:
            if self._mark(name):
                self._inner.append(Fields(self._plain[name], self.at(name)))
                return self._inner[-1]
        return None

    def text(self, *names: str, default: str | None = None) -> str:
        """Return a text."""
        return str(self._typed(names, str, "a text", default))

    def truth(self, *names: str, default: bool | None = None) -> bool:
        """Return whether a field is true."""
        return bool(self._typed(names, bool, "true or false", default))

    def whole(self, *names: str, default: int | None = None, least: int = 1) -> int:
        """Return a whole number of `least` or more."""
        return int(self._at_least(names, int, f"a whole number, {least} or more", default, least))

    def number(self, *names: str, default: float | None = None, least: float = 0.0) -> float:
        """Return a number of `least` or more."""
        return float(self._at_least(names, (int, float), f"a number, {least:g} or more", default, least))

    def wholes(self, *names: str, default: tuple[int, ...] | None = None) -> tuple[int, ...]:
        """Return a list of whole numbers of 1 or more."""
        rule = "a list of whole numbers, 1 or more"
        found = self._typed(names, (list, tuple), rule, default)
        if not found or not all(type(one) is int and one >= 1 for one in found):
            raise SpecError(f"{self.called(*names)} is {_shown(found)}; it must be {rule}.")
        return tuple(found)

    def texts(self, *names: str) -> tuple[str, ...]:
        """Return a list of texts."""
        rule = "a list of texts"
        found = self._typed(names, (list, tuple), rule, None)
        if not found or not all(isinstance(one, str) for one in found):
            raise SpecError(f"{self.called(*names)} is {_shown(found)}; it must be {rule}.")
        return tuple(found)

    def forget(self, *names: str) -> None:
        """Let fields count as read though nothing is done with them."""
        for name in names:
            self._mark(name)

    def unread(self) -> list[tuple[str, Any]]:
        """Return the address and value of every field, here and inside, that has not been read."""
        here = [(self.at(name), value) for name, value in self._plain.items() if name not in self._read]
        return here + [left for inner in self._inner for left in inner.unread()]

    def _mark(self, name: str) -> bool:
        if name in self._plain:
            self._read.add(name)
        return name in self

    def _typed(self, names: tuple[str, ...], kind: Any, rule: str, default: Any) -> Any:
        found = self.plain(*names)
        if found is None and default is None:
            raise SpecError(f"{self.called(*names)} is missing; it must be {rule}.")
        found = default if found is None else found
        if not isinstance(found, kind) or (isinstance(found, bool) and kind is not bool):
            raise SpecError(f"{self.called(*names)} is {_shown(found)}; it must be {rule}.")
        return found

    def _at_least(self, names: tuple[str, ...], kind: Any, rule: str, default: Any, least: float) -> Any:
        found = self._typed(names, kind, rule, default)
        if not least <= found < float("inf"):
            raise SpecError(f"{self.called(*names)} is {_shown(found)}; it must be {rule}.")
        return found


def _shown(found: object) -> str:
    said = repr(found)
    return said if len(said) <= 60 else f"{said[:57]}..."
