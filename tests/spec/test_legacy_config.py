"""Configurations of 2018: both forms, what is missing or wrong, and files of several."""

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from amla.spec import ops
from amla.spec.costs import shapes
from amla.spec.legacy.config import Lrn, StemConv, read_config
from amla.spec.legacy.file import load
from amla.spec.legacy.growth import Growth, Randoms, drawn, initial
from amla.spec.legacy.network import build
from amla.spec.legacy.training import ENVELOPENETS, Cosines, Decay
from amla.spec.macro import Layer, Widener
from amla.spec.values import SpecError

CONFIG: dict[str, Any] = {
    "parameters": {
        "arch_name": "tiny", "algorithm": "deterministic", "steps": 100, "batch_size": 50, "gpus": [0, 1],
        "dataset": "cifar10", "image_size": 40,
    },
    "child_training": {
        "optimizer": {"type": "momentum", "momentum": 0.9},
        "lr": {"type": "cosine_decay", "max": 0.05, "min": 0.001, "T_0": 20, "T_mul": 2},
        "gradient_clipping": {"type": "norm", "value": 5.0},
        "regularization": {"type": "l2", "value": 3e-4},
    },
    "init_cell": {
        "Layer0": {"Branch0": {"block": "cutout", "size": 16}},
        "Layer1": {"Branch0": {"block": "conv2d", "kernel_size": [3, 3], "outputs": 8}},
        "Layer2": {"Branch0": {"block": "lrn"}},
    },
    "classification_cell": {
        "Layer0": {"Branch0": {"block": "reduce_mean", "size": [1, 2]}},
        "Layer1": {"Branch0": {"block": "dropout", "keep_prob": 0.75}},
        "Layer2": {"Branch0": {"block": "fc-final", "inputs": 192, "outputs": 10}},
    },
    "arch": {"type": "macro", "network": [{"filters": {"Branch1": "1x1"}, "outputs": 8}]},
}  # fmt: skip
ENVELOPE = {
    "stages": 2, "layers_per_stage": [3, 2], "max_layers_per_stage": [4, 4], "construction": [True, True],
    "parameter_limits": [True, False], "max_filter_prune": 6, "skip": True, "envelopecell": {"B1": "1x1", "B2": "3x3"},
}  # fmt: skip


def changed(**sections: Any) -> dict[str, Any]:
    """Return the configuration with other sections; those that are None are gone."""
    merged = copy.deepcopy(CONFIG) | sections
    return {name: said for name, said in merged.items() if said is not None}


def at(*path: str, value: Any) -> dict[str, Any]:
    """Return the configuration with another value at one place."""
    config = copy.deepcopy(CONFIG)
    place = config
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    return config


def test_a_configuration_says_stem_head_and_training():
    config, _ = read_config(CONFIG)
    assert config.stem == ((StemConv(8, (3, 3)),), (Lrn(),))
    assert (config.classes, config.head_dropout, config.cutout, config.width) == (10, 0.25, 16, 8)
    assert config.batch == 2 * 50
    assert config.training.rate == Cosines(0.05, 0.001, 20, 2)
    assert (config.training.momentum, config.training.clip, config.training.l2) == (0.9, 5.0, 3e-4)


def test_a_stem_may_have_several_convolutions_side_by_side():
    conv = {"block": "conv2d", "outputs": 4, "stride": 2, "bias": False}
    stem = {"Layer0": {f"Branch{n}": {**conv, "kernel_size": [n, n]} for n in (3, 5)}}
    network = build(read_config(changed(init_cell=stem))[0], (3, 9, 9))
    assert shapes(network)["stem"] == (8, 5, 5)
    assert network["stem/branch1/conv"].op == ops.Conv(4, (5, 5), (2, 2))


def test_without_a_section_on_training_it_is_that_of_the_other_repository():
    assert read_config(changed(child_training=None))[0].training == ENVELOPENETS


def test_an_exponential_rate_falls_by_a_thousandth_every_other_epoch_unless_it_says_more():
    said = {"type": "exponential_decay", "initial": 0.04}
    found = [read_config(at("child_training", "lr", value=said | more))[0].training.rate for more in (
        {}, {"decay": 0.97, "epochs_per_decay": 25}
    )]  # fmt: skip
    assert found == [Decay(0.04, 0.999, 2), Decay(0.04, 0.97, 25)]


