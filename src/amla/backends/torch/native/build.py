"""Compiles the kernels with the machine's own compiler, keeps the library in the cache, and loads it."""

import ctypes
import hashlib
import os
import platform
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import torch

from amla.tasks.cache import folder

SWITCH = "AMLA_NATIVE"  # "0": compute with PyTorch alone

_HERE = Path(__file__).parent
_SOURCE = _HERE / "kernels.c"
_FLAGS = ("-O2", "-fPIC", "-fno-math-errno", "-fno-trapping-math", "-Wno-psabi")
_CHOICES = (("-march=native", "-fopenmp"), ("-mcpu=native", "-fopenmp"), ("-march=native",), ("-mcpu=native",), ())
_SECONDS = 300  # for a compilation that takes four on an idle machine
_SEAL = 32  # bytes of SHA-256 that end a library in the cache: a loader dies of a file that is cut short


@cache
def library() -> ctypes.CDLL | None:
    """Return the kernels, or None where they cannot be had; a process tries once."""
    if os.environ.get(SWITCH) == "0":
        return None
    with suppress(OSError, subprocess.SubprocessError):
        if compiler := _compiler():
            kept = folder(None) / "native" / f"{_digest(compiler)}.so"
            return _opened(kept) or _built(compiler, kept)
    return None


def _compiler() -> list[str] | None:
    given = shlex.split(os.environ.get("CC", ""))
    for command in (given, ["cc"], ["gcc"], ["clang"]):
        if command and shutil.which(command[0]):
            return command
    return None


def _digest(compiler: list[str]) -> str:
    """Name what the library depends on: sources, flags, compiler and processor; and PyTorch, whose threads it uses."""
    told = subprocess.run([*compiler, "--version"], capture_output=True, check=True, timeout=_SECONDS)  # noqa: S603
    found = hashlib.sha256(repr((compiler, _FLAGS, _CHOICES, _processor(), torch.__version__)).encode() + told.stdout)
    for source in sorted(_HERE.glob("*.[ch]")):
        found.update(source.read_bytes())
    return found.hexdigest()[:32]


def _processor() -> list[str]:
    lines = [platform.machine(), platform.processor()]
    with suppress(OSError):
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
        described = text.split("\n\n", 1)[0].splitlines()
        lines += [line for line in described if line.startswith(("model", "flags", "Features", "CPU"))]
    return lines


def _opened(kept: Path) -> ctypes.CDLL | None:
    """Return the library in the file, or None where it is not there, or not as it was left."""
    try:
        content = kept.read_bytes()
        if hashlib.sha256(content[:-_SEAL]).digest() != content[-_SEAL:]:
            return None
        return ctypes.CDLL(str(kept))
    except OSError:
        return None


def _built(compiler: list[str], kept: Path) -> ctypes.CDLL | None:
    """Compile with as much of the processor as the compiler knows, and with threads if it can have those of PyTorch."""
    with _workplace(kept.parent) as name:
        for made in _compiled(compiler, Path(name)):
            with made.open("ab") as file:
                file.write(hashlib.sha256(made.read_bytes()).digest())
            if found := _opened(made):
                with suppress(OSError):  # a cache that cannot be written to costs a compilation every time
                    made.replace(kept)
                return found
    return None


def _workplace(cache: Path) -> TemporaryDirectory[str]:
    """Return a new folder in the cache, or where that cannot be written to, where the system keeps temporary files."""
    with suppress(OSError):
        cache.mkdir(parents=True, exist_ok=True)
        return TemporaryDirectory(prefix=".unfinished-", dir=cache)
    return TemporaryDirectory()


def _compiled(compiler: list[str], target: Path) -> Iterator[Path]:
    for number, chosen in enumerate(_CHOICES):
        made, linked = target / f"{number}.o", target / f"{number}.so"
        # Linked without OpenMP, the library takes the runtime that PyTorch has loaded: a second one would have threads
        # of its own. Where there is none to take, loading fails, and the next choice is tried.
        commands = [["-c", str(_SOURCE), "-o", str(made), *_FLAGS, *chosen], ["-shared", str(made), "-o", str(linked)]]
        if all(_runs([*compiler, *arguments]) for arguments in commands):
            yield linked


def _runs(command: list[str]) -> bool:
    done = subprocess.run(command, capture_output=True, check=False, stdin=subprocess.DEVNULL, timeout=_SECONDS)  # noqa: S603
    return done.returncode == 0
