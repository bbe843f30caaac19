"""Sizes of networks as people write them: 200k, 30M, 2MB."""

import re
from decimal import Decimal

from amla.study.study import StudyError

_COUNT = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "b": 10**9}
_BYTES = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "ki": 2**10, "mi": 2**20, "gi": 2**30}
_FORM = re.compile(r"(\d+(?:\.\d+)?)\s*([a-z]*)")


def number(option: str, text: str) -> int:
    """Return the number that "200k", "30M" or "1500" means. Raises StudyError, naming the option."""
    return _read(option, text, _COUNT, "200k, 30M or 1500", text.strip().lower())


def size(option: str, text: str) -> int:
    """Return the bytes that "2MB" (millions), "512KiB" (of 1,024) or "4096" mean. Raises StudyError."""
    return _read(option, text, _BYTES, "2MB, 512KiB or 65536", text.strip().lower().removesuffix("b"))


def _read(option: str, text: str, units: dict[str, int], like: str, plain: str) -> int:
    found = _FORM.fullmatch(plain)
    if found is None or found[2] not in units:
        raise StudyError(f"{option} {text!r} is no size; write for example {like}.")
    exact = Decimal(found[1]) * units[found[2]]
    if not 1 <= exact <= 10**15 or exact != int(exact):
        raise StudyError(f"{option} {text!r} is {exact:f}; it must be a whole number, 1 or more.")
    return int(exact)
