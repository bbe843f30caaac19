"""What can be said of a dataset without its images, if it was noted while they were decoded."""

from __future__ import annotations

from hashlib import blake2b
from typing import Any

import numpy as np
from numpy.typing import NDArray

DIGEST = 16  # bytes


def sums_of(inputs: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Return (k, 2, channels): of every input (k, *spatial, channels) the sum of its elements, and of their squares."""
    flat = inputs.reshape(len(inputs), -1, inputs.shape[-1])
    sums = [[each.sum(0, np.int64), np.square(each, dtype=np.int64).sum(0)] for each in flat]
    return np.array(sums, np.int64).reshape(len(inputs), 2, inputs.shape[-1])


def digests_of(inputs: NDArray[Any]) -> NDArray[np.uint8]:
    """Return (k, 16): the `digest_of` every input."""
    joined = b"".join(digest_of(each) for each in inputs)
    return np.frombuffer(joined, np.uint8).reshape(len(inputs), DIGEST)


def digest_of(values: NDArray[Any]) -> bytes:
    """Return the digest of the values of one input."""
    return blake2b(values.tobytes(), digest_size=DIGEST).digest()
