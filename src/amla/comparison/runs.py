"""Runs a comparison, bout by bout: a contender on a task with a seed. What has been run is not run again."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from amla.comparison.comparison import Comparison, Contender
from amla.comparison.controls import HAND_MADE, MATCHED, given, matched, searching
from amla.comparison.record import Record, record
from amla.spec.architecture import Architecture
from amla.spec.text import to_json
from amla.storage.files import Files
from amla.study import folder as folders
from amla.study.complete import complete
from amla.study.heard import silently
from amla.study.reading import read
from amla.study.resolve import check, task_of
from amla.study.result import result
from amla.study.study import StudyError
from amla.study.unsearched import plain_network
from amla.tasks.dataset import Dataset
from amla.tasks.task import Task

RUNS, NETWORKS = "runs", "networks"  # folders in that of a comparison


@dataclass(frozen=True)
class Bout:
    """One run of a comparison."""

    task: str
    contender: str
    seed: int


Records = Mapping[Bout, Record]


def bouts(comparison: Comparison, by_hand: Collection[str]) -> list[Bout]:
    """Return all runs there are to be, seed by seed; on some tasks there is a network made `by_hand`."""
    first, names = next(iter(comparison.contenders)), list(all_searching(comparison))
    found = []
    for seed in range(comparison.seeds):
        for task in comparison.tasks:
            controls = []
            if comparison.controls and HAND_MADE not in names and task in by_hand:
                controls.append(HAND_MADE)
            if comparison.controls:
                controls.append(f"{MATCHED}-{first}")
            found += [Bout(task, name, seed) for name in (*names, *controls)]
    return found


def all_searching(comparison: Comparison) -> dict[str, Contender]:
    """Return all that search by themselves, by name: contenders, and controls. Raises StudyError without a limit."""
    return {**comparison.contenders, **searching(comparison)}


@dataclass(frozen=True)
class Running:
    """A comparison in its folder, with the data of its tasks."""

    comparison: Comparison
    folder: Path
    datasets: Mapping[str, Dataset]
    data_dir: Path | None = None

    def check(self) -> None:
        """Raise StudyError, SpaceError or SpecError for what could only fail later, before anything is run."""
        for task, dataset in self.datasets.items():
            for contender in self._searching.values():
                study = self.comparison.study(task, contender, 0)
                check(study, task_of(study, dataset))

    def bouts(self) -> list[Bout]:
        """Return all runs there are to be, seed by seed, so that what is cut off still holds pairs."""
        return bouts(self.comparison, {task for task in self.comparison.tasks if self._hand_made(task)})

    def run(self, bout: Bout) -> Record | None:
        """Run a bout to its end, from wherever it was cut off; None where there is no network that could be run.

        Raises StudyError for a folder with another study in it, and what `amla.study.search.Search` raises.
        """
        contender = self._contender(bout)
        if contender is None:
            return None
        dataset = self.datasets[bout.task]
        study = self.comparison.study(bout.task, contender, bout.seed)
        place = self.place(bout)
        task = task_of(study, dataset)
        return record(complete(study, task, place, silently, self.data_dir), self.comparison.costs)

    def confirm(self, bout: Bout) -> None:
        """Raise StudyError if the folder of a bout holds another study than that of this comparison."""
        if contender := self._contender(bout):
            study = self.comparison.study(bout.task, contender, bout.seed)
            folders.prepare(self.place(bout), study, task_of(study, self.datasets[bout.task]))

    def place(self, bout: Bout) -> Path:
        """Return the run folder of a bout."""
        return self.folder / RUNS / bout.task / bout.contender / str(bout.seed)

    def records(self) -> dict[Bout, Record]:
        """Return the records there are by now."""
        return dict(self._records())

    def _records(self) -> Iterator[tuple[Bout, Record]]:
        for bout in self.bouts():
            place = self.place(bout)
            if (place / folders.STUDY).is_file() and (found := record(folders.read(place), self.comparison.costs)):
                yield bout, found

    def _contender(self, bout: Bout) -> Contender | None:
        if bout.contender in self._searching:
            return self._searching[bout.contender]
        network = self._hand_made(bout.task) if bout.contender == HAND_MADE else self._matched(bout)
        if network is None:
            return None
        name = bout.contender if bout.contender == HAND_MADE else f"{bout.contender}-{bout.seed}"
        file = self.folder / NETWORKS / f"{bout.task}-{name}.arch.json"
        Files(self.folder / NETWORKS).write_text(file.name, to_json(network, indent=1) + "\n")
        return given(self.comparison, str(file))

    @property
    def _searching(self) -> dict[str, Contender]:
        return all_searching(self.comparison)

    def _hand_made(self, task: str) -> Architecture | None:
        setting = self.comparison.tasks[task]
        return plain_network(setting.space, setting.constraints, self._task(task))

    def _matched(self, bout: Bout) -> Architecture | None:
        """Return a random network of the size of what the first contender found with the same seed."""
        first = next(iter(self.comparison.contenders))
        found = result(folders.read(self.place(Bout(bout.task, first, bout.seed))))
        if found is None:
            return None
        return matched(self.comparison, bout.task, self._task(bout.task), found.architecture, bout.seed)

    def _task(self, task: str) -> Task:
        study = self.comparison.study(task, next(iter(self.comparison.contenders.values())), 0)
        return task_of(study, self.datasets[task])


def check_folder(comparison: Comparison, folder: Path, kept: str) -> None:
    """Raise StudyError if a folder holds what is `kept` of this comparison with one limit, but now it has several."""
    found = [name for name in ("", *comparison.limits) if (folder / name / kept).is_dir()]
    if comparison.limits and "" in found:
        raise StudyError(
            f"'{folder}' holds runs of one limit, and this comparison has several. Name another folder with --folder."
        )
    others = [path.parent.name for path in folder.glob(f"*/{kept}") if path.parent.name != kept]
    if others and not comparison.limits:
        raise StudyError(
            f"'{folder}' holds runs within the limit '{others[0]}', and this comparison has one limit without a name. "
            "Name another folder with --folder."
        )


def begin(comparison: Comparison, folder: Path, data_dir: Path | None) -> dict[str, Running]:
    """Return the parts of a comparison, by the name of their limit, with the data of their tasks loaded once.

    Raises DataError, and StudyError, SpaceError or SpecError for what could only fail later.
    """
    check_folder(comparison, folder, RUNS)
    datasets = {name: read(setting.data, data_dir) for name, setting in comparison.tasks.items()}
    found = {limit: Running(part, folder / limit, datasets, data_dir) for limit, part in comparison.parts.items()}
    for running in found.values():
        running.check()
    return found