def test_every_section_that_nobody_reads_is_noted():
    config = changed(random={"layers": 3}, colour="red")
    config["parameters"] |= {"mode": "train", "speed": 3}
    told = {note.field for note in read_config(config)[1]}
    assert told >= {
        "random",
        "colour",
        "parameters.mode",
        "parameters.speed",
        "classification_cell.Layer2.Branch0.inputs",
    }


def test_a_search_begins_with_the_whole_envelope_and_narrow_layers_where_it_says_so():
    growth = read_config(changed(arch=None, envelopenet=ENVELOPE))[0].body
    assert isinstance(growth, Growth)
    items = initial(growth, 64).items
    assert [type(item) for item in items] == [Layer, Layer, Layer, Widener, Layer, Layer]
    # floor(W / (L - 2) * (sqrt(L - 1) - 1)) of W = 64, L = 3
    assert [item.outputs for item in items if isinstance(item, Layer)] == [26, 26, 64, 128, 128]
    assert [item.inputs for item in items] == [(), (), (1,), None, (3, 2, 1), (4, 3, 2, 1)]


def test_in_the_other_repository_skips_begin_at_the_stem():
    config = changed(arch=None, envelopenet=ENVELOPE)
    config["parameters"]["archname"] = config["parameters"].pop("arch_name")
    growth = read_config(config)[0].body
    assert isinstance(growth, Growth)
    assert {item.inputs for item in initial(growth, 64).items if isinstance(item, Layer)} == {"all"}


def test_random_networks_have_a_branch_a_layer_and_are_functions_of_the_seed():
    section = {"stages": 2, "layersperstage": [3, 2], "numblocksperstage": [7, 2], "blocks": ["3x3", "5x5sep"]}
    config = changed(arch=None, random=section)
    config["parameters"]["algorithm"] = "random"
    body = read_config(config)[0].body
    assert body == Randoms((3, 2), (7, 2), ("3x3", "5x5sep"))
    items = drawn(body, 8, seed=1).items
    branches = [len(item.filters) for item in items if isinstance(item, Layer)]
    assert (sum(branches[:3]), branches[3:]) == (7, [1, 1])
    assert drawn(body, 8, seed=1) == drawn(body, 8, seed=1) != drawn(body, 8, seed=2)


def test_auxiliary_heads_are_not_numbered_as_cells():
    layer = {"filters": {"Branch1": "1x1"}, "outputs": 8}
    items = [layer, layer, {"auxiliary": {"Branch1": "Dense"}, "outputs": 10}, {**layer, "inputs": [1]}]
    network = build(read_config(changed(arch={"type": "macro", "network": items}))[0], (3, 8, 8), classes=4)
    assert network.heads == {"auxiliary1": 0.4}
    assert network["auxiliary1"].op == ops.Classify(4, auxiliary=0.4)
    assert network["stage0/cell2/in"].inputs == ("stage0/cell1/dropout", "stage0/cell2/from-stage0-cell0")


WRONG: list[tuple[Callable[[], Any], str]] = [
    (list, r"The file is \[\]; it must be a mapping"),
    (lambda: changed(parameters=None), "parameters is missing"),
    (lambda: changed(init_cell=None), "init_cell is missing"),
    (lambda: changed(arch=None), "envelopenet is missing"),
    (lambda: changed(arch=7), r"arch is 7; it must be a mapping"),
    (lambda: at("parameters", "steps", value="many"), r"parameters\.steps is 'many'; it must be a whole number"),
    (lambda: at("parameters", "batch_size", value=True), r"parameters\.batch_size is True"),
    (lambda: at("parameters", "image_size", value=0), r"parameters\.image_size is 0; it must be"),
    (lambda: at("child_training", "lr", "type", value="linear"), r"child_training\.lr\.type is 'linear'; known are"),
    (lambda: at("child_training", "lr", "min", value=1.0), r"child_training\.lr\.min is 1\.0, more than"),
    (lambda: at("child_training", "optimizer", value=None), r"child_training\.optimizer is missing"),
    (lambda: at("init_cell", "Layer1", "Branch0", "block", value="pool"), r"Layer1\.Branch0\.block is 'pool'"),
    (lambda: at("init_cell", "Layer1", value={}), "init_cell has no conv2d"),
    (lambda: at("classification_cell", "Layer2", value={}), "classification_cell has no fc-final"),
    (lambda: at("classification_cell", "Layer1", "Branch0", "keep_prob", value=0), r"Layer1\.Branch0\.keep_prob is 0"),
    (lambda: at("arch", "network", value=7), r"arch\.network is '7'; it must be a list"),
    (lambda: at("arch", "network", value=[{"auxiliary": {}}]), r"arch\.network\[0\]\.outputs is missing"),
]  # fmt: skip


