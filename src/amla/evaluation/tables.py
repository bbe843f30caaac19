"""Tabular benchmarks: what training every network of a space came to, read from the files that were published.

NAS-Bench-201 (Dong and Yang 2020; with NATS-Bench, Dong et al. 2021, MIT licence) and measured latencies of its
networks (HW-NAS-Bench, Li et al. 2021, and HELP, Lee et al. 2021, MIT licence); NAS-Bench-Macro (Su et al. 2021, Apache
2.0). The files are tables of comma-separated values, one row a network, compressed.
"""

import csv
import gzip
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path

from amla.spaces.nasbench201 import EDGES, nasbench201
from amla.spaces.nasbench_macro import nasbench_macro
from amla.spaces.space import Space
from amla.spec.architecture import NodeId
from amla.spec.ops import Size
from amla.spec.values import value

Key = tuple[NodeId, ...]  # what each gene of a space keeps, one node each
Row = Mapping[str, str]

NAS201, MACRO, LATENCIES = "nasbench201.csv.gz", "nasbench_macro.csv.gz", "nasbench201_latency_ms.csv.gz"
FOLDER = "nas_bench"  # within a data folder, or the data folder itself
OPERATIONS = {
    "none": "none",
    "skip_connect": "skip",
    "nor_conv_1x1": "1x1",
    "nor_conv_3x3": "3x3",
    "avg_pool_3x3": "pool",
}
NOMINAL_FLOPS = 1e12  # a second: what trains the networks of NAS-Bench-Macro, whose seconds nobody wrote down


class TableError(ValueError):
    """Tables that are not there, or cannot be read."""


@value
class Entry:
    """What is known of one network.

    `searched` are, by epochs of training, the accuracies that a search may see, one for each seed; `tested` is the test
    accuracy after all epochs. Accuracies are shares. `epoch_seconds` is what an epoch of a search took. `latency` is in
    milliseconds, by device.
    """

    searched: Mapping[int, tuple[float, ...]]
    tested: float
    parameters: int
    macs: int
    epoch_seconds: float
    latency: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Table:
    """A benchmark: the space it is about, and an entry for each of its networks, as far as they are known.

    `shape` and `classes` are those of the data; so many examples of them are in each part. A search trains for one of
    some `epochs`, the most of which are those of a final training, which fits `final_examples`. Where nothing is
    `held_out`, there is no validation part: what a search sees is of the test part, too.
    """

    name: str
    fingerprint: str  # of its file
    space: Space
    shape: Size
    classes: int
    examples: Mapping[str, int]
    final_examples: int
    epochs: tuple[int, ...]
    entries: Mapping[Key, Entry]
    held_out: bool = True


DATASETS = {  # of NAS-Bench-201: the columns' prefix, shape, classes, examples in training, validation, test, and final
    "cifar10": ("c10", (3, 32, 32), 10, (25_000, 25_000, 10_000, 50_000)),
    "cifar100": ("c100", (3, 32, 32), 100, (50_000, 5_000, 5_000, 50_000)),
    "imagenet16-120": ("in16", (3, 16, 16), 120, (151_700, 3_000, 3_000, 151_700)),
}


