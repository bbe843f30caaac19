"""Architectures as text: JSON and YAML both ways, and the JSON Schema of the format. Derived from the types."""

import json
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import TypeAdapter, ValidationError

from amla.spec.architecture import Architecture
from amla.spec.bounds import SHORT, Dumper, FastLoader, Loader, check_json, check_plain, check_yaml
from amla.spec.values import SpecError

T = TypeVar("T")

_architecture = TypeAdapter(Architecture)
MOST_MISTAKES, LONGEST_LINE = 20, 1000  # that are told, and characters of each


def to_json(architecture: Architecture, *, indent: int | None = None) -> str:
    """Return `architecture` as JSON."""
    return _architecture.dump_json(architecture, indent=indent).decode()


def from_json(text: str) -> Architecture:
    """Return the architecture that `text` describes. Raises SpecError, which says where it breaks which rule."""
    check_json(text)
    try:
        return _architecture.validate_json(text)
    except ValidationError as error:
        raise SpecError(explain(error)) from None


def to_yaml(architecture: Architecture) -> str:
    """Return `architecture` as YAML, one line a node."""
    plain = _architecture.dump_python(architecture, mode="json")
    head = written_yaml({"version": plain["version"]})
    lines = (written_yaml(node, default_flow_style=True, width=10_000) for node in plain["nodes"])
    return head + "nodes:\n" + "".join(f"- {line}" for line in lines)


def from_yaml(text: str) -> Architecture:
    """Return the architecture that the YAML `text` describes. Raises SpecError."""
    plain = plain_yaml(text)
    try:
        return from_json(json.dumps(plain, default=str))
    except TypeError as error:  # a key that is no text; YAML knows more kinds than JSON
        raise SpecError(f"This YAML says what an architecture cannot: {error}.") from None
    except SpecError:
        raise
    except ValueError as error:  # a number of thousands of digits
        raise SpecError(f"This YAML says what an architecture cannot: {error}.") from None


def load(path: Path) -> Architecture:
    """Read an architecture from a `.json`, `.yaml` or `.yml` file. Raises SpecError, naming the file."""
    try:
        text = path.read_text(encoding="utf-8")
        return from_yaml(text) if path.suffix in (".yaml", ".yml") else from_json(text)
    except FileNotFoundError:
        raise SpecError(f"There is no file '{path}'.") from None
    except (OSError, UnicodeDecodeError) as error:
        raise SpecError(f"'{path}' cannot be read: {error}.") from None
    except SpecError as error:
        raise SpecError(f"'{path}': {error}") from None


def save(architecture: Architecture, path: Path) -> None:
    """Write an architecture to a `.json`, `.yaml` or `.yml` file."""
    text = to_yaml(architecture) if path.suffix in (".yaml", ".yml") else to_json(architecture, indent=1) + "\n"
    path.write_text(text, encoding="utf-8")


def schema() -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of an architecture."""
    plain = _architecture.json_schema(mode="validation")
    for kind in plain["$defs"].values():
        if "const" in kind["properties"].get("kind", {}):
            kind["required"] = ["kind", *kind.get("required", [])]  # what tells the ops apart is never left out
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **plain, "title": "amla architecture"}


def plain_yaml(text: str) -> Any:
    """Return what the YAML `text` says, in plain values. Raises SpecError with the line where it is no YAML.

    What is said by reference may be, but not so often that it becomes long.
    """
    check_yaml(text)
    try:
        plain = yaml.load(text, Loader if len(text) <= SHORT else FastLoader)  # noqa: S506 - a safe loader
    except (ValueError, LookupError, AttributeError, TypeError, ArithmeticError, RecursionError) as error:
        # PyYAML lets through whatever Python raises: for the date 2020-99-99, `!!bool maybe`, or thousands of digits.
        if isinstance(error, yaml.YAMLError):
            raise SpecError(f"This is no YAML: {error}.") from None
        raise SpecError(f"This is no YAML: it has a value that cannot be read ({error}).") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f" in line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        raise SpecError(f"This is no YAML{where}: {getattr(error, 'problem', None) or error}.") from None
    check_plain(plain)
    return plain


def written_yaml(plain: Any, **options: Any) -> str:
    """Return plain values as YAML that `plain_yaml` reads as the same; `options` are those of `yaml.dump`."""
    return str(yaml.dump(plain, Dumper=Dumper, sort_keys=False, **options))


_NO_KIND = "union_tag_not_found"  # what pydantic calls it


def explain(error: ValidationError, given: Any = None) -> str:
    """Return what is wrong in a text, one line a mistake: address, rule, value.

    With the plain values that were `given`, addresses are those in them: without the kinds of what they lead through.
    """
    mistakes = error.errors(include_url=False)
    told = [_explain_one(dict(mistake), given) for mistake in mistakes[:MOST_MISTAKES]]
    cut = [line if len(line) <= LONGEST_LINE else f"{line[:LONGEST_LINE]}..." for line in told]
    left = len(mistakes) - len(told)
    return "\n".join([*cut, f"... and {left:,} mistakes more"] if left else cut)


def _explain_one(mistake: dict[str, Any], whole: Any) -> str:
    steps = _without_kinds(mistake["loc"], whole)
    address = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in steps).lstrip(".")
    if isinstance(cause := mistake.get("ctx", {}).get("error"), ValueError):
        return f"{address}: {cause}" if address else str(cause)
    given = repr(mistake["input"])
    shown = given if len(given) <= 80 else f"{given[:77]}..."
    rule = "must begin with its kind, as in {kind: NAME, ...}" if mistake["type"] == _NO_KIND else mistake["msg"]
    return f"{address or 'the text'}: {rule} (given: {shown})"


def _without_kinds(steps: tuple[int | str, ...], place: Any) -> list[int | str]:
    kept: list[int | str] = []
    for step in steps:
        if isinstance(place, dict) and step == place.get("kind") and step not in place:
            continue
        kept.append(step)
        try:
            place = place[step]
        except (LookupError, TypeError):  # what is missing, or no place
            place = None
    return kept
