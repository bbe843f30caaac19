"""`amla predict`: what the network of a run says of images, a line for each."""

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
    """Print the most probable classes of every image; what cannot be read is told on stderr, and ends in code 1."""
    found = trained(folder)
    classes = found.facts.classes
    if top > len(classes):
        raise StudyError(f"--top is {top}, but there are {len(classes)} classes.")
    predict = predictor(found.architecture, found.weights, found.facts, device)
    unreadable = 0
    for part in shown(paths, found.architecture.shape, found.canvas):
        if part.names:
            for name, probabilities in zip(part.names, predict(part.inputs), strict=True):
                typer.echo(_line(name, classes, probabilities, top, as_json))
        for name in part.unreadable:
            typer.echo(f"amla: {name!r} cannot be read as an image", err=True)
        unreadable += len(part.unreadable)
    if unreadable:
        raise typer.Exit(UNREADABLE)


def _line(name: str, classes: tuple[str, ...], probabilities: NDArray[np.float64], top: int, as_json: bool) -> str:
    best = np.argsort(-probabilities, kind="stable")[:top].tolist()
    ranked = [(classes[i], float(probabilities[i])) for i in best]
    if as_json:
        first = {"file": name, "class": ranked[0][0], "probability": ranked[0][1]}
        others = {"top": [{"class": each, "probability": share} for each, share in ranked]} if top > 1 else {}
        return json.dumps(first | others, ensure_ascii=False)
    return "\t".join([name, *(part for each, share in ranked for part in (each, f"{share:.4f}"))])
