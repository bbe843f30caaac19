"""Labels cover neither each other nor points nor lines, stay inside, and are told apart from those of other points."""

from itertools import combinations
from math import hypot

from hypothesis import given, settings
from hypothesis import strategies as st

from amla.reports.geometry import Box
from amla.reports.labels import Spot, box_of, meet, placed

WIDTH, HEIGHT = 400.0, 300.0
SPOTS = st.lists(
    st.builds(
        Spot,
        st.floats(10, WIDTH - 10),
        st.floats(10, HEIGHT - 10),
        st.floats(2, 20),
        st.sampled_from(["", "conv 3×3", "batch norm 64 @32", "relu"]),
    ),
    max_size=14,
)


@settings(deadline=None, max_examples=50)
@given(SPOTS)
def test_no_label_covers_another_a_point_or_a_line(spots: list[Spot]):
    line, taken = [(0.0, 0.0), (WIDTH, HEIGHT)], Box(200, 20, 90, 15)
    labels = placed(spots, [line], [taken], WIDTH, HEIGHT)
    assert len(labels) == len(spots)
    boxes = [box_of(label) for label in labels if label]
    on_line = [Box(step * WIDTH / 100, step * HEIGHT / 100, 0.1, 0.1) for step in range(101)]
    assert not any(meet(one, other) for one, other in combinations(boxes, 2))
    assert not any(meet(box, other) for box in boxes for other in (taken, *on_line))
    assert all(distance(box, spot) >= spot.radius for box in boxes for spot in spots)
    assert all(box.left >= 0 and box.right <= WIDTH and box.top >= 0 and box.bottom <= HEIGHT for box in boxes)


def distance(box: Box, spot: Spot) -> float:
    across, up = max(abs(box.x - spot.x) - box.width / 2, 0), max(abs(box.y - spot.y) - box.height / 2, 0)
    return hypot(across, up)


@settings(deadline=None, max_examples=50)
@given(SPOTS)
def test_a_text_is_written_once_and_only_where_it_belongs(spots: list[Spot]):
    labels = placed(spots, [], [], WIDTH, HEIGHT)
    written = [label.text for label in labels if label]
    assert len(written) == len(set(written))
    assert all(label is None or label.text == spot.text for label, spot in zip(labels, spots, strict=True))


def test_alone_it_stands_to_the_right_and_needs_no_line():
    (label,) = placed([Spot(100, 100, 5, "relu")], [], [], WIDTH, HEIGHT)
    assert label is not None
    assert (label.align, label.y, label.leader) == ("left", 100, None)


def test_at_the_right_edge_it_stands_to_the_left():
    (label,) = placed([Spot(WIDTH - 10, 100, 5, "relu")], [], [], WIDTH, HEIGHT)
    assert label is not None
    assert label.align == "right"


def test_farther_away_a_line_leads_to_it_from_the_edge_of_its_point():
    crowd = [Spot(100 + x, 100 + y, 8) for x in (-20, 0, 20) for y in (-20, 0, 20) if x or y]
    (label, *_) = placed([Spot(100, 100, 8, "relu"), *crowd], [], [], WIDTH, HEIGHT)
    assert label is not None
    assert label.leader is not None
    (x, y), _ = label.leader
    assert ((x - 100) ** 2 + (y - 100) ** 2) ** 0.5 < 8.01


def test_without_room_there_is_no_label():
    assert placed([Spot(10, 10, 5, "a long name")], [], [], 40, 40) == [None]
