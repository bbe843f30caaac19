"""From a question to the search that it is about: the algorithm, the space, and the history that it speaks of."""

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from http import HTTPStatus
from pathlib import Path
from typing import TypeVar

from pydantic import TypeAdapter, ValidationError

from amla.algorithms import wire
from amla.algorithms.protocol import Algorithm
from amla.services.entries import KEY
from amla.services.problems import Problem
from amla.services.uploads import COUNTS, NODES
from amla.spaces.envelope import recovered
from amla.spaces.space import Space
from amla.spaces.whole import Whole
from amla.spec import ops
from amla.spec.text import explain
from amla.spec.values import SpecError, value
from amla.study import folder as folders
from amla.study import spaces
from amla.study.folder import Run
from amla.study.resolve import algorithm_of
from amla.study.settings.searches import (
    AlgorithmSettings,
    AshaSettings,
    DartsSearchSettings,
    EnasSettings,
    FixedSettings,
    NacSettings,
    RandomSharingSettings,
    RemoteSettings,
    RunOffSettings,
    ZeroCostSettings,
)
from amla.study.spaces import Found
from amla.study.study import Data, Final, Study
from amla.tasks.builtin import shape_of
from amla.tasks.task import Metric
from amla.trials.history import History
from amla.trials.trial import Proposal

T = TypeVar("T")

WORK = 5_000_000  # nodes of all networks of a question together: some seconds of closing them


@value
class Options:
    """What the `options` of a question may say: the algorithm and its run-off, as in a study file; by default NAC.

    `cells` is how many cells each stage begins with, by default one; `metric` the one of a trial's that is to rise.
    """

    algorithm: AlgorithmSettings = NacSettings()
    run_off: RunOffSettings | None = None
    cells: tuple[int, ...] | None = None
    metric: Metric = "accuracy"


_options = TypeAdapter(Options)


@dataclass(frozen=True)
class Search:
    """An algorithm, the space it searches, and what it has seen."""

    algorithm: Algorithm
    space: Space
    history: History


def of_question(question: wire.Question) -> Search:
    """Return the search that a question is about. Raises Problem for one that is none, or too large."""
    nodes = len(question.template)
    if nodes > NODES or nodes * len(question.trials) > WORK:
        raise Problem(
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
            f"The template has {nodes:,} nodes and there are {len(question.trials):,} trials; this server takes up to "
            f"{NODES:,}, and up to {WORK:,} nodes of all trials together.",
        )
    try:
        options = _options.validate_json(json.dumps(question.options))
    except ValidationError as error:
        raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, f"options: {explain(error)}") from None
    study = explaining(lambda: _study(question, options))
    _check_kind(study)
    return explaining(lambda: _search(study, _recovered(question, options), question))


def of_key(root: Path | None, key: str) -> Search:
    """Return the search of a study on this server. Raises Problem where there is none, or none that can be asked."""
    if root is None or not KEY.fullmatch(key) or not (root / key / folders.STUDY).is_file():
        raise Problem(HTTPStatus.NOT_FOUND, f"There is no study {key[:80]!r} on this server that has begun.")
    run = folders.read(root / key)
    _check_kind(run.study)
    envelope = _envelope(run)
    steps = _steps(run)
    return Search(algorithm_of(run.study, envelope, steps), envelope.space, run.search)


def _study(question: wire.Question, options: Options) -> Study:
    """Return a study of that algorithm: what holds of its numbers in a study file holds here."""
    algorithm = replace(options.algorithm, steps=question.steps)
    return Study(
        question.study,
        Data("question"),
        algorithm=algorithm,
        run_off=options.run_off,
        final=Final(steps=1),
        seed=question.seed,
        metric=options.metric,
    )


def _check_kind(study: Study) -> None:
    """Refuse algorithms that decide nothing, or are asked elsewhere."""
    match study.algorithm:
        case NacSettings(mode="paper") | FixedSettings() | RemoteSettings():
            raise Problem(
                HTTPStatus.UNPROCESSABLE_ENTITY,
                "A generator speaks of decisions in a space: it may be asked for any search but NAC in its paper mode, "
                "given networks, and another generator.",
            )
        case DartsSearchSettings() | EnasSettings() | RandomSharingSettings() | ZeroCostSettings() as other:
            raise Problem(
                HTTPStatus.UNPROCESSABLE_ENTITY,
                f"A generator asks for networks to be trained; {other.kind} asks for something else, too. Search by it "
                "in a study of its own.",
            )
        case NacSettings() as nac:
            for name, most in COUNTS.items():
                if getattr(nac, name.partition(".")[2], 0) > most:
                    raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, f"{name} may be up to {most} here.")


def _recovered(question: wire.Question, options: Options) -> Found:
    """Return the space of a question; NAC needs the stages of EnvelopeNets in it, which their template tells."""
    if isinstance(options.algorithm, NacSettings):
        return recovered(question.template, options.cells)
    return Whole(Space(question.template, tied=question.tied))


def _search(study: Study, envelope: Found, question: wire.Question) -> Search:
    history = History()
    for place, past in enumerate(question.trials):
        if past.id != place:
            raise SpecError(f"trials[{place}].id is {past.id}; trials come in the order in which they were asked for.")
        network = envelope.space.close(past.decisions)
        history = history.asked(Proposal(network, past.budget, start=past.start, seed=past.seed, keep=past.keep))
    outcomes = {past.id: past.outcome for past in question.trials if past.outcome is not None}
    if sorted(question.finished) != sorted(outcomes):
        raise SpecError(f"finished names {len(question.finished)} trials, but {len(outcomes)} have an outcome.")
    for trial in question.finished:
        history = history.told(trial, outcomes[trial])
    return Search(algorithm_of(study, envelope, question.steps), envelope.space, history)


def _envelope(run: Run) -> Found:
    """Return the space of a run: of the shape of its data, which its first network tells where their name does not."""
    known = shape_of(run.study.data.source, run.study.data.size)
    if known is None and len(run.search):
        network = run.search[0].proposal.architecture
        (shape,) = {node.op.shape for node in network if isinstance(node.op, ops.Input)}
        (classes,) = {node.op.classes for node in network if isinstance(node.op, ops.Classify)}
        known = shape, classes
    if known is None:
        raise Problem(HTTPStatus.CONFLICT, "The study has not asked for a network yet; its data must be read first.")
    return spaces.space_of(run.study.space, *known, run.study.constraints)


def _steps(run: Run) -> int:
    """Return the steps of a network of the search: as the study says, or as its first leg shows."""
    algorithm = run.study.algorithm
    if algorithm.steps is not None:
        return algorithm.steps
    match algorithm:
        case NacSettings(windows=1, inherit=False) if len(run.search):
            return run.search[0].proposal.budget
        case NacSettings() | AshaSettings():
            pass  # whose legs are shares of that
        case _ if len(run.search):
            return run.search[0].proposal.budget
    raise Problem(HTTPStatus.CONFLICT, "How long the networks of this study train is not known yet; ask again later.")


def explaining(act: Callable[[], T]) -> T:
    """Return what `act` does. Raises Problem where a question says what cannot be, or lacks what is needed."""
    try:
        return act()
    except (ValueError, LookupError, ArithmeticError) as error:
        said = str(error) if isinstance(error, ValueError) else f"{type(error).__name__}: {error}"
        raise Problem(
            HTTPStatus.UNPROCESSABLE_ENTITY, f"With this template and history nothing can be answered: {said}"
        ) from None
