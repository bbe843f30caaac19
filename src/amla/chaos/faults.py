"""What goes wrong, and when: drawn by chance, from a seed."""

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Literal, get_args

Fault = Literal["driver", "worker", "all", "connections", "disk", "files"]

FAULTS: tuple[Fault, ...] = get_args(Fault)
KILLS: frozenset[Fault] = frozenset({"driver", "worker", "all"})
WEIGHTS: dict[Fault, int] = {"driver": 4, "worker": 4, "all": 2, "connections": 3, "disk": 1}  # how often, of 14
WORKERS = 2  # killed while one driver lives: a trial that loses three workers is taken to be the reason, and fails
BY_TIME = 0.3  # of the instants go by the clock, the others by what is written
EARLY, SMALL = (
    0.5,
    0.15,
)  # shares of the time and of what is written that a run takes undisturbed: it ends several times
SOON = 0.05  # seconds, at most, between what is written and what goes wrong


@dataclass(frozen=True)
class Instant:
    """When something goes wrong: `seconds` after a driver has begun or, with `signs`, after so many more were seen."""

    signs: int
    seconds: float


@dataclass(frozen=True)
class Usual:
    """What an undisturbed run takes: seconds, and how often its folder was seen to change."""

    seconds: float
    signs: int


def instant(chance: Random, usual: Usual) -> Instant:
    """Return an instant in the life of a driver, which it may not live to see."""
    if chance.random() < BY_TIME:
        return Instant(0, chance.uniform(0, EARLY * usual.seconds))
    return Instant(chance.randint(1, max(2, int(SMALL * usual.signs))), chance.uniform(0, SOON))


def fault(chance: Random, faults: Collection[Fault], workers_killed: int) -> Fault | None:
    """Return what goes wrong at an instant; None where only workers may be killed, and enough have been."""
    kinds = [kind for kind in WEIGHTS if kind in faults and (kind != "worker" or workers_killed < WORKERS)]
    if not kinds:
        return None
    (drawn,) = chance.choices(kinds, [WEIGHTS[kind] for kind in kinds])
    return drawn


@dataclass(frozen=True)
class Damage:
    """A file that was torn or altered: its path below the run folder, and what was done to it."""

    name: str
    what: str


def damage(chance: Random, folder: Path) -> Damage | None:
    """Tear or alter a snapshot or a learning curve of a run that nobody drives; None if there is none."""
    found = sorted([*folder.glob("snapshots/*/*.safetensors"), *folder.glob("curves/*/*.jsonl")])
    found = [path for path in found if path.stat().st_size]
    if not found:
        return None
    path = chance.choice(found)
    content = bytearray(path.read_bytes())
    place, name = chance.randrange(len(content)), path.relative_to(folder).as_posix()
    if chance.random() < 0.5:
        path.write_bytes(content[:place])
        return Damage(name, f"torn after {place:,} of {len(content):,} bytes")
    content[place] ^= chance.randint(1, 255)
    path.write_bytes(content)
    return Damage(name, f"altered in byte {place:,} of {len(content):,}")
