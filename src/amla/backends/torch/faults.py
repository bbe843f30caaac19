"""What PyTorch raises where there is not enough memory, as the protocol's exception."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from amla.backends.protocol import OutOfMemory


@contextmanager
def memory_faults() -> Iterator[None]:
    """Turn the errors of allocators into OutOfMemory."""
    try:
        yield
    except (MemoryError, torch.OutOfMemoryError) as error:
        raise OutOfMemory(str(error)) from error
    except RuntimeError as error:
        if "can't allocate memory" in str(error) or "not enough memory" in str(error):
            raise OutOfMemory(str(error)) from error
        raise
