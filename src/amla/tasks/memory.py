"""How much memory there is: of the machine, or as much of it as this process is allowed."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path, PurePosixPath

_GROUPS = Path("/proc/self/cgroup")
_PLACES = (Path("/sys/fs/cgroup"), Path("/sys/fs/cgroup/unified"), Path("/sys/fs/cgroup/memory"))
_FILES = ("memory.max", "memory.limit_in_bytes")  # of control groups, version 2 and version 1


def memory() -> int | None:
    """The bytes of memory that this process may use at most; None where the system does not say.

    That is the least of what the machine has, what its control group and those above it may use (as in a container),
    and what the limits of the process allow (`ulimit -v`, `ulimit -d`).
    """
    return min(_limits(), default=None)


def _limits() -> Iterator[int]:
    with suppress(AttributeError, ValueError, OSError):
        yield os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    for folder in _groups():
        for name in _FILES:
            with suppress(OSError, ValueError):  # "max" is no number
                yield int((folder / name).read_text())
    with suppress(ImportError):
        import resource

        for kind in (resource.RLIMIT_AS, resource.RLIMIT_DATA):
            if (limit := resource.getrlimit(kind)[0]) != resource.RLIM_INFINITY:
                yield limit


def _groups() -> Iterator[Path]:
    """Yield the folders of the control groups that limit this process; some may not be there."""
    yield from _PLACES
    with suppress(OSError):
        for line in _GROUPS.read_text().splitlines():
            kinds, path = line.split(":", 2)[1:]
            if kinds in ("", "memory"):
                group = PurePosixPath(path)
                for each in (group, *group.parents[:-1]):
                    yield from (place / str(each).lstrip("/") for place in _PLACES)
