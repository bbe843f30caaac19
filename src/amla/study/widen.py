"""Makes the network that a search has found wider, for the final training: the same decisions at another width.

A search may also look at its images at a lower resolution than the final network, which costs a fraction.

How wide pays depends on how much training there is. The rule for `auto` is that a network's multiply-accumulates grow
with the square root of the operations that train it, as loss-optimal sizes do (Hoffmann et al. 2022, there of language
models), from a point that is known to be good: the plain baseline on CIFAR-10 (docs/log.md).
"""

from dataclasses import replace
from math import sqrt

from amla.spec.architecture import Architecture, NodeId
from amla.spec.costs import costs
from amla.spec.values import SpecError
from amla.study.spaces import envelope_of, of_envelopes
from amla.study.study import Study
from amla.tasks.task import Task

# 94.1 % on CIFAR-10: studies/baselines/plain-cifar10-hour.yaml, 2,800 steps of 250 images, the first 40 % smaller.
GOOD_MACS, GOOD_FLOPS = 118e6, 401e12
MOST_WIDTH = 1024  # channels of a first stage


def widened(study: Study, task: Task, found: Architecture, flops: float) -> Architecture:
    """Return the network to train to the end, if so many operations are left for that; never a narrower one.

    It is within the study's constraints, whatever it may cost otherwise.

    With `final.stem_stride` it sees its images at another resolution than in the search, unless it would have to be
    narrower for that. A network that was given, and is none of the space, stays as it is.
    """
    wanted = study.final.macs
    if wanted is None:
        return found
    space = of_envelopes(study.space)
    stride = study.final.stem_stride or space.stem_stride
    macs = max(1, int(GOOD_MACS * sqrt(max(flops, 0.0) / GOOD_FLOPS))) if wanted == "auto" else wanted
    for stem_stride in dict.fromkeys((stride, space.stem_stride)):
        settings = replace(space, macs=macs, parameters=None, width=MOST_WIDTH, stem_stride=stem_stride)
        wider = envelope_of(settings, task.shape, task.classes, study.constraints).space
        try:
            network = wider.close(wider.read(found))
        except SpecError:  # what the space has to decide is not in it
            return found
        if _wiring(network) != _wiring(found):
            return found
        if wider.accepts(network) and costs(network).parameters >= costs(found).parameters:
            return network
    return found


def _wiring(network: Architecture) -> dict[NodeId, tuple[NodeId, ...]]:
    """Return what each node reads: what networks have in common that differ in widths and resolutions."""
    return {node.id: node.inputs for node in network}
