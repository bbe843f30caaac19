"""Study files: every study is written and read back the same, and mistakes name their address and value."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from amla.study.changes import changed
from amla.study.run import Limit
from amla.study.settings.places import Inline, Local, Torch
from amla.study.settings.searches import FixedSettings, NacSettings, RandomSettings, RemoteSettings, RunOffSettings
from amla.study.settings.spaces import (
    DartsSettings,
    EnasMacroSettings,
    EnvelopeSettings,
    NasBench201Settings,
    NasBenchMacroSettings,
    TemplateSettings,
)
from amla.study.study import Data, Final, Provenance, Study, StudyError, from_plain, from_yaml, load, to_plain, to_yaml
from amla.tasks.recipe import AdamW, Augment, Constant, Cosine, Muon, OneCycle, Recipe, Sgd, Small, Steps

STUDY = Study("digits", Data("digits"), algorithm=NacSettings(2, 10), final=Final(20))

numbers = st.floats(allow_nan=False, allow_infinity=False)
shares = st.floats(0, 1)
below_one = st.floats(0, 0.99)
positive = st.floats(1e-6, 1e9)
counts = st.integers(1, 10**9)
automatic = st.just("auto")
awkward = (
    "",
    "no",
    "null",
    "~",
    "1e-3",
    "1e5",
    "0x1F",
    "2018-01-01",
    "- a",
    "a: b",
    "# c",
    "'",
    '"',
    "\n",
    " a ",
    "é×",
)
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20) | st.sampled_from(awkward)
sgd = st.builds(Sgd, positive, below_one, st.booleans(), st.booleans())
halves = shares.map(lambda share: share / 2)
recipes = st.builds(
    Recipe,
    batch=st.integers(2, 4096),
    optimiser=sgd
    | st.builds(AdamW, positive, below_one, below_one)
    | st.builds(Muon, positive, below_one, st.booleans(), st.booleans(), sgd),
    schedule=st.builds(Constant, below_one)
    | st.builds(Cosine, below_one, below_one)
    | st.builds(OneCycle, below_one, below_one, below_one)
    | st.builds(Steps, st.lists(shares, max_size=3).map(tuple), shares, below_one),
    weight_decay=positive,
    label_smoothing=below_one,
    clip=st.none() | positive,
    ema=st.none() | below_one,
    augment=st.builds(
        Augment,
        st.booleans() | st.just("alternate"),
        st.integers(0, 99),
        st.integers(0, 99),
        st.sampled_from(["zero", "reflect"]),
        st.none() | st.floats(0.01, 1),
    ),
    small=st.none() | st.builds(Small, st.floats(0.01, 0.99), shares),
    start=st.sampled_from(["he", "identity"]),
    whiten=st.booleans(),
    shift_rate=positive,
    score_mirrored=st.booleans(),
    precision=st.sampled_from(["auto", "single"]),
)
spaces = (
    st.builds(
        EnvelopeSettings,
        width=st.integers(1, 1_000_000),
        cells=st.lists(counts, max_size=3).map(tuple),
        branches=st.lists(texts, max_size=3).map(tuple),
        skips=st.sampled_from(["add", "concat", "none"]),
        dropout=shares.map(lambda share: share / 2),
    )
    | st.builds(NasBench201Settings, st.integers(1, 1_000_000), counts)
    | st.builds(NasBenchMacroSettings, st.integers(1, 1_000_000), counts)
    | st.builds(DartsSettings, st.integers(1, 1_000_000), counts, counts, st.none() | positive)
    | st.builds(EnasMacroSettings, st.integers(1, 1_000_000), counts, counts, shares.map(lambda share: share / 2))
    | st.builds(TemplateSettings, file=texts, tied=st.dictionaries(texts, texts, max_size=2), even=st.booleans())
)
algorithms = (
    st.builds(NacSettings, st.integers(0, 99), counts, texts, st.integers(0, 99), shares, shares)
    | st.builds(RandomSettings, counts, counts)
    | st.builds(FixedSettings, architectures=st.lists(texts, max_size=3).map(tuple), steps=counts)
)
studies = st.builds(
    Study,
    name=texts.filter(lambda name: len(name) > 0 and name[0] != "." and name.isprintable() and not {*"/\\"} & {*name}),
    data=st.builds(Data, texts, halves, halves, counts, st.none() | st.tuples(counts, counts)),
    recipe=recipes,
    space=spaces,
    algorithm=algorithms,
    final=st.builds(Final, counts, st.none() | recipes),
    backend=st.builds(Torch, device=st.none() | texts),
    executor=st.builds(Inline, automatic | st.just(3))
    | st.builds(Local, automatic | st.integers(1, 1024), automatic | st.none() | st.just(3), st.none() | counts),
    limit=st.builds(Limit, st.none() | counts, st.none() | positive),
    trial_seconds=st.none() | positive,
    seed=st.integers(0, 10**15),
    provenance=st.none() | st.builds(Provenance, texts, texts, texts, st.dictionaries(texts, texts, max_size=3), texts),
)

few = settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])


class TestRoundTrip:
    @few
    @given(studies)
    def test_a_study_that_was_written_is_read_back_the_same(self, study: Study):
        assert from_yaml(to_yaml(study)) == study
        assert from_plain(to_plain(study)) == study

    @few
    @given(studies)
    def test_any_reader_of_yaml_reads_what_was_written(self, study: Study):
        assert yaml.safe_load(to_yaml(study)).keys() == to_plain(study).keys()

    def test_every_setting_is_written_out(self):
        plain = yaml.safe_load(to_yaml(STUDY))
        assert list(plain) == list(Study.__dataclass_fields__)
        assert plain["recipe"]["optimiser"] == {
            "kind": "sgd",
            "rate": 0.1,
            "momentum": 0.9,
            "nesterov": True,
            "decoupled": False,
        }

    def test_what_is_left_out_is_as_by_default(self):
        text = (
            "name: digits\ndata: {source: digits}\nalgorithm: {kind: nac, iterations: 2, steps: 10}\nfinal: {steps: 20}"
        )
        assert from_yaml(text) == STUDY

    def test_a_whole_number_serves_where_any_number_does(self):
        assert from_plain(to_plain(STUDY) | {"limit": {"seconds": 60}}).limit.seconds == 60.0

    def test_a_study_is_read_from_a_file(self, tmp_path: Path):
        (tmp_path / "study.yaml").write_text(to_yaml(STUDY), encoding="utf-8")
        assert load(tmp_path / "study.yaml") == STUDY


def written(address: str, given: Any) -> dict[str, Any]:
    """Return the study of these tests with one setting that may be wrong."""
    plain = to_plain(STUDY)
    *path, last = address.split(".")
    place = plain
    for step in path:
        place = place[step]
    place[last] = given
    return plain


class TestMistakes:
    @pytest.mark.parametrize(
        ("address", "given"),
        [
            ("algorithm.steps", 0),
            ("algorithm.iterations", -1),
            ("algorithm.quota", -1),
            ("algorithm.share", 1.5),
            ("data.share", 0.0),
            ("data.share", 1.1),
            ("algorithm.skip_share", -0.1),
            ("final.steps", 0),
            ("limit.trials", 0),
            ("limit.seconds", 0.0),
            ("limit.seconds", float("inf")),
            ("limit.seconds", float("nan")),
            ("trial_seconds", -1.0),
            ("seed", -1),
            ("seed", 10**400),
        ],
    )
    def test_a_number_that_makes_no_sense_is_named_with_its_address_and_the_rule(self, address: str, given: float):
        with pytest.raises(StudyError, match=rf"^{address} is {given}; it must be "):
            from_plain(written(address, given))

    @pytest.mark.parametrize(
        ("address", "given"),
        [
            ("name", 3),
            ("seed", "many"),
            ("seed", True),
            ("seed", 1.5),
            ("data.source", None),
            ("data.size", [8, "x"]),
            ("recipe.batch", "64"),
            ("recipe.augment.flip", 1),
            ("recipe.precision", "double"),
            ("space.width", 1.5),
            ("space.cells", 3),
            ("space.skips", "plus"),
            ("algorithm.iterations", None),
            ("limit.seconds", "10m"),
        ],
    )
    def test_a_value_of_the_wrong_kind_is_named_with_its_address(self, address: str, given: Any):
        with pytest.raises(StudyError) as raised:
            from_plain(written(address, given))
        said = str(raised.value)
        assert said.startswith(address)
        wrong = given[-1] if isinstance(given, list) else given
        assert f"(given: {wrong!r})" in said

    @pytest.mark.parametrize("address", ["sed", "data.path", "recipe.rate", "space.kernel", "algorithm.trials"])
    def test_a_setting_that_does_not_exist_is_named(self, address: str):
        with pytest.raises(StudyError, match=f"^{address}: "):
            from_plain(written(address, 1))

    @pytest.mark.parametrize("address", ["recipe.optimiser.kind", "algorithm.kind", "executor.kind"])
    def test_a_kind_that_does_not_exist_is_named_with_those_that_do(self, address: str):
        with pytest.raises(StudyError, match=rf"^{address.removesuffix('.kind')}: .*'wonder'.*expected tags: '"):
            from_plain(written(address, "wonder"))

    def test_rules_of_the_recipe_are_named_too(self):
        with pytest.raises(StudyError, match=r"recipe\.batch is 1; batch normalisation needs 2 or more"):
            from_plain(written("recipe.batch", 1))

    def test_all_mistakes_are_named_at_once(self):
        plain = written("seed", "many") | {"name": 3}
        with pytest.raises(StudyError) as raised:
            from_plain(plain)
        assert [line.split(":")[0] for line in str(raised.value).splitlines()] == ["name", "seed"]

    @pytest.mark.parametrize(
        "algorithm",
        [
            "{kind: fixed, architectures: [a.json], steps: 5}",
            "{kind: nac, mode: paper, steps: 5}",
            "{kind: nac, inherit: true, steps: 5}",
            "{kind: nac, windows: 9, stable: 0.9, steps: 50}",
            "{kind: darts, steps: 5}",
        ],
    )
    def test_a_run_off_of_what_was_not_trained_alike_is_refused(self, algorithm: str):
        text = f"name: x\ndata: {{source: x}}\nalgorithm: {algorithm}\nfinal: {{steps: 5}}\nrun_off: {{networks: 2}}"
        with pytest.raises(StudyError, match=r"^run_off is given, but .*; leave it out\.$"):
            from_yaml(text)

    def test_one_shot_methods_have_no_run_off(self):
        text = (
            "name: x\ndata: {source: x}\nalgorithm: {kind: darts, steps: 5}\nfinal: {steps: 5}\nrun_off: {networks: 2}"
        )
        with pytest.raises(StudyError, match="one-shot methods train no network by itself; leave it out"):
            from_yaml(text)

    def test_a_run_off_is_read_and_written(self):
        text = "name: x\ndata: {source: x}\nalgorithm: {kind: random, steps: 5}\nfinal: {steps: 5}\n"
        text += "run_off: {networks: 2, times: 3}"
        study = from_yaml(text)
        assert study.run_off == RunOffSettings(2, 3)
        assert from_yaml(to_yaml(study)) == study

    @pytest.mark.parametrize(
        ("settings", "rule"),
        [
            (["backend.devices=0"], r"^backend\.devices is 0; it must be from 1 to 1024"),
            (["backend.devices=2", "executor.kind=ray"], r"^backend\.devices is 2, but with the executor 'ray' every "),
            (["recipe.batch=66", "backend.devices=4"], r"^recipe\.batch is 66; .*it must be a multiple of 4\.$"),
            (["final.recipe={batch: 33}", "backend.devices=2"], r"^final\.recipe\.batch is 33; .* a multiple of 2\.$"),
        ],
    )
    def test_devices_that_cannot_share_a_training_are_refused(self, settings: list[str], rule: str):
        with pytest.raises(StudyError, match=rule):
            changed(STUDY, settings)

    def test_only_the_final_training_needs_a_batch_to_share(self):
        settings = ["final.recipe={batch: 32}", "recipe.batch=33", "backend.devices=2", "executor.kind=local"]
        assert changed(STUDY, settings).backend == Torch(devices=2)

    @pytest.mark.parametrize(
        ("settings", "most"),
        [([], "0.67"), (["baselines={random: 1}"], "0.59"), (["baselines={random: 1}", "tuning={trials: 3}"], "0.44")],
    )
    def test_the_share_of_the_search_leaves_time_for_the_rest(self, settings: list[str], most: str):
        usual = [
            "limit={seconds: 60.0}",
            "final.steps=null",
            "run_off=null",
            "baselines=null",
            "tuning=null",
            *settings,
        ]
        with pytest.raises(StudyError, match=rf"limit\.search is 0\.7; it must be {most} at most here"):
            changed(STUDY, [*usual, "limit={seconds: 60.0, search: 0.7}"])
        assert changed(STUDY, [*usual, f"limit={{seconds: 60.0, search: {most}}}"]).limit.search == float(most)
        of_operations = [*usual, "limit={flops: 1000.0, search: 0.7}"]
        assert changed(STUDY, of_operations).whole_flops == 1000
        with pytest.raises(StudyError, match=r"limit\.search is 0\.95; it must be"):
            changed(STUDY, [*usual, "baselines={random: 1}", "limit={flops: 1000.0, search: 0.95}"])

    @pytest.mark.parametrize(("place", "steps"), [("algorithm", "algorithm.steps"), ("final", "final.steps")])
    def test_a_study_without_steps_and_seconds_is_refused(self, place: str, steps: str):
        plain = written(steps, None)
        with pytest.raises(StudyError, match=rf"^{steps} is not given, and neither is limit\.seconds"):
            from_plain(plain)
        assert from_plain(plain | {"limit": {"seconds": 60.0}}).limit.seconds == 60.0

    @pytest.mark.parametrize(
        "text",
        [
            "",
            "3",
            "[]",
            "name: [",
            "a: *b",
            "name: a\nname: !!python/name:os.system\n",
            "space: &a {width: *a}",
            "limit: 2018-01-01",
            "? [1]\n: 2",
            "a: " + "[" * 5000 + "]" * 5000,
            'name: "\\ud800"',
        ],
    )
    def test_a_text_that_is_no_study_is_refused(self, text: str):
        with pytest.raises(StudyError):
            from_yaml(text)

    def test_a_mistake_in_yaml_is_said_with_its_line(self):
        with pytest.raises(StudyError, match=r"^This is no YAML in line 2, column \d+: "):
            from_yaml("name: a\ndata: ]\n")

    def test_files_are_named(self, tmp_path: Path):
        wrong = tmp_path / "wrong.yaml"
        with pytest.raises(StudyError, match=r"There is no study '.*wrong\.yaml'"):
            load(wrong)
        wrong.write_text("seed: many\n")
        with pytest.raises(StudyError, match=r"(?s)wrong\.yaml' is no study that can be run:\n.*\nseed: .*'many'"):
            load(wrong)
        wrong.write_bytes(b"name: \xff\n")
        with pytest.raises(StudyError, match=r"wrong\.yaml' cannot be read: "):
            load(wrong)
        with pytest.raises(StudyError, match=r"cannot be read: "):
            load(tmp_path)


class TestChanged:
    def test_nothing_changes_without_settings(self):
        assert changed(STUDY, []) == STUDY

    @pytest.mark.parametrize(
        ("setting", "address", "becomes"),
        [
            ("seed=5", "seed", 5),
            (" seed = 5 ", "seed", 5),
            ("name=a=b", "name", "a=b"),
            ("recipe.batch=128", "recipe.batch", 128),
            ("recipe.weight_decay=1e-3", "recipe.weight_decay", 1e-3),
            ("recipe.ema=0.99", "recipe.ema", 0.99),
            ("recipe.augment.flip=true", "recipe.augment.flip", True),
            ("space.cells=[1, 2]", "space.cells", [1, 2]),
            ("space.branches=[3x3, '5x5']", "space.branches", ["3x3", "5x5"]),
            ("data.size=[8, 8]", "data.size", [8, 8]),
            ("limit.seconds=60.5", "limit.seconds", 60.5),
            ("backend.device=cpu", "backend.device", "cpu"),
            ("final={steps: 7}", "final.steps", 7),
        ],
    )
    def test_a_setting_changes_and_nothing_else_does(self, setting: str, address: str, becomes: Any):
        assert to_plain(changed(STUDY, [setting])) == written(address, becomes)

    def test_the_last_of_several_changes_counts(self):
        assert changed(STUDY, ["seed=1", "seed=2", "recipe.batch=8"]).seed == 2

    @pytest.mark.parametrize(
        ("texts", "becomes"),
        [
            (["algorithm.kind=random", "algorithm.steps=3"], RandomSettings(steps=3)),
            (["algorithm.kind=random", "algorithm.trials=4", "algorithm.steps=3"], RandomSettings(4, 3)),
            (["algorithm.kind=fixed", "algorithm.architectures=[a.json]", "algorithm.steps=3"], None),
            (["algorithm.kind=nac"], STUDY.algorithm),
        ],
    )
    def test_another_kind_brings_its_settings_with_it(self, texts: list[str], becomes: Any):
        fixed = FixedSettings(architectures=("a.json",), steps=3)
        assert changed(STUDY, texts).algorithm == (becomes or fixed)

    def test_kinds_within_a_recipe_change_too(self):
        recipe = changed(STUDY, ["recipe.optimiser.kind=adamw", "recipe.optimiser.rate=0.002"]).recipe
        assert recipe.optimiser == AdamW(0.002)
        assert changed(STUDY, ["executor.kind=local", "executor.workers=3"]).executor == Local(3)

    @pytest.mark.parametrize(
        ("setting", "said"),
        [
            ("seed", "--set 'seed' says no value; write it like --set recipe.batch=128."),
            ("sed=1", "there is no setting 'sed'; a study has name, data, "),
            ("recipe.btch=1", "there is no setting 'recipe.btch'; 'recipe' has batch, optimiser, "),
            ("recipe.opt.rate=1", "there is no setting 'recipe.opt'; 'recipe' has batch, "),
            ("seed.x=1", "'seed' is 0, which has no settings of its own."),
            ("final.recipe.batch=8", "'final.recipe' is None, which has no settings of its own."),
            ("=1", "there is no setting ''; a study has "),
            ("seed=[", "--set 'seed=[': This is no YAML in line 1"),
            ("seed=many", "seed: Input should be a valid integer"),
            ("recipe.batch=1", "recipe.batch is 1; "),
            ("algorithm.kind=magic", "algorithm: "),
        ],
    )
    def test_a_mistake_is_said(self, setting: str, said: str):
        with pytest.raises(StudyError) as raised:
            changed(STUDY, [setting])
        assert said in str(raised.value)

    def test_a_setting_of_another_kind_is_named_when_the_study_is_made(self):
        with pytest.raises(StudyError, match=r"^algorithm\.quota: "):
            changed(STUDY, ["algorithm.kind=random", "algorithm.steps=3", "algorithm.quota=2"])


@pytest.mark.parametrize("url", ["http://me:secret@host:8000", "http://host:8000?password=secret"])
def test_a_password_in_the_url_of_an_algorithm_is_refused_and_not_repeated(url: str):
    with pytest.raises(StudyError, match="AMLA_TOKEN") as told:
        Study("x", Data("digits"), algorithm=RemoteSettings(url=url, steps=1), final=Final(1))
    assert "secret" not in str(told.value)


def test_where_trials_or_proposals_come_from_may_be_told_in_short():
    plain = {"name": "x", "data": {"source": "digits"}, "final": {"steps": 5}}
    short = {"algorithm": {"remote": "http://a", "steps": 9}, "executor": {"http": ["http://b", "http://c"]}}
    whole = {
        "algorithm": {"kind": "remote", "url": "http://a", "steps": 9},
        "executor": {"kind": "http", "urls": ["http://b", "http://c"]},
    }
    assert from_plain(plain | short) == from_plain(plain | whole)
    for wrong in ({"algorithm": {"remote": "http://a", "url": "http://b", "steps": 9}}, {"executor": {"htp": []}}):
        with pytest.raises(StudyError, match="|".join(wrong)):
            from_plain(plain | wrong)
