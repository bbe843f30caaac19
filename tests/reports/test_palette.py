"""Every text can be read on what it is written on, in light and in dark."""

import pytest

from amla.reports.palette import COLOURS, STEPS

PAIRS = [
    *((text, "paper") for text in ("ink", "muted", "gone")),
    *(("ink", kind) for kind in ("input", "conv", "separable", "pool", "linear", "identity", "other")),
    *((f"on-step{step}", f"step{step}") for step in range(STEPS)),
]


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
@pytest.mark.parametrize(("text", "ground"), PAIRS)
def test_contrast_is_that_of_wcag_aa(text: str, ground: str, scheme: int) -> None:
    light, dark = sorted((_luminance(COLOURS[name][scheme]) for name in (text, ground)), reverse=True)
    assert (light + 0.05) / (dark + 0.05) >= 4.5


def _luminance(colour: str) -> float:
    """Return the relative luminance of WCAG 2.2 of "#rrggbb"."""
    shares = (int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5))
    linear = [share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4 for share in shares]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
