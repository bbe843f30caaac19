"""`amla track`: send a run, finished or not, to trackers."""

from pathlib import Path

from amla.cli.console import escape, opened, say
from amla.reports.numbers import plural
from amla.study.folder import read
from amla.study.settings.places import MlflowSettings, TensorBoardSettings, TrackerSettings
from amla.study.study import StudyError
from amla.study.tracking import Sender, require, sending, tracker_of


def track_run(folder: Path, to: list[str], experiment: str) -> None:
    """Send a run to the trackers that are named, or to those of its study."""
    run = read(folder)
    trackers = tuple(_tracker(each, experiment) for each in to) or run.study.trackers
    if not trackers:
        raise StudyError(
            "The study names no trackers; say where to send it, such as --to mlflow:http://HOST:PORT or "
            "--to tensorboard:FOLDER."
        )
    for settings in trackers:
        require(settings)
    console = opened()
    with sending(folder) as key:
        for settings in trackers:
            try:
                sender = Sender(folder, key, tracker_of(settings))
                sender.send()
                sender.end()
            except Exception as error:  # of a library: what it says is all that can be told
                raise StudyError(f"{settings.kind} did not take all of '{folder}': {error}") from error
            sent = plural(len(run.search) + len(run.final), "trial")
            say(console, f"sent {escape(str(folder))}, {sent}, to {settings.kind}")


def _tracker(said: str, experiment: str) -> TrackerSettings:
    kind, _, where = said.partition(":")
    match kind:
        case "mlflow":
            return MlflowSettings(uri=where or None, experiment=experiment)
        case "tensorboard" if where:
            return TensorBoardSettings(folder=where)
        case _:
            raise StudyError(
                f"--to {said!r} names no tracker; write mlflow:http://HOST:PORT, mlflow:sqlite:///FILE or "
                "tensorboard:FOLDER."
            )
