"""Test processes run side by side, one for each core, so each computes with one thread, and what it starts too."""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
