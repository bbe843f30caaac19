"""The documentation is true: links lead somewhere, examples run, commands parse, tables are complete."""

import ast
import json
import re
import shlex
from collections.abc import Iterator
from dataclasses import MISSING, fields, is_dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, get_args, get_type_hints
from unittest.mock import patch

import pytest
import typer
import yaml
from pages import PAGES, ROOT, Block, anchors, blocks, code, links, tables, text_of

from amla.api.result import SearchResult
from amla.api.search import search
from amla.cli.app import app
from amla.comparison import comparison
from amla.probes import PROBES
from amla.scores import COMBINED, COUNTED, SCORES
from amla.spec import text
from amla.spec.ops import Op
from amla.storage import lease
from amla.storage import tables as tables_of_log
from amla.study import plan, presets
from amla.study.run import Limit
from amla.study.study import Data, Study, from_plain, load
from amla.tasks.load import load as load_dataset

SOURCE = ROOT / "src"
BLOCKS = [block for page in PAGES for block in blocks(page)]
STUDIES = sorted((ROOT / "studies").rglob("*.yaml"))
TOP = typer.main.get_command(app).commands  # type: ignore[attr-defined]
GROUPS = {name: found.commands for name, found in TOP.items() if hasattr(found, "commands")}
COMMANDS = {name: found for name, found in TOP.items() if name not in GROUPS}
COMMANDS |= {f"{group} {name}": command for group, commands in GROUPS.items() for name, command in commands.items()}
PLAIN_STUDY = {"name": "x", "data": {"source": "digits"}, "limit": {"seconds": 60}}

each_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))


def of(*kinds: str) -> pytest.MarkDecorator:
    chosen = [block for block in BLOCKS if block.says in kinds]
    assert chosen, f"no page has a block of {kinds}"
    return pytest.mark.parametrize("block", chosen, ids=str)


@each_page
def test_links_lead_somewhere(page: Path):
    for link in links(page):
        name, _, anchor = link.partition("#")
        target = (page.parent / name).resolve() if name else page
        assert target.exists(), f"{link!r} leads nowhere"
        assert not anchor or anchor in anchors(target), f"{link!r}: there is no such heading"


@of("python", "python runs/digits", "python no-run")
def test_python_parses(block: Block):
    for node in ast.walk(ast.parse(block.text)):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "amla":
            for imported in node.names:
                assert is_there(f"{node.module}.{imported.name}"), f"{node.module} has no {imported.name}"


@of("python")
def test_examples_run(block: Block, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "docs").symlink_to(ROOT / "docs")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AMLA_CACHE", str(tmp_path / "cache"))
    with patch.dict(PROBES):  # a page adds one
        exec(compile(block.text, str(block), "exec"), {"__name__": "example"})  # noqa: S102 - that is the point


