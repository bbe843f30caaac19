"""What training makes smaller: cross-entropy, smoothed and weighted as the recipe says, or squared error."""

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 - PyTorch's own custom

from amla.tasks.task import Task


class Loss:
    """The mean over a batch of the cross-entropy of each example, times what its class counts.

    Each example has one weight, whatever its label is smoothed to, and weights are 1 on average over the training
    examples, not over each batch: so the mean of the losses of equal shares of a batch is that of the whole. Of numbers
    that are to be predicted, it is the mean squared error, in standard deviations.
    """

    def __init__(self, task: Task, device: torch.device) -> None:
        self._smoothing = task.recipe.label_smoothing
        weights = task.class_weights
        self._weights = None if weights is None else torch.tensor(weights, device=device)

    def __call__(self, outputs: Tensor, labels: Tensor) -> Tensor:
        """Return the loss of (batch, classes) and (batch,), or of (batch, targets) twice: a single number."""
        if labels.is_floating_point():
            return F.mse_loss(outputs, labels)
        if self._weights is None:
            return F.cross_entropy(outputs, labels, label_smoothing=self._smoothing)
        losses = F.cross_entropy(outputs, labels, label_smoothing=self._smoothing, reduction="none")
        return (losses * self._weights[labels]).mean()


def plain_loss(outputs: Tensor, labels: Tensor) -> Tensor:
    """Return the sum over a batch of the loss of each example, neither smoothed nor weighted."""
    if labels.is_floating_point():
        return F.mse_loss(outputs, labels, reduction="none").mean(1).sum()
    return F.cross_entropy(outputs, labels, reduction="sum")
