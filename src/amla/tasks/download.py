"""Files fetched from the internet, whole and as published or not at all."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from contextlib import suppress
from http.client import HTTPException
from pathlib import Path
from urllib.request import urlopen
from uuid import uuid4

_BLOCK = 2**18
_TIMEOUT = 30  # seconds without an answer


class DownloadError(Exception):
    """A file that could not be fetched; the message says why."""


def fetch(url: str, md5: str, target: Path, progress: Callable[[int, int], None] | None = None) -> None:
    """Download `url` to `target`, which appears only once its checksum is right.

    `progress` is called with bytes: how many have come, of how many (0 where the server does not say). Raises
    DownloadError where that fails.
    """
    part = target.with_name(f".{target.name}.{uuid4().hex}")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        found = _copy(url, part, progress)
        if found != md5:
            raise DownloadError(f"what came from {url} has the MD5 sum {found}, but {md5} was published")
        os.replace(part, target)
    except (OSError, HTTPException) as error:
        raise DownloadError(f"{url}: {getattr(error, 'reason', None) or error}") from None
    finally:
        with suppress(OSError):
            part.unlink()


def _copy(url: str, target: Path, progress: Callable[[int, int], None] | None) -> str:
    """Returns the MD5 sum of what came."""
    digest = hashlib.md5(usedforsecurity=False)
    done = 0
    with urlopen(url, timeout=_TIMEOUT) as response, target.open("xb") as file:  # noqa: S310 - only addresses of ours
        total = int(response.headers.get("Content-Length") or 0)
        while block := response.read(_BLOCK):
            file.write(block)
            digest.update(block)
            done += len(block)
            if progress:
                progress(done, total)
    return digest.hexdigest()
