"""`amla bench`: tables, JSON and pictures of a machine and of a network, and what cannot be measured."""

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest
from commands import Command, piped
from PIL import Image

from amla.backends.processor import cores
from amla.backends.torch import bench as torch_bench
from amla.spaces.envelope import envelope
from amla.spec import ops, text
from amla.study import bench

SPACE = envelope((1, 8, 8), 3, width=6, cells=(1,), max_cells=(2,))
NETWORK = SPACE.space.close(SPACE.initial())
amla = pytest.fixture(piped)


@pytest.fixture(autouse=True)
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a machine be small: tests ask for figures, not for good ones."""
    monkeypatch.setenv("AMLA_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(torch_bench, "last_level_cache", lambda: 1 << 18)
    operations = ((ops.Conv(4, (3, 3)), (4, 8, 8)), (ops.BatchNorm(), (4, 8, 8)), (ops.Pool("max", (2, 2)), (4, 8, 8)))
    monkeypatch.setattr(bench, "STANDING", operations)


@pytest.fixture
def network(tmp_path: Path) -> Path:
    text.save(NETWORK, tmp_path / "mine.json")
    return tmp_path / "mine.json"


def test_help_names_both_commands(amla: Command):
    code, out, _ = amla("bench", "--help")
    assert code == 0
    assert "machine" in out
    assert "network" in out


def test_a_machine_is_told_in_tables(amla: Command, tmp_path: Path):
    code, out, err = amla("bench", "machine", "--device", "cpu", "--quick")
    assert (code, err) == (0, "")
    for part in ("matrix product 512", "conv 3×3 256→256", "triad of 1.00", "CPU-s", "conv 3×3 4→4 @8", "batch norm 4"):
        assert part in out
    assert not (tmp_path / "cache" / "machines").exists()  # it was too quick to be kept


def test_a_machine_is_told_in_json(amla: Command):
    code, out, err = amla("bench", "machine", "--device", "cpu", "--quick", "--json")
    assert (code, err) == (0, "")
    told = json.loads(out)
    assert told["device"] == "cpu"
    assert told["roofs"][0]["threads"] == 1
    assert told["roofs"][-1]["threads"] == told["cores"] == cores()
    roof = told["roofs"][0]
    assert roof["peak"] == max(product["rate"]["best"] for product in roof["products"])
    assert roof["ridge"] == pytest.approx(roof["peak"] / roof["bandwidth"])
    conv, norm, _ = told["operations"]
    for found in (conv["forward"], conv["backward"], norm["forward"]):
        assert found["gflops"] == pytest.approx(found["flops"] / 1e9 / found["seconds"]["median"])
        assert found["of_peak"] == pytest.approx(found["gflops"] / roof["peak"])
    assert norm["forward"]["bound"] == "memory"


def test_a_network_is_told_in_tables_with_its_step_and_its_floor(network: Path, amla: Command):
    code, out, err = amla("bench", "network", str(network), "--device", "cpu", "--quick")
    assert (code, err) == (0, "")
    assert out.startswith("mine.json: ")
    for part in ("batch 8, 1 thread", "conv 3×3", "all nodes, one by one", "a whole step", "floor: ", "several operat"):
        assert part in out
    _, _, step = out.partition("A training step")
    line = next(line for line in step.splitlines() if line.startswith("a whole step"))
    assert line.rstrip().endswith("100\u202f%")


def test_a_network_is_told_in_json_node_by_node(network: Path, amla: Command):
    code, out, err = amla(
        "bench", "network", str(network), "--device", "cpu", "--quick", "--json", "--batch", "4", "--threads", "1"
    )
    assert (code, err) == (0, "")
    told = json.loads(out)
    assert told["batch"] == 4
    assert sorted(node for each in told["operations"] for node in each["nodes"]) == sorted(n.id for n in NETWORK)
    assert sum(each["share"] for each in told["operations"]) == pytest.approx(1)
    assert told["sum"] == pytest.approx(
        sum(
            len(each["nodes"]) * found["seconds"]["median"]
            for each in told["operations"]
            for found in (each["forward"], each["backward"])
            if found
        )
    )
    assert told["step"]["median"] > 0
    assert 0 < told["floor"]["arithmetic"] <= told["floor"]["arithmetic_and_memory"]


@pytest.mark.parametrize("name", ["roof.svg", "roof.png", "ROOF.HTML"])
def test_a_roofline_is_drawn(name: str, network: Path, amla: Command):
    code, out, err = amla("bench", "network", str(network), "--device", "cpu", "--quick", "-o", name)
    assert (code, err) == (0, "")
    assert out.endswith(f"drawn to {name}\n")
    match Path(name).suffix.lower():
        case ".svg":
            root = ElementTree.fromstring(Path(name).read_text(encoding="utf-8"))  # noqa: S314 - our own
            assert root.tag.endswith("svg")
        case ".png":
            with Image.open(name) as image:
                assert image.format == "PNG"
        case _:
            page = Path(name).read_text(encoding="utf-8")
            for part in ("<h1>mine.json</h1>", "A training step", "a whole step, as trained", "vegaEmbed"):
                assert part in page


def test_a_run_folder_means_its_best_network(tmp_path: Path, amla: Command):
    (tmp_path / "run").mkdir()
    code, out, err = amla("bench", "network", "run")
    assert (code, out) == (2, "")
    assert err.startswith("amla: 'run' has no best.arch.json")
    text.save(NETWORK, tmp_path / "run" / "best.arch.json")
    code, out, _ = amla("bench", "network", "run", "--device", "cpu", "--quick")
    assert code == 0
    assert out.startswith("run: ")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("mine.json", "--out", "roof.gif"), "'roof.gif' ends in '.gif'; a roofline is .svg, .png or .html."),
        (("mine.json", "--out", "nowhere/roof.svg"), "There is no folder 'nowhere' to write 'roof.svg' into."),
        (("mine.json", "--threads", "9999"), f"--threads is 9999, but this process may use {cores()} core"),
        (("mine.json", "--device", "tpu"), "--device: 'tpu' is no device here"),
        (("missing.json",), "There is no file 'missing.json'."),
        (("open.json",), "before the Pick is decided."),
    ],
)
def test_what_cannot_be_measured_is_said_at_once(
    options: tuple[str, ...], said: str, network: Path, tmp_path: Path, amla: Command
):
    text.save(SPACE.space.template, tmp_path / "open.json")
    code, out, err = amla("bench", "network", *options)
    assert (code, out) == (2, "")
    assert err.startswith("amla: ")
    assert said in err
