"""A study from its settings to its report, in its run folder."""

from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from pathlib import Path

from amla.reports.page import render
from amla.storage.files import Files
from amla.study import folder as folders
from amla.study.calibration import calibrated, held
from amla.study.folder import Run
from amla.study.following import followed
from amla.study.heard import Listener
from amla.study.latency import meter_of
from amla.study.log import writing
from amla.study.moment import Moment
from amla.study.report import report
from amla.study.resolve import check
from amla.study.result import is_finished
from amla.study.search import Search
from amla.study.shared import files_of, publish, reach, share, shared
from amla.study.study import Study
from amla.study.tracking import require
from amla.study.underway import Underway, unsaid
from amla.tasks.task import Task

Listening = Callable[[Study], AbstractContextManager[Listener]]
Notice = Callable[[str], None]


@dataclass(frozen=True)
class Elsewhere:
    """URLs of what is not in the run folder: events are in the database `store`.

    Snapshots are below `files`, an address that fsspec understands, and copies of what came out.
    """

    store: str | None = None
    files: str | None = None


IN_THE_FOLDER = Elsewhere()


def complete(
    study: Study,
    task: Task,
    folder: Path,
    listening: Listening,
    data_dir: Path | None = None,
    elsewhere: Elsewhere = IN_THE_FOLDER,
    notice: Notice = unsaid,
    began: Moment | None = None,
) -> Run:
    """Run a study to its end, from wherever `folder` says it was cut off; its report is written whatever happens.

    `listening` returns who is told, once nobody else can drive the run. `notice` is told what went wrong with trackers
    and curves, which hinders nothing. `began` is when the study was asked for, by default now: its limit of seconds
    counts from then. Nothing is done if the study is finished. Raises StudyError for a folder with another study in it,
    StoreError if another process drives it, and what `Search.run` raises.
    """
    began, finished = began or Moment.now(), is_complete(folder)
    if not finished:
        check(study, task)  # a study that cannot be run leaves no folder behind
        study = calibrated(study, task, folder, meter_of(study, notice), unsaid)
        for tracker in study.trackers:
            require(tracker)
    elif study.latency is not None:
        study = held(study, folder) or study
    if elsewhere.files and shared(folder) is None:
        reach(elsewhere.files)
    study = folders.prepare(folder, study, task, elsewhere.store)
    share(folder, elsewhere.files, study.name)
    if finished:
        publish(folder)
        return folders.read(folder)
    with writing(folder) as log, listening(study) as listener, followed(folder, study.trackers, notice):
        try:
            meter = meter_of(study, notice)
            files = files_of(folder)
            Search(Underway(study, task, log, files, folder, listener, began, data_dir, meter, notice)).run()
        except BaseException as error:
            with suppress(Exception):  # what happened first is what the user must hear of
                if isinstance(error, KeyboardInterrupt):  # a report takes a moment
                    notice("stopping, once the report of what there is has been written")
                _write_report(folder, task)
            raise
        _write_report(folder, task)
        publish(folder)
    run = folders.read(folder)
    for damage in run.damaged_curves():
        notice(f"{damage} The report was drawn without it.")
    return run


def is_complete(folder: Path) -> bool:
    """Whether there is nothing to do any more for the run in a folder."""
    return (folder / folders.STUDY).exists() and is_finished(folders.read(folder))


def _write_report(folder: Path, task: Task) -> None:
    Files(folder).write_text(folders.REPORT, render(report(folders.read(folder), task.dataset)))
