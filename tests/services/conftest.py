"""Runs that were never trained, as the tests of studies make them up."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1] / "study"))
