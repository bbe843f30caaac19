"""The native kernels compute what PyTorch computes, and its gradients; where they cannot be had, PyTorch does."""

import ctypes
import math
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 - PyTorch's own custom

from amla.backends.torch.native import build, structs
from amla.backends.torch.native.functions import (
    Drop,
    Norm,
    convolves,
    depthwise,
    dropped,
    fits,
    is_thin,
    normalised,
    responded,
    responds,
    thin,
)

FORMATS = {4: torch.channels_last, 5: torch.channels_last_3d}
WIDTHS = [1, 3, 5, 8, 10, 17, 21, 60, 64, 126, 254]
native = pytest.mark.skipif(build.library() is None, reason="there is no compiler, or AMLA_NATIVE is 0")
examples = settings(max_examples=50, deadline=None)


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def numbers(*shape: int, seed: int = 0, grad: bool = True) -> Tensor:
    """Return standard normal numbers, channels innermost in memory."""
    found = torch.randn(shape, generator=torch.Generator().manual_seed(seed))
    return found.contiguous(memory_format=FORMATS.get(len(shape), torch.contiguous_format)).requires_grad_(grad)


def exact(tensor: Tensor) -> Tensor:
    return tensor.detach().double().requires_grad_(tensor.requires_grad)


def assert_close(found: Tensor, expected: Tensor, least: float = 0) -> None:
    """Compare to what is expected, whose size is taken for `least` or more."""
    assert found.shape == expected.shape
    error, size = (found.double() - expected).abs().max(), max(expected.abs().max().item(), least)
    assert error <= 1e-5 * size + 1e-12, f"{error} of {size}"


