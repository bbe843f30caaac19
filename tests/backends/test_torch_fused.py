"""Passes over several nodes compute what the nodes would, and nothing tells that they are there but the time."""

import copy
from collections.abc import Callable, Iterator
from itertools import chain

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from made_up import make_task
from random_networks import networks
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from amla.backends.initial import initial
from amla.backends.torch import memory
from amla.backends.torch.backend import TorchBackend
from amla.backends.torch.dropping import Dropping
from amla.backends.torch.fusing import passes, rewrites
from amla.backends.torch.fusing.program import Graph, Step, program
from amla.backends.torch.moments import moments_of
from amla.backends.torch.native import build, structs
from amla.backends.torch.network import Network, write_arrays
from amla.spaces.envelope import envelope
from amla.spec import ops
from amla.spec.architecture import Architecture, Node
from amla.spec.costs import shapes
from amla.tasks.recipe import Augment, Constant, Recipe, Sgd
from amla.testing import check_backend
from amla.trials.trial import Fit

needs_kernels = pytest.mark.skipif(build.library() is None, reason="the kernels cannot be compiled here")


def quiet(step: int, loss: float, accuracy: float, rate: float) -> None:
    pass


def cell(dropout: float = 0.3) -> Architecture:
    """A network with a place for every rewrite."""
    nodes = [Node("x", ops.Input((3, 9, 9))), Node("stem/conv", ops.Conv(8, (1, 1), bias=True), ("x",))]
    nodes += [Node("stem/relu", ops.Activation("relu"), ("stem/conv",))]
    nodes += [Node("stem", ops.ResponseNorm(2, 0.1, 0.75, 1.0), ("stem/relu",))]
    nodes += [Node("thin", ops.Conv(34, (3, 3)), ("stem",)), Node("thin/5", ops.Conv(9, (5, 5)), ("thin",))]
    source = "thin/5"
    for name in ("a", "b"):
        for kernel in (3, 5):
            nodes += [
                Node(f"{name}/dw{kernel}", ops.Depthwise((kernel, kernel)), (source,)),
                Node(f"{name}/conv{kernel}", ops.Conv(5, (1, 1)), (f"{name}/dw{kernel}",)),
                Node(f"{name}/norm{kernel}", ops.BatchNorm(1e-3, scale=kernel == 3), (f"{name}/conv{kernel}",)),
                Node(f"{name}/end{kernel}", ops.Activation("relu"), (f"{name}/norm{kernel}",)),
            ]
        nodes += [
            Node(f"{name}/all", ops.Merge("concat"), (f"{name}/end3", f"{name}/end5")),
            Node(f"{name}/dropout", ops.Dropout(dropout), (f"{name}/all",)),
            Node(f"{name}/scale", ops.Scale(0.5), (source,)),
            Node(f"{name}/concat", ops.Merge("concat"), (f"{name}/dropout", f"{name}/scale")),
            Node(f"{name}/join", ops.Conv(8, (3, 3), bias=True), (f"{name}/concat",)),
            Node(f"{name}", ops.Dropout(dropout), (f"{name}/join",)),
        ]
        source = name
    nodes += [Node("head", ops.GlobalPool("mean"), (source,)), Node("logits", ops.Classify(4), ("head",))]
    return Architecture(tuple(nodes))


def built(architecture: Architecture, *, fused: bool, seed: int = 0) -> Network:
    """Return a network to train; one that is not fused drops the same places all the same."""
    network = Network(architecture, rewrites.REWRITES if fused else (rewrites.dropout,))
    write_arrays(network.tensors(), initial(architecture, seed))
    if len(architecture.nodes[0].op.shape) == 3:
        network.to(memory_format=torch.channels_last)
    Dropping(network.layers, torch.device("cpu")).begin(seed, 1, 1)
    return network.train()


