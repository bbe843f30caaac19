"""Where worker services for tests are."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1] / "execution"))  # for worker_service
