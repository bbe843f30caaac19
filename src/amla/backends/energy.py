"""How much energy this machine uses: what the counters of its processors, and of NVIDIA GPUs, say.

Processors: Linux shows a counter for each package in /sys/class/powercap (Intel's RAPL, and AMD's in its place), which
root alone may read on most systems since CVE-2020-8694. GPUs: the driver counts, and `pynvml` asks it where that is
installed (pip install nvidia-ml-py).
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import Path
from time import monotonic
from typing import Any

POWERCAP = Path("/sys/class/powercap")
SECONDS = 10.0  # between two readings on the way; a counter of 65 kJ (AMD's) begins again after two minutes at 500 W
_ZONE = re.compile(r"intel-rapl:\d+")  # a whole one: what is in it, such as intel-rapl:0:0, counts part of it again


@dataclass(frozen=True)
class Counter:
    """Joules since some time or other; after `most` of them it begins again from 0 (None: never)."""

    joules: float
    most: float | None = None


Reading = Mapping[str, tuple[Counter, ...]]  # by device, as `Cost` calls it: "cpu", "cuda"


def read(root: Path = POWERCAP) -> Reading:
    """Return what all counters say that can be read; of processors all or none, and of GPUs."""
    found = {"cpu": _of_packages(root), "cuda": _of_gpus()}
    return {device: counters for device, counters in found.items() if counters}


class Energy:
    """Adds up what the machine uses from now on, of which `share` is that of who asks."""

    def __init__(
        self, share: float = 1.0, read: Callable[[], Reading] = read, clock: Callable[[], float] = monotonic
    ) -> None:
        self._share, self._read, self._clock = share, read, clock
        self._last, self._at = read(), clock()
        self._used: dict[str, float] | None = dict.fromkeys(self._last, 0.0)  # None: counters came or went

    def note(self) -> None:
        """Read the counters if that was ten seconds ago, so that none begins again twice unseen."""
        if self._clock() - self._at >= SECONDS:
            self._add()

    def joules(self, device: str) -> float | None:
        """Return the share of what was used; None where the counters of `device` cannot be read, or were lost."""
        self._add()
        return None if self._used is None or device not in self._used else self._share * sum(self._used.values())

    def _add(self) -> None:
        before, self._last, self._at = self._last, self._read(), self._clock()
        same = {device: len(counters) for device, counters in before.items()}
        if self._used is None or same != {device: len(counters) for device, counters in self._last.items()}:
            self._used = None
            return
        for device, counters in self._last.items():
            self._used[device] += sum(map(_between, before[device], counters))


def _between(before: Counter, after: Counter) -> float:
    """Return the joules from one reading to the next; what a counter has that was set back is all since then."""
    if after.joules >= before.joules:
        return after.joules - before.joules
    return after.joules + max(0.0, (after.most or before.joules) - before.joules)


def _of_packages(root: Path) -> tuple[Counter, ...]:
    """Return the counters of the processors' packages; none if one cannot be read.

    Of the whole zones some systems also have one of the platform, "psys", which has the packages in it.
    """
    try:
        zones = sorted(zone for zone in root.iterdir() if _ZONE.fullmatch(zone.name))
        packages = [zone for zone in zones if (zone / "name").read_text().startswith("package")]
        return tuple(Counter(_joules(each / "energy_uj"), _joules(each / "max_energy_range_uj")) for each in packages)
    except (OSError, ValueError):
        return ()


def _joules(file: Path) -> float:
    return int(file.read_text()) / 1e6


def _of_gpus() -> tuple[Counter, ...]:
    """Return the counters of all NVIDIA GPUs; none if one has no counter (those before Volta)."""
    if (nvml := _nvml()) is None:
        return ()
    try:
        gpus = map(nvml.nvmlDeviceGetHandleByIndex, range(nvml.nvmlDeviceGetCount()))
        return tuple(Counter(nvml.nvmlDeviceGetTotalEnergyConsumption(gpu) / 1e3) for gpu in gpus)
    except nvml.NVMLError:
        return ()


@cache
def _nvml() -> Any:
    """Return NVIDIA's library, begun; None without it, or where it finds no driver."""
    try:
        nvml = import_module("pynvml")
    except ImportError:
        return None
    try:
        nvml.nvmlInit()
    except nvml.NVMLError:
        return None
    return nvml