def images(architecture: Architecture, batch: int = 6, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(batch, *architecture.nodes[0].op.shape, generator=generator)
    x = x.to(memory_format=torch.channels_last) if x.ndim == 4 else x
    return x.requires_grad_()


def computed(network: Network, x: Tensor) -> dict[str, Tensor]:
    """Return the outputs of a training step, its gradients, and the statistics that it leaves."""
    out = network(x)
    ends = {"": out} | {f"head {name}": logits for name, logits in network.heads.items()}
    numbers = torch.Generator().manual_seed(1)
    weighted = [
        (e.double() * torch.randn(e.shape, generator=numbers, dtype=torch.float64)).sum() for e in ends.values()
    ]
    if any(end.requires_grad for end in ends.values()):
        sum(weighted).backward()
    asked = network.parameters_by_name() | {"x": x}
    found = ends | {f"gradient of {name}": t.grad for name, t in asked.items() if t.grad is not None}
    x.grad = None
    return found | {name: t for name, t in network.tensors().items() if name.endswith((".mean", ".variance"))}


def check_same(architecture: Architecture, batch: int = 6, seed: int = 0, most: float = 0.02) -> None:
    """Check that the fused network computes what the other one does: nearly, for rounding decides which side of its
    kink a ReLU is on.
    """
    x = images(architecture, batch, seed)
    fused, plain = (computed(built(architecture, fused=f, seed=seed), x) for f in (True, False))
    assert fused.keys() == plain.keys()
    for name, tensor in plain.items():
        assert fused[name].shape == tensor.shape
        # gradients are sums that may cancel: what they are sums of is as large as the largest
        size = max(t.abs().max().item() for n, t in plain.items() if n[:8] == name[:8] and t.numel())
        assert (fused[name] - tensor).abs().max().item() <= most * size, name


@needs_kernels
def test_every_rewrite_has_its_place() -> None:
    network = built(cell(), fused=True)
    used = [type(step.compute) for step in network._steps[1]]
    for kind, count in {
        passes.Depthwise: 2, passes.Normalised: 2, passes.ScaledConvolution: 2, passes.Thin: 2, passes.Responded: 1,
        passes.Dropped: 2,
    }.items():  # fmt: skip
        assert used.count(kind) == count, kind


@needs_kernels
@pytest.mark.parametrize("rewrite", rewrites.REWRITES, ids=lambda rewrite: rewrite.__name__)
def test_each_rewrite_alone_changes_nothing(rewrite: Callable[[Graph, Node], Step | None]) -> None:
    architecture = cell()
    x = images(architecture)
    one = built(architecture, fused=False)
    other = Network(architecture, (rewrite, *one_of_dropout(rewrite)))
    write_arrays(other.tensors(), initial(architecture, 0))
    other.to(memory_format=torch.channels_last)
    Dropping(other.layers, torch.device("cpu")).begin(0, 1, 1)
    plain, found = computed(one, x), computed(other.train(), x)
    for name, tensor in plain.items():
        torch.testing.assert_close(found[name], tensor, rtol=1e-3, atol=1e-4, msg=name)


def one_of_dropout(rewrite: object) -> Iterator[Callable[[Graph, Node], Step | None]]:
    if rewrite is not rewrites.dropout:
        yield rewrites.dropout


@needs_kernels
def test_a_fused_network_computes_what_its_nodes_would() -> None:
    check_same(cell(), 7, most=1e-4)
    check_same(cell(0.0), 7, most=1e-4)


@needs_kernels
def test_a_fused_network_has_the_auxiliary_heads_of_a_plain_one() -> None:
    *body, head, logits = cell()
    nodes = [
        *body,
        Node("early/dw", ops.Depthwise((3, 3)), ("a",)),  # computed together with those of the trunk
        Node("early/pool", ops.GlobalPool("mean"), ("early/dw",)),
        Node("early", ops.Classify(4, auxiliary=0.4), ("early/pool",)),
        head,
        logits,
    ]
    architecture = Architecture(tuple(nodes))
    check_same(architecture)
    network = built(architecture, fused=True)
    assert network(images(architecture)).shape == network.heads["early"].shape == (6, 4)
    trunk = built(architecture.trunk, fused=True).eval()
    x = images(architecture)
    torch.testing.assert_close(built(architecture, fused=True).eval()(x), trunk(x))


@needs_kernels
@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6))
def test_fused_envelope_nets_compute_what_plain_ones_do(seed: int) -> None:
    rng = np.random.default_rng(seed)
    size = int(rng.integers(5, 12))
    space = envelope(
        (int(rng.integers(1, 4)), size, size),
        5,
        width=int(rng.integers(6, 40)),
        cells=(1, 1),
        max_cells=(3, 2),
        skips=("add", "concat", "none")[seed % 3],
        dropout=(0.0, 0.2)[seed % 2],
    )
    check_same(space.space.sample(rng), batch=int(rng.integers(2, 9)), seed=seed)


