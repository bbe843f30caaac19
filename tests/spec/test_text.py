import json
from pathlib import Path

import jsonschema
import pytest
from hypothesis import given, settings
from random_networks import networks

from amla.spec import ops
from amla.spec.architecture import Architecture, Node
from amla.spec.text import from_json, from_yaml, load, save, schema, to_json, to_yaml
from amla.spec.values import SpecError

OPEN = Architecture(
    (
        Node("image", ops.Input((3, 8, 8))),
        Node("1e5", ops.Conv(None, (3, 3)), ("image",)),  # ids that YAML might take for something else
        Node("no", ops.Conv(None, (1, 1), groups=1), ("image",)),
        Node("0x10", ops.Pick(1, 2, "concat", width=8), ("1e5", "no")),
    )
)
STEM = {"id": "stem", "op": {"kind": "conv", "channels": 4, "kernel": [3]}, "inputs": ["x"]}


SCHEMA = jsonschema.Draft202012Validator(schema())


def text(*nodes: object, **more: object) -> str:
    return json.dumps({"nodes": [{"id": "x", "op": {"kind": "input", "shape": [3, 8]}}, *nodes], **more})


def changed(**parts: object) -> str:
    return text(STEM | {"op": STEM["op"] | parts})


@settings(deadline=None, max_examples=60)
@given(networks())
def test_json_and_yaml_give_back_what_was_written(network: Architecture):
    assert from_json(to_json(network)) == network
    assert from_json(to_json(network, indent=2)) == network
    assert from_yaml(to_yaml(network)) == network


def test_open_architectures_are_texts_too():
    assert from_json(to_json(OPEN)) == OPEN
    assert from_yaml(to_yaml(OPEN)) == OPEN


def test_yaml_has_one_line_a_node():
    assert len(to_yaml(OPEN).splitlines()) == 2 + len(OPEN)


def test_what_is_left_out_takes_its_default():
    assert from_json(text(STEM))["stem"].op == ops.Conv(4, (3,), (1,), (1,), groups=1, bias=False)


@pytest.mark.parametrize(
    ("given_text", "says"),
    [
        (changed(colour="red"), ["nodes[1].op.conv.colour", "Unexpected keyword argument", "'red'"]),
        (changed(channels="4"), ["nodes[1].op.conv.channels", "valid integer", "'4'"]),
        (changed(channels=4.5), ["nodes[1].op.conv.channels", "valid integer", "4.5"]),
        (changed(kernel=3), ["nodes[1].op.conv.kernel", "valid array", "3"]),
        (changed(bias="yes"), ["nodes[1].op.conv.bias", "valid boolean", "'yes'"]),
        (changed(groups=3), ["nodes[1].op.conv", "conv.channels is 4, which 3 groups do not divide"]),
        (changed(kind="transformer"), ["nodes[1].op", "transformer", "'conv'"]),
        (text(STEM | {"op": {}}), ["nodes[1].op", "must begin with its kind"]),
        (text(STEM | {"inputs": []}), ["nodes[1]", "'stem' (conv) has inputs []; it takes exactly 1"]),
        (text(STEM | {"inputs": ["y"]}), ["'stem' reads 'y', which does not exist"]),
        (text(STEM | {"extra": 1}), ["nodes[1].extra", "Unexpected keyword argument"]),
        (text(version=2), ["version", "Input should be 1", "2"]),
        ("[]", ["the text", "given: []"]),
        ("{", ["the text", "Invalid JSON"]),
    ],
)
def test_mistakes_are_told_by_address_rule_and_value(given_text: str, says: list[str]):
    with pytest.raises(SpecError) as told:
        from_json(given_text)
    for part in says:
        assert part in str(told.value)


def test_every_mistake_is_told_on_its_line():
    with pytest.raises(SpecError) as told:
        from_json(changed(channels="4", kernel=3))
    assert len(str(told.value).splitlines()) == 2


def test_a_long_value_is_cut():
    with pytest.raises(SpecError) as told:
        from_json(changed(channels="4" * 1000))
    assert len(str(told.value)) < 200


@pytest.mark.parametrize(
    ("given_text", "says"),
    [
        ("nodes: [", "no YAML in line 1, column 9"),
        ("version: 2020-01-01", "version"),
        ("2020-01-01: 1", "YAML says what an architecture cannot"),
        ("", "the text"),
    ],
)
def test_mistakes_in_yaml_are_told(given_text: str, says: str):
    with pytest.raises(SpecError, match=says):
        from_yaml(given_text)


@pytest.mark.parametrize("name", ["net.json", "net.yaml", "net.yml"])
def test_files_give_back_what_was_saved(name: str, tmp_path: Path):
    save(OPEN, tmp_path / name)
    assert load(tmp_path / name) == OPEN


def test_files_that_cannot_be_read_are_named(tmp_path: Path):
    (tmp_path / "bad.json").write_text("{}")
    (tmp_path / "bytes.json").write_bytes(b"\xff")
    for name, why in [("none.json", "There is no file"), ("bad.json", "nodes"), ("bytes.json", "cannot be read")]:
        with pytest.raises(SpecError, match=why) as told:
            load(tmp_path / name)
        assert name in str(told.value)


def test_the_schema_is_one():
    jsonschema.Draft202012Validator.check_schema(schema())


@settings(deadline=None, max_examples=40)
@given(networks())
def test_the_schema_accepts_what_is_written(network: Architecture):
    SCHEMA.validate(json.loads(to_json(network)))


@pytest.mark.parametrize(
    "given_text",
    [
        changed(colour="red"),
        changed(channels="4"),
        changed(kernel=3),
        changed(kind="transformer"),
        text(STEM | {"extra": 1}),
        text(STEM | {"op": {"kind": "conv"}}),
        text({"id": "a"}),
        text(version=2),
        "{}",
        "[]",
    ],
)
def test_the_schema_refuses_what_is_refused(given_text: str):
    with pytest.raises(SpecError):
        from_json(given_text)
    with pytest.raises(jsonschema.ValidationError):
        SCHEMA.validate(json.loads(given_text))
