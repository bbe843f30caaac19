"""A trained network as a function from inputs to probabilities or numbers, computed by PyTorch."""

import numpy as np
import torch
from numpy.typing import NDArray

from amla.export.module import module
from amla.export.source import Facts
from amla.spec.architecture import Architecture
from amla.spec.costs import costs
from amla.trials.snapshot import Arrays

BATCH, ROOM = 500, 2**29  # inputs at once, and the bytes that their activations may take


class Runner:
    """A network with its weights on a device (None: a GPU of CUDA if there is one, else the CPU). Raises ValueError."""

    def __init__(self, architecture: Architecture, weights: Arrays, facts: Facts, device: str | None = None) -> None:
        name = device or ("cuda" if torch.cuda.is_available() else "cpu")
        try:
            self._device = torch.device(name)
            self._network = module(architecture, weights, facts).to(self._device)
        except (RuntimeError, AssertionError) as error:
            raise ValueError(f"{name!r} is no device here: {str(error).splitlines()[0]}") from None
        self._mean = torch.tensor(facts.mean, device=self._device)
        self._inverse = 1 / torch.tensor(facts.deviation, device=self._device)
        self._mirrored, self._numbers = facts.mirrored, bool(facts.target_mean)
        self._batch = max(1, min(BATCH, ROOM // max(1, costs(architecture).peak_memory)))

    @torch.no_grad()
    def __call__(self, inputs: NDArray[np.generic]) -> NDArray[np.float64]:
        """Return the probability of each class, (n, classes), for inputs (n, *spatial, channels) as they are in files.

        Of a network that predicts numbers, these, in the units of the data: (n, targets). Where it was measured with
        mirror images too, so is this.
        """
        found = [self._said(inputs[start : start + self._batch]) for start in range(0, len(inputs), self._batch)]
        return np.concatenate(found)

    def _said(self, inputs: NDArray[np.generic]) -> NDArray[np.float64]:
        numbers = torch.from_numpy(np.array(inputs)).to(self._device).float()
        x = numbers.sub_(self._mean).mul_(self._inverse).movedim(-1, 1)
        logits = self._network(x)
        if self._mirrored:
            logits = (logits + self._network(x.flip(-1))) / 2
        outputs = logits.double()
        found: NDArray[np.float64] = (outputs if self._numbers else outputs.softmax(1)).cpu().numpy()
        return found
