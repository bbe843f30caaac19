"""The law of algorithms: all they know is the history, and no trial that runs or fails trips them."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import field, fields
from typing import Annotated, Literal

import numpy as np
from numpy.random import Generator
from pydantic import Field, TypeAdapter

from amla.algorithms.protocol import Algorithm
from amla.spaces.space import Space
from amla.spec.architecture import Architecture
from amla.spec.values import value
from amla.testing.landscape import Evaluate, Synthetic
from amla.trials.history import History
from amla.trials.progress import silent
from amla.trials.trial import Failure, Fit, Measurement, Outcome, Proposal, Trial, TrialId, Untrained


@value
class Asked:
    """The algorithm was asked, and gave this answer."""

    kind: Literal["asked"] = field(default="asked", kw_only=True)
    answer: Proposal | None


@value
class Told:
    """A trial was over."""

    kind: Literal["told"] = field(default="told", kw_only=True)
    trial: TrialId
    outcome: Outcome


Event = Annotated[Asked | Told, Field(discriminator="kind")]
Accepts = Callable[[Architecture], bool]
Life = Sequence[Event]  # of an algorithm, from its first ask on

_life = TypeAdapter(Life)

LANDSCAPE = Synthetic().evaluate


def check_algorithm(
    make: Callable[[], Algorithm],
    *,
    space: Space | Accepts,
    trials: int = 30,
    seeds: Iterable[int] = range(3),
    workers: Iterable[int] = (1, 2, 3, 4),
    failing: Iterable[float] = (0.0, 0.3),
    evaluate: Evaluate = LANDSCAPE,
) -> None:
    """Raise AssertionError where an algorithm breaks its law, in a search of up to `trials` in `space`.

    A space without a template is given as a function that says whether an architecture is in it.

    The search is lived once for every seed, number of `workers` and share of `failing` trials; the order in which
    trials finish, and which ones fail, follow from the seed. The law: an instance made afresh and shown the history
    answers and recommends as the one that lived through it (replay); one that goes on from a stored history answers as
    if never cut off (resume); nothing asked for starts from weights that do not exist; running and failed trials trip
    nothing; and what is recommended is closed and in the space.
    """
    if make().ask(History()) is None:
        raise AssertionError("The algorithm asks for nothing: its answer to an empty history is None.")
    for seed in seeds:
        for count in workers:
            for share in failing:
                rng = np.random.default_rng((seed, count, int(share * 100)))
                algorithm = make()
                life = _lived(algorithm, _failing(evaluate, share, rng), count, trials, rng)
                _check_replay(make, algorithm, life, space)
                _check_resume(make, life, int(rng.integers(len(life))))


def _failing(evaluate: Evaluate, share: float, rng: Generator) -> Callable[[Trial], Outcome]:
    def evaluate_or_fail(trial: Trial) -> Outcome:
        return Failure("crashed", "made to fail") if rng.random() < share else evaluate(trial, silent)

    return evaluate_or_fail


def _lived(
    algorithm: Algorithm, evaluate: Callable[[Trial], Outcome], workers: int, trials: int, rng: Generator
) -> list[Event]:
    """Return the life of `algorithm` in a search with `workers`, in which trials finish in any order."""
    events: list[Event] = []
    history = History()
    while True:
        while history.pending < workers and len(history) < trials:
            answer = algorithm.ask(history)
            _check_start(answer, history)
            events.append(Asked(answer))
            history = _after(history, events[-1])
            if answer is None:
                break
        if not history.pending:
            return events
        for _ in range(rng.integers(1, history.pending + 1)):
            trial = history.running[rng.integers(history.pending)]
            events.append(Told(trial.id, evaluate(trial)))
            history = _after(history, events[-1])


def _check_replay(make: Callable[[], Algorithm], lived: Algorithm, life: Life, space: Space | Accepts) -> None:
    history = History()
    for event in life:
        if isinstance(event, Asked):
            _check_same(event.answer, make().ask(history), history, "an instance that has not lived through it")
        history = _after(history, event)
        if isinstance(event, Told):
            _check_recommended(make().recommend(history), space)
    if lived.recommend(history) != make().recommend(history):
        raise AssertionError(f"Shown {history}, an instance that has not lived through it recommends something else.")


def _check_resume(make: Callable[[], Algorithm], life: Life, cut: int) -> None:
    """Check that an instance that goes on after the first `cut` events, read from text, answers what was answered."""
    algorithm, history = make(), History()
    for event in _life.validate_json(_life.dump_json(life[:cut])):
        history = _after(history, event)
    for event in life[cut:]:
        if isinstance(event, Asked):
            _check_same(event.answer, algorithm.ask(history), history, f"an instance resumed after event {cut}")
        history = _after(history, event)


def _check_same(expected: Proposal | None, answer: Proposal | None, history: History, who: str) -> None:
    if answer != expected:
        raise AssertionError(
            f"Shown {history}, {who} answers differently: {_difference(expected, answer)}. An algorithm may use only "
            "its arguments, the history and history.rng; it keeps no state, and draws no randomness elsewhere."
        )


def _check_start(answer: Proposal | None, history: History) -> None:
    if answer is None:
        return
    if isinstance(answer.method, Fit | Untrained) and answer.architecture.is_open:
        what = "a fit" if isinstance(answer.method, Fit) else "scores"
        raise AssertionError(f"Asked for {what} of an open architecture; these are undecided: {_first(answer)}.")
    if answer.start is None:
        return
    if not 0 <= answer.start < len(history):
        raise AssertionError(f"Asked to start from trial {answer.start}, but there are only {len(history)}.")
    start = history[answer.start]
    if not isinstance(start.outcome, Measurement) or not start.proposal.keep:
        why = "has no measurement" if start.proposal.keep else "does not keep its weights"
        raise AssertionError(f"Asked to start from trial {start.id}, which {why}.")


def _check_recommended(architecture: Architecture | None, space: Space | Accepts) -> None:
    if architecture is None:
        return
    if architecture.is_open:
        raise AssertionError("The recommended architecture is open.")
    if not _is_in(space, architecture):
        raise AssertionError(f"The recommended architecture of {len(architecture)} nodes is not in the space.")


def _is_in(space: Space | Accepts, architecture: Architecture) -> bool:
    if not isinstance(space, Space):
        return space(architecture)
    try:
        return space.close(space.read(architecture)) == architecture and space.accepts(architecture)
    except ValueError:  # it decides what the space's template does not leave open
        return False


def _after(history: History, event: Event) -> History:
    match event:
        case Asked(answer=proposal):
            return history.asked(proposal) if proposal else history
        case Told(trial=trial, outcome=outcome):
            return history.told(trial, outcome)


def _difference(expected: Proposal | None, answer: Proposal | None) -> str:
    if expected is None or answer is None:
        return f"{'a proposal' if answer else 'None'} instead of {'a proposal' if expected else 'None'}"
    names = [part.name for part in fields(Proposal) if getattr(expected, part.name) != getattr(answer, part.name)]
    return "another " + ", another ".join(names)


def _first(answer: Proposal) -> str:
    return ", ".join(list(answer.architecture.picks)[:3])
