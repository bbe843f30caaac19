"""Which process this is, and whether another one of this machine still lives."""

import os
import platform
import subprocess
import uuid
from functools import cache
from pathlib import Path

UNKNOWN = ""


def identity(pid: int) -> str:
    """Return what no other process was, is or will be called: machine, boot and start; UNKNOWN for one that is over.

    UNKNOWN too where the system does not say. A number alone is given again to later processes.
    """
    started = _started(pid)
    return f"{_machine()} {started}" if started else UNKNOWN


def is_gone(pid: int, called: str) -> bool:
    """Return whether a process called so is known to be over; False for one of another machine, or container."""
    return bool(called) and called.startswith(f"{_machine()} ") and identity(pid) != called


@cache
def _machine() -> str:
    """Return what tells apart where the numbers of processes mean something: this boot of this machine or container."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{boot}/{os.readlink('/proc/self/ns/pid')}"
    except OSError:
        return f"{platform.node()}/{uuid.getnode():x}"


def _started(pid: int) -> str:
    """Return when a process that lives was started; nothing for any other."""
    if os.name != "posix":
        return UNKNOWN
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    except OSError:
        return UNKNOWN if Path("/proc/self/stat").exists() else _told_by_ps(pid)
    return UNKNOWN if fields[0] in "ZX" else fields[19]  # the state; clock ticks since the boot


def _told_by_ps(pid: int) -> str:
    """Return it as a system without /proc, such as macOS, tells it."""
    command = ["/bin/ps", "-o", "lstart=", "-p", str(pid)]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()  # noqa: S603
    except OSError:
        return UNKNOWN
