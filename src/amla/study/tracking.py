"""What a run has written, sent to a tracker: read from its events and curves, so that no search waits for it."""

import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from importlib import import_module
from importlib.util import find_spec
from math import isfinite, nan
from pathlib import Path
from secrets import token_hex
from typing import Protocol

from amla.storage.errors import DamagedFile
from amla.storage.files import Files
from amla.storage.records import Records
from amla.storage.replay import outcomes, proposals
from amla.study import log
from amla.study.folder import BEST, REPORT, STUDY, WEIGHTS, Run, flat, read
from amla.study.phases import PHASES, REHEARSAL
from amla.study.result import Result, Scored, is_finished, result
from amla.study.settings.places import MlflowSettings, TensorBoardSettings, TrackerSettings
from amla.study.study import StudyError, load, to_plain, to_yaml
from amla.trackers.told import Begun, Ended, Leg, Line, lines
from amla.trials.trial import Trial

try:
    import fcntl
except ImportError:  # no POSIX: then two senders are not kept apart
    fcntl = None  # type: ignore[assignment]

KEY = "trackers.json"  # in a run folder: what the run is called by all trackers
SHOWN = tuple(phase for phase in PHASES if phase != REHEARSAL)
FILES = (STUDY, REPORT, BEST, WEIGHTS)


class Tracker(Protocol):
    """Who is told what a run has written, in order. What it knows already it may be told again, and does nothing."""

    def begins(self, run: Begun) -> None:
        """Hear of the run, before all else."""

    def asked(self, leg: Leg) -> None:
        """Hear of a trial that begins, or was begun before."""

    def progress(self, leg: Leg, lines: list[Line]) -> None:
        """Hear lines of its learning curve, in order."""

    def told(self, leg: Leg) -> None:
        """Hear its outcome."""

    def ends(self, end: Ended) -> None:
        """Hear how far the run has come, after all else."""


def tracker_of(settings: TrackerSettings) -> Tracker:
    """Return the tracker that a study names. Raises StudyError if its library is not installed."""
    require(settings)
    tracker: Tracker
    match settings:
        case MlflowSettings(uri=uri, experiment=experiment):
            tracker = import_module("amla.trackers.mlflow").Mlflow(uri, experiment)
        case TensorBoardSettings(folder=folder):
            tracker = import_module("amla.trackers.tensorboard").TensorBoard(Path(folder))
    return tracker


def require(settings: TrackerSettings) -> None:
    """Raise StudyError if the library of a tracker is not installed; it is not loaded for that."""
    library = settings.kind
    if find_spec(library) is None:
        raise StudyError(
            f"The tracker {settings.kind!r} needs {library!r}; install it with: pip install 'amla[trackers]'."
        )


@contextmanager
def sending(folder: Path, *, waiting: bool = False) -> Iterator[str]:
    """Be the one who sends a run to its trackers, and yield by which key they know it.

    Raises StudyError if another process is sending it; `waiting`: waits for that one to end. The key is made once,
    before anything is sent, so that whoever goes on finds what was sent.
    """
    with (folder / KEY).open("a+", encoding="utf-8") as file:
        if fcntl is not None:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | (0 if waiting else fcntl.LOCK_NB))
            except BlockingIOError:
                raise StudyError(f"'{folder}' is being sent to its trackers by another process; let it end.") from None
        file.seek(0)
        try:
            key = str(json.loads(file.read())["key"])
        except (ValueError, KeyError, TypeError):  # new, or torn before anything was sent
            key = token_hex(16)
            file.truncate(0)
            file.write(json.dumps({"key": key}) + "\n")
            file.flush()
        yield key


