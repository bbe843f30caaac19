"""With how many threads PyTorch computes, for as long as something is measured."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def computing(count: int) -> Iterator[None]:
    """Compute with so many threads, and afterwards with as many as before."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
