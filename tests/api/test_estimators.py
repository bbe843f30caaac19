"""What both estimators can be told: all that `amla.search` can, under the same names."""

from importlib.util import find_spec
from inspect import signature
from pathlib import Path

import pytest

pytest.importorskip("sklearn")

from tiny import made_up

import amla
from amla import AmlaClassifier, AmlaRegressor
from amla.study.folder import read

OF_THEIR_OWN = {"data", "data_dir", "labels", "progress", "seed"}  # `fit` is given arrays, `random_state` is the seed
SMALL = {"recipe.augment.shift": 0, "space.width": 6, "space.cells": [1], "space.max_cells": [1]}


@pytest.mark.parametrize(("estimator", "fixed"), [(AmlaClassifier, set()), (AmlaRegressor, {"metric"})])
def test_they_are_told_what_a_search_is_told_with_the_same_defaults(estimator: type, fixed: set[str]):
    asked, given = signature(amla.search).parameters, signature(estimator).parameters
    assert asked.keys() - given.keys() == OF_THEIR_OWN | fixed
    shared = (asked.keys() & given.keys()) - {"metric", "settings"}
    assert {name: given[name].default for name in shared} == {name: asked[name].default for name in shared}


@pytest.mark.parametrize("estimator", [AmlaClassifier, AmlaRegressor])
def test_what_they_are_told_is_done(estimator: type, tmp_path: Path):
    images, labels = made_up()
    told = {"prefer": "small", "max_latency": "10s", "max_trials": 2, "stop_below": "0.1/10m", "budget_clock": "cpu"}
    told["tune"] = 2 if find_spec("optuna") else None
    fast = {"algorithm": "random", "steps": 1, "final_steps": 1, "workers": 0, "settings": SMALL, "random_state": 0}
    fitted = estimator(**fast, **told, run=tmp_path / "run").fit(images, labels)
    run = read(tmp_path / "run")
    assert (run.study.prefer, run.study.limit.trials, run.study.limit.clock) == ("small", 2, "cpu")
    assert run.study.latency is not None
    assert run.study.latency.at_most == 10
    assert (run.study.terms.stop.gain, run.study.terms.stop.seconds) == (0.001, 600)
    assert len(run.search.done) == 2
    assert len(run.tuning.done) == (told["tune"] or 0)
    assert fitted.network_ in [trial.proposal.architecture for trial in run.search.done]


@pytest.mark.parametrize(
    "timed", [{"budget": "1m"}, {"max_latency": "5ms"}, {"stop_below": "1/1m"}, {"prefer": "fast"}]
)
@pytest.mark.parametrize("estimator", [AmlaClassifier, AmlaRegressor])
def test_what_goes_by_time_may_differ_and_they_say_so(estimator: type, timed: dict[str, str]):
    assert not estimator().__sklearn_tags__().non_deterministic
    assert estimator(**timed).__sklearn_tags__().non_deterministic
