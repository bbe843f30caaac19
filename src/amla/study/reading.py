"""Loads the data of a study, as its settings say."""

from pathlib import Path

from amla.study.study import Data
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
