"""What do another metric and weighted classes do where classes are out of balance?

Of the digits, five classes keep all training examples and five one in ten (drawn by seed); the test part is as the
digits are, and nobody sees it before the end. Each arm is a search by random choice with its own metric and weights;
arms of one seed search the same networks on the same examples.

Prints one JSON object on its last line: by arm the mean over seeds, in percent, of accuracy and balanced accuracy
(of the balanced test part they are nearly the same), of the recall of the rare and of the common classes, and its
standard deviation over seeds; and of the first arm's recall of rare classes the difference to each other arm, with
the standard deviation of the pairs.

    python benchmarks/balance.py [--quick] [--seeds 5] [--trials 8] [--steps 150] [--final 300] [--folder F]
"""

import argparse
import json
from pathlib import Path
from statistics import mean, stdev
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from sklearn.datasets import load_digits

import amla
from amla.study.folder import read
from amla.study.result import by_class

RARE = range(5, 10)
KEPT = 10  # of the training examples of a rare class, one in so many
ARMS: dict[str, dict[str, Any]] = {
    "accuracy": {},
    "balanced_accuracy": {"metric": "balanced_accuracy"},
    "accuracy, weighted": {"recipe.class_weights": "balanced"},
    "balanced_accuracy, weighted": {"metric": "balanced_accuracy", "recipe.class_weights": "balanced"},
    "macro_f1, weighted": {"metric": "macro_f1", "recipe.class_weights": "balanced"},
}


def thinned(seed: int) -> dict[str, np.ndarray]:
    """Return a third of the digits to test on, and of the others all of the common and few of the rare classes."""
    digits = load_digits()
    images, labels = (digits.images * 255 / 16).astype(np.uint8), digits.target
    order = np.random.default_rng(seed).permutation(len(labels))
    test, rest = order[: len(order) // 3], order[len(order) // 3 :]
    kept = [
        place[: max(4, len(place) // KEPT)] if label in RARE else place
        for label in range(10)
        for place in [rest[labels[rest] == label]]
    ]
    train = np.concatenate(kept)
    return {"x_train": images[train], "y_train": labels[train], "x_test": images[test], "y_test": labels[test]}


def measured(data: dict[str, np.ndarray], settings: dict[str, Any], seed: int, place: Path) -> dict[str, float]:
    """Return what a search with some settings comes to on the test part, in percent."""
    found = amla.search(data, seed=seed, run=place, workers=0, baselines=None, **settings)
    run = read(place)
    classes = by_class(run.final.done[-1].measurement, found.classes)
    recalls = [right / of for right, of in classes.values()]
    return {
        "accuracy": 100 * float(found.accuracy),
        "balanced_accuracy": 100 * (found.balanced_accuracy or 0.0),
        "macro_f1": 100 * (found.macro_f1 or 0.0),
        "rare": 100 * mean(recalls[label] for label in RARE),
        "common": 100 * mean(recalls[label] for label in range(5)),
    }


def main() -> None:
    """Run every arm with every seed, and print what came of it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="two seeds, few steps")
    for name, usual in (("seeds", 5), ("trials", 8), ("steps", 150), ("final", 300)):
        parser.add_argument(f"--{name}", type=int, default=usual)
    parser.add_argument("--folder", type=Path)
    given = parser.parse_args()
    if given.quick:
        given.seeds, given.trials, given.steps, given.final = 2, 2, 20, 40
    fixed = {"algorithm": {"kind": "random", "trials": given.trials, "steps": given.steps}, "final.steps": given.final}
    with TemporaryDirectory() as temporary:
        folder = given.folder or Path(temporary)
        found: dict[str, list[dict[str, float]]] = {name: [] for name in ARMS}
        for seed in range(given.seeds):
            data = thinned(seed)
            for name, settings in ARMS.items():
                place = folder / f"{name.replace(', ', '-')}-{seed}"
                row = measured(data, {**fixed, "data.validation": 0.25, **settings}, seed, place)
                found[name].append(row)
                print(
                    f"seed {seed}, {name}: {json.dumps({key: round(share, 2) for key, share in row.items()})}",
                    flush=True,
                )
    print(json.dumps(summary(found)))


def summary(found: dict[str, list[dict[str, float]]]) -> dict[str, Any]:
    """Return means and standard deviations over seeds, and of the pairs with the first arm."""
    first = next(iter(found.values()))
    told: dict[str, Any] = {}
    for name, rows in found.items():
        told[name] = {key: _spread([row[key] for row in rows]) for key in rows[0]}
        told[name]["rare_more"] = _spread([row["rare"] - base["rare"] for row, base in zip(rows, first, strict=True)])
    return told


def _spread(numbers: list[float]) -> list[float]:
    return [round(mean(numbers), 2), round(stdev(numbers), 2) if len(numbers) > 1 else 0.0]


if __name__ == "__main__":
    main()
