"""`amla predict`: what the network of a run says of images, series or recordings, a line for each."""

import json
from pathlib import Path

import numpy as np
import typer
from numpy.typing import NDArray

from amla.study.prediction import predictor
from amla.study.study import StudyError
from amla.study.trained import trained
from amla.tasks.shown import shown

UNREADABLE = 1  # exit code, if an image could not be read


def predict_images(folder: Path, paths: list[Path], top: int, as_json: bool, device: str | None) -> None:
    """Print the most probable classes of every image, or its numbers.

    What cannot be read is told on stderr, and ends in code 1.
    """
    found = trained(folder)
    classes, numbers = found.facts.classes, bool(found.facts.target_mean)
    if numbers and top > 1:
        raise StudyError("--top is of classes, but the network predicts numbers; leave it out.")
    if top > len(classes):
        raise StudyError(f"--top is {top}, but there are {len(classes)} classes.")
    predict = predictor(found.architecture, found.weights, found.facts, device)
    unreadable = 0
    for part in shown(paths, found.architecture.shape, found.canvas, found.sound):
        if part.names:
            for name, probabilities in zip(part.names, predict(part.inputs), strict=True):
                said = _numbers(name, classes, probabilities, as_json) if numbers else None
                typer.echo(said or _line(name, classes, probabilities, top, as_json))
        for name in part.unreadable:
            typer.echo(f"amla: {name!r} cannot be read as {'a recording' if found.sound else 'an image'}", err=True)
        unreadable += len(part.unreadable)
    if unreadable:
        raise typer.Exit(UNREADABLE)


def _numbers(name: str, targets: tuple[str, ...], values: NDArray[np.float64], as_json: bool) -> str:
    """Return what is predicted, in the units of the data."""
    if as_json:
        said = dict(zip(targets, map(float, values), strict=True))
        return json.dumps({"file": name, "values": said}, ensure_ascii=False)
    return "\t".join([name, *(f"{number:.6g}" for number in values)])


def _line(name: str, classes: tuple[str, ...], probabilities: NDArray[np.float64], top: int, as_json: bool) -> str:
    best = np.argsort(-probabilities, kind="stable")[:top].tolist()
    ranked = [(classes[i], float(probabilities[i])) for i in best]
    if as_json:
        first = {"file": name, "class": ranked[0][0], "probability": ranked[0][1]}
        others = {"top": [{"class": each, "probability": share} for each, share in ranked]} if top > 1 else {}
        return json.dumps(first | others, ensure_ascii=False)
    return "\t".join([name, *(part for each, share in ranked for part in (each, f"{share:.4f}"))])
