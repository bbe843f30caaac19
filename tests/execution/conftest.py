"""What tests of executors share."""

from collections.abc import Callable

import pytest
from psutil import Process


@pytest.fixture
def nobody_left() -> Callable[[], bool]:
    """Return what says whether every child of this process, alive or unburied, was there before the test.

    Others may have children here, too: a Ray that tests share lives as long as the process.
    """
    before = set(Process().children())
    return lambda: set(Process().children()) <= before
