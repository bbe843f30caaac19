"""A small task to train on."""

import sys
from pathlib import Path

import pytest
from made_up import make_task

from amla.tasks.task import Task

sys.path.append(str(Path(__file__).parents[1] / "spec"))  # for random_networks


@pytest.fixture
def task() -> Task:
    return make_task()
