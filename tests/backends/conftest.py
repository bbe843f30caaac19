"""A small task to train on."""

import pytest
from made_up import make_task

from amla.tasks.task import Task


@pytest.fixture
def task() -> Task:
    return make_task()
