"""What the members of a crew do in tests: train a network together, and the first one also alone, to compare.

A trial's number says which of `CASES` it is; what was found comes back as its metrics.
"""

import os
import signal
import socket
import zlib
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import torch
from made_up import make_task
from pydantic import TypeAdapter
from torch import distributed

from amla.backends.protocol import Learner, Member
from amla.backends.torch import crew
from amla.backends.torch.backend import TorchBackend
from amla.evaluation.readers import ReadOnly
from amla.evaluation.train import Training
from amla.execution.work import Evaluate
from amla.spec import ops
from amla.spec.architecture import Architecture, Node, NodeId
from amla.storage.files import Files
from amla.tasks.recipe import AdamW, Augment, Muon, Recipe, Sgd, Small
from amla.trials.progress import Progress, Report
from amla.trials.snapshot import Snapshot
from amla.trials.trial import Fit, Measurement, Outcome, Proposal, Trial

STEPS = 15
KEPT = list[object]()
Probes = Mapping[str, tuple[NodeId, ...]]

_member = TypeAdapter(Member)


def evaluator(config: str) -> Evaluate:
    """Return what does the cases; `config` is a Member, whose meeting is the folder for its meetings."""
    told = _member.validate_json(config)

    def evaluate(trial: Trial, report: Report) -> Outcome:
        member = replace(told, meeting=str(Path(told.meeting) / f"{trial.id}"))
        return Measurement(list(CASES.values())[trial.id](member))

    return evaluate


def chain(*body: ops.Op) -> Architecture:
    """Return a network of three convolutions, each with what `body` has after it."""
    nodes = [Node("image", ops.Input((3, 8, 8)))]
    for number in range(3):
        for op in (ops.Conv(8, (3, 3)), *body):
            nodes.append(Node(f"{op.kind}{number}", op, (nodes[-1].id,)))
    nodes.append(Node("pool", ops.GlobalPool(), (nodes[-1].id,)))
    return Architecture((*nodes, Node("logits", ops.Classify(4), ("pool",))))


def branching() -> Architecture:
    """Return a network with all that is computed in passes, a head, a scale, and a branch that is zero."""
    relu = ops.Activation("relu")
    return Architecture(
        (
            Node("image", ops.Input((3, 8, 8))),
            Node("stem", ops.Conv(8, (3, 3)), ("image",)),
            Node("deep/conv", ops.Depthwise((3, 3)), ("stem",)),
            Node("deep/norm", ops.BatchNorm(), ("deep/conv",)),
            Node("deep", relu, ("deep/norm",)),
            Node("wide/conv", ops.Conv(8, (1, 1)), ("stem",)),
            Node("wide/norm", ops.BatchNorm(scale=False), ("wide/conv",)),
            Node("wide", relu, ("wide/norm",)),
            Node("nothing/conv", ops.Conv(8, (1, 1)), ("stem",)),
            Node("nothing", ops.Zero(), ("nothing/conv",)),
            Node("cell", ops.Merge("concat"), ("deep", "wide")),
            Node("dropout", ops.Dropout(0.3), ("cell",)),
            Node("skip", ops.Scale(0.5), ("stem",)),
            Node("joined", ops.Merge("concat"), ("dropout", "skip", "nothing")),
            Node("thin", ops.Conv(4, (3, 3)), ("joined",)),
            Node("early/pool", ops.GlobalPool(), ("cell",)),
            Node("early", ops.Classify(4, auxiliary=0.4), ("early/pool",)),
            Node("path", ops.DropPath(0.4), ("thin",)),
            Node("pool", ops.GlobalPool(), ("path",)),
            Node("logits", ops.Classify(4), ("pool",)),
        )
    )


def train(learner: Learner, steps: int, horizon: int = STEPS) -> list[float]:
    """Return the losses of all steps."""
    losses: list[float] = []
    for _ in range(steps):
        learner.fit(1, horizon, lambda step, loss, accuracy, rate: losses.append(loss))
    return losses


