"""Architectures as text: JSON and YAML both ways, and the JSON Schema of the format. Derived from the types."""

import json
import re
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import TypeAdapter, ValidationError

from amla.spec.architecture import Architecture
from amla.spec.values import SpecError

T = TypeVar("T")

_architecture = TypeAdapter(Architecture)
_EXPONENT = re.compile(r"[-+]?(\d+(\.\d*)?|\.\d+)[eE][-+]?\d+")  # a number everywhere but in YAML 1.1: 1e-3


class _Loader(yaml.SafeLoader):
    """Reads plain values, and 1e-3 as a number."""


class _Dumper(yaml.SafeDumper):
    """Writes plain values, and quotes a text that would be read as a number."""


for _side in (_Loader, _Dumper):
    _side.add_implicit_resolver("tag:yaml.org,2002:float", _EXPONENT, list("-+.0123456789"))


def to_json(architecture: Architecture, *, indent: int | None = None) -> str:
    """Return `architecture` as JSON."""
    return _architecture.dump_json(architecture, indent=indent).decode()


def from_json(text: str) -> Architecture:
    """Return the architecture that `text` describes. Raises SpecError, which says where it breaks which rule."""
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
    """Return what the YAML `text` says, in plain values. Raises SpecError with the line where it is no YAML."""
    try:
        return yaml.load(text, _Loader)  # noqa: S506 - a safe loader
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f" in line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        raise SpecError(f"This is no YAML{where}: {getattr(error, 'problem', None) or error}.") from None


def written_yaml(plain: Any, **options: Any) -> str:
    """Return plain values as YAML that `plain_yaml` reads as the same; `options` are those of `yaml.dump`."""
    return str(yaml.dump(plain, Dumper=_Dumper, sort_keys=False, **options))


def explain(error: ValidationError, given: Any = None) -> str:
    """Return what is wrong in a text, one line a mistake: address, rule, value.

    With the plain values that were `given`, addresses are those in them: without the kinds of what they lead through.
    """
    return "\n".join(_explain_one(dict(mistake), given) for mistake in error.errors(include_url=False))


def _explain_one(mistake: dict[str, Any], whole: Any) -> str:
    steps = _without_kinds(mistake["loc"], whole)
    address = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in steps).lstrip(".")
    if isinstance(cause := mistake.get("ctx", {}).get("error"), ValueError):
        return f"{address}: {cause}" if address else str(cause)
    given = repr(mistake["input"])
    shown = given if len(given) <= 80 else f"{given[:77]}..."
    return f"{address or 'the text'}: {mistake['msg']} (given: {shown})"


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
