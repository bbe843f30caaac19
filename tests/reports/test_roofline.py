"""A roofline is valid Vega-Lite, holds what was measured, and its texts stand apart from each other."""

import json
from itertools import combinations
from typing import Any
from xml.etree import ElementTree

import pytest
import vl_convert

from amla.reports.labels import box_of, meet
from amla.reports.palette import COLOURS
from amla.reports.picture import to_png, to_svg
from amla.reports.plane import HEIGHT, WIDTH, Ceiling, Plane
from amla.reports.roofline import LABELS, Dot, arranged, roofline
from amla.reports.vega import Chart

CEILING = Ceiling(100, 20, product=80)
WHOLE = Dot("a whole step", "other", 20, 40)
DOTS = [Dot(f"conv {n}", "convolution", 3 + 4.0 * n, 20 + 2.0 * n, share=0.04 / (n + 1)) for n in range(24)]
DOTS += [Dot("batch norm", "normalisation", 0.4, 5, share=0.2), Dot("relu", "other", 0.1, 3, share=0.001)]
PASSES = [Dot("relu", "other", 0.12, 2), Dot("relu", "other", 0.08, 1.5, hollow=True), Dot("dense", "linear", 30, 60)]


def drawn(theme: str = "light", dots: list[Dot] = DOTS, whole: Dot | None = WHOLE) -> Chart:
    return roofline(CEILING, dots, "digits", ["one thread"], theme, whole)  # type: ignore[arg-type]


@pytest.mark.parametrize("spec", [drawn(), drawn("dark", PASSES, None), drawn("light", [], None)])
def test_it_can_be_drawn(spec: Chart, capfd: pytest.CaptureFixture[str]):
    json.dumps(spec, allow_nan=False)
    assert "<svg" in vl_convert.vegalite_to_svg(spec, show_warnings=True)
    assert "WARN" not in "".join(capfd.readouterr())
    assert to_png(spec).startswith(b"\x89PNG")


def test_dots_are_where_they_were_measured_and_as_large_as_their_share():
    rows = layer(drawn(), "area")
    assert {(row["name"], row["intensity"], row["rate"]) for row in rows} == {
        (dot.name, dot.intensity, dot.rate) for dot in DOTS
    }
    areas = {row["name"]: row["area"] for row in rows}
    assert areas["batch norm"] / areas["conv 0"] == pytest.approx(0.2 / 0.04)
    assert [row["area"] for row in rows] == sorted((row["area"] for row in rows), reverse=True)  # small ones on top
    reached = {row["name"]: row["reached"] for row in rows}
    assert reached["batch norm"] == "62\u202f%"  # of 0.4 times 20
    assert reached["conv 23"] == "66\u202f%"  # of the peak


def test_the_roof_meets_at_the_ridge():
    plane = Plane.around(CEILING, [(0.1, 1.0), (300.0, 90.0)])
    start, ridge, end = [plane.datum(place) for place in plane.roof(CEILING)]
    assert ridge == {"intensity": pytest.approx(5), "rate": pytest.approx(100)}
    assert start["rate"] == pytest.approx(20 * start["intensity"])
    assert end["rate"] == pytest.approx(100)
    assert (CEILING.ridge, CEILING.at(1), CEILING.at(50)) == (5, 20, 100)


def test_matrix_products_have_a_line_only_where_other_arithmetic_is_faster():
    assert "strokeDash" in json.dumps(drawn())
    assert "strokeDash" not in json.dumps(roofline(Ceiling(100, 20, product=99), DOTS, "digits", [], "light"))


def test_no_two_texts_meet_and_the_heaviest_are_named():
    plane = Plane.around(CEILING, [(dot.intensity, dot.rate) for dot in (*DOTS, WHOLE)])
    ordered = sorted(DOTS, key=lambda dot: -(dot.share or 0))
    spots, labels = arranged(plane, CEILING, ordered, DOTS, WHOLE)
    boxes = [box_of(label) for label in labels if label]
    boxes += [box for written in plane.written(CEILING, spots) for box in written.room[::3]]
    assert not any(meet(one, other) for one, other in combinations(boxes, 2))
    texts = {label.text for label in labels if label}
    assert {"a whole step", "batch norm · 20\u202f%", "conv 0 · 4\u202f%"} <= texts
    assert 4 < len(texts) <= LABELS + 1


def test_a_backward_pass_is_hollow_and_joined_with_its_forward_pass():
    spec = drawn("light", PASSES, None)
    assert [row["name"] for row in layer(spec, "area") if row["hollow"]] == ["relu, backward"]
    (pair,) = [row for row in layer(spec, "x2") if row["x2"] == 0.08]
    assert (pair["intensity"], pair["rate"], pair["y2"]) == (0.12, 2, 1.5)


def test_an_svg_is_light_and_knows_how_to_be_dark():
    svg = to_svg(drawn("auto"), "amla-roofline")
    root = ElementTree.fromstring(svg)  # noqa: S314 - of our own making
    assert root.get("class") == "amla-roofline"
    assert float(root.get("width", "")) > WIDTH
    assert float(root.get("height", "")) > HEIGHT
    assert "var(--" not in svg
    light, dark = COLOURS["ink"]
    assert f'.amla-roofline [fill="{light}"]{{fill:{dark}}}' in svg
    assert f'fill="{light}"' in svg
    used = [COLOURS[name] for name in ("paper", "ink", "muted", "rule", "edge", "input", "mark", "track")]
    assert len({light for light, _ in used}) == len(used)  # by which a style sheet tells them apart


def layer(spec: Chart, field: str) -> list[dict[str, Any]]:
    """Return the rows of the layers whose rows have a field."""
    found = [each["data"]["values"] for each in spec["layer"]]
    return [row for rows in found for row in rows if field in row]