@needs_kernels
@settings(max_examples=100, deadline=None)
@given(st.data())
def test_fused_networks_of_any_kind_compute_what_plain_ones_do(data: st.DataObject) -> None:
    architecture, batch = data.draw(networks(rank=2, most=12)), data.draw(st.integers(2, 5))
    try:
        out = built(architecture, fused=False)(images(architecture, batch))
    except (RuntimeError, ValueError):
        assume(False)  # PyTorch has no such pool, or will not normalise so little
    assume(bool(out.isfinite().all()))  # a mean of padding alone is none
    check_same(architecture, batch)


@needs_kernels
def test_looking_at_what_a_pass_leaves_out_changes_nothing() -> None:
    architecture = cell()
    x = images(architecture)
    alone = computed(built(architecture, fused=True), x)
    watched, plain = (built(architecture, fused=f) for f in (True, False))
    for network in (watched, plain):
        network.watch(node.id for node in architecture)
    found = computed(watched, x)
    assert all(torch.equal(found[name], tensor) for name, tensor in alone.items())
    plain(x)
    assert watched.seen.keys() == plain.seen.keys() == {node.id for node in architecture}
    for node_id, h in plain.seen.items():
        torch.testing.assert_close(watched.seen[node_id], h, rtol=1e-3, atol=1e-4, msg=node_id)


@needs_kernels
def test_what_is_measured_is_told_by_the_pass_or_can_be_seen() -> None:
    architecture = cell()
    network = built(architecture, fused=True)
    network.watch((), measured=(node.id for node in architecture))
    network(images(architecture))
    told, seen = dict(network.moments), dict(network.seen)
    names = ("end3", "end5", "all", "scale", "concat")
    assert told.keys() == {f"{c}/{n}" for c in "ab" for n in names}
    assert told.keys() | seen.keys() == {node.id for node in architecture}
    network = built(architecture, fused=False)
    network.watch(told)
    network(images(architecture))
    for node_id, h in network.seen.items():
        axes = (0, *range(2, h.ndim))
        expected = torch.stack((h.mean(axes), (h * h).mean(axes))).double()
        torch.testing.assert_close(told[node_id], expected, rtol=1e-4, atol=1e-6)


@needs_kernels
@pytest.mark.parametrize("skips", ["add", "concat"])
def test_legs_are_one_and_probes_change_nothing(skips: str) -> None:
    space = envelope((3, 8, 8), 4, width=12, cells=(2, 1), max_cells=(2, 1), dropout=0.2, skips=skips)
    architecture = space.space.close(space.initial())
    task = make_task(recipe=Recipe(16, Sgd(0.05), Constant(), augment=Augment(flip=True)))
    check_backend(TorchBackend("cpu"), task, architecture, probes={"msss": (), "scale": (), "variance": ("stem/conv",)})
    learners = [TorchBackend("cpu").build(architecture, Fit(), task, 0) for _ in range(2)]
    learners[0].watch({"msss": (), "mean": ("stage0/cell0/1x1/norm", "stage0/cell0", "stem")})
    for learner in learners:
        learner.fit(3, 3, quiet)
    one, other = (learner.snapshot().weights for learner in learners)
    assert all(np.array_equal(one[name], other[name]) for name in one)


def test_snapshots_pass_between_machines_with_kernels_and_without(monkeypatch: pytest.MonkeyPatch) -> None:
    architecture = cell(0.0)
    task = make_task((3, 9, 9), recipe=Recipe(16, Sgd(0.01), Constant()))
    first = TorchBackend("cpu").build(architecture, Fit(), task, 0)
    first.fit(2, 5, quiet)
    half = first.snapshot()
    first.fit(3, 5, quiet)
    monkeypatch.setattr(structs, "library", lambda: None)
    second = TorchBackend("cpu").build(architecture, Fit(), task, 0)
    second.restore(half)
    second.fit(3, 5, quiet)
    one, other = first.snapshot(), second.snapshot()
    assert one.weights.keys() == other.weights.keys()
    assert one.resume.keys() == other.resume.keys()
    for name, array in one.weights.items():
        np.testing.assert_allclose(other.weights[name], array, rtol=1e-3, atol=1e-4, err_msg=name)


