"""Scores of a network on held-out examples."""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 - PyTorch's own custom

from amla.backends.torch.data import Batches
from amla.backends.torch.precision import faster
from amla.evidence.classes import balanced_accuracy, macro_f1
from amla.tasks.task import Task
from amla.trials.trial import Table

SCORING_BATCH = 500


@torch.no_grad()
def scored(compute: Callable[[Tensor], Tensor], batches: Batches, task: Task) -> Table:
    """Return accuracy, loss and number of examples of what `compute` says of `batches`; of test parts, by class too.

    Besides, the accuracy and F1 that all classes have on average: `balanced_accuracy`, `macro_f1`.
    """
    classes = task.classes
    right, total, said, loss = torch.zeros(classes), torch.zeros(classes), torch.zeros(classes), 0.0
    for inputs, labels in batches.scoring(SCORING_BATCH):
        with faster(task.recipe, batches.device):
            logits = compute(inputs).float()
            if task.recipe.score_mirrored:
                logits = (logits + compute(inputs.flip(-1)).float()) / 2
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
