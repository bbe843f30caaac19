"""A comparison on tables in its folder: bouts are looked up many at a time, and their records kept by contender."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import cached_property, lru_cache
from multiprocessing import get_context
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from amla.comparison.comparison import Comparison, from_yaml, to_yaml
from amla.comparison.controls import HAND_MADE, MATCHED
from amla.comparison.lookups import Bench
from amla.comparison.record import Record
from amla.comparison.runs import Bout, all_searching, bouts, check_folder
from amla.evaluation.tables import Table
from amla.spec.text import explain
from amla.spec.values import value
from amla.storage.files import Files
from amla.study.folder import flat, nested
from amla.study.settings.places import TabularSettings
from amla.study.study import Study, StudyError, from_plain, to_plain
from amla.study.tables import table_of

SEEDED, TABLE = ("seed", "provenance"), "table"
RECORDS = "records"  # a folder in that of a comparison
PART = 25  # seeds that are looked up before their records are written


@value
class Kept:
    """The records of one contender on one task, and the study that they are of, address by address.

    Their fronts are by these `costs`.
    """

    study: Mapping[str, object]
    records: tuple[Record, ...]
    costs: tuple[str, ...] = ()


@value
class Part:
    """Some seeds of one contender on one task; `like` are the records whose sizes its networks are to have."""

    task: str
    contender: str
    seeds: tuple[int, ...]
    like: tuple[Record, ...] = ()


_kept, _records, _part = TypeAdapter(Kept), TypeAdapter(tuple[Record, ...]), TypeAdapter(Part)

Heard = Callable[[Part, Sequence[Record]], None]


@dataclass(frozen=True)
class Tabled:
    """A comparison on tables in its folder. Raises StudyError where there is no table, or the folder is another's."""

    comparison: Comparison
    folder: Path
    data_dir: Path | None = None

    def check(self) -> None:
        """Raise StudyError for what could only fail later, before anything is run."""
        for bench in self._benches.values():
            bench.check(all_searching(self.comparison))

    def bouts(self) -> list[Bout]:
        """Return all runs there are to be, seed by seed."""
        return bouts(self.comparison, {name for name, bench in self._benches.items() if bench.hand_made()})

    def records(self) -> dict[Bout, Record]:
        """Return the records there are by now, of all bouts."""
        known: dict[tuple[str, str], Mapping[int, Record]] = {}
        found = {}
        for bout in self.bouts():
            at = bout.task, bout.contender
            if at not in known:
                known[at] = self._read(*at)
            if bout.seed in known[at]:
                found[bout] = known[at][bout.seed]
        return found

    def run(self, heard: Heard, jobs: int = 1) -> None:
        """Run what has not been run, in so many processes, and tell of each part whose records are kept.

        Raises StudyError for a folder with the records of another comparison, or where nothing is in the table.
        """
        for is_matched in (False, True):  # networks of the same size as others come after those
            for part, found in _answered(self, list(self._parts(is_matched)), jobs):
                self._keep(part, found)
                heard(part, found)

    def answer(self, part: Part) -> tuple[Record, ...]:
        """Return the records of a part; those of a control that there cannot be are missing."""
        bench, searching = self._benches[part.task], all_searching(self.comparison)
        if contender := searching.get(part.contender):
            return tuple(bench.searched(contender, seed) for seed in part.seeds)
        if part.contender == HAND_MADE:
            network = bench.hand_made()
            return tuple(bench.given(network, seed) for seed in part.seeds) if network else ()
        networks = {like.seed: bench.matched(like) for like in part.like}
        return tuple(bench.given(network, seed) for seed, network in networks.items() if network)

    def _parts(self, is_matched: bool) -> Iterator[Part]:
        """Yield what is to be run yet, either of those that have the size of others or of all the rest."""
        known, missing = self.records(), defaultdict[tuple[str, str], list[int]](list)
        first = next(iter(self.comparison.contenders))
        for bout in self.bouts():
            if bout not in known and is_matched == (bout.contender == f"{MATCHED}-{first}"):
                missing[bout.task, bout.contender].append(bout.seed)
        for (task, name), seeds in missing.items():
            for start in range(0, len(seeds), PART):
                some = tuple(seeds[start : start + PART])
                like = tuple(known[Bout(task, first, seed)] for seed in some) if is_matched else ()
                yield Part(task, name, some, like)

    def _read(self, task: str, contender: str) -> Mapping[int, Record]:
        name = _name(task, contender)
        try:
            kept = _kept.validate_json(Files(self.folder).read_text(name))
        except FileNotFoundError:
            return {}
        except ValidationError as error:
            raise StudyError(f"'{self.folder / name}' holds no records: {explain(error)}. Delete it.") from None
        if differing := self._differing(_whole(kept.study), self._study(task, contender)):
            raise StudyError(
                f"'{self.folder / name}' holds records of another comparison. Name another folder with --folder, or "
                f"delete it. They differ in\n  {differing}"
            )
        if (costs := self.comparison.costs) and kept.costs != costs:  # the fronts are missing: look them up anew
            return {}
        return {record.seed: record for record in kept.records}

    def _keep(self, part: Part, found: Sequence[Record]) -> None:
        records = {**self._read(part.task, part.contender), **{record.seed: record for record in found}}
        ordered = tuple(records[seed] for seed in sorted(records))
        kept = Kept(self._study(part.task, part.contender), ordered, self.comparison.costs)
        Files(self.folder).write_text(_name(part.task, part.contender), _kept.dump_json(kept).decode() + "\n")

    def _study(self, task: str, contender: str) -> dict[str, object]:
        """Return all that decides a record but its seed: of a control that is given, what the first contender's is."""
        first = next(iter(self.comparison.contenders.values()))
        study = self.comparison.study(task, all_searching(self.comparison).get(contender, first), 0)
        return _told(to_plain(study), self._benches[task].table.fingerprint)

    @staticmethod
    def _differing(held: Mapping[str, object], asked: Mapping[str, object]) -> str:
        keys = [key for key in {**held, **asked} if held.get(key) != asked.get(key)]
        return "\n  ".join(f"{key}: {held.get(key)} there, {asked.get(key)} here" for key in keys)

    def _table(self, study: Study) -> Table:
        assert isinstance(study.backend, TabularSettings)  # noqa: S101
        return table_of(study.backend, study.data.source, self.data_dir)

    @cached_property
    def _benches(self) -> Mapping[str, Bench]:
        first = next(iter(self.comparison.contenders.values()))
        tasks = {name: self.comparison.study(name, first, 0) for name in self.comparison.tasks}
        return {name: Bench(self.comparison, name, self._table(study)) for name, study in tasks.items()}


