"""The pages of the documentation, taken apart: prose, fenced blocks, headings and tables."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "studies").rglob("*.md")])


@dataclass(frozen=True)
class Block:
    """A fenced block: what its fence says ("python no-run"), its text, and its line in the page."""

    page: Path
    line: int
    says: str
    text: str

    def __str__(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"


def text_of(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def blocks(page: Path) -> Iterator[Block]:
    for found in re.finditer(r"^```(.*)\n((?:.*\n)*?)```$", text_of(page), re.MULTILINE):
        line = text_of(page)[: found.start()].count("\n") + 1
        yield Block(page, line, found[1].strip(), found[2])


def prose(page: Path) -> str:
    """Return a page without its fenced blocks and comments."""
    unfenced = re.sub(r"^```.*\n(?:.*\n)*?```$", "", text_of(page), flags=re.MULTILINE)
    return re.sub(r"<!--.*?-->", "", unfenced, flags=re.DOTALL)


def code(page: Path) -> list[str]:
    """Return the pieces of code within the prose of a page."""
    return [" ".join(piece.split()) for piece in re.findall(r"`([^`]+)`", prose(page))]


def links(page: Path) -> list[str]:
    """Return where the links and pictures of a page lead, without those to other sites."""
    found = re.findall(r"\]\(([^)\s]+)\)", prose(page)) + re.findall(r'src="([^"]+)"', prose(page))
    return [link for link in found if "://" not in link]


def anchors(page: Path) -> set[str]:
    """Return what a link may name within a page: its headings, written as GitHub writes them."""
    headings = re.findall(r"^#+ (.+)$", prose(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def tables(page: Path) -> dict[str, dict[str, list[str]]]:
    """Return the rows of a page's tables by heading and by what stands in the first column, without backticks."""
    found: dict[str, dict[str, list[str]]] = {}
    rows: dict[str, list[str]] = {}
    for line in prose(page).splitlines():
        if heading := re.fullmatch(r"#+ (.+)", line):
            rows = found.setdefault(heading[1], {})
        elif line.startswith("|"):
            first, *others = (cell.strip() for cell in re.split(r"(?<!\\)\|", line.strip().strip("|")))
            rows[first.strip("`")] = others
    return found
