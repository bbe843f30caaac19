"""What a drawing shows, in which look, and that any text in it is harmless."""

import re

import pytest
from drawn import SVG, by_id, marks, networks, parsed, tracks
from hypothesis import given, settings
from searches import ENVELOPE, grown

from amla.reports.blocks import fold
from amla.reports.draw import draw
from amla.spec import ops
from amla.spec.architecture import Architecture, Node

HOSTILE = "</title><script>alert('x')</script>\"&\x00\x0b"


@settings(max_examples=60, deadline=None)
@given(networks())
def test_every_block_appears_once(network: Architecture) -> None:
    svg = draw(network)
    assert sorted(mark.id for mark in marks(svg)) == sorted(fold(network).blocks)
    assert sorted(tracks(svg)) == sorted(fold(network).tracks)


def test_pruned_is_dashed_and_added_is_ringed() -> None:
    before, now = (trial.proposal.architecture for trial in grown(1).trials)
    drawing = by_id(draw(now, before=before))
    was, is_now = fold(before).blocks, fold(now).blocks
    assert {mark.id for mark in drawing.values() if "gone" in mark.classes} == was.keys() - is_now.keys()
    assert {mark.id for mark in drawing.values() if "new" in mark.classes} == is_now.keys() - was.keys()
    rings = re.findall(r'<rect class="ring"[^>]*>', draw(now, before=before, legend=False))
    assert len(rings) == sum(not is_now[address].is_mark for address in is_now.keys() - was.keys())


def test_a_pruned_skip_is_dashed() -> None:
    before, now = (trial.proposal.architecture for trial in grown(2).trials[1:])
    gone = fold(before).tracks.keys() - fold(now).tracks.keys()
    assert gone
    assert {track for track, classes in tracks(draw(now, before=before)).items() if "gone" in classes} == gone


def test_without_a_network_before_nothing_is_gone_or_new() -> None:
    assert not [mark for mark in marks(draw(grown(1)[1].proposal.architecture)) if {"gone", "new"} & mark.classes]


def test_values_colour_blocks_and_are_written_into_them() -> None:
    network = grown(0)[0].proposal.architecture
    values = {
        "stage0/cell0/1x1": 0.0,
        "stage0/cell0/3x3": 0.5,
        "stage0/cell0/5x5": 1.0,
        "stage0/cell1/1x1": float("nan"),
    }
    svg = draw(network, values=values, statistic="msss")
    drawing = by_id(svg)
    steps = [next(iter(drawing[address].classes)) for address in list(values)[:3]]
    assert steps == ["step0", "step4", "step8"]
    assert drawing["stage0/cell0/3x3"].texts == ("3x3", "0.500")
    assert "other" in drawing["stage0/cell1/1x1"].classes
    assert "msss 0 to 1.00" in svg


def test_a_scale_of_ones_own_puts_drawings_on_common_terms() -> None:
    network = grown(0)[0].proposal.architecture
    drawing = by_id(draw(network, values={"stage0/cell0/1x1": 1.0}, scale=(0.0, 2.0)))
    assert "step4" in drawing["stage0/cell0/1x1"].classes


def test_a_learned_skip_is_as_thick_as_it_is_strong() -> None:
    network = grown(2)[2].proposal.architecture
    first, second, *_ = fold(network).tracks
    svg = draw(network, values={first: -0.9, second: 0.1})
    width = {
        path.get("data-node"): float(path.get("style", "").removeprefix("stroke-width:"))
        for path in parsed(svg).iter(f"{SVG}path")
        if path.get("data-node") in (first, second)
    }
    assert width[first] > width[second]


def test_shapes_and_cells_are_noted_beside_the_rows() -> None:
    svg = draw(grown(0)[0].proposal.architecture)
    assert "3\u00a0×\u00a032×32" in svg
    assert "64\u00a0×\u00a016×16" in svg
    assert ">stage0/cell0</text>" in svg


@pytest.mark.parametrize("title", ["", "A title", HOSTILE])
def test_a_drawing_is_accessible_and_well_formed(title: str) -> None:
    root = parsed(draw(grown(0)[0].proposal.architecture, title=title, subtitle=title))
    assert root.get("role") == "img"
    assert root[0].tag == f"{SVG}title"
    assert root[0].text
    assert root[1].tag == f"{SVG}desc"
    assert not list(root.iter(f"{SVG}script"))


def test_drawings_can_stand_in_one_page() -> None:
    assert " id=" not in draw(grown(0)[0].proposal.architecture)


def test_colours_follow_the_reader_or_are_settled() -> None:
    network = grown(0)[0].proposal.architecture
    auto, light, dark = (draw(network, theme=theme) for theme in ("auto", "light", "dark"))
    assert "prefers-color-scheme:dark" in auto
    assert "var(--amla-conv," in auto
    assert "var(" not in light + dark
    assert light != dark


def test_width_scales_the_drawing() -> None:
    natural, narrow = (parsed(draw(grown(0)[0].proposal.architecture, width=width)) for width in (None, 200))
    assert narrow.get("width") == "200"
    assert narrow.get("viewBox") == natural.get("viewBox")


def test_an_open_network_says_what_is_undecided() -> None:
    drawing = by_id(draw(ENVELOPE.space.template))
    assert drawing["stage0/cell0"].texts == ("any 1–6",)
    assert "pick" in drawing["stage0/cell0"].classes


def test_a_single_node_is_a_network() -> None:
    assert [mark.id for mark in marks(draw(Architecture((Node("x", ops.Input((3,))),))))] == ["x"]


def test_slots_of_a_template_only_widen_cells_that_are_there() -> None:
    network = grown(0)[0].proposal.architecture
    assert {mark.id for mark in marks(draw(network, slots=ENVELOPE.space.template))} == fold(network).blocks.keys()
