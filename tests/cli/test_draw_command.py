"""`amla draw`: a picture of the kind that its name says, and one line of costs."""

from pathlib import Path
from xml.etree import ElementTree

import pytest
from commands import Command, piped
from PIL import Image

from amla.reports.numbers import count, size
from amla.spaces.envelope import envelope
from amla.spec import text
from amla.spec.costs import costs

SPACE = envelope((1, 8, 8), 3, width=6, cells=(1,), max_cells=(2,)).space
NETWORK = SPACE.close(envelope((1, 8, 8), 3, width=6, cells=(1,), max_cells=(2,)).initial())
amla = pytest.fixture(piped)


@pytest.fixture
def network(tmp_path: Path) -> Path:
    text.save(NETWORK, tmp_path / "mine.json")
    return tmp_path / "mine.json"


@pytest.mark.parametrize("suffix", [".json", ".yaml"])
def test_it_draws_to_svg_unless_told_otherwise_and_says_what_the_network_costs(suffix: str, tmp_path, amla: Command):
    text.save(NETWORK, tmp_path / f"mine{suffix}")
    counted = costs(NETWORK)
    said = (
        f"{count(counted.parameters)} parameters, {count(counted.macs)} MACs, {size(counted.peak_memory)} of "
        "activations at once; drawn to network.svg\n"
    )
    assert amla("draw", f"mine{suffix}") == (0, said, "")
    drawn = ElementTree.fromstring((tmp_path / "network.svg").read_text(encoding="utf-8"))  # noqa: S314 - our own
    assert drawn.tag == "{http://www.w3.org/2000/svg}svg"


@pytest.mark.parametrize("name", ["picture.png", "PICTURE.PNG"])
def test_it_draws_to_png(name: str, network: Path, amla: Command):
    code, out, err = amla("draw", str(network), "-o", name)
    assert (code, err) == (0, "")
    assert out.endswith(f"drawn to {name}\n")
    with Image.open(name) as image:
        assert image.format == "PNG"
        assert min(image.size) > 100


@pytest.mark.parametrize(("name", "suffix"), [("picture.gif", ".gif"), ("picture", ""), ("svg", "")])
def test_any_other_kind_is_refused_and_nothing_is_written(name: str, suffix: str, network: Path, amla: Command):
    said = f"amla: {name!r} ends in {suffix!r}; a picture is .svg or .png.\n"
    assert amla("draw", str(network), "-o", name) == (2, "", said)
    assert not Path(name).exists()


def test_a_network_that_is_missing_is_said(amla: Command):
    assert amla("draw", "mine.json") == (2, "", "amla: There is no file 'mine.json'.\n")


def test_what_is_no_network_is_said(tmp_path: Path, amla: Command):
    (tmp_path / "mine.json").write_text("{}")
    code, out, err = amla("draw", "mine.json")
    assert (code, out) == (2, "")
    assert err.startswith("amla: 'mine.json': nodes: ")


def test_an_open_network_is_refused_with_what_is_undecided(tmp_path: Path, amla: Command):
    text.save(SPACE.template, tmp_path / "open.json")
    code, out, err = amla("draw", "open.json")
    assert (code, out) == (2, "")
    assert "stage0/cell0" in err


def test_a_folder_that_is_missing_is_said(network: Path, amla: Command):
    code, out, err = amla("draw", str(network), "-o", "nowhere/network.svg")
    assert (code, out) == (2, "")
    assert err.startswith("amla: No such file or directory: 'nowhere/network.svg'.")