@dataclass
class Sender:
    """Tells a tracker what a run has written. Made anew, it tells all of it again, and the tracker knows what is new.

    `next` and `steps` are where it has got to: a cache.
    """

    folder: Path
    key: str
    tracker: Tracker
    next: dict[str, int] = field(default_factory=dict)  # sequence, by phase
    running: dict[str, Leg] = field(default_factory=dict)
    steps: dict[str, int] = field(default_factory=dict)  # of the lineage of each trial that a later one may start from
    last: float = 0.0  # the time of the newest event

    def send(self) -> None:
        """Tell what is new. Raises whatever the tracker, the log and the files do."""
        if not log.exists(self.folder):
            return
        where, names = log.where(self.folder)
        with Records(where, read_only=True) as records:
            for phase in SHOWN:
                for sequence, kind, trial_id, body, at in records.since(names[phase], self.next.get(phase, 0)):
                    if not self.next:  # not before: until there is an event, the folder may get another study
                        self._begin(at)
                    if kind == "asked":
                        self._asked(phase, trial_id, body, at)
                    else:
                        self._told(phase, trial_id, body, at)
                    self.next[phase], self.last = sequence + 1, max(self.last, at)
        for leg in self.running.values():
            self._progress(leg)

    def end(self) -> None:
        """Tell what there is in the end. Call it after `send`."""
        if not self.next:
            return
        run = read(self.folder)
        files = {name: path for name in FILES if (path := self.folder / name).is_file()}
        self.tracker.ends(Ended(is_finished(run), _figures(run), files, self.last))

    def _begin(self, at: float) -> None:
        study = replace(load(self.folder / STUDY), trackers=())
        settings = {address: _text(leaf) for address, leaf in flat(to_plain(study)).items() if leaf is not None}
        del settings["trackers"]
        self.tracker.begins(
            Begun(self.key, study.name, settings, to_yaml(study), (self.folder / STUDY).stat().st_mtime)
        )
        self.next = dict.fromkeys(SHOWN, 0)

    def _asked(self, phase: str, trial_id: int, body: str, at: float) -> None:
        proposal = proposals.validate_json(body)
        before = 0 if proposal.start is None else self.steps.get(f"{phase}/{proposal.start}", 0)
        leg = Leg(phase, Trial(trial_id, proposal), before, at)
        if proposal.keep:
            self.steps[leg.key] = before + proposal.budget
        self.tracker.asked(leg)
        self.running[leg.key] = leg

    def _told(self, phase: str, trial_id: int, body: str, at: float) -> None:
        leg = self.running[f"{phase}/{trial_id}"]
        self._progress(leg)
        over = Trial(trial_id, leg.trial.proposal, outcomes.validate_json(body))
        self.tracker.told(replace(leg, trial=over, told=at))
        del self.running[leg.key]

    def _progress(self, leg: Leg) -> None:
        with suppress(DamagedFile):  # which costs the picture alone
            if curve := Files(self.folder).curve(leg.key):
                self.tracker.progress(leg, lines(curve, leg))


def _text(leaf: object) -> str:
    return leaf if isinstance(leaf, str) else json.dumps(leaf)


def _figures(run: Run) -> dict[str, float]:
    """Return what a run came to, by name; nothing before its test."""
    found = result(run)
    if found is None:
        return {}
    figures = {
        **_tested(found),
        "test/balanced_accuracy": nan if found.balanced_accuracy is None else found.balanced_accuracy,
        "test/macro_f1": nan if found.macro_f1 is None else found.macro_f1,
        "test/examples": found.examples,
        "best/parameters": found.parameters,
        "best/macs": found.macs,
        "best/steps": found.steps,
        "seconds/search": found.search_seconds,
        "seconds/final": found.final_seconds,
    }
    return {name: float(number) for name, number in figures.items() if isfinite(number)}


def _tested(found: Result) -> dict[str, float]:
    figures = _scored(found.scored) if found.scored else {}
    if tested := found.tested:
        figures |= {
            "test/accuracy": tested.accuracy,
            "test/accuracy_low": tested.low,
            "test/accuracy_high": tested.high,
        }
    for place, each in enumerate(found.errors):
        figures |= {f"test/mae/{place}": each.mean, f"test/rmse/{place}": each.root}
    return figures


def _scored(scored: Scored) -> dict[str, float]:
    """Return the metric that decided, where that is not accuracy, with its interval if one is known."""
    name, (low, high) = f"test/{scored.metric}", scored.interval or (nan, nan)
    return {name: scored.value, f"{name}_low": low, f"{name}_high": high}
