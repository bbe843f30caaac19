"""amla's own algorithms as generators: the same answers over the wire as without, and no question that trips them."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from made_up_runs import STUDY, algorithm, begun, space_of, task_for

from amla.algorithms import wire
from amla.algorithms.nac import Nac
from amla.algorithms.protocol import Algorithm
from amla.algorithms.random import RandomSearch
from amla.algorithms.remote import Remote
from amla.algorithms.runoff import RunOff
from amla.services.generate import asked, recommended
from amla.services.problems import Problem
from amla.services.questions import Search, of_key, of_question
from amla.spaces.envelope import Envelope, envelope, recovered
from amla.spaces.space import SpaceError
from amla.spec.architecture import Architecture
from amla.spec.constraints import Constraints
from amla.spec.costs import costs
from amla.study.folder import read
from amla.study.study import load, to_yaml
from amla.testing.landscape import Synthetic
from amla.trials.history import History
from amla.trials.trial import Failure, Fit, Proposal

BRANCHES = ("1x1", "3x3", "3x3sep")


def made(**settings: Any) -> Envelope:
    given = {"width": 6, "cells": (1, 1), "max_cells": (2, 3), "branches": BRANCHES, **settings}
    return envelope((1, 8, 8), 2, **given)


def question(history: History, options: dict[str, Any], found: Envelope | None = None) -> wire.Question:
    return Remote("http://x", (found or made()).space, 10, 3, "mine", options).question(history)


def lived(search: Algorithm, trials: int, seed: int = 0) -> list[History]:
    """Return the histories of a search with two workers, in which each fourth trial fails."""
    rng, history, found = np.random.default_rng(seed), History(), [History()]
    while len(history) < trials and (history.pending < 2):
        proposal = search.ask(history)
        if proposal is None and not history.pending:
            break
        if proposal is not None:
            history = history.asked(proposal)
            found.append(history)
        if proposal is None or history.pending == 2:
            trial = history.running[rng.integers(history.pending)]
            fails = rng.random() < 0.25
            history = history.told(trial.id, Failure("crashed", "made to") if fails else Synthetic().evaluate(trial))
            found.append(history)
    return found


SEARCHES: dict[str, tuple[dict[str, Any], Callable[[], Algorithm]]] = {
    "nac": ({}, lambda: Nac(made(), 10, seed=3)),
    "nac in windows": (
        {"algorithm": {"kind": "nac", "windows": 8, "stable": 0.9, "candidates": 2}},
        lambda: Nac(made(), 10, windows=8, stable=0.9, candidates=2, seed=3),
    ),
    "nac that inherits": (
        {"algorithm": {"kind": "nac", "inherit": True}, "cells": [1, 1]},
        lambda: Nac(made(), 10, inherit=True, seed=3),
    ),
    "random": (
        {"algorithm": {"kind": "random", "trials": 6}},
        lambda: RandomSearch(made().space, 10, 6, 3),
    ),
    "random with a run-off": (
        {"algorithm": {"kind": "random", "trials": 4}, "run_off": {"networks": 2, "times": 2}},
        lambda: RunOff(RandomSearch(made().space, 10, 4, 3), 2, 20, 4),
    ),
}


@pytest.mark.parametrize("name", SEARCHES)
def test_what_is_asked_over_the_wire_is_what_is_asked_without(name: str):
    options, make = SEARCHES[name]
    space = made().space
    for history in lived(make(), 12):
        search = of_question(question(history, options))
        proposal, wanted = make().ask(history), asked(search).proposal
        assert (proposal is None) == (wanted is None)
        if proposal and wanted:
            assert wanted.decisions == space.read(proposal.architecture)
            assert (wanted.budget, wanted.start, wanted.seed, wanted.keep, wanted.horizon, wanted.probes) == (
                *(proposal.budget, proposal.start, proposal.seed, proposal.keep, proposal.horizon, proposal.probes),
            )
        network, decisions = make().recommend(history), recommended(search).decisions
        assert decisions == (None if network is None else space.read(network))


@pytest.mark.parametrize("skips", ["add", "concat", "none"])
@pytest.mark.parametrize("skeleton", ["wideners", "pools"])
@pytest.mark.parametrize("dropout", [0.0, 0.1])
def test_a_space_is_recovered_from_its_template(skips: str, skeleton: str, dropout: float):
    found = made(skips=skips, skeleton=skeleton, dropout=dropout, cells=(2, 1))
    assert recovered(found.space.template, (2, 1)) == found
    assert [stage.start for stage in recovered(found.space.template).stages] == [1, 1]


def test_what_is_no_template_of_envelopenets_is_said():
    template = made().space.template
    closed = made().space.close(made().initial())
    for network, cells in ((template, (1,)), (template, (9, 9)), (template, (0, 1)), (closed, None)):
        with pytest.raises(SpaceError):
            recovered(network, cells)


@pytest.mark.parametrize(
    "options",
    [
        {"algorithm": {"kind": "remote", "url": "http://127.0.0.1:1"}},
        {"algorithm": {"kind": "fixed", "architectures": ["/etc/passwd"]}},
        {"algorithm": {"kind": "nac", "mode": "paper"}},
        {"algorithm": {"kind": "zero_cost"}},
        {"algorithm": {"kind": "darts"}},
        {"algorithm": {"kind": "nac", "candidates": 10**9}},
        {"algorithm": {"kind": "nac", "windows": 0}},
        {"algorithm": {"kind": "nac", "share": float("nan")}},
        {"algorithm": {"kind": "none"}},
        {"algorithm": 7},
        {"cells": [1]},
        {"cells": [10**9, 1]},
        {"unknown": 1},
    ],
)
def test_what_a_generator_does_not_do_is_said(options: dict[str, Any]):
    with pytest.raises(Problem) as refused:
        asked(of_question(question(History(), options)))
    assert refused.value.status == 422


def test_a_history_that_cannot_be_is_said():
    network = made().space.close(made().initial())
    history = History().asked(Proposal(network, 1)).told(0, Failure("crashed", ""))
    right = wire.question.dump_python(question(history, {}), mode="json")
    for change in (
        {"finished": []},
        {"finished": [0, 0]},
        {"finished": [7]},
        {"trials": [{**right["trials"][0], "id": 5}]},
        {"trials": [{**right["trials"][0], "decisions": {}}]},
        {"trials": [{**right["trials"][0], "budget": -1}]},
        {"trials": [{**right["trials"][0], "start": 0}]},
        {"seed": -1},
        {"steps": 0},
    ):
        with pytest.raises(Problem) as refused:
            asked(of_question(wire.question.validate_python({**right, **change}, strict=False)))
        assert refused.value.status == 422, change


def test_a_question_that_is_too_large_is_refused_before_anything_is_closed(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("amla.services.questions.WORK", 10)
    with pytest.raises(Problem, match="this server takes up to"):
        of_question(question(History().asked(Proposal(made().space.close(made().initial()), 1)), {}))
    monkeypatch.setattr("amla.services.questions.NODES", 10)
    with pytest.raises(Problem, match="this server takes up to"):
        of_question(question(History(), {}))


def test_a_study_on_the_server_may_be_asked_for_by_its_key(tmp_path: Path):
    begun(tmp_path / "mine-1")
    search = of_key(tmp_path, "mine-1")
    history, space = read(tmp_path / "mine-1").search, space_of(STUDY, task_for()).space
    assert search == Search(algorithm(), search.space, history)
    proposal, wanted = algorithm().ask(history), asked(search).proposal
    assert proposal is not None
    assert wanted is not None
    assert wanted.decisions == space.read(proposal.architecture)
    assert isinstance(proposal.method, Fit)
    for key in ("nothing", "..", "mine-1/..", "", "x" * 99):
        with pytest.raises(Problem, match="no study"):
            of_key(tmp_path, key)
    with pytest.raises(Problem, match="no study"):
        of_key(None, "mine-1")


def test_a_study_on_the_server_is_searched_within_its_constraints(tmp_path: Path):
    file = begun(tmp_path / "mine-1") / "study.yaml"
    first = read(tmp_path / "mine-1").search[0].proposal.architecture
    less = Constraints(parameters=costs(first).parameters * 3 // 4)
    file.write_text(to_yaml(replace(load(file), constraints=less)))
    search = of_key(tmp_path, "mine-1")
    assert search.space.within == less
    wanted = asked(Search(search.algorithm, search.space, History())).proposal
    assert wanted is not None
    assert less.hold(search.space.close(wanted.decisions))


def test_a_study_whose_data_nobody_knows_yet_cannot_be_asked(tmp_path: Path):
    begun(tmp_path / "mine-1", 0)
    with pytest.raises(Problem, match="has not asked for a network yet"):
        of_key(tmp_path, "mine-1")


def test_templates_travel_whole():
    template = made().space.template
    sent = wire.question.validate_json(wire.question.dump_json(question(History(), {}))).template
    assert isinstance(sent, Architecture)
    assert sent == template
