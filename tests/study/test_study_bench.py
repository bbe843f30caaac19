"""Nodes that are alike are measured once, and what a machine can do is kept until it is another machine."""

from collections.abc import Callable
from pathlib import Path

import pytest

from amla.backends.bench import QUICK, STANDING, NetworkSpeed, Product, Rate, Roof, Stream, Times
from amla.spec import ops
from amla.spec.architecture import Architecture, Node
from amla.spec.ops import Op, Size
from amla.spec.values import SpecError
from amla.study import bench
from amla.study.study import StudyError

SECOND = Times(1.0, 1.0, 1.0, 1.0, 1)
IMAGE = (4, 8, 8)


def silent(said: str) -> None:
    pass


class Clockless:
    """Measures nothing: every pass takes a second, and machines get better by the day."""

    device = "cpu"

    def __init__(self) -> None:
        self.roofs, self.measured = list[int](), list[tuple[Op, tuple[Size, ...], bool]]()

    def roof(self, threads: int) -> Roof:
        self.roofs.append(threads)
        rate = Rate(*(float(len(self.roofs)),) * 4)
        return Roof(threads, (Product("matrix", 8, rate),), (Stream("copy", 8, rate),))

    def passes(
        self, op: Op, sources: tuple[Size, ...], batch: int, threads: int, *, inner: bool
    ) -> tuple[Times, Times | None]:
        self.measured.append((op, sources, inner))
        return SECOND, SECOND

    def step(self, architecture: Architecture, batch: int, threads: int) -> Times:
        return SECOND


def chain() -> Architecture:
    """Three convolutions, of which the first reads an image and the others are alike; each with a relu."""
    nodes = [Node("image", ops.Input(IMAGE))]
    for name in "abc":
        nodes.append(Node(f"{name}/conv", ops.Conv(4, (3, 3)), (nodes[-1].id,)))
        nodes.append(Node(name, ops.Activation(), (nodes[-1].id,)))
    nodes += [Node("flat", ops.Flatten(), ("c",)), Node("logits", ops.Classify(3), ("flat",))]
    return Architecture(tuple(nodes))


@pytest.fixture(autouse=True)
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("AMLA_CACHE", str(tmp_path))
    return tmp_path / "machines"


def measure(measuring: Clockless, *, fresh: bool = False, keep: bool = True, threads: int = 1) -> NetworkSpeed:
    return bench.network(measuring, chain(), 2, threads, silent, fresh=fresh, keep=keep)


def test_nodes_that_are_alike_are_measured_once():
    measuring = Clockless()
    found = measure(measuring)
    conv = ops.Conv(4, (3, 3))
    assert [(op, inner) for op, _, inner in measuring.measured] == [
        (conv, False),
        (ops.Activation("relu"), True),
        (conv, True),
        (ops.Classify(3), True),
    ]
    by_nodes = {speed.nodes: speed for speed in found.speeds}
    assert by_nodes.keys() == {("image",), ("a/conv",), ("b/conv", "c/conv"), ("a", "b", "c"), ("flat",), ("logits",)}
    assert by_nodes["flat",].passes == ()
    assert [len(speed.nodes) for speed in found.speeds[:2]] == [3, 2]  # the heaviest first
    first, later = by_nodes["a/conv",].backward, by_nodes["b/conv", "c/conv"].backward
    assert first is not None
    assert later is not None
    assert 2 * first.work.flops == later.work.flops


def test_what_a_machine_can_do_is_measured_once_for_each_number_of_threads(kept: Path):
    measuring = Clockless()
    assert [measure(measuring).roof.peak for _ in range(2)] == [1, 1]
    assert [measure(measuring, threads=2).roof.peak for _ in range(2)] == [2, 2]
    assert measuring.roofs == [1, 2]
    assert len(list(kept.iterdir())) == 2


def test_fresh_measures_it_anew_and_keeps_that():
    measuring = Clockless()
    measure(measuring)
    assert measure(measuring, fresh=True).roof.peak == 2
    assert measure(measuring).roof.peak == 2


def test_a_quick_measurement_is_not_kept(kept: Path):
    measure(Clockless(), keep=False)
    assert not kept.exists()


@pytest.mark.parametrize(
    "damage", [lambda text: text[: len(text) // 2], lambda text: text.replace('"threads": "1"', '"threads": "3"')]
)
def test_a_damaged_or_foreign_file_is_measured_over(damage: Callable[[str], str], kept: Path):
    measuring = Clockless()
    measure(measuring)
    (file,) = kept.iterdir()
    file.write_text(damage(file.read_text()))
    assert measure(measuring).roof.peak == 2
    assert measure(measuring).roof.peak == 2


def test_a_machine_is_measured_with_one_thread_with_all_and_between(monkeypatch: pytest.MonkeyPatch, kept: Path):
    monkeypatch.setattr("amla.backends.processor.cores", lambda: 6)
    measuring = Clockless()
    found = bench.machine(measuring, 8, silent, keep=True)
    assert [roof.threads for roof in found.roofs] == measuring.roofs == [1, 2, 4, 6]
    assert [(speed.op, speed.sources) for speed in found.speeds] == [(op, (source,)) for op, source in STANDING]
    assert measure(measuring).roof == found.roofs[0]  # which was kept


def test_an_open_network_is_refused():
    nodes = Node("x", ops.Input(IMAGE)), Node("any", ops.Pick(), ("x",))
    with pytest.raises(SpecError, match="decided"):
        bench.network(Clockless(), Architecture(nodes), 2, 1, silent, fresh=False, keep=False)


@pytest.mark.parametrize("error", [MemoryError("no room"), RuntimeError("CUDA out of memory: no room")])
def test_a_lack_of_memory_is_explained(error: Exception):
    class Full(Clockless):
        def step(self, architecture: Architecture, batch: int, threads: int) -> Times:
            raise error

    with pytest.raises(StudyError, match=r"no room.*smaller --batch"):
        measure(Full())


def test_any_other_error_is_a_bug_and_stays_one():
    class Broken(Clockless):
        def step(self, architecture: Architecture, batch: int, threads: int) -> Times:
            raise RuntimeError("shapes do not fit")

    with pytest.raises(RuntimeError, match="shapes do not fit"):
        measure(Broken())


def test_a_device_that_is_not_there_is_a_users_mistake():
    with pytest.raises(StudyError, match="--device: 'tpu'"):
        bench.opened("tpu", QUICK)