def by_torch(x: Tensor, kernels: Sequence[Tensor]) -> list[Tensor]:
    return [F.conv2d(x, kernel, padding=kernel.shape[-1] // 2, groups=x.shape[1]) for kernel in kernels]


def compare_depthwise(x: Tensor, sizes: Sequence[int], used: Sequence[int]) -> None:
    """Compare outputs, and the gradients where only the outputs `used` have one."""
    kernels = [numbers(x.shape[1], 1, k, k, seed=place, grad=place != 1) for place, k in enumerate(sizes)]
    exact_x, exact_kernels = exact(x), [exact(kernel) for kernel in kernels]
    found, expected = depthwise(x, *kernels), by_torch(exact_x, exact_kernels)
    for f, e in zip(found, expected, strict=True):
        assert_close(f, e)
    used = [place for place in used if expected[place].requires_grad]
    if used:
        gradients = [numbers(*x.shape, seed=9 + place, grad=False) for place in used]
        torch.autograd.backward([found[place] for place in used], gradients)
        torch.autograd.backward([expected[place] for place in used], [g.double() for g in gradients])
    for f, e in zip((x, *kernels), (exact_x, *exact_kernels), strict=True):
        assert (f.grad is None) == (e.grad is None)
        if f.grad is not None and e.grad is not None:
            assert_close(f.grad, e.grad)


@native
@examples
@given(st.data())
def test_depthwise_convolutions_are_those_of_pytorch(data: st.DataObject) -> None:
    channels = data.draw(st.sampled_from(WIDTHS))
    batch, height = data.draw(st.integers(1, 18)), data.draw(st.integers(1, 33))
    width = data.draw(st.integers(1, max(1, min(33, 40_000 // (batch * height * channels)))))
    sizes = data.draw(st.lists(st.sampled_from([3, 5, 7, 9]), min_size=1, max_size=3))
    used = data.draw(st.lists(st.integers(0, len(sizes) - 1), unique=True, min_size=1))
    compare_depthwise(numbers(batch, channels, height, width, grad=data.draw(st.booleans())), sizes, used)


@native
@pytest.mark.parametrize("extent", [1, 2, 7, 8, 9, 16, 28, 33])
@pytest.mark.parametrize("channels", [8, 21, 60])
def test_every_kernel_meets_every_edge(channels: int, extent: int) -> None:
    x = numbers(2, channels, extent, extent)
    assert convolves(x, [numbers(channels, 1, k, k) for k in (3, 5, 7)])
    compare_depthwise(x, [3, 5, 7], [0, 1, 2])


@native
def test_what_the_kernels_do_not_know_is_left_to_pytorch() -> None:
    x = numbers(2, 8, 5, 5, grad=False)
    assert convolves(x, [numbers(8, 1, 3, 3)])
    for kernel in (numbers(8, 1, 9, 9), numbers(8, 1, 3, 5), numbers(8, 1, 3, 3).double(), numbers(16, 1, 3, 3)):
        assert not convolves(x, [kernel])
    assert not convolves(numbers(2, 3, 5, 5), [numbers(3, 1, 3, 3)])
    assert not convolves(x.contiguous(), [numbers(8, 1, 3, 3)])
    assert not convolves(x.double(), [numbers(8, 1, 3, 3).double()])
    compare_depthwise(numbers(2, 8, 5, 5).detach().contiguous().requires_grad_(), [3, 9], [0, 1])


def compare_thin(x: Tensor, kernel: Tensor) -> None:
    exact_x, exact_kernel = exact(x), exact(kernel)
    found, expected = thin(x, kernel), F.conv2d(exact_x, exact_kernel, padding=kernel.shape[-1] // 2)
    assert_close(found, expected)
    if found.requires_grad:
        gradient = numbers(*found.shape, seed=3, grad=False)
        found.backward(gradient)
        expected.backward(gradient.double())
    for f, e in ((x, exact_x), (kernel, exact_kernel)):
        assert (f.grad is None) == (e.grad is None)
        if f.grad is not None and e.grad is not None:
            assert_close(f.grad, e.grad)


@native
@examples
@given(st.data())
def test_thin_convolutions_are_those_of_pytorch(data: st.DataObject) -> None:
    inputs, outputs = data.draw(st.sampled_from([32, 33, 60, 64, 70, 126])), data.draw(st.integers(4, 42))
    size, batch, height = (
        data.draw(st.sampled_from([1, 3, 5])),
        data.draw(st.integers(1, 18)),
        data.draw(st.integers(1, 33)),
    )
    width = data.draw(st.integers(4, max(4, min(33, 10_000 // (batch * height * inputs)))))
    x = numbers(batch, inputs, height, width, grad=data.draw(st.booleans()))
    kernel = numbers(outputs, inputs, size, size, seed=1, grad=data.draw(st.booleans()))
    assert is_thin(x, kernel) == (outputs not in (15, 16, 29, 30, 31, 32))
    compare_thin(x, kernel)


@native
@pytest.mark.parametrize("extent", [7, 8, 16, 32, 33])
@pytest.mark.parametrize("size", [1, 3, 5])
def test_a_thin_convolution_meets_every_edge(size: int, extent: int) -> None:
    compare_thin(numbers(3, 60, extent, extent), numbers(10, 60, size, size, seed=1))
    compare_thin(numbers(2, 126, 5, extent), numbers(21, 126, size, size, seed=1))


@native
def test_what_is_not_thin_is_left_to_pytorch() -> None:
    x = numbers(2, 32, 5, 5)
    assert is_thin(x, numbers(10, 32, 3, 3))
    kernels = [numbers(10, 32, 7, 7), numbers(16, 32, 3, 3), numbers(3, 32, 3, 3), numbers(10, 32, 3, 5)]
    for kernel in (*kernels, numbers(10, 31, 3, 3), numbers(10, 32, 3, 3).double()):
        assert not is_thin(x, kernel)
    assert not is_thin(x.detach().contiguous(), numbers(10, 32, 3, 3))
    assert not is_thin(numbers(2, 8, 5, 5), numbers(10, 8, 3, 3))
    assert not is_thin(numbers(2, 32, 5, 3), numbers(10, 32, 3, 3))
    for kernel in kernels[:3]:
        compare_thin(x.detach().clone().requires_grad_(), kernel)


def norms_of(widths: Sequence[int], weighted: Sequence[bool]) -> list[Norm]:
    return [
        Norm(
            numbers(width, seed=1, grad=False),
            numbers(width, seed=2, grad=False).abs() + 0.5,
            numbers(width, seed=3) if scaled else None,
            numbers(width, seed=4) if scaled else None,
            epsilon=1e-3,
            momentum=0.2,
        )
        for width, scaled in zip(widths, weighted, strict=True)
    ]


def compare_normalised(xs: Sequence[Tensor], norms: Sequence[Norm], *, training: bool, relu: bool) -> None:
    exact_xs = [exact(x) for x in xs]
    weights = [(norm.scale, norm.shift) for norm in norms]
    exact_weights = [tuple(None if w is None else exact(w) for w in pair) for pair in weights]
    kept = [(norm.mean.double(), norm.variance.double()) for norm in norms]
    parts = [
        F.batch_norm(x, *remembered, *pair, training, norm.momentum, norm.epsilon)
        for x, norm, remembered, pair in zip(exact_xs, norms, kept, exact_weights, strict=True)
    ]
    before = torch.cat(parts, 1)
    expected = before.relu() if relu else before
    found, moments = normalised(xs, norms, training=training, relu=relu)
    assert_close(found, expected)
    for norm, (mean, variance) in zip(norms, kept, strict=True):
        assert_close(norm.mean, mean)
        assert_close(norm.variance, variance)
    axes = [0, *range(2, expected.ndim)]
    assert_close(moments, torch.stack([expected.sum(axes), expected.square().sum(axes)]).detach())
    # what is within rounding of the kink may lie on either side of it
    gradient = numbers(*found.shape, seed=5, grad=False) * (before.detach().abs() > 1e-4)
    if not found.requires_grad:
        return
    found.backward(gradient)
    expected.backward(gradient.double())
    leaves = [*xs, *(w for pair in weights for w in pair)]
    for f, e in zip(leaves, [*exact_xs, *(w for pair in exact_weights for w in pair)], strict=True):
        if f is not None and e is not None:
            assert (f.grad is None) == (e.grad is None)
            if f.grad is not None and e.grad is not None:
                assert_close(f.grad, e.grad, 1)  # of few rows little is left: all else cancels


@native
@examples
@given(st.data())
def test_normalised_branches_are_those_of_pytorch(data: st.DataObject) -> None:
    widths = data.draw(st.lists(st.sampled_from(WIDTHS), min_size=1, max_size=4))
    batch = data.draw(st.integers(2, 40))
    room = max(1, 60_000 // (batch * sum(widths)))
    positions = data.draw(st.sampled_from([(), (1, 1), (5, 3), (min(33, room), 1), (2, 3, 2)]))
    xs = [numbers(batch, w, *positions, seed=s, grad=data.draw(st.booleans())) for s, w in enumerate(widths)]
    norms = norms_of(widths, [data.draw(st.booleans()) for _ in widths])
    compare_normalised(xs, norms, training=data.draw(st.booleans()), relu=data.draw(st.booleans()))


@native
@pytest.mark.parametrize("training", [True, False])
def test_a_large_batch_and_one_far_from_zero_are_normalised_as_well(training: bool) -> None:
    xs = [(numbers(33, 10, 17, 16, seed=s) * 0.5 + 30).detach().requires_grad_() for s in range(2)]
    compare_normalised(xs, norms_of([10, 10], [True, False]), training=training, relu=True)


@native
def test_training_needs_two_rows() -> None:
    x = numbers(1, 8, 1, 1)
    with pytest.raises(ValueError, match="two rows or more, but got 1"):
        normalised([x], norms_of([8], [True]), training=True)
    normalised([x], norms_of([8], [True]), training=False)


@native
def test_what_is_not_a_number_stays_so() -> None:
    x = numbers(4, 8, 3, 3, grad=False)
    x[1, 2, 0, 1] = math.nan
    for training in (True, False):
        out, moments = normalised([x.clone().requires_grad_()], norms_of([8], [True]), training=training, relu=True)
        assert out[1, 2, 0, 1].isnan()
        assert moments[:, 2].isnan().all()
        assert moments[:, [0, 1, 3, 4, 5, 6, 7]].isfinite().all()
    assert depthwise(x, numbers(8, 1, 3, 3))[0][1, 2, 0, 0].isnan()
    assert responded(x, radius=1, alpha=1, beta=0.5, bias=1)[1, 1:4, 0, 1].isnan().all()


@native
def test_dropout_is_a_function_of_seed_and_place() -> None:
    x, drop = numbers(20, 21, 9, 8), Drop(0.7, 5)
    out = dropped(x, drop)
    mask = out != 0
    assert torch.equal(out, torch.where(mask, x * (1 / torch.tensor(0.7)), 0))
    assert torch.equal(dropped(x, drop), out)
    assert not torch.equal(dropped(x, Drop(0.7, 6)) != 0, mask)
    assert torch.equal(dropped(x, Drop(1, 5)), x)
    out.backward(torch.ones_like(out))
    assert x.grad is not None
    assert torch.equal(x.grad != 0, mask)


@native
@pytest.mark.parametrize("relu", [True, False])
def test_a_normalised_output_is_dropped_as_if_alone(relu: bool) -> None:
    widths, drop = [10, 3, 21], Drop(0.6, 2**61)
    runs = []
    for alone in (True, False):
        xs = [numbers(6, width, 5, 4, seed=s) for s, width in enumerate(widths)]
        norms = norms_of(widths, [True, False, True])
        out, moments = normalised(xs, norms, training=True, relu=relu, drop=None if alone else drop)
        out = dropped(out, drop) if alone else out
        out.square().sum().backward()
        runs.append([out, moments, *(x.grad for x in xs), norms[0].mean])
    for one, other in zip(*runs, strict=True):
        assert_close(one, other.double())
    assert torch.equal(runs[0][0], runs[1][0])


@native
def test_dropout_keeps_the_share_it_should_everywhere() -> None:
    keep, x = 0.8, torch.ones(1, 64, 128, 128).contiguous(memory_format=torch.channels_last)
    kept = torch.stack([(dropped(x, Drop(keep, seed)) != 0).double() for seed in range(4)]).flatten(0, 1) - keep
    of = kept.permute(0, 2, 3, 1).flatten(1)  # in the order of memory
    spread = math.sqrt(keep * (1 - keep))
    assert of.mean().abs() < 5 * spread / math.sqrt(of.numel())
    assert kept.mean((0, 2, 3)).abs().max() < 5 * spread / math.sqrt(of.numel() / 64)
    pairs = [(of[:, :-step], of[:, step:]) for step in (1, 2, 3, 8, 64, 8192)]
    pairs += [(of[a], of[b]) for a in range(4) for b in range(a)]
    for one, other in pairs:
        assert (one * other).mean().abs() < 5 * spread**2 / math.sqrt(one.numel())


@native
@examples
@given(st.data())
def test_responses_are_normalised_as_written(data: st.DataObject) -> None:
    channels, beta = data.draw(st.sampled_from(WIDTHS)), data.draw(st.sampled_from([0.5, 0.75, 1]))
    positions = data.draw(st.sampled_from([(), (1, 1), (5, 3), (4, 9), (2, 3, 2)]))
    radius, alpha, bias = data.draw(st.integers(0, 9)), data.draw(st.floats(0, 2)), data.draw(st.floats(0.5, 3))
    x = numbers(data.draw(st.integers(1, 20)), channels, *positions)
    assert responds(x, beta)
    wide = exact(x)
    place = torch.arange(channels)
    band = ((place[:, None] - place[None, :]).abs() <= radius).double()
    window = torch.einsum("bc...,dc->bd...", wide.square(), band)
    expected = wide / (bias + alpha * window) ** beta
    found = responded(x, radius=radius, alpha=alpha, beta=beta, bias=bias)
    assert_close(found, expected)
    gradient = numbers(*x.shape, seed=1, grad=False)
    found.backward(gradient)
    expected.backward(gradient.double())
    assert x.grad is not None
    assert wide.grad is not None
    assert_close(x.grad, wide.grad)


def everything(channels: int = 21, batch: int = 19) -> list[Tensor]:
    """Return outputs of all kernels, and the gradients that they compute."""
    xs = [numbers(batch, channels, 9, 7, seed=s) for s in range(2)]
    kernels = [numbers(channels, 1, k, k) for k in (3, 5, 7)]
    norms = norms_of([channels] * 5, [True] * 5)
    inner = [xs[0], *depthwise(xs[0], *kernels), xs[1]]
    out, moments = normalised(inner, norms, training=True, drop=Drop(0.8, 3))
    out = dropped(responded(out, radius=2, alpha=1, beta=0.75, bias=1), Drop(0.5, 4))
    kernel = numbers(10, out.shape[1], 3, 3, seed=8)
    last = thin(out.detach(), kernel)  # whose gradient of x is PyTorch's
    (out.square().sum() + last.square().sum()).backward()
    leaves = [*xs, *kernels, kernel, *(norm.scale for norm in norms), *(norm.shift for norm in norms)]
    gradients = [leaf.grad for leaf in leaves if leaf is not None and leaf.grad is not None]
    return [
        out,
        last,
        moments,
        *(remembered for norm in norms for remembered in (norm.mean, norm.variance)),
        *gradients,
    ]


@native
@pytest.mark.parametrize("batch", [1, 3, 19, 64])
def test_results_do_not_depend_on_the_number_of_threads(batch: int) -> None:
    alone = everything(batch=batch)
    torch.set_num_threads(2)
    together = everything(batch=batch)
    torch.set_num_threads(5)
    assert len(alone) == len(together) == 3 + 10 + 6 + 10
    for one, other, third in zip(alone, together, everything(batch=batch), strict=True):
        assert torch.equal(one, other)
        assert torch.equal(one, third)


SHAPES = [(1, 8, 1, 1), (2, 10, 1, 5), (1, 16, 4, 1), (3, 1, 4, 4), (1, 9, 3, 3), (4, 8), (1, 8), (2, 8, 1, 1, 1)]


def layouts(shape: tuple[int, ...]) -> Iterator[Tensor]:
    """Return the same numbers in different memory, with strides of axes of one element that say nothing, too."""
    x = numbers(*shape, grad=False)
    yield x
    yield x.contiguous()
    yield x.contiguous().contiguous(memory_format=FORMATS.get(x.ndim, torch.contiguous_format))
    yield torch.stack([x, x + 1])[0]
    yield torch.cat([x, x + 1], -1)[..., : shape[-1]]
    strides = [999 if extent == 1 else stride for extent, stride in zip(x.shape, x.stride(), strict=True)]
    yield x.as_strided(x.shape, strides)
    yield x.mT.contiguous().mT


@native
@pytest.mark.parametrize("shape", SHAPES)
def test_what_fits_is_read_in_the_right_order(shape: tuple[int, ...]) -> None:
    given_ones = list(layouts(shape))
    assert fits(given_ones[0])
    for x in given_ones:
        assert torch.equal(x, given_ones[0])
        if not fits(x):
            x = structs.by_pixel(x)
            assert fits(x)
        # gradients come in any layout
        for gradient in (numbers(*shape, seed=1, grad=False).contiguous(), torch.ones(()).expand(shape)):
            x = x.detach().requires_grad_()
            # in the usual order, as PyTorch's own gradient of batch_norm is wrong for strides that say nothing
            wide, drop = exact(x.detach().clone(memory_format=torch.contiguous_format).requires_grad_()), Drop(0.5, 3)
            mask = dropped(torch.ones_like(x), drop)
            outs, expected = [dropped(x, drop), responded(x, radius=0, alpha=1, beta=1, bias=1)], [wide * mask]
            expected.append(wide / (1 + wide.square()))
            if math.prod(shape) > shape[1]:
                outs.append(normalised([x], norms_of([shape[1]], [False]), training=True, relu=False)[0])
                expected.append(F.batch_norm(wide, None, None, training=True, eps=1e-3))
            if len(shape) == 4 and shape[1] >= 8:
                kernel = numbers(shape[1], 1, 3, 3)
                assert convolves(x, [kernel])
                outs += depthwise(x, kernel)
                expected += by_torch(wide, [kernel.double()])
            for out, e in zip(outs, expected, strict=True):
                assert_close(out, e)
            torch.autograd.backward(outs, [gradient] * len(outs))
            torch.autograd.backward(expected, [gradient.double()] * len(outs))
            assert x.grad is not None
            assert wide.grad is not None
            assert_close(x.grad, wide.grad)


@native
def test_what_does_not_fit() -> None:
    x = numbers(2, 8, 4, 4, grad=False)
    assert fits(x, x)
    assert not fits(x, x.double())
    assert not fits(x.contiguous())
    assert not fits(x[..., :2])
    assert not fits(x[:0])
    assert not fits(torch.empty(2, 8, 4, 4, device="meta"))
    assert not fits(torch.randn(2, 8, 4))
    assert not responds(x, 0.6)


def test_no_memory_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    class Full:
        def __getattr__(self, name: str) -> Callable[..., int]:
            return lambda *_: 1

    monkeypatch.setattr(structs, "library", Full)
    with pytest.raises(MemoryError, match="'respond'"):
        responded(numbers(2, 8, 4, 4), radius=1, alpha=1, beta=0.5, bias=1)


# The library: compiled, kept, damaged, or not to be had.


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("AMLA_NATIVE", raising=False)
    monkeypatch.delenv("CC", raising=False)
    monkeypatch.setenv("AMLA_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "native"


@pytest.fixture
def small_source(cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Compile one small function instead of the kernels."""
    if not shutil.which("cc"):
        pytest.skip("there is no compiler")
    source = tmp_path / "kernels.c"
    source.write_text("int answer(void) { return 42; }")
    monkeypatch.setattr(build, "_HERE", tmp_path)
    monkeypatch.setattr(build, "_SOURCE", source)
    return source


def answer() -> int:
    found = build.library.__wrapped__()
    assert found is not None
    return int(found.answer())


@pytest.mark.usefixtures("small_source")
def test_a_library_is_compiled_once(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert answer() == 42
    assert [path.suffix for path in cache.iterdir()] == [".so"]
    monkeypatch.setattr(build, "_runs", lambda command: pytest.fail(f"compiled again: {command}"))
    assert answer() == 42


@pytest.mark.usefixtures("small_source")
@pytest.mark.parametrize(
    "damage", [lambda b: b[: len(b) // 2], lambda b: b"", lambda b: b[:-1] + b"?", lambda b: b[1:]]
)
def test_a_damaged_library_is_compiled_again(cache: Path, damage: Callable[[bytes], bytes]) -> None:
    # not opened before, as whoever has a library open dies of its damage
    command = [sys.executable, "-c", "import ctypes, sys; print(ctypes.CDLL(sys.argv[1]).answer())"]
    assert build._built(["cc"], cache / "other.so") is not None
    kept = cache / f"{build._digest(['cc'])}.so"
    kept.write_bytes(damage((cache / "other.so").read_bytes()))
    assert answer() == 42
    assert subprocess.run([*command, str(kept)], capture_output=True, text=True).stdout.strip() == "42"


def test_another_source_is_another_library(small_source: Path) -> None:
    assert answer() == 42
    small_source.write_text("int answer(void) { return 43; }")
    assert answer() == 43


@pytest.mark.usefixtures("small_source")
def test_a_cache_that_cannot_be_written_to_does_no_harm(cache: Path) -> None:
    cache.parent.mkdir()
    cache.write_text("a file where the folder should be")
    assert answer() == 42


def test_a_source_that_does_not_compile_is_done_without(small_source: Path) -> None:
    small_source.write_text("int answer(void) { return missing; }")
    assert build.library.__wrapped__() is None


@pytest.mark.usefixtures("small_source")
def test_without_a_compiler_there_is_no_library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert build.library.__wrapped__() is None


@pytest.mark.usefixtures("small_source")
def test_a_compiler_that_fails_is_done_without(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = tmp_path / "broken"
    broken.write_text("#!/bin/sh\nexit 1\n")
    broken.chmod(0o755)
    monkeypatch.setenv("CC", f"{broken} -with options")
    assert build.library.__wrapped__() is None


@pytest.mark.usefixtures("cache")
def test_the_switch_leaves_everything_to_pytorch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AMLA_NATIVE", "0")
    assert build.library.__wrapped__() is None
    monkeypatch.setattr(structs, "library", build.library.__wrapped__)
    x, kernel = numbers(2, 8, 5, 5), numbers(8, 1, 3, 3)
    assert not fits(x)
    assert not responds(x, 0.5)
    assert not convolves(x, [kernel])
    assert torch.equal(depthwise(x, kernel)[0], by_torch(x, [kernel])[0])


FLAGS = {"none": (), "AVX2": ("-march=x86-64-v3", "-fopenmp")}


@native
@pytest.mark.parametrize("processor", FLAGS)
def test_older_processors_compute_the_same(processor: str, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if processor == "AVX2" and torch.backends.cpu.get_cpu_capability() not in ("AVX2", "AVX512"):
        pytest.skip("this processor does not know AVX2")
    if processor == "AVX2" and platform.machine() not in ("x86_64", "AMD64"):
        pytest.skip("this is another kind of processor")
    here = [*everything(), *everything(8), *everything(60, batch=2)]
    monkeypatch.setattr(build, "_CHOICES", (FLAGS[processor],))
    library = build._built(["cc"], cache / "older.so")
    assert isinstance(library, ctypes.CDLL)
    monkeypatch.setattr(structs, "library", lambda: library)
    for one, other in zip(here, [*everything(), *everything(8), *everything(60, batch=2)], strict=True):
        assert (one.double() - other).abs().max() <= 1e-4 * one.abs().max()
    for x in (numbers(2, 21, 9, 9), numbers(2, 64, 16, 16)):
        compare_depthwise(x, [3, 5, 7], [0, 2])
    compare_normalised([numbers(7, 10), numbers(7, 3)], norms_of([10, 3], [True, True]), training=True, relu=True)


def test_a_process_told_not_to_compiles_nothing(tmp_path: Path) -> None:
    code = (
        "import torch; from amla.backends.torch.native.functions import fits;"
        "print(fits(torch.ones(2, 3)), torch.get_num_threads())"
    )
    environment = {**os.environ, "AMLA_CACHE": str(tmp_path), "AMLA_NATIVE": "0", "OMP_NUM_THREADS": "1"}
    environment["PYTHONPATH"] = os.pathsep.join(sys.path)
    told = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert told.stdout.split() == ["False", "1"]
    assert not list(tmp_path.iterdir())
