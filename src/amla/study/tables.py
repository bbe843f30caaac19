"""A study whose trials a table answers: what it looks up, and data that stand for those which nobody trains on."""

from functools import lru_cache
from pathlib import Path

import numpy as np

from amla.evaluation.tables import Table, TableError, nasbench201_table, nasbench_macro_table
from amla.study.settings.places import TabularSettings
from amla.study.study import Study, StudyError
from amla.tasks.dataset import Dataset, Examples


def table_of(study: Study, data_dir: Path | None) -> Table:
    """Return the table that answers the trials of a study. Raises StudyError."""
    settings = study.backend
    if not isinstance(settings, TabularSettings):
        raise StudyError(f"backend.kind is {settings.kind}, which looks nothing up.")
    if data_dir is None:
        raise StudyError(f"The table {settings.table} must lie in a data folder; name it with --data-dir or AMLA_DATA.")
    try:
        return _read(settings, study.data.source, data_dir)
    except TableError as error:
        raise StudyError(str(error)) from None


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
