"""Lets the process keep the memory that a training step frees, which the next step needs again.

The C library returns every large block to the system at once, and the system clears each page of it anew: 5 to 30 % of
the CPU time of a step whose images are large or many. Only the GNU C library is told; with others nothing happens.
"""

import ctypes
import os
import signal
import sys
from functools import cache
from threading import Timer

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # of malloc.h
_LARGE = (1 << 30, 32 << 20)  # bytes of what is still returned at once; older libraries refuse the first
_ALL = 2**31 - 1
_SOON = 0.2  # seconds: long enough for a busy machine to be out of the finaliser by then


@cache
def keep_freed() -> None:
    """Keep what is freed from now on, for the whole process, until it is given back."""
    library = _library()
    if library and any(library.mallopt(_MMAP_THRESHOLD, size) for size in _LARGE):
        library.mallopt(_TRIM_THRESHOLD, _ALL)


def give_back() -> None:
    """Return what has been kept to the system. A Ctrl-C meanwhile is heard a moment later.

    This is called as a finaliser, and what a finaliser raises is printed and lost.
    """
    try:
        if library := _library():
            library.malloc_trim(0)
    except KeyboardInterrupt:
        again = Timer(_SOON, os.kill, (os.getpid(), signal.SIGINT))
        again.daemon = True
        again.start()


def _library() -> ctypes.CDLL | None:
    if not sys.platform.startswith("linux"):
        return None
    library = ctypes.CDLL(None)
    return library if hasattr(library, "gnu_get_libc_version") else None
