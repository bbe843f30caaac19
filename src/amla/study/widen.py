"""Makes the network that a search has found wider, for the final training: the same decisions at another width.

How wide pays depends on how much training there is. The rule for `auto` is that a network's multiply-accumulates grow
with the square root of the operations that train it, as loss-optimal sizes do (Hoffmann et al. 2022, there of language
models), from a point that is known to be good: the plain baseline on CIFAR-10 (docs/log.md).
"""

from dataclasses import replace
from math import sqrt

from amla.spec.architecture import Architecture
from amla.spec.costs import costs
from amla.study.resolve import envelope_of
from amla.study.study import Study
from amla.tasks.task import Task

# 94.1 % on CIFAR-10: studies/baselines/plain-cifar10-hour.yaml, 2,800 steps of 250 images, the first 40 % smaller.
GOOD_MACS, GOOD_FLOPS = 118e6, 401e12
MOST_WIDTH = 1024  # channels of a first stage


def widened(study: Study, task: Task, found: Architecture, flops: float) -> Architecture:
    """Return the network to train to the end, if so many operations are left for that; never a narrower one."""
    wanted = study.final.macs
    if wanted is None:
        return found
    macs = int(GOOD_MACS * sqrt(max(flops, 0.0) / GOOD_FLOPS)) if wanted == "auto" else wanted
    if costs(found).macs >= macs:
        return found
    space = envelope_of(
        replace(study.space, macs=macs, parameters=None, width=MOST_WIDTH), task.shape, task.classes
    ).space
    return space.close(space.read(found))