def as_alone(
    architecture: Architecture, recipe: Recipe, probes: Probes | None = None
) -> Callable[..., dict[str, float]]:
    """Return the case that compares a crew with one process."""

    def case(member: Member) -> dict[str, float]:
        task = make_task(recipe=recipe)
        learners = [TorchBackend("cpu", member=member).build(architecture, Fit(), task, 7)]
        if not member.number:
            learners.append(TorchBackend("cpu").build(architecture, Fit(), task, 7))
        told = []
        for learner in learners:
            learner.watch(probes or {})
            losses = train(learner, STEPS)
            told.append((losses, learner.snapshot(), learner.statistics(), learner.score()))
        (losses, snapshot, read, score), alone = told[0], told[-1]
        return {
            "loss": max(abs(one - other) for one, other in zip(losses, alone[0], strict=True)),
            "weight": furthest(snapshot.weights, alone[1].weights),
            "resume": furthest(snapshot.resume, alone[1].resume),
            "score": abs(score["loss"] - alone[3]["loss"]),
            "statistics": max((_apart(read[p][i], alone[2][p][i]) for p in read for i in read[p]), default=0.0),
            "readings": float(sum(map(len, read.values()))),
            "members": differing(snapshot),
        }

    return case


def furthest(arrays: Mapping[str, np.ndarray], others: Mapping[str, np.ndarray]) -> float:
    """Return the largest difference of an element, by the largest element of its array."""
    assert arrays.keys() == others.keys()
    return max(float(np.abs(arrays[n] - others[n]).max() / max(np.abs(others[n]).max(), 1e-6)) for n in arrays)


def differing(snapshot: Snapshot) -> float:
    """Return how many members have other bits than this one."""
    bits = b"".join(array.tobytes() for _, array in sorted({**snapshot.weights, **snapshot.resume}.items()))
    mine = torch.tensor([zlib.crc32(bits)])
    found = [torch.zeros_like(mine) for _ in range(distributed.get_world_size())]
    distributed.all_gather(found, mine)
    return float(sum(not torch.equal(other, mine) for other in found))


def two_legs(member: Member) -> dict[str, float]:
    """Train in one leg, and in two with a snapshot between; count what differs by a bit."""
    task, numbers = make_task(recipe=Recipe(16, Muon(0.05), ema=0.9)), count()

    def build() -> Learner:
        met = replace(member, meeting=f"{member.meeting}-{next(numbers)}")
        learner = TorchBackend("cpu", member=met).build(branching(), Fit(), task, 7)
        learner.watch({"msss": ("deep",)})
        return learner

    whole = build()
    whole.fit(5, 5, _quiet)
    one = whole.snapshot()
    first = build()
    first.fit(2, 5, _quiet)
    second = build()
    second.restore(first.snapshot())
    second.fit(3, 5, _quiet)
    other = second.snapshot()
    pairs = [(one.weights[n], other.weights[n]) for n in one.weights]
    pairs += [(one.resume[n], other.resume[n]) for n in one.resume]
    return {"differing": float(sum(a.tobytes() != b.tobytes() for a, b in pairs)), "arrays": float(len(pairs))}


def going_on(member: Member) -> dict[str, float]:
    """Cut a training off after a checkpoint, begin it anew, and compare it with one that was not cut off.

    The members' clocks go at different speeds, so that they make checkpoints at different times.
    """
    network, trial = chain(ops.BatchNorm(), ops.Activation("relu")), count()
    proposal = Proposal(network, 50, seed=3)
    files = Files(Path(member.meeting).parent / "files")
    lines: list[int] = []

    def training(name: str) -> Training:
        ticks = count()
        met = replace(member, meeting=f"{member.meeting}-{name}{next(trial)}")
        return Training(
            name,
            TorchBackend("cpu", member=met),
            make_task(recipe=Recipe(16)).final(),
            ReadOnly(files) if member.number else files,
            checkpoint_seconds=8.0,  # 20 steps of the first one, whose clock is asked 7 times meanwhile
            clock=lambda: next(ticks) / (1.0 + member.number),
        )

    def cut(progress: Progress) -> None:
        if progress.step == 40:
            raise InterruptedError

    with suppress(InterruptedError):
        training("cut")(Trial(0, proposal), cut)
    checkpoint = files.load("cut/0-cut-off").steps
    training("cut")(Trial(0, proposal), lambda progress: lines.append(progress.step))
    training("whole")(Trial(0, proposal), lambda progress: None)
    if member.number:  # the first one writes
        return {}
    one, other = files.load("cut/0"), files.load("whole/0")
    return {
        "checkpoint": float(checkpoint),
        "began": float(lines[0]),
        "differing": float(sum(one.weights[n].tobytes() != other.weights[n].tobytes() for n in one.weights)),
        "left": float(files.exists("cut/0-cut-off")),
    }


