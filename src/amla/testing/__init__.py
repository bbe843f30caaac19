"""The laws that every plug-in must pass, and a made-up landscape to search in: for the tests of amla and of yours.

A law is a function that raises AssertionError, saying what is broken, so that any test framework can call it. Each
takes what makes the plug-in, and seeds to vary; hypothesis can drive them.
"""

from amla.testing.algorithms import check_algorithm
from amla.testing.backends import check_backend
from amla.testing.executors import check_executor
from amla.testing.landscape import Synthetic, synthetic
from amla.testing.oneshot import check_one_shot
from amla.testing.spaces import check_space
from amla.testing.stores import check_store
from amla.testing.untrained import check_untrained
from amla.testing.workers import check_worker

__all__ = [
    "Synthetic",
    "check_algorithm",
    "check_backend",
    "check_executor",
    "check_one_shot",
    "check_space",
    "check_store",
    "check_untrained",
    "check_worker",
    "synthetic",
]
