"""What can be wrong with the files of a run: torn, altered, missing or left behind."""

import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from amla.spec import text
from amla.spec.values import SpecError
from amla.storage.errors import DamagedFile
from amla.storage.files import Files
from amla.study.finding import Finding, free
from amla.study.folder import BEST, STUDY, WEIGHTS
from amla.study.shared import files_of
from amla.study.study import StudyError, load
from amla.trials.history import History
from amla.trials.trial import Failure

PASSING = re.compile(r"\..+\.[0-9a-f]{32}\.tmp")  # what `amla.storage.folder` calls a file while it writes it
CUT_OFF = "-cut-off"


def of_settings(folder: Path) -> Iterator[Finding]:
    """Yield what is wrong with the study and with the network that is recommended."""
    if not (folder / STUDY).exists():
        yield Finding(STUDY, "it is missing, so nobody knows which study this is", "Put a copy of it in its place.")
    else:
        try:
            load(folder / STUDY)
        except StudyError as error:
            yield Finding(STUDY, str(error), "Put a copy of it in its place.")
    if (folder / BEST).exists():
        try:
            text.load(folder / BEST)
        except SpecError as error:
            advice = "A run that is not over writes it anew; of one that is, put a copy in its place."
            yield Finding(BEST, str(error), advice)


def of_passing(folder: Path) -> Iterator[Finding]:
    """Yield the files that a process was writing when it was killed."""
    for path in sorted(path for path in folder.rglob(".*.tmp") if PASSING.fullmatch(path.name)):
        mend = partial(_delete, path, "Deleted.")
        what = "it was left behind by a process that was killed while it wrote"
        yield Finding(_name(folder, path), what, "With --repair it is deleted.", hinders=False, mend=mend)


def of_curves(folder: Path) -> Iterator[Finding]:
    """Yield the learning curves that cannot be read."""
    for path in sorted(folder.glob("curves/*/*.jsonl")):
        try:
            Files(folder).curve(f"{path.parent.name}/{path.stem}")
        except (DamagedFile, UnicodeDecodeError):
            what = "lines of the learning curve cannot be read; reports cannot be drawn"
            advice = "With --repair it is put aside; only pictures need it."
            yield Finding(_name(folder, path), what, advice, mend=partial(_put_aside, folder, path))


def of_snapshots(folder: Path, phase: str, history: History, is_over: bool) -> Iterator[Finding]:
    """Yield what is wrong with the snapshots of a phase with this history; `is_over`: no trial will need them."""
    files = files_of(folder)
    stems = [key.rpartition("/")[2] for key in files.snapshots(phase)]
    for stem in stems:
        name, key = f"snapshots/{phase}/{stem}.safetensors", stem.removesuffix(CUT_OFF)
        spare = None if not key.isdecimal() else _spare(history, int(key), stem != key, is_over)
        if spare:
            mend = partial(_drop, files, f"{phase}/{stem}", "Deleted.")
            yield Finding(name, spare, "With --repair it is deleted.", hinders=False, mend=mend)
            continue
        try:
            files.load(f"{phase}/{stem}")
        except DamagedFile as error:
            mend = partial(_drop, files, f"{phase}/{stem}", "Deleted; its trial is trained again when it is needed.")
            advice = (
                "Put a copy of it in its place; or with --repair it is deleted, and its trial trained again when it is "
                "needed, as it also is without."
            )
            yield Finding(name, str(error), advice, mend=mend)
    yield from _missing(history, set(stems), phase)


def of_weights(folder: Path, final: History) -> Iterator[Finding]:
    """Yield that the weights of a network that was tested are missing or damaged; a study that runs on writes them."""
    tested = final.done[-1].proposal if final.done else None
    if tested is None or tested.budget:
        return
    again = "Run the study once more, which writes it; or put a copy in its place."
    try:
        Files(folder).load_weights("best")
    except FileNotFoundError:
        yield Finding(WEIGHTS, "it is missing, though its network was tested", again)
    except DamagedFile as error:
        mend = partial(_delete, folder / WEIGHTS, "Deleted. Run the study once more, which writes it.")
        advice = "With --repair it is deleted, and written when the study is run once more; or put a copy in its place."
        yield Finding(WEIGHTS, str(error), advice, mend=mend)


def _missing(history: History, there: set[str], phase: str) -> Iterator[Finding]:
    """Yield the snapshots that running trials start from and that are not there."""
    for trial in history.running:
        start = trial.proposal.start
        if start is not None and str(start) not in there:
            what = f"it is missing, and trial {trial.id}, which is not over, starts from it"
            advice = f"When the run goes on, trial {start} is trained again; a copy in its place saves that."
            yield Finding(f"snapshots/{phase}/{start}.safetensors", what, advice, hinders=False)


def _spare(history: History, trial_id: int, is_cut_off: bool, is_over: bool) -> str | None:
    """Return why no trial can ever need a snapshot, None if one may."""
    if trial_id >= len(history):  # the newest events may be lost; a trial of that number comes again
        return None
    trial = history[trial_id]
    if trial.is_running:
        return None
    if is_cut_off:
        return f"trial {trial_id} is over, and needs no checkpoint"
    if isinstance(trial.outcome, Failure):
        return f"trial {trial_id} failed, so nothing starts from it"
    if not trial.proposal.keep:
        return f"trial {trial_id} was not to leave one"
    return "the run is over" if is_over else None


def _name(folder: Path, path: Path) -> str:
    return path.relative_to(folder).as_posix()


def _delete(path: Path, did: str) -> str:
    path.unlink(missing_ok=True)
    return did


def _drop(files: Files, key: str, did: str) -> str:
    files.drop(key)
    return did


def _put_aside(folder: Path, path: Path) -> str:
    target = free(folder / "damaged" / f"{path.parent.name}-{path.name}")
    target.parent.mkdir(exist_ok=True)
    path.rename(target)
    return f"Put aside, as '{_name(folder, target)}'."