def nasbench201_table(folder: Path, dataset: str = "cifar10", latency: tuple[str, ...] = ()) -> Table:
    """Read NAS-Bench-201 from a data folder, and the latency of its networks on some devices. Raises TableError.

    A search sees the validation accuracy after 12 epochs (of one training) or 200 (on CIFAR-10 of two or three
    trainings, by seed; else their mean). The published multiply-accumulates include one for each bias of the
    classifier; here they do not, as everywhere in amla.
    """
    if dataset not in DATASETS:
        raise TableError(f"NAS-Bench-201 has no data {dataset!r}; it has {', '.join(DATASETS)}.")
    prefix, shape, classes, (train, validation, test, final) = DATASETS[dataset]
    rows, fingerprint = _read(folder, NAS201)
    timed = _read(folder, LATENCIES)[0] if latency else []
    latencies = {row["index"]: _latency(row, latency) for row in timed}
    space, entries = nasbench201(shape, classes), dict[Key, Entry]()
    alternatives = [{name.rsplit("/", 1)[-1]: name for name in space.template[gene].inputs} for gene in space.genes]
    for row in rows:
        try:
            kept = [OPERATIONS[row[f"op_{start}_{end}"]] for start, end in EDGES]
            key = tuple(names[operation] for names, operation in zip(alternatives, kept, strict=True))
            entries[key] = Entry(
                {12: (_share(row[f"{prefix}_valid_acc_12"]),), 200: _seeds(row, prefix)},
                _share(row[f"{prefix}_test_acc_200"]),
                int(row[f"{prefix}_params"]),
                int(row[f"{prefix}_flops"]) - classes,
                float(row[f"{prefix}_train_time_200_s"]) / 200,
                latencies.get(row["index"], {}),
            )
        except (KeyError, ValueError, TypeError) as error:
            raise TableError(f"{NAS201} cannot be read: row {row.get('index')!r} lacks or garbles {error}.") from None
    parts = {"train": train, "validation": validation, "test": test}
    return Table("NAS-Bench-201", fingerprint, space, shape, classes, parts, final, (12, 200), entries)


def nasbench_macro_table(folder: Path) -> Table:
    """Read NAS-Bench-Macro from a data folder. Raises TableError.

    Each network was trained three times for 50 epochs on all training images of CIFAR-10, and only the test part was
    ever looked at: its accuracy after the best epoch is what is known. So a search sees the accuracy of one training,
    by seed, and the final evaluation the mean of all three; both are of the test part. Seconds are those of a machine
    of 10^12 operations a second.
    """
    space, entries, epochs, train = nasbench_macro((3, 32, 32), 10), dict[Key, Entry](), 50, 50_000
    rows, fingerprint = _read(folder, MACRO)
    for row in rows:
        try:
            choices = zip(space.genes, row["arch"], strict=True)
            key = tuple(space.template[gene].inputs[int(choice)] for gene, choice in choices)
            seen, macs = tuple(_share(row[f"test_acc_{number}"]) for number in range(3)), int(row["flops"])
            seconds = 6 * macs * train / NOMINAL_FLOPS
            entries[key] = Entry({epochs: seen}, _share(row["mean_acc"]), int(row["params"]), macs, seconds)
        except (KeyError, ValueError, TypeError, IndexError) as error:
            raise TableError(f"{MACRO} cannot be read: row {row.get('arch')!r} lacks or garbles {error}.") from None
    parts = {"train": train, "validation": 10_000, "test": 10_000}
    return Table("NAS-Bench-Macro", fingerprint, space, (3, 32, 32), 10, parts, train, (epochs,), entries, False)


def _seeds(row: Row, prefix: str) -> tuple[float, ...]:
    """Return the validation accuracies after 200 epochs, one for each training whose own is known, else their mean."""
    columns = [f"{prefix}_valid_acc_200_seed{seed}" for seed in range(3)]
    found = tuple(_share(row[column]) for column in columns if row.get(column))
    return found or (_share(row[f"{prefix}_valid_acc_200"]),)


def _latency(row: Row, devices: tuple[str, ...]) -> Mapping[str, float]:
    for device in devices:
        if device not in row:
            there = ", ".join(name for name in row if name not in ("index", "arch"))
            raise TableError(f"{LATENCIES} has no device {device!r}; it has {there}.")
    return {device: float(row[device]) for device in devices}


def _share(percent: str) -> float:
    return float(percent) / 100


def _read(folder: Path, name: str) -> tuple[list[Row], str]:
    """Return the rows of a table, and a digest of its file. Raises TableError."""
    places = [place for place in (folder / name, folder / FOLDER / name) if place.is_file()]
    if not places:
        raise TableError(
            f"There is no {name} in '{folder}', nor in its folder {FOLDER}; name its folder with --data-dir."
        )
    try:
        packed = places[0].read_bytes()
        lines = gzip.decompress(packed).decode().splitlines()
        return list(csv.DictReader(lines)), blake2b(packed, digest_size=16).hexdigest()
    except (OSError, EOFError, zlib.error, UnicodeDecodeError, csv.Error) as error:
        raise TableError(f"'{places[0]}' cannot be read: {error}.") from None
