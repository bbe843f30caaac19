"""What the site adds to Sphinx: contents from `docs/README.md`, files that pages link to, docstrings as they stand."""

import ast
import re
import shutil
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import is_dataclass
from inspect import getsource, isclass, isroutine
from os.path import normpath, relpath
from pathlib import Path
from textwrap import dedent
from typing import Any

from docutils import nodes
from docutils.parsers.rst import roles
from docutils.utils import unescape
from sphinx import addnodes
from sphinx.application import Sphinx

INDEX = "docs/README"
SUFFIX = ".md"
EMPTY = {"dict": "{}", "list": "[]", "tuple": "()"}
NAME = re.compile(r"(\w+\.)*[A-Z]\w*|amla(\.\w+)+")
SPECIAL = re.compile(r"([\\*|]|_\b|_$)")  # to reStructuredText; to docstrings, which are prose with code in backticks


def setup(app: Sphinx) -> dict[str, bool]:
    """Connect all this to a build."""
    roles.register_local_role("named", named)
    app.connect("source-read", with_contents)
    app.connect("doctree-read", with_files, priority=400)  # before Sphinx looks for what is to be downloaded
    app.connect("doctree-read", with_few_entries, priority=600)  # after Sphinx has made the contents of a page
    app.connect("autodoc-process-signature", as_written)
    app.connect("autodoc-process-docstring", as_prose)
    app.connect("missing-reference", linked)
    app.connect("build-finished", with_index)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def with_contents(app: Sphinx, name: str, source: list[str]) -> None:
    """Append to a page the contents that are below it."""
    if name == app.config.root_doc:
        source[0] += toctree([INDEX])
        for heading, items in listed(Path(app.srcdir)):
            source[0] += toctree([item[0] for item in items], caption=heading)
    for _, items in listed(Path(app.srcdir)):
        for page, *below in items:
            if page == name and below:
                source[0] += toctree(below)


def listed(root: Path) -> Iterator[tuple[str, list[list[str]]]]:
    """Yield each heading of the index, and for each item below it the page it is about and then those it names besides.

    Pages are named as Sphinx does, from the root and without suffix. A page is in one item: the first.
    """
    seen = {INDEX, "README"}
    heading, items = "", defaultdict[str, list[list[str]]](list)
    text = (root / f"{INDEX}{SUFFIX}").read_text(encoding="utf-8")
    for found in re.finditer(r"^##+ (.+)$|^- (?:.+\n(?:  .+\n)*)", text, re.MULTILINE):
        heading = found[1] or heading
        pages = [normpath(f"docs/{link}")[: -len(SUFFIX)] for link in re.findall(r"\]\(([^)#:]+\.md)", found[0])]
        fresh = [page for page in dict.fromkeys(pages) if page not in seen]
        if fresh and pages[0] == fresh[0]:
            items[heading].append(fresh)
            seen.update(fresh)
    yield from items.items()


def toctree(pages: list[str], caption: str = "") -> str:
    """Return a hidden table of contents, as MyST reads it."""
    return "\n".join(
        [
            "\n\n```{toctree}\n:hidden:\n:titlesonly:",
            *([f":caption: {caption}"] if caption else []),
            "",
            *(f"/{p}" for p in pages),
            "```\n",
        ]
    )


def with_files(app: Sphinx, doctree: nodes.document) -> None:
    """Let links to files that are no pages lead to copies of them, at the same place in the site."""
    page = Path(app.env.docname)
    for link in list(doctree.findall(addnodes.download_reference)):
        _, path = app.env.relfn2path(link["reftarget"], str(page))
        place = Path(relpath(path, app.srcdir))
        copied(app, place)
        link.replace_self(nodes.reference("", "", *link.children, refuri=relpath(place, page.parent), internal=True))
    for raw in doctree.findall(nodes.raw):
        for source in re.findall(r'src="([^":]+)"', raw.astext()):
            copied(app, Path(normpath(page.parent / source)))


def with_few_entries(app: Sphinx, doctree: nodes.document) -> None:
    """Leave methods out of the contents of a page, which are many, and are copied for every page."""
    for entry in app.env.tocs[app.env.docname].findall(nodes.reference):
        if entry.get("anchorname", "").startswith("#amla."):
            for below in list(entry.parent.parent.findall(nodes.bullet_list)):
                below.parent.remove(below)


