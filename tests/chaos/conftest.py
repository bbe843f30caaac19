"""Run folders that were written without training anything are made where those of studies are tested."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1] / "study"))
