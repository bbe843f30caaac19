"""What a test may leave behind: worker processes, and pipes to them. Others may have children of this process, too."""

import os
from contextlib import suppress

from psutil import NoSuchProcess, Process, ZombieProcess


def nobody_left() -> bool:
    """Return whether no worker process of this one lives or waits to be buried."""
    return not any("amla.execution.worker" in " ".join(command) for command in map(_command, Process().children()))


def pipes() -> int:
    """Return how many pipes and handles of processes are open, where the system says."""
    found = 0
    for file in os.listdir("/dev/fd"):
        with suppress(OSError):
            found += os.readlink(f"/dev/fd/{file}").startswith(("pipe:", "anon_inode:[pidfd]"))
    return found


def _command(process: Process) -> list[str]:
    try:
        return process.cmdline()
    except ZombieProcess:
        return ["amla.execution.worker"]
    except NoSuchProcess:
        return []
