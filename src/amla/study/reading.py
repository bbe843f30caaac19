"""Loads the data of a study, as its settings say."""

from pathlib import Path

from amla.study.settings.places import BackendSettings, TabularSettings
from amla.study.study import Data
from amla.study.tables import dataset_of, table_of
from amla.tasks.dataset import Dataset
from amla.tasks.decoding import Progress
from amla.tasks.load import load


def read(
    data: Data, data_dir: Path | None = None, *, source: str | None = None, progress: Progress | None = None
) -> Dataset:
    """Return the dataset of a study, which lies at `source` if that is given. Raises DataError."""
    return load(
        source or data.source,
        data_dir=data_dir,
        size=data.size,
        canvas=data.canvas,
        stream=data.stream,
        labels=data.labels,
        progress=progress,
    )


def read_for(backend: BackendSettings, data: Data, data_dir: Path | None, *, source: str | None = None) -> Dataset:
    """Return the dataset of a study; where a table answers its trials, one that stands for it.

    Raises DataError, and StudyError where there is no such table.
    """
    if isinstance(backend, TabularSettings):
        return dataset_of(table_of(backend, data.source, data_dir))
    return read(data, data_dir, source=source)
