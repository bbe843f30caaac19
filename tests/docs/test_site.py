"""The site of the documentation: it builds without a warning, all is there and linked, and nothing is fetched."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

import pytest
from pages import PAGES, ROOT, text_of

import amla
import amla.testing

pytestmark = pytest.mark.xdist_group("site")  # it is built once

API = sorted((ROOT / "docs/reference/api").glob("*.md"))
SOURCE = ROOT / "src"
LOADED = {"img": "src", "script": "src", "link": "href", "iframe": "src", "source": "src", "object": "data"}
OF_AMLA_ITSELF = {  # what plug-ins neither are nor see
    *("amla.storage.database.Database", "amla.services.slots.Trade", "amla.execution.errand.Snapshots"),
    *("amla.services.problems.Problem", "amla.services.workshop.Crowded", "amla.services.workshop.Lacking"),
    *(f"amla.execution.service.{name}" for name in ("Gone", "Full", "Forgotten", "Missing", "Refused")),
    "amla.backends.torch.crew.Lost",
}


class Html(HTMLParser):
    """What a page has: names that links may end with, where its links lead, and what a browser loads for it."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.ids, self.links, self.loads = set[str](), list[str](), list[str]()
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: said or "" for name, said in attrs}
        self.ids |= {given[name] for name in ("id", "name") if name in given}
        if tag == "a" and "href" in given:
            self.links.append(given["href"])
        if given.get(LOADED.get(tag, "")):
            self.loads.append(given[LOADED[tag]])
        self.loads += re.findall(r"url\(([^)]+)\)", given.get("style", ""))


@pytest.fixture(scope="session")  # other tests may run between those of this module
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of the site, built as `make docs` does."""
    made = re.search(r"^\t\$\(BIN\)/python (-m sphinx .+)$", text_of(ROOT / "Makefile"), re.MULTILINE)
    assert made
    folder = tmp_path_factory.mktemp("site")
    command = made[1].replace("build/", f"{folder}/").split()
    built = subprocess.run([sys.executable, *command], cwd=ROOT, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stderr
    assert not built.stderr
    return folder / "site"


@pytest.fixture(scope="module")
def htmls(site: Path) -> dict[Path, Html]:
    return {path: Html(path) for path in sorted(site.rglob("*.html"))}


def test_the_first_page_is_there(site: Path):
    assert "amla finds a small neural network" in text_of(site / "index.html")


def test_every_page_is_in_the_contents(site: Path, htmls: dict[Path, Html]):
    """Of the first page they show two levels, so what is below a page is looked for there."""
    listed = {
        (path.parent / link.partition("#")[0]).resolve()
        for path in (site / "README.html", site / "docs/design.html", site / "docs/reference/python.html")
        for link in htmls[path].links
    }
    for page in PAGES:
        assert (site / page.relative_to(ROOT)).with_suffix(".html") in listed


def test_every_link_within_the_site_leads_somewhere(site: Path, htmls: dict[Path, Html]):
    for path, html in htmls.items():
        for link in {*html.links, *html.loads}:
            name, _, anchor = unquote(link).partition("#")
            if "://" in name or name.startswith(("mailto:", "data:")):
                continue
            target = (path.parent / name.partition("?")[0]).resolve() if name else path
            assert target.exists(), f"{path.relative_to(site)}: {link!r} leads nowhere"
            if anchor and target in htmls:
                assert anchor in htmls[target].ids, f"{path.relative_to(site)}: {link!r} names no part of it"


def test_nothing_is_fetched_from_elsewhere(site: Path, htmls: dict[Path, Html]):
    for path, html in htmls.items():
        assert not [load for load in html.loads if re.match(r"(\w+:)?//", load)], path
    for path in site.rglob("*.css"):
        said = text_of(path)
        assert not re.findall(r"url\([\"']?(?:\w+:)?//|@import [\"'](?:\w+:)?//", said), path


def test_what_is_not_a_page_lies_where_links_say(site: Path):
    for name in ("docs/reference/openapi.json", "docs/pictures/network.svg", "LICENSE"):
        assert (site / name).read_bytes() == (ROOT / name).read_bytes()


def test_the_reference_has_every_public_name():
    told = set(documented())
    assert {f"amla.{name}" for name in amla.__all__ if name != "__version__"} <= told
    assert {f"amla.testing.{name}" for name in amla.testing.__all__} <= told


def test_the_reference_has_every_role_error_and_algorithm():
    found = set(classes())
    assert len(found) > 60
    assert found - set(documented()) == OF_AMLA_ITSELF


def test_no_docstring_is_told_twice():
    told = list(documented())
    assert len(told) == len(set(told))


def documented() -> Iterator[str]:
    """Yield what the reference takes from docstrings."""
    for page in API:
        yield from re.findall(r"^\.\. auto\w+:: (\S+)$", text_of(page), re.MULTILINE)


def classes() -> Iterator[str]:
    """Yield the address of every Protocol, error and algorithm that is not private to its module."""
    for path in (SOURCE / "amla").rglob("*.py"):
        module = ".".join(path.relative_to(SOURCE).with_suffix("").parts)
        for node in ast.parse(text_of(path)).body:
            if not isinstance(node, ast.ClassDef) or node.name.startswith("_"):
                continue
            bases = {ast.unparse(base) for base in node.bases}
            methods = {each.name for each in node.body if isinstance(each, ast.FunctionDef)}
            searches = module.startswith("amla.algorithms.") and {"ask", "recommend"} <= methods
            if searches or any(re.fullmatch(r"Protocol|\w*Error|Exception", base) for base in bases):
                yield f"{module}.{node.name}"