def copied(app: Sphinx, place: Path) -> None:
    """Copy a file of the repository into the site."""
    target = Path(app.outdir, place)
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(Path(app.srcdir, place), target)


def with_index(app: Sphinx, failed: Exception | None) -> None:
    """Let the first page also be what a browser opens of a folder."""
    if not failed:
        shutil.copyfile(Path(app.outdir, f"{app.config.root_doc}.html"), Path(app.outdir, "index.html"))


def as_written(app: Sphinx, what: str, name: str, found: Any, options: Any, args: str, returns: str) -> Any:
    """Show a signature as the source has it, in which types have names, and no signature of what nobody makes."""
    if not (isclass(found) or isroutine(found)) or not getattr(found, "__module__", "").startswith("amla"):
        return None
    if isclass(found) and issubclass(found, Exception):
        return None
    if getattr(found, "_is_protocol", False):
        return "", None
    node = ast.parse(dedent(getsource(found))).body[0]
    match node:
        case ast.FunctionDef():
            return arguments(node, bound=what == "method"), ast.unparse(node.returns) if node.returns else None
        case ast.ClassDef() if is_dataclass(found):
            return f"({', '.join(held(node))})", None
        case ast.ClassDef():
            inits = [each for each in node.body if isinstance(each, ast.FunctionDef) and each.name == "__init__"]
            return (arguments(inits[0], bound=True), None) if inits else ("", None)


def arguments(function: ast.FunctionDef, bound: bool) -> str:
    """Return what a function takes, without the object or the class of a bound one."""
    if bound and "staticmethod" not in map(ast.unparse, function.decorator_list):
        function.args.args.pop(0)
    return f"({ast.unparse(function.args)})"


def held(value: ast.ClassDef) -> Iterator[str]:
    """Yield the fields of a value as arguments, without its kind, which only its JSON needs."""
    for node in value.body:
        if not isinstance(node, ast.AnnAssign) or ast.unparse(node.target) in ("kind", "version"):
            continue
        kind = node.annotation
        if isinstance(kind, ast.Subscript) and ast.unparse(kind.value) == "Annotated":
            kind = kind.slice.elts[0]
        match node.value:
            case None:
                default = ""
            case ast.Call(func=ast.Name("field"), keywords=given):
                made = {each.arg: ast.unparse(each.value) for each in given}
                default = " = " + made.get("default", EMPTY.get(made.get("default_factory", ""), "..."))
            case written:
                default = f" = {ast.unparse(written)}"
        yield f"{ast.unparse(node.target)}: {ast.unparse(kind)}{default}"


def as_prose(app: Sphinx, what: str, name: str, found: Any, options: Any, lines: list[str]) -> None:
    """Make reStructuredText of a docstring: what is no code in backticks means nothing but itself."""
    pieces = re.split(r"(`[^`]+`)", "\n".join(lines))
    pieces[::2] = [SPECIAL.sub(r"\\\1", piece) for piece in pieces[::2]]
    pieces[2::2] = [re.sub(r"^(?=\w)", r"\\ ", piece) for piece in pieces[2::2]]  # as in "the `n`th"
    lines[:] = "".join(pieces).split("\n")


def named(role: str, raw: str, text: str, line: int, inliner: Any, options: Any = None, content: Any = ()) -> Any:
    """Make of code in a docstring a link, if it may name what the site has: a class, or something by its address."""
    said = unescape(text, restore_backslashes=True)
    shown = nodes.literal(said, said)
    if not NAME.fullmatch(said):
        return [shown], []
    env = inliner.document.settings.env
    return [addnodes.pending_xref("", shown, refdomain="py", reftype="obj", reftarget=said, refdoc=env.docname)], []


def linked(app: Sphinx, env: Any, node: addnodes.pending_xref, shown: nodes.Element) -> nodes.Element | None:
    """Link a name of Python's to the one thing on the site that has it; to nothing if there is none, or several."""
    if node.get("refdomain") != "py":
        return None
    last = "." + node["reftarget"].split(".")[-1]
    found = [name for name in env.domains["py"].objects if name.endswith(last)]
    if len(found) != 1:
        return shown
    return env.domains["py"].resolve_xref(env, node["refdoc"], app.builder, "obj", found[0], node, shown)
