"""A study whose trials a table answers: what it looks up, and data that stand for those which nobody trains on."""

from functools import lru_cache
from pathlib import Path

import numpy as np

from amla.evaluation.tables import Table, TableError, nasbench201_table, nasbench_macro_table
from amla.evaluation.tabular import Passed, Tabular
from amla.evaluation.train import Snapshots
from amla.execution.work import Evaluate
from amla.study.phases import FINAL
from amla.study.settings.places import TabularSettings
from amla.study.study import StudyError
from amla.tasks.dataset import Dataset, Examples


def table_of(settings: TabularSettings, source: str, data_dir: Path | None) -> Table:
    """Return the table that answers the trials of a study, on the data `source`. Raises StudyError."""
    if data_dir is None:
        raise StudyError(f"The table {settings.table} must lie in a data folder; name it with --data-dir or AMLA_DATA.")
    try:
        return _read(settings, source, data_dir)
    except TableError as error:
        raise StudyError(str(error)) from None


def looked_up(
    settings: TabularSettings, source: str, phase: str, snapshots: Snapshots, data_dir: Path | None
) -> Evaluate:
    """Return what answers the trials of a phase from a table, one of several processes that do. Raises StudyError."""
    return Passed(Tabular(table_of(settings, source, data_dir), final=phase == FINAL), phase, snapshots)


def dataset_of(table: Table) -> Dataset:
    """Return a dataset of the size that a table is about. Its images are all one black one, and take no memory."""
    parts = {part: _black(table, count) for part, count in table.examples.items()}
    classes = tuple(str(number) for number in range(table.classes))
    notice = f"nothing is trained: {table.name} says what training came to; steps are epochs, seconds are simulated"
    return Dataset(
        table.name, table.fingerprint, classes, parts["train"], parts["validation"], parts["test"], (notice,)
    )


def _black(table: Table, count: int) -> Examples:
    channels, *extents = table.shape
    return Examples(
        np.broadcast_to(np.zeros((), np.uint8), (count, *extents, channels)),
        np.arange(count, dtype=np.int64) % table.classes,
    )


@lru_cache(maxsize=4)
def _read(settings: TabularSettings, source: str, data_dir: Path) -> Table:
    if settings.table == "nasbench201":
        return nasbench201_table(data_dir, source, settings.latency)
    if source != "cifar10" or settings.latency:
        raise TableError("NAS-Bench-Macro is about cifar10 alone, and has no latencies.")
    return nasbench_macro_table(data_dir)
