"""What a worker service of amla understands: the trials of studies, on data that it has."""

from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock

from amla.execution.local import cores
from amla.execution.orders import Order
from amla.execution.work import Work
from amla.services.workshop import Workshop
from amla.study.assignment import data_of, understood, work_config
from amla.study.phases import PHASES
from amla.study.settings.places import TabularSettings
from amla.study.study import StudyError
from amla.tasks.builtin import NAMES
from amla.tasks.dataset import DataError


@dataclass(frozen=True)
class StudyTrade:
    """Trains what a study asks for. Data are built-in ones, or below `data`, a folder; nothing else is opened.

    `data_dir` is where built-in data lie. What comes from outside is data: names of operations and of datasets, and
    numbers; no address of a function, and no path that leads out of `data`.
    """

    threads: int
    data: Path | None = None
    data_dir: Path | None = None
    memory: int | None = None
    known: set[tuple[str, str | None]] = field(default_factory=set)  # data that were looked at
    lock: Lock = field(default_factory=Lock)

    def check(self, order: Order) -> None:
        """Raise ValueError for an order that is not understood."""
        if order.phase not in PHASES:
            raise StudyError(f"phase is {order.phase!r}; it must be one of {', '.join(PHASES)}.")
        understood(order.task)

    def work(self, order: Order, folder: Path) -> Work:
        """Return how a worker process evaluates such trials. Raises DataError where the data are not there, or others.

        They are read here first, once for all slots, so that what is wrong with them is said in words.
        """
        said = understood(order.task)
        looked_up = isinstance(said.backend, TabularSettings)  # where the source is a column of a table, and no path
        source = said.data.source if looked_up else self.source(said.data.source)
        key = f"{source} {said.data.size} {said.backend}", said.fingerprint
        with self.lock:
            if key not in self.known:
                data_of(said, source, self.data_dir)
                self.known.add(key)
        threads = order.threads or self.threads
        memory = min((bound for bound in (order.memory, self.memory) if bound is not None), default=None)
        config = work_config(said, order.phase, source, folder, threads, memory, self.data_dir)
        return Work("amla.study.assignment:evaluation", config)

    def source(self, named: str) -> str:
        """Return where data are here that a study calls `named`. Raises DataError."""
        if named in NAMES:
            return named
        if self.data is None:
            raise DataError(
                f"This worker has built-in data only ({', '.join(NAMES)}), not {named!r}. Start it with --data FOLDER, "
                "the folder in which that lies."
            )
        root = self.data.resolve()
        for path in (root / named, root / Path(named).name):
            found = path.resolve()
            if found.is_relative_to(root) and found.exists():
                return str(found)
        raise DataError(f"{named!r} is not below the folder of data of this worker. Put it there.")


def workshop(
    folder: Path,
    slots: int = 1,
    threads: int | None = None,
    memory: int | None = None,
    data: Path | None = None,
    data_dir: Path | None = None,
) -> Workshop:
    """Return the workshop of a worker service that trains what studies ask for; see `Workshop` and `StudyTrade`."""
    share = threads or max(1, cores() // slots)
    return Workshop(StudyTrade(share, data, data_dir, memory), folder, slots=slots, threads=share, memory=memory)
