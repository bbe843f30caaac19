"""What is to be shaken, and how: checked before anything is started."""

import sys
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from amla.chaos.faults import FAULTS, KILLS, Fault
from amla.study.log import Place
from amla.study.settings.places import Inline, Ray
from amla.study.study import Study, StudyError


@dataclass(frozen=True)
class Setup:
    """A study, where its runs lie, and what goes wrong with them. `store` is a URL, None: events are in run folders."""

    study: Study
    folder: Path
    kills: int
    seed: int
    faults: frozenset[Fault]
    store: str | None = None
    data_dir: Path | None = None

    @property
    def is_on_ray(self) -> bool:
        """Whether trials run on Ray."""
        return isinstance(self.study.executor, Ray)


def setup(
    study: Study,
    folder: Path,
    *,
    kills: int,
    seed: int,
    faults: Collection[str] | None,
    store: str | None = None,
    data_dir: Path | None = None,
) -> Setup:
    """Return what is to be done; `faults` None: all that there can be. Raises StudyError for what cannot be."""
    if sys.platform != "linux":
        raise StudyError("amla chaos needs Linux, where processes can be found in /proc, and be kept from writing.")
    for address, seconds in (("limit.seconds", study.limit.seconds), ("trial_seconds", study.trial_seconds)):
        if seconds is not None:
            raise StudyError(
                f"{address} is {seconds:g}: what such a study finds depends on how fast the machine is just now, so no "
                "two runs need agree. Give algorithm.steps and final.steps instead."
            )
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise StudyError(f"'{folder}' is there already. Delete it, or name another folder with --run.")
    if store is not None:
        Place(store, study.name)
    return Setup(study, folder, kills, seed, _chosen(study, store, faults), store, data_dir)


def _chosen(study: Study, store: str | None, faults: Collection[str] | None) -> frozenset[Fault]:
    """Return the faults that are asked for, or that the study can have."""
    lacking: dict[Fault, str] = {}
    if isinstance(study.executor, Inline):
        lacking["worker"] = "trials run in the driver itself; --set executor.kind=local gives them workers"
    if store is None:
        lacking["connections"] = "the events are in a file; --store names a database"
    if faults is None:
        return frozenset(FAULTS) - lacking.keys()
    for name in faults:
        if name not in FAULTS:
            raise StudyError(f"There is no fault {name!r}; there are {', '.join(FAULTS)}.")
        if name in lacking:
            raise StudyError(f"The fault {name!r} cannot be had: {lacking[name]}.")
    chosen = frozenset(fault for fault in FAULTS if fault in faults)
    if not chosen & KILLS:
        raise StudyError(f"Nothing is killed; let --faults have one of {', '.join(sorted(KILLS))}.")
    return chosen