@pytest.fixture(scope="module")
def searched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Yield a folder with a finished run in it, `runs/digits`."""
    folder = tmp_path_factory.mktemp("searched")
    brief = {"algorithm": {"steps": 5, "iterations": 1}, "final": {"steps": 5}, "space": {"width": 8}}
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("AMLA_CACHE", str(folder / "cache"))
        search("digits", run=folder / "runs/digits", **brief)
        yield folder


@of("python runs/digits")
def test_examples_about_a_run_run(block: Block, searched: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(searched)
    exec(compile(block.text, str(block), "exec"), {"__name__": "example"})  # noqa: S102 - that is the point


@of("sh")
def test_commands_parse(block: Block):
    for line in block.text.splitlines():
        words = shlex.split(line, comments=True)
        if words and words[0] == "amla":
            parse(words[1:])


@each_page
def test_commands_within_the_prose_exist(page: Path):
    for piece in code(page):
        if piece.startswith("amla "):
            parse(shlex.split(piece)[1:], complete=False)


@of("sh")
def test_targets_of_make_exist(block: Block):
    targets = re.findall(r"^(\w+):", text_of(ROOT / "Makefile"), re.MULTILINE)
    for line in block.text.splitlines():
        if line.startswith("make "):
            assert line.split()[1] in targets


@of("yaml", "json")
def test_what_looks_like_a_study_or_a_network_is_one(block: Block):
    plain = yaml.safe_load(block.text)
    if "nodes" in plain:
        assert text.from_json(json.dumps(plain)).nodes
    elif "contenders" in plain:
        comparison.from_yaml(block.text)
    elif "name" in plain:
        from_plain(plain)
    else:
        from_plain(PLAIN_STUDY | plain)


@each_page
def test_names_and_paths_within_the_prose_exist(page: Path):
    for piece in code(page):
        if re.fullmatch(r"amla(\.\w+)+", piece):
            assert is_there(piece), f"there is no {piece}"
        if re.fullmatch(r"(src|tests|docs|benchmarks|studies)/[\w./-]+", piece) and "NAME" not in piece:
            assert (ROOT / piece).exists(), f"there is no {piece}"


def test_the_reference_has_all_that_a_result_has():
    (row,) = tables(ROOT / "docs/reference/python.md")["amla.api: a search in a line"]["amla.api.result"]
    assert {name for name in vars(SearchResult) if name[0] != "_"} <= set(re.findall(r"`(\w+)`", row))


@pytest.mark.parametrize("name", COMMANDS)
def test_the_reference_has_every_option(name: str):
    rows = tables(ROOT / "docs/reference/cli.md")[f"amla {name}"]
    documented = {option for row in rows for option in re.findall(r"--?[a-z][a-z-]*", row)}
    options = {option for parameter in COMMANDS[name].params for option in parameter.opts if option[0] == "-"}
    assert documented == options - {"--help"}


def test_the_reference_lists_every_command():
    listed = {
        name
        for row in tables(ROOT / "docs/reference/cli.md")["The command line"]
        for name in re.findall(r"`amla (.+?)`", row)
    }
    assert listed == {name for name in COMMANDS if name.split()[0] not in ("studies", "token")} | {"studies", "token"}


def test_the_reference_has_every_setting_with_its_default():
    check_tables("docs/reference/study-file.md", settings(Study, "The study"))


def test_the_reference_has_every_setting_of_a_comparison():
    values = {"The comparison file": comparison.Comparison, "contenders": comparison.Contender}
    check_tables("docs/reference/comparison-file.md", values)


def test_the_reference_has_every_operation_with_its_fields():
    kinds = get_args(get_args(Op)[0])
    page = "docs/reference/architecture.md"
    assert {kind_of(op) for op in kinds} <= tables(ROOT / page).keys()
    check_tables(page, {kind_of(op): op for op in kinds if len(fields(op)) > 1})


def test_the_reference_has_every_probe():
    rows = tables(ROOT / "docs/reference/probes.md")["Probes"]
    assert {name: rows[name][:2] for name in PROBES} == {p.name: [p.of, p.about] for p in PROBES.values()}
    assert rows.keys() - {"probe", "---"} == PROBES.keys()


def test_every_score_is_told_of():
    rows = tables(ROOT / "docs/how-to/choose-a-cheap-score.md")["Scores of untrained networks"]
    assert rows.keys() - {"score", "---"} == (SCORES.keys() | COMBINED.keys()) - set(COUNTED)


def test_the_reference_has_every_environment_variable():
    sources = "\n".join(path.read_text(encoding="utf-8") for path in (SOURCE / "amla").rglob("*.py"))
    read = set(re.findall(r"\"(AMLA_[A-Z]+|OMP_[A-Z_]+)\"", sources))
    assert read == tables(ROOT / "docs/reference/cli.md")["Environment"].keys() - {"variable", "---"}


def test_the_reference_has_every_package():
    packages = {path.stem for path in (SOURCE / "amla").iterdir() if not path.name.startswith("_")} - {"py", "cli"}
    named = {piece.split(".")[1] for piece in code(ROOT / "docs/reference/python.md") if piece.startswith("amla.")}
    assert packages <= named


def test_the_numbers_of_a_plan_are_those_in_the_code():
    page = text_of(ROOT / "docs/how-to/limit-the-time.md")
    for phrase in (
        f"for {plan.REHEARSAL_STEPS} steps",
        f"rehearsal of {plan.WIDE_STEPS} steps",
        f"no more than {plan.ENOUGH_STEPS} steps or an epoch",
        f"gets up to {Limit().search * 100:.0f} % of the time",
        f"less {plan.RESERVE_SHARE * 100:.0f} %",
        f"at least {plan.LEAST_STEPS} steps",
        f"fewer than {presets.LEAST_EPOCHS} epochs",
    ):
        assert phrase in page


def test_the_numbers_of_a_lease_are_those_in_the_code():
    page = text_of(ROOT / "docs/how-to/use-postgresql.md")
    assert f"renews every {lease.SECONDS / lease.RENEWALS:.0f} seconds" in page
    assert f"not renewed for {lease.SECONDS:.0f} seconds" in page
    assert f"version of the tables, {tables_of_log.VERSION};" in text_of(ROOT / "docs/reference/run-folder.md")


def test_the_numbers_of_a_preset_are_those_in_the_code():
    rows = tables(ROOT / "docs/reference/cli.md")["amla search"]
    leg, final = ((f"{low:,}", f"{high:,}") for low, high in (presets.LEG_STEPS, presets.FINAL_STEPS))
    assert rows["algorithm.iterations"] == [str(presets.PHOTO_ITERATIONS), str(presets.ITERATIONS)]
    assert f"{presets.SEARCH_MACS // 10**6} M multiply-accumulates" in rows["space.width`, `space.macs"][0]
    assert f"{presets.FINAL_MACS // 10**6} M;" in rows["final.macs"][0]
    assert f"{presets.LEG_EPOCHS} epochs, at least {leg[0]} and at most {leg[1]} steps" in rows["algorithm.steps"][1]
    assert f"{presets.PHOTO_LEG_STEPS};" in rows["algorithm.steps"][0]
    assert f"{presets.CANDIDATES} networks, pruned by half" in rows["algorithm.candidates`, `algorithm.share"][0]
    assert rows["algorithm.statistic"][0] == f"`{presets.PHOTO_STATISTIC}`"
    run_off = presets.RUN_OFF
    assert f"the {run_off.networks} best are trained {run_off.times} times as long" in rows["run_off"][0]
    batches = (presets.SEARCH_BATCH, presets.PHOTO_BATCH)
    assert "{} in the search and {} in the final training".format(*batches) in rows["recipe.batch"][0]
    assert f"{presets.FINAL_EPOCHS} epochs, at least {final[0]} and at most {final[1]} steps" in rows["final.steps"][0]


@pytest.mark.parametrize("path", STUDIES, ids=lambda path: path.name)
def test_studies_load_and_are_listed(path: Path):
    if path.parent.name == "comparisons":
        assert comparison.load(path).name == path.stem
    else:
        assert load(path).provenance is None
    assert str(path.relative_to(ROOT / "studies")) in tables(ROOT / "studies/README.md")["Studies"]


def test_the_study_of_digits_is_the_one_that_amla_search_writes(tmp_path: Path):
    digits = load_dataset("digits", cache_dir=tmp_path)
    assert load(ROOT / "studies/digits.yaml") == presets.preset(digits, Data("digits"))


@each_page
def test_the_index_lists_every_page(page: Path):
    index = ROOT / "docs/README.md"
    listed = {(index.parent / link.partition("#")[0]).resolve() for link in links(index)}
    assert page == index or index.parent not in page.parents or page in listed


def test_the_index_lists_decisions_in_their_order():
    listed = [link for link in links(ROOT / "docs/README.md") if re.match(r"decisions/\d", link)]
    assert listed == sorted(listed)


@pytest.mark.parametrize(
    "module", sorted((SOURCE / "amla").rglob("*.py")), ids=lambda path: str(path.relative_to(SOURCE))
)
def test_a_module_begins_by_saying_what_it_is(module: Path):
    said = ast.get_docstring(ast.parse(module.read_text(encoding="utf-8"))) or ""
    assert re.fullmatch(r"\S.*\.", said.split("\n")[0]), "its first line is no sentence"


def parse(words: list[str], complete: bool = True) -> None:
    """Raise AssertionError unless these are a command and its options; without `complete`, arguments may lack."""
    if words[0] in ("--help", "--version"):
        return
    if words[0] in GROUPS and not words[1:] and not complete:
        return
    length = 2 if words[0] in GROUPS else 1
    name = " ".join(words[:length])
    assert name in COMMANDS, f"there is no command {name!r}"
    try:
        COMMANDS[name].make_context(name, words[length:])
    except Exception as error:
        if complete or type(error).__name__ != "MissingParameter":
            pytest.fail(f"{words}: {error}")


def is_there(address: str) -> bool:
    """Return whether "amla.spec.text" or "amla.spec.text.load" exists. Nothing is imported but packages."""
    parts = address.split(".")
    for count in range(len(parts), 0, -1):
        base = SOURCE.joinpath(*parts[:count])
        file = base / "__init__.py" if base.is_dir() else base.with_suffix(".py")
        if file.exists():
            return len(parts) == count or (len(parts) == count + 1 and parts[-1] in defined(file))
    return False


def defined(file: Path) -> set[str]:
    """Return the names at the top level of a module, and of a package the modules in it."""
    names = {path.stem for path in file.parent.glob("*")} if file.name == "__init__.py" else set[str]()
    body = ast.parse(file.read_text(encoding="utf-8")).body
    for node in [*body, *(node for each in body if isinstance(each, ast.If) for node in each.body)]:
        match node:
            case ast.FunctionDef(name=name) | ast.ClassDef(name=name):
                names.add(name)
            case ast.Assign() | ast.AnnAssign() | ast.ImportFrom():
                names |= {found.id for found in ast.walk(node) if isinstance(found, ast.Name)}
                names |= {alias.asname or alias.name for alias in getattr(node, "names", ())}
    return names


def settings(value: type, heading: str) -> dict[str, type]:
    """Return every value that a study is made of, by the heading under which its settings are told."""
    found = {heading: value}
    place = "" if value is Study else f"{heading.partition(',')[0]}."
    for name, annotation in get_type_hints(value).items():
        for kind in values_in(annotation):
            said = f", kind: {kind_of(kind)}" if "kind" in {field.name for field in fields(kind)} else ""
            if not (value.__name__ == "Final" and name == "recipe"):  # told once
                found |= settings(kind, f"{place}{name}{said}")
    return found


def values_in(annotation: Any) -> Iterator[Any]:
    if is_dataclass(annotation):
        yield annotation
    for inner in get_args(annotation):
        yield from values_in(inner)


def kind_of(value: Any) -> str:
    return str(next(field.default for field in fields(value) if field.name == "kind"))


def check_tables(page: str, values: dict[str, type]) -> None:
    """Raise AssertionError unless each value's table on `page` has its fields, no others, and the right defaults."""
    found = tables(ROOT / page)
    for heading, value in values.items():
        told = {name: row for name, row in found[heading].items() if name not in ("setting", "field", "---")}
        expected = {field.name: field for field in fields(value) if field.name != "kind"}
        assert told.keys() == expected.keys(), f"{page}, {heading}"
        for name, field in expected.items():
            default = field.default_factory() if field.default_factory is not MISSING else field.default
            assert agrees(told[name][0], default), f"{page}, {heading}, {name}: the default is {default!r}"
            assert told[name][1], f"{page}, {heading}, {name} says nothing"


def agrees(cell: str, default: Any) -> bool:
    """Return whether a cell of a table says what a default is."""
    said = cell.strip("`")
    if default is MISSING:
        return cell == "required"
    if cell.startswith("see ["):
        return default is None or is_dataclass(default)
    if isinstance(default, bool) or default is None:
        return said == json.dumps(default)
    if isinstance(default, int | float):
        return float(Fraction(said)) == default
    if isinstance(default, dict):
        return yaml.safe_load(said) == default
    if isinstance(default, tuple):
        return tuple(yaml.safe_load(said)) == default
    return said == default