@pytest.mark.parametrize(("config", "message"), WRONG, ids=[message for _, message in WRONG])
def test_what_is_wrong_is_told_with_its_address(config: Callable[[], Any], message: str):
    with pytest.raises(SpecError, match=message):
        read_config(config())


@pytest.mark.parametrize(
    ("section", "changes", "message"),
    [
        ("envelopenet", {"layers_per_stage": [10**9]}, r"envelopenet\.layers_per_stage makes 1,000,000,000 in all"),
        ("envelopenet", {"layersperstage": [200, 57]}, r"envelopenet\.layersperstage makes 257 in all; .* 256"),
        ("random", {"layersperstage": [1], "numblocksperstage": [10**9]}, r"random\.numblocksperstage makes"),
        ("random", {"layers": 2, "minwidenerintval": 4, "maxwideners": 10**9, "numblocks": 10**9}, "numblocks makes"),
        ("envelopenet", {"layers": 10**9, "minwidenerintval": 1, "maxwideners": 10**9}, r"envelopenet\.layers makes"),
    ],
)
def test_networks_too_large_to_be_written_down_are_refused(section: str, changes: dict[str, Any], message: str):
    plain = changed(arch=None, **{section: {"envelopecell": {"Branch1": "1x1"}, "blocks": ["3x3"], **changes}})
    plain["parameters"]["algorithm"] = "random" if section == "random" else "envelopenet"
    with pytest.raises(SpecError, match=message):
        read_config(plain)


@pytest.mark.parametrize(("gpus", "batch"), [([0, 1], 100), ([], 50), ("[0,1]", 50), ("[]", 50)])
def test_devices_in_a_list_share_a_batch_and_are_noted(gpus: object, batch: int):
    config, notes = read_config(at("parameters", "gpus", value=gpus))
    assert config.batch == batch
    assert any(note.field == "parameters.gpus" for note in notes) == (gpus not in ([], "[]"))


def test_of_several_configurations_one_is_chosen(tmp_path: Path):
    several = tmp_path / "all.json"
    records = [
        {"name": "a", "source": "x:dir/one.json"},
        {"name": "b", "source": "x:two.json"},
        {"name": "b", "source": "x:3"},
    ]
    several.write_text(json.dumps(records))
    assert load(several, "a") == load(several, "one.json") == load(several, "0") == records[0]
    assert load(several, "x:3") == records[2]
    for record, message in ((None, "holds 3 configurations; choose"), ("b", "2 records of"), ("c", "No record of")):
        with pytest.raises(SpecError, match=message):
            load(several, record)


@pytest.mark.parametrize(
    ("text", "message"),
    [("{", "is no JSON"), ("7", "holds '7'; a configuration of 2018 is a mapping"), ("[]", "holds 0")],
)
def test_a_file_that_is_no_configuration_is_named(text: str, message: str, tmp_path: Path):
    (tmp_path / "x.json").write_text(text)
    with pytest.raises(SpecError, match=message):
        load(tmp_path / "x.json")


def test_a_file_that_is_not_there_is_named_and_one_configuration_has_no_records(tmp_path: Path):
    with pytest.raises(SpecError, match="There is no file"):
        load(tmp_path / "ghost.json")
    (tmp_path / "x.json").write_text(json.dumps(CONFIG))
    with pytest.raises(SpecError, match="one configuration, so there is no record"):
        load(tmp_path / "x.json", "a")
