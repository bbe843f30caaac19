"""Scores of a network on held-out examples."""

from collections.abc import Callable, Iterator

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 - PyTorch's own custom

from amla.backends.torch.data import Batches
from amla.backends.torch.precision import faster
from amla.evidence.classes import balanced_accuracy, macro_f1
from amla.evidence.numbers import errors, r2_interval
from amla.tasks.task import Task
from amla.trials.trial import Table

SCORING_BATCH = 500


@torch.no_grad()
def scored(compute: Callable[[Tensor], Tensor], batches: Batches, task: Task) -> Table:
    """Return what the outputs that `compute` gives for `batches` are worth; of test parts, more.

    Of classes: accuracy, loss and number of examples, and the accuracy and F1 that all classes have on average,
    `balanced_accuracy` and `macro_f1`; of test parts, each class's too. Of numbers, what `amla.evidence.numbers` tells.
    """
    if task.are_numbers:
        return _of_numbers(compute, batches, task)
    classes = task.classes
    right, total, said, loss = torch.zeros(classes), torch.zeros(classes), torch.zeros(classes), 0.0
    for logits, labels in _outputs(compute, batches, task):
        loss += F.cross_entropy(logits, labels, reduction="sum").item()
        found = logits.argmax(1)
        hits = (found == labels).float()
        right += torch.bincount(labels, hits, minlength=classes).cpu()
        total += torch.bincount(labels, minlength=classes).cpu()
        said += torch.bincount(found, minlength=classes).cpu()
    metrics = {
        "accuracy": right.sum().item() / len(batches),
        "balanced_accuracy": balanced_accuracy(right.tolist(), total.tolist()),
        "macro_f1": macro_f1(right.tolist(), total.tolist(), said.tolist()),
        "loss": loss / len(batches),
        "examples": len(batches),
    }
    if task.score_on == "test":
        for number in range(classes):
            metrics |= {f"right/{number}": right[number].item(), f"examples/{number}": total[number].item()}
    return {name: float(number) for name, number in metrics.items()}


def _of_numbers(compute: Callable[[Tensor], Tensor], batches: Batches, task: Task) -> Table:
    found = [(outputs.cpu().numpy(), labels.cpu().numpy()) for outputs, labels in _outputs(compute, batches, task)]
    said, truth = (np.concatenate(column).astype(np.float64) for column in zip(*found, strict=True))
    _, deviation = task.targets
    metrics = errors(said, truth, deviation)
    if task.score_on == "test":
        low, high = r2_interval(said, truth)
        metrics |= {"r2_low": low, "r2_high": high}
    return metrics


def _outputs(compute: Callable[[Tensor], Tensor], batches: Batches, task: Task) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield what is said of each batch, and its labels."""
    for inputs, labels in batches.scoring(SCORING_BATCH):
        with faster(task.recipe, batches.device):
            outputs = compute(inputs).float()
            if task.recipe.score_mirrored:
                outputs = (outputs + compute(inputs.flip(-1)).float()) / 2
        yield outputs, labels
