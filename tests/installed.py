"""Fails if the installation is not what the lock file means: a CUDA build of PyTorch on a machine without a GPU."""

import shutil
import sys
from importlib import metadata

nvidia = sorted(d.metadata["Name"] for d in metadata.distributions() if d.metadata["Name"].startswith("nvidia-"))
if nvidia and shutil.which("nvidia-smi") is None:
    sys.exit(f"This machine has no GPU, but gigabytes of CUDA were installed: {', '.join(nvidia)}.")
