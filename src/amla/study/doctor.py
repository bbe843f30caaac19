"""Checks a run, or all runs in a database, for everything that can be wrong with it, and mends what can be mended."""

from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

from amla.storage.errors import StoreError
from amla.storage.lease import Lease
from amla.storage.records import Records
from amla.study import log
from amla.study.file_findings import of_curves, of_passing, of_settings, of_snapshots, of_weights
from amla.study.finding import Finding
from amla.study.folder import STUDY, WEIGHTS, read
from amla.study.log_findings import of_leases, of_log
from amla.study.resolve import FINAL
from amla.study.result import files, is_finished
from amla.study.study import StudyError
from amla.trials.history import History

DAMAGED = "damaged"  # a folder in the run folder, for what is taken out of it


@dataclass(frozen=True)
class Diagnosis:
    """What was found; and who drives the run meanwhile, if anybody does: then its files are changing, and were left."""

    findings: tuple[Finding, ...]
    driver: str | None = None

    @property
    def is_sound(self) -> bool:
        """Whether nothing is wrong, or nothing any more."""
        return not any(finding.hinders and finding.did is None for finding in self.findings)


def diagnose(where: str, *, repair: bool = False) -> Diagnosis:
    """Return what is wrong with a run folder, or with the database at a URL; `repair` mends what can be mended.

    Raises StudyError if it is neither, or if it shall be repaired while somebody drives it; StoreError and OSError if
    a database cannot be reached.
    """
    with ExitStack() as opened:
        if "://" in where:
            return _of_database(opened, where, repair)
        folder = Path(where)
        if not (folder / STUDY).exists() and not log.exists(folder):
            raise StudyError(
                f"'{where}' is no run folder: it has no {STUDY} and no events. Name one, or the URL of a database."
            )
        return _of_folder(opened, folder, repair)


def _of_database(opened: ExitStack, url: str, repair: bool) -> Diagnosis:
    records = opened.enter_context(Records(url, read_only=True))
    leases = records.leases()
    driven = {lease.study for lease in leases if lease.is_live}
    names = sorted({*records.studies(), *(lease.study for lease in leases)} - driven)
    if repair and names:
        records = _for_us(opened, url, names)
    _, found = of_log(records, names, Path.cwd())
    _, more = of_log(records, sorted(driven), Path.cwd())
    found += [*of_leases(leases), *map(_left_alone, more)]
    return Diagnosis(_mended(found, repair))


def _left_alone(finding: Finding) -> Finding:
    """Return what was found in a run that somebody drives: nothing is mended meanwhile."""
    if finding.mend is None:
        return finding
    return replace(finding, mend=None, advice=f"Let its driver end first. {finding.advice}")


def _of_folder(opened: ExitStack, folder: Path, repair: bool) -> Diagnosis:
    found = list(of_settings(folder))
    histories: dict[str, History] = {}
    if log.exists(folder):
        try:
            where, names = log.where(folder)
        except StudyError as error:
            return Diagnosis((*found, Finding(log.STORE, str(error), "Put a copy of it in its place.")))
        try:
            records = opened.enter_context(Records(where, read_only=True))
            leases = [lease for lease in records.leases() if lease.study in names.values()]
            if driver := _driver(leases):
                if repair:
                    raise StudyError(f"'{folder}' is not repaired while {driver} drives it. Let it finish, or end it.")
                _, more = of_log(records, list(names.values()), folder / DAMAGED)
                return Diagnosis((*found, *map(_left_alone, more)), driver)
            if repair:
                records = _for_us(opened, where, list(names.values()))
            by_name, more = of_log(records, list(names.values()), folder / DAMAGED)
        except (StoreError, OSError) as error:  # with nobody's lease, nothing is touched
            return Diagnosis((*found, Finding("the events", str(error), "Mend that first; files were not checked.")))
        histories = {phase: by_name[name] for phase, name in names.items()}
        found += [*more, *of_leases(leases)]
    found += [*_of_files(folder, histories, any(finding.hinders for finding in found))]
    return Diagnosis(_mended(found, repair))


def _of_files(folder: Path, histories: dict[str, History], is_ill: bool) -> Iterable[Finding]:
    """Yield what is wrong with files; what snapshots are needed is not known if the events or the study are ill."""
    yield from of_passing(folder)
    yield from of_curves(folder)
    if is_ill:
        return
    run = read(folder)
    is_over = is_finished(run)
    for phase, history in histories.items():
        yield from of_snapshots(folder, phase, history, is_over and phase != FINAL)
    if FINAL in histories and WEIGHTS in files(run.study):
        yield from of_weights(folder, histories[FINAL])


def _for_us(opened: ExitStack, where: Path | str, names: Sequence[str]) -> Records:
    """Return records to write, of which nobody else writes these studies; leases left behind are given back."""
    records = opened.enter_context(Records(where))
    opened.enter_context(records.lease(*names))
    return records


def _driver(leases: Sequence[Lease]) -> str | None:
    return next((lease.holder for lease in leases if lease.is_live), None)


def _mended(found: Iterable[Finding], repair: bool) -> tuple[Finding, ...]:
    return tuple(replace(each, did=each.mend()) if repair and each.mend else each for each in found)