def _whole(held: Mapping[str, object]) -> Mapping[str, object]:
    """Return the study of records by address, with what amla did not know yet when they were kept: as it was then."""
    try:
        plain = to_plain(from_plain(nested({key: leaf for key, leaf in held.items() if key != TABLE})))
    except StudyError:  # of settings that there are no more
        return held
    return {**held, **_told(plain, held.get(TABLE))}


def _told(plain: Mapping[str, object], table: object) -> dict[str, object]:
    """Return all that decides a record but its seed, by address."""
    return {**flat({key: part for key, part in plain.items() if key not in SEEDED}), TABLE: table}


def tabled(comparison: Comparison, folder: Path, data_dir: Path | None) -> dict[str, Tabled]:
    """Return the parts of a comparison on tables, by the name of their limit.

    Raises StudyError for what could only fail later.
    """
    check_folder(comparison, folder, RECORDS)
    found = {limit: Tabled(part, folder / limit, data_dir) for limit, part in comparison.parts.items()}
    for part in found.values():
        part.check()
    return found


def is_tabled(comparison: Comparison) -> bool:
    """Return whether a comparison is on tables."""
    return isinstance(comparison.backend, TabularSettings)


def _answered(tabled: Tabled, parts: Sequence[Part], jobs: int) -> Iterator[tuple[Part, tuple[Record, ...]]]:
    """Yield parts with their records, as they are answered."""
    if jobs == 1 or len(parts) < 2:
        yield from ((part, tabled.answer(part)) for part in parts)
        return
    file, data_dir = to_yaml(tabled.comparison), tabled.data_dir
    # Spawned: a fork would copy locks that other threads hold.
    with ProcessPoolExecutor(min(jobs, len(parts)), mp_context=get_context("spawn")) as processes:
        orders = (_part.dump_json(part).decode() for part in parts)
        waiting = [processes.submit(_answer, file, data_dir, order) for order in orders]
        try:
            for part, answer in zip(parts, waiting, strict=True):
                yield part, _records.validate_json(answer.result())
        finally:
            processes.shutdown(wait=True, cancel_futures=True)


def _answer(file: str, data_dir: Path | None, order: str) -> str:
    """Answer a part in a process of its own, as JSON."""
    return _records.dump_json(_loaded(file, data_dir).answer(_part.validate_json(order))).decode()


@lru_cache(maxsize=1)
def _loaded(file: str, data_dir: Path | None) -> Tabled:
    return Tabled(from_yaml(file), Path(), data_dir)


def _name(task: str, contender: str) -> str:
    return f"{RECORDS}/{task}/{contender}.json"
