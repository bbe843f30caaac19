"""Pictures for where SVG cannot go."""

import pytest
from searches import grown

from amla.reports.charts import against_parameters
from amla.reports.draw import draw
from amla.reports.picture import to_png

PNG = b"\x89PNG\r\n\x1a\n"


def size(png: bytes) -> tuple[int, int]:
    return int.from_bytes(png[16:20]), int.from_bytes(png[20:24])


def test_a_drawing_becomes_a_picture_of_its_size() -> None:
    png = to_png(draw(grown(0)[0].proposal.architecture, theme="light", width=300), scale=2)
    assert png.startswith(PNG)
    assert size(png)[0] == 600


def test_a_chart_becomes_a_picture() -> None:
    spec = against_parameters(grown(1), theme="dark")
    assert spec is not None
    assert to_png(spec).startswith(PNG)


def test_colours_that_a_page_would_settle_are_refused() -> None:
    with pytest.raises(ValueError, match="theme"):
        to_png(draw(grown(0)[0].proposal.architecture))
