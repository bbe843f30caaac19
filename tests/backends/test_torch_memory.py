"""Memory that is given back, and what may come meanwhile."""

import subprocess
import sys

CUT_OFF_WHILE_GIVING_BACK = """
import os, signal
from threading import Event
from weakref import finalize

from amla.backends.torch import memory


class Library:
    def malloc_trim(self, kept):
        os.kill(os.getpid(), signal.SIGINT)


class Learner:
    pass


signal.signal(signal.SIGINT, signal.default_int_handler)
memory._library = Library
learner = Learner()
finalize(learner, memory.give_back)
try:
    del learner
    Event().wait(60)
except KeyboardInterrupt:
    print("heard")
"""


def test_ctrl_c_is_not_lost_while_memory_is_given_back():
    ended = subprocess.run([sys.executable, "-c", CUT_OFF_WHILE_GIVING_BACK], capture_output=True, text=True)
    assert (ended.stdout, ended.stderr, ended.returncode) == ("heard\n", "", 0)