def sockets(member: Member) -> dict[str, float]:
    """Count the addresses that this process listens on, and those at which other machines may speak to it.

    Where there is a way out, the process is told to use that, as it might be for another program.
    """
    outwards = [name for name, of in psutil.net_if_addrs().items() if any(map(_is_outwards, of))]
    os.environ |= dict.fromkeys(("GLOO_SOCKET_IFNAME", "NCCL_SOCKET_IFNAME"), outwards[0]) if outwards else {}
    TorchBackend("cpu", member=member).build(chain(), Fit(), make_task(), 0).fit(1, 1, _quiet)
    found = [of for of in psutil.Process().net_connections("all") if of.family.name in ("AF_INET", "AF_INET6")]
    addresses = [of.laddr.ip for of in found if of.status == psutil.CONN_LISTEN or not of.raddr]
    return {"listening": float(len(addresses)), "open": float(sum(a not in ("127.0.0.1", "::1") for a in addresses))}


def apart(member: Member) -> dict[str, float]:
    """Begin after different steps, which is refused."""
    learner = TorchBackend("cpu", member=member).build(chain(), Fit(), make_task(), 0)
    learner.steps = member.number
    try:
        learner.fit(1, 5, _quiet)
    except RuntimeError as error:
        return {"refused": float("begin after 0 steps, and others after 1" in str(error))}
    return {"refused": 0.0}


def left_alone(member: Member) -> dict[str, float]:
    """Wait for the other member in vain, and say so."""
    learner = TorchBackend("cpu", member=member).build(chain(ops.BatchNorm()), Fit(), make_task(), 0)
    train(learner, 2)
    if member.number:
        KEPT.append(learner)  # to end a group while another waits for it may block in gloo
        return {}
    patience, crew.PATIENCE = crew.PATIENCE, 0.0
    distributed.distributed_c10d._set_pg_timeout(timedelta(seconds=1))
    try:
        train(learner, 2)
    except crew.Lost as error:
        return {"said": float("do not answer any more" in str(error))}
    finally:
        crew.PATIENCE = patience
    return {"said": 0.0}


def dies(member: Member) -> dict[str, float]:
    """Let the second member die while it trains."""
    learner = TorchBackend("cpu", member=member).build(chain(ops.BatchNorm()), Fit(), make_task(), 0)
    train(learner, 2)
    if member.number:
        os.kill(os.getpid(), signal.SIGSEGV)
    train(learner, 50)
    return {}


def _is_outwards(address: Any) -> bool:
    return address.family == socket.AF_INET and not address.address.startswith("127.")


def _apart(one: float, other: float) -> float:
    return abs(one - other) / max(abs(other), 1e-3)


def _quiet(step: int, loss: float, accuracy: float, rate: float) -> None:
    pass


RELU = ops.Activation("relu")
MOVED = Augment(flip=True, shift=1, cutout=2)
PROBES = {"msss": ("deep", "wide", "stem"), "taylor": ("deep", "wide"), "scale": ("skip",), "drop_one": ("deep",)}

CASES: dict[str, Callable[[Member], dict[str, float]]] = {
    "no normalisation": as_alone(chain(RELU), Recipe(16, Sgd(0.05), augment=MOVED)),
    "of layers": as_alone(chain(ops.LayerNorm(), RELU), Recipe(16, AdamW(), augment=MOVED)),
    "of batches": as_alone(chain(ops.BatchNorm(), RELU), Recipe(16, Sgd(0.05), augment=MOVED, ema=0.9, clip=1.0)),
    "in passes": as_alone(branching(), Recipe(16, Sgd(0.05)), {"msss": ("deep", "wide")}),
    "all at once": as_alone(
        branching(),
        Recipe(16, Muon(0.02, other=Sgd(0.02)), whiten=True, ema=0.9, clip=1.0, clip_each=True, small=Small(0.75, 0.4)),
        PROBES,
    ),
    "gates of outputs": as_alone(
        chain(ops.BatchNorm(), ops.Activation("silu")), Recipe(16), {"taylor": ("activation2",)}
    ),
    "two legs": two_legs,
    "going on": going_on,
    "sockets": sockets,
    "apart": apart,
    "left alone": left_alone,
    "dies": dies,
}
