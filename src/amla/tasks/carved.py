"""A dataset's parts, with what had to be carved kept in the cache and memory-mapped: processes share it."""

import shutil
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from functools import partial
from hashlib import blake2b

import numpy as np

from amla.tasks import cache
from amla.tasks.dataset import Dataset, Examples, Parts, split
from amla.tasks.load import FORMAT
from amla.tasks.readers.source import Chunk, Contents, Part, Stream

KEPT = 4  # splits, the newest: each may be as large as its dataset
_CHUNK = 1024  # examples


def parts(dataset: Dataset, *, validation: float, test: float, seed: int) -> Parts:
    """Return what `amla.tasks.dataset.split` returns, memory-mapped if the dataset is and the cache can be written.

    Raises DataError as it does.
    """
    if not isinstance(dataset.train.inputs, np.memmap) or (dataset.validation and dataset.test):
        return split(dataset, validation=validation, test=test, seed=seed)
    described = [dataset.fingerprint, *dataset.shape, validation, test, seed, FORMAT]
    if dataset.train.size:
        described += dataset.train.inputs.shape[1:]
    name = blake2b(repr(described).encode() + dataset.train.labels.tobytes(), digest_size=16).hexdigest()
    entry = cache.folder(None) / "splits" / name
    found = cache.opened(entry)
    if not found:
        whole = split(dataset, validation=validation, test=test, seed=seed)
        carved: dict[Part, Examples] = {"train": whole.train}
        carved |= {} if dataset.validation else {"validation": whole.validation}
        carved |= {} if dataset.test else {"test": whole.test}
        streams = {part: Stream(len(e.labels), partial(_chunks, e)) for part, e in carved.items()}
        inputs = dataset.train.inputs
        with suppress(OSError):
            contents = Contents(
                name, dataset.classes, inputs.shape[1:], streams, dtype=inputs.dtype.str, numbers=dataset.are_numbers
            )
            found = cache.written(entry, contents)
            finished = [path for path in entry.parent.iterdir() if not path.name.startswith(".")]
            for old in sorted(finished, key=lambda path: path.stat().st_mtime)[:-KEPT]:
                shutil.rmtree(old, ignore_errors=True)  # whoever has mapped it keeps it
        if not found:
            return whole
    of = {part: replace(examples, size=dataset.train.size) for part, examples in found.parts.items()}
    return Parts(of["train"], dataset.validation or of["validation"], dataset.test or of["test"])


def _chunks(examples: Examples) -> Iterator[Chunk]:
    for start in range(0, len(examples.labels), _CHUNK):
        yield Chunk(examples.inputs[start : start + _CHUNK], examples.labels[start : start + _CHUNK])
