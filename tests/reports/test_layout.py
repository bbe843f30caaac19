"""Boxes never overlap, lines keep out of boxes that they do not join, places are kept."""

from itertools import combinations, pairwise

import pytest
from drawn import by_id, marks, networks
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.random import default_rng
from searches import ENVELOPE, grown

from amla.reports.draw import draw
from amla.reports.geometry import Box, Layout, Slot, Wire
from amla.reports.layout import arrange
from amla.reports.scene import compose
from amla.spec.architecture import Architecture


@settings(max_examples=60, deadline=None)
@given(networks())
def test_boxes_of_any_network_do_not_overlap(network: Architecture) -> None:
    assert not [pair for pair in combinations(marks(draw(network)), 2) if pair[0].meets(pair[1])]


@settings(max_examples=60, deadline=None)
@given(networks(), networks())
def test_two_unrelated_networks_can_be_set_against_each_other(now: Architecture, before: Architecture) -> None:
    found = marks(draw(now, before=before, slots=before, among=[before]))
    assert not [pair for pair in combinations(found, 2) if pair[0].meets(pair[1])]


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000))
def test_boxes_of_envelope_nets_do_not_overlap(seed: int) -> None:
    rng = default_rng(seed)
    now, before = ENVELOPE.space.sample(rng), ENVELOPE.space.sample(rng)
    values = {node.id: float(rng.normal()) for node in now}
    svg = draw(now, before=before, values=values, slots=ENVELOPE.space.template, title="a title", subtitle="more")
    assert not [pair for pair in combinations(marks(svg), 2) if pair[0].meets(pair[1])]


@settings(max_examples=60, deadline=None)
@given(networks())
def test_lines_keep_out_of_the_boxes_that_they_do_not_join(network: Architecture) -> None:
    layout = compose(network, None, None, (), 20.0).layout
    assert not list(_trespasses(layout))


def test_lines_of_a_growth_keep_out_of_the_boxes_that_they_do_not_join() -> None:
    networks = [trial.proposal.architecture for trial in grown(5).trials]
    for before, now in pairwise(networks):
        scene = compose(now, before, ENVELOPE.space.template, networks, 20.0)
        drawn = {address: box for address, box in scene.layout.boxes.items() if address in scene.blocks}
        assert not list(_trespasses(scene.layout, drawn))


def test_everything_lies_inside_the_extent() -> None:
    layout = compose(grown(3)[3].proposal.architecture, None, None, (), 20.0).layout
    points = [point for route in layout.routes.values() for point in route.points]
    assert min(x for x, _ in points) >= layout.left
    assert max(x for x, _ in points) <= layout.right
    assert all(box.left >= layout.left and box.right <= layout.right for box in layout.boxes.values())
    assert max(box.bottom for box in layout.boxes.values()) == pytest.approx(layout.bottom)


def test_a_branch_keeps_its_place_from_construction_to_construction() -> None:
    networks = [trial.proposal.architecture for trial in grown(5).trials]
    template = ENVELOPE.space.template
    drawings = [by_id(draw(now, slots=template)) for now in networks]
    for earlier, later in pairwise(drawings):
        shared = [address for address in earlier.keys() & later.keys() if address.startswith("stage0/")]
        assert len(shared) > 10
        assert all(earlier[address].x == later[address].x for address in shared)


def test_a_pruned_branch_stands_where_it_stood() -> None:
    before, now = (grown(1)[trial].proposal.architecture for trial in (0, 1))
    template = ENVELOPE.space.template
    was, is_now = by_id(draw(before, slots=template)), by_id(draw(now, before=before, slots=template))
    gone = [address for address in was if address not in now]
    assert gone
    assert all(was[address].x == is_now[address].x for address in gone)


def test_drawings_in_one_frame_line_up() -> None:
    networks = [trial.proposal.architecture for trial in grown(4).trials]
    drawings = [by_id(draw(now, among=networks, slots=ENVELOPE.space.template)) for now in networks]
    places: dict[str, set[tuple[float, float]]] = {}
    for drawing in drawings:
        for mark in drawing.values():
            places.setdefault(mark.id, set()).add((mark.x, mark.y))
    assert all(len(found) == 1 for found in places.values())


def test_links_nest_in_lanes_and_rows_are_centred() -> None:
    slots = [Slot(name, 40, 20) for name in "abcd"]
    wires = [Wire("a", "b"), Wire("b", "c"), Wire("c", "d"), Wire("a", "c"), Wire("a", "d"), Wire("b", "d")]
    layout = arrange(slots, wires)
    assert [box.x for box in layout.boxes.values()] == [0, 0, 0, 0]
    lanes = {wire: max(x for x, _ in layout.routes[wire].points) for wire in wires[3:]}
    assert lanes[wires[3]] == lanes[wires[4]]  # one source, one lane
    assert lanes[wires[5]] != lanes[wires[4]]


def test_a_cycle_is_an_error() -> None:
    with pytest.raises(ValueError, match="cycle"):
        arrange([Slot("a", 1, 1), Slot("b", 1, 1)], [Wire("a", "b"), Wire("b", "a")])


def _trespasses(layout: Layout, boxes: dict[str, Box] | None = None) -> list[tuple[Wire, str]]:
    """Return which lines pass through which boxes that they do not join."""
    found = []
    for wire, route in layout.routes.items():
        for (x1, y1), (x2, y2) in pairwise(route.points):
            for address, box in (boxes or layout.boxes).items():
                apart = (
                    max(x1, x2) <= box.left
                    or min(x1, x2) >= box.right
                    or max(y1, y2) <= box.top
                    or min(y1, y2) >= box.bottom
                )
                if not apart and address not in (wire.source, wire.target):
                    found.append((wire, address))
    return found
