"""HTML as values: an element escapes every text it is given, and takes other elements as they are."""

import re
from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass
from html import escape

_FORBIDDEN = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
VOID = ("meta", "br", "col")  # elements without an end


@dataclass(frozen=True)
class Html:
    """Text that is HTML already."""

    text: str


@dataclass(frozen=True)
class Section:
    """A part of a page under a heading, and the anchor by which it is found."""

    anchor: str
    title: str
    html: Html


Content = Html | str | None


def escaped(text: str) -> str:
    """Return a text as it is written inside HTML and XML, without the characters that XML cannot hold."""
    return escape(_FORBIDDEN.sub("", text))


def element(name: str, *content: Content, **attributes: str | None) -> Html:
    """Return an element; an attribute that is None is left out, and `aria_label` and `class_` are spelt as in HTML."""
    written = "".join(
        f' {key.strip("_").replace("_", "-")}="{escaped(value)}"'
        for key, value in attributes.items()
        if value is not None
    )
    end = "" if name in VOID else f"</{name}>"
    return Html(f"<{name}{written}>{join(content).text}{end}")


def join(content: Iterable[Content], between: str = "") -> Html:
    """Return pieces one after the other."""
    return Html(between.join(_text(piece) for piece in content if piece is not None))


def table(caption: str, head: Mapping[str, bool], rows: Iterable[Html]) -> Html:
    """Return a table that scrolls sideways by itself; `head` says of each column whether it holds numbers."""
    names = (element("th", name, scope="col", class_="number" if numbers else None) for name, numbers in head.items())
    body = (element("thead", element("tr", *names)), element("tbody", *rows))
    return scrolling(element("table", element("caption", caption), *body), caption)


def row(name: Content, *cells: Content, numbers: Container[int] = (), class_: str | None = None) -> Html:
    """Return a row of a table under its name; the cells at the places `numbers` are set as numbers."""
    columns = (element("td", cell, class_="number" if place in numbers else None) for place, cell in enumerate(cells))
    return element("tr", element("th", name, scope="row"), *columns, class_=class_)


def scrolling(content: Html, label: str, class_: str = "scroll") -> Html:
    """Return content that scrolls sideways by itself, with the keyboard too."""
    return element("div", content, class_=class_, tabindex="0", role="region", aria_label=label)


def section(anchor: str, title: str, *content: Content) -> Section | None:
    """Return a section; None if it has no content."""
    if all(piece is None for piece in content):
        return None
    return Section(anchor, title, element("section", element("h2", title), *content, id=anchor))


def _text(piece: Content) -> str:
    return piece.text if isinstance(piece, Html) else escaped(piece or "")
