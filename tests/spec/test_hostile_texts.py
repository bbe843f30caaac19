"""Whatever a text holds, it is read or refused in words: no crash, no memory, no time."""

import json
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import hostile_texts
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from amla.spec import ops
from amla.spec.architecture import Architecture, Node
from amla.spec.bounds import LONGEST_YAML
from amla.spec.costs import costs
from amla.spec.decisions import close
from amla.spec.text import from_json, from_yaml, to_json, to_yaml
from amla.spec.values import SpecError
from amla.study import study

MEGABYTES = 200
SECONDS = 2.0  # of CPU time; each takes some milliseconds where nothing else runs
LONGEST = 25_000  # characters of what is told

WHOLE = Architecture(
    (
        Node("x", ops.Input((3, 8, 8))),
        Node("a", ops.Conv(None, (3, 3)), ("x",)),
        Node("b", ops.Conv(None, (1, 1)), ("x",)),
        Node("p", ops.Pick(1, 2, "concat", width=8), ("a", "b")),
        Node("n", ops.BatchNorm(), ("p",)),
        Node("g", ops.GlobalPool(), ("n",)),
        Node("y", ops.Classify(10), ("g",)),
    )
)
STUDY = study.to_plain(study.from_yaml("{name: x, data: {source: digits}, limit: {seconds: 60}}"))
ODD = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(min_value=10**15, max_value=10**30),
    st.floats(),
    st.text(max_size=8),
    st.sampled_from(
        ["", "x", "p", "nac", "\ud800", "\x00", "NaN", "-Infinity", "../x", "9" * 50, [], {}, [[]], {"kind": 1}]
    ),
)


@pytest.fixture(scope="module")
def read() -> list[Any]:
    """Return what came of all hostile texts: name, what was told, seconds, and megabytes so far."""
    program = Path(hostile_texts.__file__)
    ended = subprocess.run([sys.executable, program, *sys.path], capture_output=True, text=True, check=True)
    return [json.loads(line) for line in ended.stdout.splitlines()]


def test_all_are_refused_in_words(read: list[Any]):
    assert len(read) == len(hostile_texts.JSON) + len(hostile_texts.YAML) + len(hostile_texts.STUDIES)
    for name, said, _, _ in read:
        assert said, f"{name} was accepted"
        assert not said.startswith("CRASH"), f"{name}: {said}"
        assert len(said) < LONGEST, name


def test_none_takes_long(read: list[Any]):
    assert {name: seconds for name, _, seconds, _ in read if seconds > SECONDS} == {}


def test_none_takes_much_memory(read: list[Any]):
    assert {name: peak for name, _, _, peak in read if peak > MEGABYTES} == {}


def places(plain: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner = plain.items() if isinstance(plain, dict) else enumerate(plain) if isinstance(plain, list) else ()
    return [path, *(found for key, part in inner for found in places(part, (*path, key)))]


def replaced(plain: Any, path: tuple[Any, ...], odd: Any) -> Any:
    if not path:
        return odd
    copy = dict(plain) if isinstance(plain, dict) else list(plain)
    copy[path[0]] = replaced(copy[path[0]], path[1:], odd)
    return copy


@settings(deadline=None, max_examples=300)
@given(st.data())
def test_an_architecture_with_anything_in_it_is_read_or_refused(data: st.DataObject):
    plain = json.loads(to_json(WHOLE))
    for _ in range(data.draw(st.integers(1, 2))):
        plain = replaced(plain, data.draw(st.sampled_from(places(plain))), data.draw(ODD))
    with suppress(SpecError):
        network = from_json(json.dumps(plain))
        costs(close(network, {pick: network[pick].inputs[: op.at_least] for pick, op in network.picks.items()}))


@settings(deadline=None, max_examples=200)
@given(st.data())
def test_a_study_with_anything_in_it_is_read_or_refused(data: st.DataObject):
    plain = replaced(STUDY, data.draw(st.sampled_from(places(STUDY))), data.draw(ODD))
    with suppress(study.StudyError):
        found = study.from_plain(plain)
        assert study.from_yaml(study.to_yaml(found)) == found


@settings(deadline=None, max_examples=200)
@given(st.text(alphabet=st.sampled_from("abc:-[]{}&*!?|>'\"#%@,.0123456789 \n\t<é\u2028"), max_size=60))
def test_any_text_is_yaml_or_refused(text: str):
    for read in (from_yaml, study.from_yaml):
        with pytest.raises((SpecError, study.StudyError)):
            read(text)


def test_references_may_be_used_where_little_comes_of_it():
    said = "{name: x, data: {source: digits}, limit: {seconds: 60}, recipe: &r {batch: 32}, final: {recipe: *r}}"
    found = study.from_yaml(said)
    assert found.final.recipe == found.recipe


def test_brackets_in_a_text_are_no_nesting():
    said = {"name": "x", "data": {"source": "[" * 30 + "{" * 30}, "limit": {"seconds": 60}}
    assert study.from_yaml(yaml.safe_dump(said)).data.source == "[" * 30 + "{" * 30


def test_a_large_network_is_read_from_json_and_from_yaml():
    nodes = [Node("x", ops.Input((3, 8, 8)))]
    for number in range(2000):
        nodes.append(Node(f"stage0/cell{number}/relu", ops.Activation(), (nodes[-1].id,)))
    network = Architecture(tuple(nodes))
    assert from_json(to_json(network, indent=1)) == network
    assert len(to_yaml(network)) < LONGEST_YAML
    assert from_yaml(to_yaml(network)) == network
