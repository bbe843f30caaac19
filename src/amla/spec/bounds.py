"""What a text may hold that says what a network or a study is: whoever wrote it, it is refused before it costs much."""

import json
import re
from typing import Any

import yaml
from yaml.constructor import ConstructorError

from amla.spec.values import SpecError

LONGEST_JSON = 4 << 20  # characters; a network of 20,000 nodes has as many
LONGEST_YAML = 256 << 10  # which takes some hundred times as long to read
SHORT = 8 << 10  # characters of YAML that are read by the loader that is slow, and better at telling mistakes
DEEPEST = 64  # lists and mappings within each other
MOST_DIGITS = 1000
MOST_KEYS = 64  # of an object of an architecture
_NESTED_LINE = re.compile(rf"^[ \t]*(?:[-?:][ \t]+){{{DEEPEST}}}|^[ \t]{{{8 * DEEPEST}}}", re.MULTILINE)
_BRACKETS = re.compile(r"[][{}]")
_EXPONENT = re.compile(r"[-+]?(\d+(\.\d*)?|\.\d+)[eE][-+]?\d+")  # a number everywhere but in YAML 1.1: 1e-3


class _Reading:
    """What is read otherwise than PyYAML reads it: nothing is given twice, and merges, which can grow without end, not.

    Mixed into loaders, because that is how PyYAML is told.
    """

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """Return a mapping. Raises ConstructorError."""
        seen = set[str]()
        for key, _ in node.value:
            if key.tag == "tag:yaml.org,2002:merge":
                raise ConstructorError(None, None, "'<<' is not read here; write the settings out", key.start_mark)
            if isinstance(key, yaml.ScalarNode):
                if key.value in seen:
                    raise ConstructorError(None, None, f"{key.value!r} is given twice", key.start_mark)
                seen.add(key.value)
        found: dict[Any, Any] = super().construct_mapping(node, deep=deep)  # type: ignore[misc]
        return found

    def construct_yaml_int(self, node: yaml.ScalarNode) -> int:
        """Return an integer. Raises ConstructorError for one of so many digits that adding them up takes long."""
        if len(node.value) > MOST_DIGITS:
            raise ConstructorError(None, None, f"a number has {len(node.value):,} digits", node.start_mark)
        return int(super().construct_yaml_int(node))  # type: ignore[misc]

    def flatten_mapping(self, node: yaml.MappingNode) -> None:
        """Leave a mapping as it is written."""


class Loader(_Reading, yaml.SafeLoader):
    """Reads plain values, and 1e-3 as a number; says best where a mistake is."""


class FastLoader(_Reading, getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """Reads the same, some times as fast."""


class Dumper(yaml.SafeDumper):
    """Writes plain values, and quotes a text that would be read as a number."""


Loader.add_constructor("tag:yaml.org,2002:int", Loader.construct_yaml_int)  # type: ignore[type-var]
FastLoader.add_constructor("tag:yaml.org,2002:int", FastLoader.construct_yaml_int)
for _side in (Loader, FastLoader, Dumper):
    _side.add_implicit_resolver("tag:yaml.org,2002:float", _EXPONENT, list("-+.0123456789"))


def check_json(text: str) -> None:
    """Raise SpecError for JSON that is too long, or in which an object has a key twice, or more keys than any has."""
    _check_length(text, LONGEST_JSON, "JSON")
    try:
        json.loads(text, object_pairs_hook=_object)
    except SpecError:
        raise
    except (ValueError, RecursionError):
        pass  # what reads it next says where


def check_yaml(text: str) -> None:
    """Raise SpecError for YAML that is too long or too deep to be read."""
    _check_length(text, LONGEST_YAML, "YAML")
    depth = 0
    for bracket in _BRACKETS.finditer(text):  # also those in texts: few have that many open
        depth = max(0, depth + (1 if bracket[0] in "[{" else -1))
        if depth > DEEPEST:
            raise SpecError(_too_deep())
    if _NESTED_LINE.search(text):
        raise SpecError(_too_deep())


def check_plain(plain: Any) -> None:
    """Raise SpecError for plain values that are too deep or, with what is said by reference written out, too long."""
    left, size = [(plain, 0)], 0
    while left:
        each, depth = left.pop()
        size += 1 + (len(each) if isinstance(each, str | bytes) else 0)
        if depth > DEEPEST:
            raise SpecError(_too_deep())
        if size > LONGEST_YAML:
            raise SpecError(f"This is too long: written out, it has more than {LONGEST_YAML:,} characters.")
        if isinstance(each, dict):
            left.extend((part, depth + 1) for item in each.items() for part in item)
        elif isinstance(each, list | tuple | set):
            left.extend((part, depth + 1) for part in each)


def _check_length(text: str, most: int, what: str) -> None:
    if len(text) > most:
        instead = "; a network may be JSON instead" if what == "YAML" else ""
        raise SpecError(f"This has {len(text):,} characters, too many for {what}; {most:,} are read{instead}.")


def _too_deep() -> str:
    return f"This has values nested too deeply; {DEEPEST} within each other are read."


def _object(pairs: list[tuple[str, Any]]) -> None:
    if len(pairs) > MOST_KEYS:
        raise SpecError(
            f"An object has {len(pairs):,} keys, beginning with {pairs[0][0][:40]!r}; none here has so many."
        )
    if len({key for key, _ in pairs}) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise SpecError(f"An object has {twice[:40]!r} twice.")
