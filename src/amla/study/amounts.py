"""What networks may cost, as people write it: 200k parameters, 30M multiply-accumulates, 2MB of memory, 5ms."""

import re
from decimal import Decimal

from amla.spec.constraints import Constraints
from amla.study.settings.latency import LatencySettings
from amla.study.study import StudyError

Written = str | float | None  # None: without limit
_COUNT = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "b": 10**9}
_BYTES = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "ki": 2**10, "mi": 2**20, "gi": 2**30}
_SECONDS = {"": 1.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "μs": 1e-6}
_DURATION = re.compile(r"(\d+(?:\.\d+)?(?:e-?\d+)?)\s*([a-zµμ]*?)")
_FORM = re.compile(r"(\d+(?:\.\d+)?)\s*([a-z]*)")


def constraints_of(max_params: Written = None, max_macs: Written = None, max_memory: Written = None) -> Constraints:
    """Return the constraints that somebody has written. Raises StudyError, which names the one that cannot be."""
    return Constraints(
        None if max_params is None else _number("max-params", max_params),
        None if max_macs is None else _number("max-macs", max_macs),
        None if max_memory is None else _size("max-memory", max_memory),
    )


def latency_of(max_latency: Written = None, device: str | None = None) -> LatencySettings | None:
    """Return the limit of latency that somebody has written, such as "5ms" or "800us", and who measures.

    A number is in seconds. Raises StudyError for what cannot be.
    """
    if max_latency is None:
        return None if device is None else LatencySettings(url=device)
    found = _DURATION.fullmatch(str(max_latency).strip().lower())
    if (
        found is None
        or found[2] not in _SECONDS
        or not 1e-6 <= (seconds := float(found[1]) * _SECONDS[found[2]]) <= 3600
    ):
        raise StudyError(
            f"max-latency {str(max_latency)!r} is no time for a network; write for example 5ms, 800us or 0.2s."
        )
    return LatencySettings(float(f"{seconds:.9g}"), url=device)


def _number(name: str, written: str | float) -> int:
    """Return the number that "200k", "30M" or "1500" means. Raises StudyError."""
    return _read(name, written, _COUNT, "number; write for example 200k, 30M or 1500", "")


def _size(name: str, written: str | float) -> int:
    """Return the bytes that "2MB" (millions), "512KiB" (of 1,024) or "4096" mean. Raises StudyError."""
    return _read(name, written, _BYTES, "size; write for example 2MB, 512KiB or 65536", "b")


def _read(name: str, written: str | float, units: dict[str, int], what: str, end: str) -> int:
    found = _FORM.fullmatch(str(written).strip().lower().removesuffix(end))
    if found is None or found[2] not in units:
        raise StudyError(f"{name} {str(written)!r} is no {what}.")
    exact = Decimal(found[1]) * units[found[2]]
    if not 1 <= exact <= 10**15 or exact != int(exact):
        raise StudyError(f"{name} {str(written)!r} is {exact:f}; it must be a whole number, 1 or more.")
    return int(exact)
