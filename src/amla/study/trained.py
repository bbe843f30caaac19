"""The network that a finished run leaves: its architecture, its weights, and what a user of it must know."""

import json
from dataclasses import dataclass
from pathlib import Path

from amla.export.source import Facts
from amla.reports.numbers import percent
from amla.spec import text
from amla.spec.architecture import Architecture
from amla.storage.files import Files
from amla.study.folder import BEST, WEIGHTS, Run, read
from amla.study.result import result
from amla.study.study import StudyError
from amla.trials.snapshot import Arrays


@dataclass(frozen=True)
class Trained:
    """A network with its weights, by canonical name, and the facts about it."""

    run: Run
    architecture: Architecture
    weights: Arrays
    facts: Facts


def trained(folder: Path) -> Trained:
    """Return the network of a run. Raises StudyError if it has none yet, DamagedFile for weights that are torn."""
    run = read(folder)
    found = result(run)
    if found is None or not (folder / WEIGHTS).is_file():
        raise StudyError(
            f"'{folder}' has no trained network yet. Start the command that began it again; it goes on to the end."
        )
    weights, notes = Files(folder).load_weights("best")
    recipe = run.study.final.recipe or run.study.recipe
    tested = found.tested
    facts = Facts(
        name=run.study.name,
        classes=tuple(json.loads(notes["classes"])),
        mean=tuple(json.loads(notes["mean"])),
        deviation=tuple(json.loads(notes["deviation"])),
        mirrored=recipe.score_mirrored,
        note=f"Test accuracy {percent(tested.accuracy, 2)} on {tested.examples:,} examples.".replace("\u202f", " "),
    )
    return Trained(run, text.load(folder / BEST), weights, facts)
