"""What the processor of this machine is, as far as its system tells."""

import os
import platform
import sys
from contextlib import suppress
from pathlib import Path

UNKNOWN_CACHE = 64 << 20  # bytes; more than most processors have
_TOLD = ("model name", "Model", "cpu family", "model", "CPU implementer", "CPU part")  # in /proc/cpuinfo


def cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1


def name() -> str:
    """Return the name of the processor, as its maker wrote it."""
    return _cpuinfo().get("model name") or platform.processor() or platform.machine()


def description() -> str:
    """Return all that tells this kind of processor from others."""
    told = _cpuinfo()
    return ", ".join(
        [platform.machine(), platform.processor(), *(f"{key} {told[key]}" for key in _TOLD if key in told)]
    )


def last_level_cache(devices: Path = Path("/sys/devices/system/cpu")) -> int:
    """Return the bytes of all caches of the highest level together; a generous guess where the system does not say."""
    found: dict[tuple[int, str], int] = {}
    with suppress(OSError, ValueError):
        for cache in devices.glob("cpu[0-9]*/cache/index*"):
            level, shared, size = ((cache / part).read_text().strip() for part in ("level", "shared_cpu_list", "size"))
            found[int(level), shared] = int(size.rstrip("KMG")) << {"K": 10, "M": 20, "G": 30}.get(size[-1:], 0)
    highest = max((level for level, _ in found), default=0)
    return sum(size for (level, _), size in found.items() if level == highest) or UNKNOWN_CACHE


def _cpuinfo() -> dict[str, str]:
    with suppress(OSError):
        first, _, _ = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").partition("\n\n")
        lines = (line.partition(":") for line in first.splitlines())
        return {key.strip(): said.strip() for key, _, said in lines}
    return {}
