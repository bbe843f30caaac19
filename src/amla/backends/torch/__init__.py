"""The PyTorch backend. The one place, with export, that imports torch."""

import os

# Threads that wait for others should sleep, not spin: on cores that other programs use too, spinning keeps the thread
# that is waited for from running, and a step takes several times as long. Read once, when torch is first imported.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
