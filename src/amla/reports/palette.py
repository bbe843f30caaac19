"""The colours of drawings, charts and pages by name, for light and for dark, and the style sheet of a drawing."""

from collections.abc import Iterable
from typing import Literal

Theme = Literal["auto", "light", "dark"]
FONT = "system-ui,-apple-system,'Segoe UI',Roboto,'Helvetica Neue','Liberation Sans',Arial,sans-serif"

_RAMP = (  # of a statistic from low to high: fill in light and text on it, fill in dark and text on it
    ("#e9f0e6", "#1d2430", "#1f2c34", "#cdd6e0"),
    ("#d7e9de", "#1d2430", "#1e373f", "#d5dee7"),
    ("#c3e1d8", "#1d2430", "#1c424b", "#dfe7ee"),
    ("#a5d3cc", "#1d2430", "#1f525b", "#e6edf2"),
    ("#84c2bf", "#1d2430", "#25636c", "#eef3f6"),
    ("#62afb2", "#14191f", "#2b6b73", "#ffffff"),
    ("#2b7883", "#ffffff", "#5aa5a6", "#0d1216"),
    ("#1c6570", "#ffffff", "#7dc1bc", "#0d1216"),
    ("#0d5360", "#ffffff", "#aee3da", "#0d1216"),
)
STEPS = len(_RAMP)
COLOURS: dict[str, tuple[str, str]] = {  # in light, in dark
    "paper": ("#ffffff", "#141920"),
    "ink": ("#1d2430", "#e3e8ef"),
    "muted": ("#5d6878", "#98a4b6"),
    "rule": ("#e3e7ec", "#262e3a"),
    "edge": ("#a3adbb", "#56637a"),
    "mark": ("#76818f", "#8593a8"),
    "track": ("#bf6a45", "#d98a66"),
    "new": ("#1f8a57", "#45c486"),
    "gone": ("#93595b", "#b08085"),
    "input": ("#eef0f3", "#222933"),
    "input-line": ("#b9c1cd", "#56637a"),
    "conv": ("#dde9f8", "#1d3553"),
    "conv-line": ("#7ba3d6", "#4a79b5"),
    "separable": ("#d9f0e9", "#163b35"),
    "separable-line": ("#62ac95", "#3d927c"),
    "pool": ("#f8ebd4", "#40331c"),
    "pool-line": ("#cfa557", "#a5813f"),
    "linear": ("#eae3f6", "#312849"),
    "linear-line": ("#a08acb", "#8069b3"),
    "identity": ("#f2f1ed", "#262723"),
    "identity-line": ("#b3b1a5", "#6d6c62"),
    "other": ("#eceff3", "#252c36"),
    "other-line": ("#aeb7c4", "#5d6a7e"),
    **{f"step{step}": (light, dark) for step, (light, _, dark, _) in enumerate(_RAMP)},
    **{f"on-step{step}": (light, dark) for step, (_, light, _, dark) in enumerate(_RAMP)},
}


def declarations(dark: bool) -> str:
    """Return all colours as CSS custom properties, "--amla-ink" and so on, for a page to set."""
    return "".join(f"--amla-{name}:{pair[dark]};" for name, pair in COLOURS.items())


def style_sheet(theme: Theme, kinds: Iterable[str]) -> str:
    """Return the rules of a drawing that shows blocks of `kinds`.

    With the theme "auto" colours follow the reader's light or dark scheme, and a page's own properties go before.
    """
    rules = _rules(kinds)
    names = dict.fromkeys(name for _, paints, _ in rules for name in paints.values())
    lines = [f".amla-{theme} {selector}{{{_paint(theme, paints)}{more}}}" for selector, paints, more in rules]
    if theme == "auto":
        light, dark = (
            "".join(f"--{name}:var(--amla-{name},{COLOURS[name][which]});" for name in names) for which in (0, 1)
        )
        lines.insert(0, f".amla-auto{{{light}}}@media(prefers-color-scheme:dark){{.amla-auto{{{dark}}}}}")
    return "".join(lines)


Rule = tuple[str, dict[str, str], str]  # a selector, colours by property, and other declarations


def _rules(kinds: Iterable[str]) -> list[Rule]:
    return [
        (".paper", {"fill": "paper"}, ""),
        ("text", {"fill": "ink"}, f"font:10px {FONT};text-anchor:middle"),
        (".title", {}, "font-size:14px;font-weight:600;text-anchor:start"),
        (".quiet", {"fill": "muted"}, "font-size:9px"),
        (".start", {}, "text-anchor:start"),
        (".end", {}, "text-anchor:end"),
        (".value", {}, "font-size:8.5px"),
        ("path", {"stroke": "edge"}, "fill:none;stroke-width:1.1"),
        ("path.track", {"stroke": "track"}, ""),
        ("path.gone", {"stroke": "gone"}, "stroke-dasharray:3 3"),
        ("path.halo", {"stroke": "paper"}, "stroke-width:4"),
        ("rect", {}, "stroke-width:1"),
        (".mark rect", {"fill": "mark"}, ""),
        (".mark.new rect", {"fill": "new"}, ""),
        (".pick rect", {"fill": "paper", "stroke": "mark"}, "stroke-dasharray:2 2"),
        *(rule for kind in kinds for rule in _filled(kind)),
        (".gone rect", {"stroke": "gone"}, "fill:none;stroke-dasharray:3 2.5"),
        (".gone text", {"fill": "gone"}, ""),
        ("rect.ring", {"stroke": "new"}, "fill:none;stroke-width:1.3"),
    ]


def _filled(kind: str) -> list[Rule]:
    if kind.startswith("step"):
        return [(f".{kind} rect", {"fill": kind, "stroke": "edge"}, ""), (f".{kind} text", {"fill": f"on-{kind}"}, "")]
    return [(f".{kind} rect", {"fill": kind, "stroke": f"{kind}-line"}, "")]


def _paint(theme: Theme, paints: dict[str, str]) -> str:
    if theme == "auto":
        return "".join(f"{name}:var(--{colour});" for name, colour in paints.items())
    return "".join(f"{name}:{COLOURS[colour][theme == 'dark']};" for name, colour in paints.items())
