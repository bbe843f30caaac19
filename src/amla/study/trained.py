"""The network that a finished run leaves: its architecture, its weights, and what a user of it must know."""

import json
from dataclasses import dataclass
from math import isfinite
from pathlib import Path

from pydantic import TypeAdapter

from amla.export.source import Facts
from amla.reports.numbers import percent
from amla.spec import text
from amla.spec.architecture import Architecture
from amla.storage.files import Files
from amla.study.folder import BEST, WEIGHTS, Run, read
from amla.study.reading import read as read_data
from amla.study.resolve import task_of
from amla.study.result import Result, result
from amla.study.study import StudyError
from amla.tasks.sound import Sound
from amla.tasks.task import Task
from amla.trials.snapshot import Arrays

_sound = TypeAdapter(Sound)
ARRAYS = "data.npz"  # of a run whose data were given as arrays


@dataclass(frozen=True)
class Trained:
    """A network with its weights, by canonical name, and the facts about it."""

    run: Run
    architecture: Architecture
    weights: Arrays
    facts: Facts
    sound: Sound | None = None  # what recordings become spectrograms by

    @property
    def canvas(self) -> tuple[int, int] | None:
        """What images are scaled to cover, (height, width), before their middle is read; None: they are stretched."""
        canvas = self.run.study.data.canvas
        return None if canvas is None else (canvas[0], canvas[1])


def trained(folder: Path) -> Trained:
    """Return the network of a run. Raises StudyError if it has none yet, DamagedFile for weights that are torn."""
    run = read(folder)
    found = result(run)
    if found is None or not (folder / WEIGHTS).is_file():
        raise StudyError(
            f"'{folder}' has no trained network yet. Start the command that began it again; it goes on to the end."
        )
    weights, notes = Files(folder).load_weights("best")
    recipe = run.study.final_recipe
    numbers, sound = "target_mean" in notes, _sound.validate_json(notes["sound"]) if "sound" in notes else None
    heard = f" Inputs are {sound}, in decibels." if sound else ""
    facts = Facts(
        name=run.study.name,
        classes=tuple(json.loads(notes["classes"])),
        mean=tuple(json.loads(notes["mean"])),
        deviation=tuple(json.loads(notes["deviation"])),
        mirrored=recipe.score_mirrored,
        note=f"Test {_worth(found)} on {found.examples:,} examples.{heard}".replace("\u202f", " "),
        target_mean=tuple(json.loads(notes["target_mean"])) if numbers else (),
        target_deviation=tuple(json.loads(notes["target_deviation"])) if numbers else (),
    )
    return Trained(run, text.load(folder / BEST), weights, facts, sound)


def _worth(found: Result) -> str:
    if found.tested:
        return f"accuracy {percent(found.tested.accuracy, 2)}"
    if found.scored is None:
        return "nothing"
    return f"R2 {found.scored.value:.3f}" if isfinite(found.scored.value) else "R2 not known"


def notes_of(task: Task) -> dict[str, str]:
    """Return what a user of the weights needs besides: how inputs are normalised, what outputs mean, in which units."""
    mean, deviation = task.moments
    notes = {"mean": json.dumps(mean), "deviation": json.dumps(deviation), "classes": json.dumps(task.dataset.classes)}
    if task.are_numbers:
        target_mean, target_deviation = task.targets
        notes |= {"target_mean": json.dumps(target_mean), "target_deviation": json.dumps(target_deviation)}
    if task.dataset.sound:
        notes["sound"] = _sound.dump_json(task.dataset.sound).decode()
    return notes


def task_again(run: Run, data_dir: Path | None) -> Task:
    """Return the task of a run, its data loaded. Raises StudyError if they are not what they were, DataError.

    Arrays lie in the run folder, wherever that is now.
    """
    data = run.study.data
    kept = run.folder / ARRAYS
    source = str(kept) if Path(data.source).name == ARRAYS and kept.is_file() else data.source
    dataset = read_data(data, data_dir, source=source)
    if run.study.provenance and run.study.provenance.data != dataset.fingerprint:
        raise StudyError(
            f"The run is of data with the fingerprint {run.study.provenance.data}, but {source!r} now has "
            f"{dataset.fingerprint}. Find the data it was run on."
        )
    return task_of(run.study, dataset)
