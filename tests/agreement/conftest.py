"""Where the tests find the small tasks of the backends' tests."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1] / "backends"))  # for made_up
