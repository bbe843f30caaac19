"""A study from its settings to its report, in its run folder, without a word to anybody but a listener."""

from contextlib import suppress
from pathlib import Path

from amla.reports.page import render
from amla.storage.files import Files
from amla.study import folder as folders
from amla.study.heard import Listener
from amla.study.log import writing
from amla.study.report import report
from amla.study.resolve import check
from amla.study.result import is_finished
from amla.study.search import Search
from amla.study.study import Study
from amla.tasks.task import Task


def complete(study: Study, task: Task, folder: Path, listener: Listener, data_dir: Path | None = None) -> None:
    """Run a study to its end, from wherever `folder` says it was cut off, and write its report, whatever happens.

    Nothing is done if it is finished. Raises StudyError for a folder with another study in it, StoreError if another
    process drives it, and what `Search.run` raises.
    """
    begun = (folder / folders.STUDY).exists()
    if not begun:
        check(study, task)  # a study that cannot be run leaves no folder behind
    study = folders.prepare(folder, study, task)
    if is_finished(folders.read(folder)):
        return
    with writing(folder) as log:
        try:
            Search(study, task, log, Files(folder), folder, listener, data_dir).run()
        except BaseException:
            with suppress(Exception):  # what happened first is what the user must hear of
                _write_report(folder, task)
            raise
        _write_report(folder, task)


def _write_report(folder: Path, task: Task) -> None:
    Files(folder).write_text(folders.REPORT, render(report(folders.read(folder), task.dataset)))
