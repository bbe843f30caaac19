"""What is found to be wrong with a run, what to do about it, and how it is mended if it can be."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Finding:
    """One thing that is not as it should be. `mend` does away with it, losing no record, and returns what it `did`."""

    where: str
    what: str
    advice: str
    hinders: bool = True  # False: the run is sound all the same
    mend: Callable[[], str] | None = None
    did: str | None = None


def put_aside(path: Path, content: bytes) -> None:
    """Write what is taken out of a run into a file that is not there yet, and through to the disk."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "xb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def free(path: Path) -> Path:
    """Return this path, or one like it that is free."""
    number = 1
    while path.exists():
        number += 1
        path = path.with_name(f"{path.stem.partition('~')[0]}~{number}{path.suffix}")
    return path
