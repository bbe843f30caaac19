"""Several processes that train one network: each has all of it and a share of every batch, and gradients are averaged.

What they compute is what one process would: gradients are averaged by PyTorch's DistributedDataParallel (Li et al.
2020), batch normalisation is by the moments of the whole batch, and so are losses and what probes read.
"""

import atexit
import os
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from time import sleep
from typing import Any

import torch
from torch import Tensor, distributed, nn
from torch.nn.parallel import DistributedDataParallel

from amla.backends.protocol import Member
from amla.backends.torch.fusing.program import Rewrite
from amla.backends.torch.fusing.rewrites import REWRITES, UNNORMALISED
from amla.backends.torch.layers import BatchNormalisation
from amla.backends.torch.network import Network
from amla.spec import ops
from amla.spec.architecture import Architecture

PATIENCE = 5.0  # seconds for the process at fault to say what happened to it, before those that miss it say that
_LOOPBACK = ("lo", "lo0")  # what systems call it

Forward = Callable[[Tensor], Tensor]


class Lost(RuntimeError):
    """Another process of the crew does not answer any more."""


class Alone:
    """One process that has its network for itself."""

    rewrites: tuple[Rewrite, ...] = REWRITES
    place: tuple[int, int] = (0, 1)

    def share(self, inputs: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Return the whole batch."""
        return inputs, labels

    def mean(self, tensor: Tensor) -> Tensor:
        """Return what it is given."""
        return tensor

    @contextmanager
    def training(self, network: Network, steps: int) -> Iterator[Forward]:
        """Yield the network."""
        yield network


class Crew:
    """The crew of a network as `member` sees it, which trains `architecture` on `device`.

    Its processes meet when training begins: NCCL joins GPUs, gloo anything else, over the loopback interface alone.
    `place` says which share it trains on of how many, `rewrites` what may be fused.
    """

    rewrites: tuple[Rewrite, ...] = UNNORMALISED

    def __init__(self, member: Member, architecture: Architecture, device: torch.device) -> None:
        self._member, self._architecture, self._device = member, architecture, device
        self._together: DistributedDataParallel | None = None
        self.place = (member.number, member.of)

    def share(self, inputs: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Return this member's share of a batch. Raises ValueError for one that cannot be shared equally."""
        each, left = divmod(len(labels), self._member.of)
        if left:
            raise ValueError(f"A batch of {len(labels)} has no {self._member.of} equal shares, one for each device.")
        part = slice(self._member.number * each, (self._member.number + 1) * each)
        return inputs[part], labels[part]

    def mean(self, tensor: Tensor) -> Tensor:
        """Return the mean of what all members have here."""
        return _mean(tensor.detach())

    @contextmanager
    def training(self, network: Network, steps: int) -> Iterator[Forward]:
        """Yield the network as it trains, having met the others, who must be after as many `steps`.

        Raises Lost once one of them is gone.
        """
        norms = [module for module in network.layers if isinstance(module, BatchNormalisation)]
        try:
            if self._together is None:
                self._together = self._joined(network, steps)
            for norm in norms:
                norm.shared = _normalised
            together = self._together
            yield lambda x: together(x)[0]
        except RuntimeError as error:
            if not _is_of_others(error):
                raise
            sleep(PATIENCE)
            raise Lost(f"the processes of other devices do not answer any more: {error}") from error
        finally:
            for norm in norms:
                norm.shared = None

    def _joined(self, network: Network, steps: int) -> DistributedDataParallel:
        _meet(self._member, self._device)
        least = torch.tensor([steps, -steps], device=self._device)
        distributed.all_reduce(least, distributed.ReduceOp.MIN)
        if least[0] != -least[1]:
            raise RuntimeError(
                f"The processes of a network's {self._member.of} devices begin after {least[0]} steps, and others "
                f"after {-least[1]}: the checkpoint changed while they read it. Go on with the run once more."
            )
        return DistributedDataParallel(
            _Ends(network),
            device_ids=[self._device.index] if self._device.type == "cuda" else None,
            find_unused_parameters=not _all_learn(self._architecture),
        )


class _Ends(nn.Module):
    """A network that returns the logits of its auxiliary heads as well, from which gradients come, too.

    It says nothing of its buffers, which nobody must send: what is remembered of whole batches is the same everywhere.
    """

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the logits of the output, and those of the heads."""
        return self.network(x), self.network.heads

    def named_buffers(self, *_: object, **__: object) -> Iterator[tuple[str, Tensor]]:
        """Yield nothing."""
        return iter(())


class _Mean(torch.autograd.Function):
    """The mean over all members; its gradient is the mean of theirs, as the mean of their losses is minimised."""

    @staticmethod
    def forward(ctx: Any, tensor: Tensor) -> Tensor:
        """Return the mean, the same bit for bit in all of them."""
        total = tensor.clone()
        distributed.all_reduce(total)
        return total / distributed.get_world_size()

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        """Return the mean of the gradients."""
        return _mean(gradients[0].contiguous())


def _mean(tensor: Tensor) -> Tensor:
    found: Tensor = _Mean.apply(tensor)  # type: ignore[no-untyped-call]
    return found


def _normalised(norm: BatchNormalisation, x: Tensor) -> Tensor:
    """Normalise a share by the mean and the variance of the whole batch, and remember these."""
    variance, mean = torch.var_mean(x.float(), (0, *range(2, x.ndim)), correction=0)
    # as doubles, for the difference of two squares
    mean, square = _mean(torch.stack((mean.double(), variance.double() + mean.double().square())))
    variance = (square - mean.square()).clamp_min(0)
    with torch.no_grad():
        count = x.numel() // x.shape[1] * distributed.get_world_size()
        norm.mean.lerp_(mean.float(), norm.momentum)
        norm.variance.lerp_((variance * (count / max(count - 1, 1))).float(), norm.momentum)
    factor = (variance + norm.epsilon).rsqrt()
    factor = factor if norm.scale is None else factor * norm.scale
    offset = -mean * factor if norm.shift is None else norm.shift - mean * factor
    column = (-1, *(1 for _ in x.shape[2:]))
    return torch.addcmul(offset.float().reshape(column), x.float(), factor.float().reshape(column)).to(x.dtype)


def _all_learn(architecture: Architecture) -> bool:
    """Whether every weight gets a gradient: all nodes reach an end, and none on the way is zero."""
    ends = (architecture.output.id, *architecture.heads)
    return len(architecture.sources(ends)) == len(architecture) and not any(
        isinstance(node.op, ops.Zero) for node in architecture
    )


def _meet(member: Member, device: torch.device) -> None:
    """Join the other members, and leave those of the network before."""
    if distributed.is_initialized():
        distributed.destroy_process_group()
    else:
        atexit.register(_leave)
    loopback = next((name for _, name in socket.if_nameindex() if name in _LOOPBACK), _LOOPBACK[0])
    os.environ |= {"GLOO_SOCKET_IFNAME": loopback, "NCCL_SOCKET_IFNAME": loopback}
    meeting = Path(member.meeting)
    meeting.parent.mkdir(parents=True, exist_ok=True)
    on_gpu = device.type == "cuda"
    if on_gpu:
        torch.cuda.set_device(device)
    distributed.init_process_group(
        "nccl" if on_gpu else "gloo",
        store=distributed.FileStore(str(meeting), member.of),  # type: ignore[attr-defined]
        rank=member.number,
        world_size=member.of,
        device_id=device if on_gpu else None,
    )


def _leave() -> None:
    if distributed.is_initialized():
        distributed.destroy_process_group()


def _is_of_others(error: RuntimeError) -> bool:
    """Whether a collective operation failed: gloo has no exception of its own, but says in which of its files."""
    return isinstance(error, distributed.DistError) or "gloo/" in str(error)
