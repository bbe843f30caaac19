"""Where made-up worker services are."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1] / "execution"))  # for worker_service and faulty_work
sys.path.append(str(Path(__file__).parents[1] / "study"))  # for made_up_runs
