"""The report of a study as one HTML file that needs nothing else: no network, no other file."""

from base64 import b64encode
from collections.abc import Sequence
from functools import cache
from hashlib import sha256
from importlib.resources import files
from shlex import quote

from amla.reports.beside import worth_it
from amla.reports.fronts import front
from amla.reports.growth import constructions
from amla.reports.headline import headline, key_figures
from amla.reports.markup import Html, Section, element, escaped, join, section
from amla.reports.networks import final_network, growth
from amla.reports.palette import declarations
from amla.reports.plots import accuracy_and_cost, learning_curves, worth_of_branches
from amla.reports.report import Report
from amla.reports.tables import circumstances, classes, constructions_table, errors, failures
from amla.reports.tuning import tuned

NOTHING = "'none'"  # as a content security policy says it


def render(report: Report) -> str:
    """Return the report as a page. What is not known yet is left out, and the first words say so."""
    steps = constructions(report.history, report.metric)
    plots = (learning_curves(report), accuracy_and_cost(report), worth_of_branches(report))
    sections = (
        final_network(report),
        worth_it(report),
        _notices(report.notices),
        growth(report, steps),
        constructions_table(report, steps),
        front(report),
        tuned(report),
        *plots,
        failures(report),
        classes(report),
        errors(report),
        _study(report.study),
        circumstances(report),
        _next(report),
    )
    told = [part for part in sections if part]
    body = join((headline(report), key_figures(report), _contents(told), *(part.html for part in told)))
    return page(report.name, body, charts=any(plots))


def page(name: str, body: Html, *, charts: bool) -> str:
    """Return a page that may run what draws `charts` and nothing else, and may not ask the network for anything."""
    scripts = [_library(), _file("page.js")] if charts else []
    hashes = " ".join(f"'sha256-{b64encode(sha256(script.encode()).digest()).decode()}'" for script in scripts)
    policy = (
        f"default-src {NOTHING}; script-src {hashes or NOTHING}; style-src 'unsafe-inline'; img-src data:; "
        f"base-uri {NOTHING}; form-action {NOTHING}"
    )
    light, dark = declarations(dark=False), declarations(dark=True)
    colours = f":root{{{light}}}@media screen and (prefers-color-scheme:dark){{:root{{{dark}}}}}"
    return "".join(
        (
            '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{escaped(policy)}">',
            '<meta name="viewport" content="width=device-width,initial-scale=1">',
            '<meta name="color-scheme" content="light dark"><meta name="generator" content="amla">',
            f"<title>{escaped(name)} · amla</title><style>{colours}{_file('page.css')}</style></head>",
            f"<body><main>{body.text}</main>",
            *(f"<script>{script}</script>" for script in scripts),
            "</body></html>\n",
        )
    )


def _contents(sections: Sequence[Section]) -> Html | None:
    links = (element("li", element("a", part.title, href=f"#{part.anchor}")) for part in sections)
    return element("nav", element("ul", *links), aria_label="Contents") if sections else None


def _notices(notices: Sequence[str]) -> Section | None:
    items = [element("li", notice) for notice in notices]
    return section("notices", "Notes on the data", element("ul", *items)) if items else None


def _study(study: str) -> Section | None:
    code = element("pre", element("code", study), tabindex="0", role="region", aria_label="The study file")
    return section("study", "The study", code) if study else None


def _next(report: Report) -> Section | None:
    """Return how to go on from here."""
    commands = {"To print this": f"amla show {quote(report.run)}"} if report.run else {}
    commands |= {f"To {what}": command for what, command in report.onward.items()}
    places = [
        item
        for what, where in (*commands.items(), *report.files.items())
        for item in (element("dt", what), element("dd", element("code", where)))
    ]
    return section("next", "How to go on", element("dl", *places, class_="files") if places else None)


def _file(name: str) -> str:
    return files("amla.reports").joinpath(name).read_text(encoding="utf-8")


@cache
def _library() -> str:
    """Return Vega, Vega-Lite and Vega-Embed as one script. Raises ValueError if it cannot stand inside a page."""
    import vl_convert

    script = str(vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;"))
    if "</script" in script.lower() or "<!--" in script or "\r" in script:
        raise ValueError("The Vega script cannot be put inline: it holds an end tag, a comment, or a carriage return.")
    return script
