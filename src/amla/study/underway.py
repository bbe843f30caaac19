"""A study that is under way: its settings, and all that it works with."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from amla.storage.files import Files
from amla.study.heard import Listener
from amla.study.latency import Meter
from amla.study.moment import Moment
from amla.study.resolve import task_of
from amla.study.run import Store
from amla.study.settings.places import TabularSettings
from amla.study.study import Study
from amla.tasks.task import Task


def unsaid(line: str) -> None:
    """Say nothing."""


@dataclass(frozen=True)
class Underway:
    """One study in its run folder, with the task, where events and weights are kept, and who is told of what happens.

    `began` is when it was asked for. `meter` measures how long networks take, where the study asks for that; `notice`
    is told what hinders nothing.
    """

    study: Study
    task: Task
    store: Store
    files: Files
    folder: Path
    listener: Listener
    began: Moment
    data_dir: Path | None = None
    meter: Meter | None = None
    notice: Callable[[str], None] = unsaid

    def on(self, share: float) -> "Underway":
        """Return this study on so large a share of the training part. Raises StudyError, DataError."""
        study = replace(self.study, data=replace(self.study.data, share=share))
        return replace(self, study=study, task=task_of(study, self.task.dataset))

    @property
    def looks_up(self) -> bool:
        """Whether a table answers the trials."""
        return isinstance(self.study.backend, TabularSettings)

    @property
    def batch(self) -> int:
        """How many examples a step of the search has."""
        return min(self.study.recipe.batch, len(self.task.fitting.labels))

    @property
    def final_batch(self) -> int:
        """How many examples a step of the final training has."""
        return min(self.study.final_recipe.batch, len(self.task.parts.train.labels))