@needs_kernels
def test_what_is_dropped_is_a_function_of_seed_node_and_place() -> None:
    nodes = [Node("x", ops.Input((4, 8, 8)))]
    nodes += [Node(name, ops.Dropout(0.25), ("x",)) for name in ("a", "b")]
    nodes += [Node("y", ops.Merge("concat"), ("a", "b"))]
    x = torch.ones(9, 4, 8, 8).to(memory_format=torch.channels_last)
    network = built(Architecture(tuple(nodes)), fused=True)
    first = network(x)
    assert torch.equal(network(x), first)
    assert torch.equal(network(x[:5]), first[:5])
    assert not torch.equal(first[:, :4], first[:, 4:])
    assert first.unique().tolist() == pytest.approx([0, 4 / 3])
    assert (first > 0).float().mean().item() == pytest.approx(0.75, abs=0.03)
    Dropping(network.layers, torch.device("cpu")).begin(8, 1, 1)
    assert not torch.equal(network(x), first)
    assert torch.equal(network.eval()(x)[:, 4:], x)


@needs_kernels
def test_without_a_generator_each_step_drops_anew() -> None:
    nodes = Node("x", ops.Input((4, 8, 8))), Node("y", ops.Dropout(0.5), ("x",))
    network = Network(Architecture(nodes)).train()
    x = torch.ones(9, 4, 8, 8).to(memory_format=torch.channels_last)
    torch.manual_seed(0)
    assert not torch.equal(network(x), network(x))


@needs_kernels
def test_kernels_are_left_out_where_they_do_not_fit() -> None:
    architecture = cell(0.0)
    network = built(architecture, fused=True)
    x = images(architecture)

    assert passes.takes(x, largest=1)
    assert not passes.takes(x, largest=2**31)
    assert not passes.takes(x.double(), largest=1)
    assert not passes.takes(x.contiguous(), largest=1)
    with torch.autocast("cpu", torch.bfloat16):
        assert not passes.takes(x, largest=1)
    with FlopCounterMode(display=False) as counter:
        assert not passes.takes(x, largest=1)
        network(x)
    assert counter.get_total_flops()
    assert network.double()(x.double()).dtype == torch.float64


@needs_kernels
def test_a_copy_has_weights_of_its_own() -> None:
    architecture = cell(0.0)
    network = built(architecture, fused=True).eval()
    x = images(architecture)
    before = network(x)
    other = copy.deepcopy(network)  # also of what the last batch has left
    with torch.no_grad():
        for tensor in other.parameters():
            tensor.zero_()
    assert torch.equal(network(x), before)
    assert not torch.equal(other(x), before)


def test_steps_are_ordered_by_what_they_read() -> None:
    architecture = cell()
    network = built(architecture, fused=True)
    for steps in network._steps:
        done: set[str] = set()
        for step in steps:
            assert done.issuperset(step.reads)
            done.update(step.writes)
        assert sorted(chain.from_iterable(step.covers for step in steps)) == sorted(node.id for node in architecture)
    modules = dict(zip((node.id for node in architecture), network.layers, strict=True))
    alone = program(Graph(architecture, modules, shapes(architecture)))
    assert [step.writes for step in alone] == [(node.id,) for node in architecture]


@pytest.mark.parametrize("shape", [(60, 3, 14, 13), (7, 5), (4, 3, 9), (4, 2, 3, 5, 4), (2, 3, 0)])
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.preserve_format])
def test_moments_are_means_of_what_is_there_and_of_its_square(
    shape: tuple[int, ...], layout: torch.memory_format
) -> None:
    h = torch.randn(shape, generator=torch.Generator().manual_seed(0)).movedim(-1, 1).contiguous().movedim(1, -1) + 3
    h = h.contiguous(memory_format=layout) if layout is torch.contiguous_format else h
    axes = (0, *range(2, h.ndim))
    expected = torch.stack((h.double().mean(axes), h.double().square().mean(axes)))
    torch.testing.assert_close(moments_of(h), expected, rtol=1e-5, atol=0, equal_nan=True)
    torch.testing.assert_close(moments_of(h.double()), expected, equal_nan=True)


def test_memory_is_kept_and_given_back() -> None:
    memory.keep_freed()
    del [torch.ones(10**6)][:]
    memory.give_back()
