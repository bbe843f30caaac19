"""The law of stores: what is read is what was written, whatever else is written, and whoever opens it."""

from collections.abc import Callable
from functools import cache

import numpy as np
from numpy.random import Generator
from pydantic import TypeAdapter

from amla.spaces.envelope import envelope
from amla.spaces.space import Space
from amla.study.run import Store
from amla.trials.history import History
from amla.trials.trial import (
    Cost,
    Failure,
    Fit,
    Measurement,
    Method,
    Outcome,
    Proposal,
    Relax,
    SamplePaths,
    Trial,
    TrialId,
    Untrained,
)

STUDIES = ("study", "study-2")  # one name begins like the other

_trials = TypeAdapter(tuple[Trial, ...])


def check_store(make_store: Callable[[], Store], *, seed: int = 0, events: int = 30) -> None:
    """Raise AssertionError where a store breaks its law, in two studies whose events `seed` draws.

    `make_store` opens the same place each time, at first an empty one. After every event, each study reads as the
    history in memory, for whoever opens the store, too; telling a trial that is over or unknown raises ValueError and
    changes nothing; what was read before stays as it was; and a number that JSON lacks survives.
    """
    rng, store = np.random.default_rng(seed), make_store()
    known = dict.fromkeys(STUDIES, History())
    _check_all(store, known, "in an empty store")
    early = store.history(STUDIES[0])
    for count in range(1, events + 1):
        name = STUDIES[rng.integers(len(STUDIES))]
        known[name] = _one_more(store, name, known[name], rng)
        _check_all(store, known, f"after {count} events")
        if count % 5 == 0:
            _check_refusals(store, name, known[name])
            _check_all(store, known, f"after {count} events and what was refused")
            store = make_store()
            _check_all(store, known, f"opened again after {count} events")
    if len(early):
        raise AssertionError("A history read before has changed since; a history is a value.")
    _check_odd_numbers(make_store, known[STUDIES[0]])


def _one_more(store: Store, name: str, history: History, rng: Generator) -> History:
    if history.pending and rng.random() < 0.5:
        trial = history.running[rng.integers(history.pending)]
        outcome = _outcome(rng)
        store.told(name, trial.id, outcome)
        return history.told(trial.id, outcome)
    proposal = _proposal(history, rng)
    store.asked(name, proposal)
    return history.asked(proposal)


def _check_all(store: Store, known: dict[str, History], when: str) -> None:
    for name, history in known.items():
        if store.history(name) != history:
            raise AssertionError(f"{when}, {name!r} reads as {store.history(name)}; written was {history}.")
    if len(stranger := store.history("another")):
        raise AssertionError(f"{when}, a study of which nothing was written reads as {stranger}.")


def _check_refusals(store: Store, name: str, history: History) -> None:
    over = [trial.id for trial in history.finished][-1:]
    for trial_id in (*over, len(history), -1):
        if not _refuses(store, name, trial_id):
            what = "is over" if trial_id in over else "was never asked for"
            raise AssertionError(f"Telling trial {trial_id}, which {what}, should raise ValueError.")
    if not _refuses(store, "another", 0):
        raise AssertionError("Telling a trial of a study of which nothing was written should raise ValueError.")


def _refuses(store: Store, name: str, trial_id: TrialId) -> bool:
    try:
        store.told(name, trial_id, Failure("crashed", "told by mistake"))
    except ValueError:
        return True
    return False


def _check_odd_numbers(make_store: Callable[[], Store], history: History) -> None:
    """Compare as text, for NaN equals nothing."""
    outcome = Measurement({"accuracy": float("nan")}, {"msss": {"stem": float("inf"), "head": float("-inf")}})
    proposal = Proposal(_tiny().template, 1, Relax())
    store = make_store()
    store.asked(STUDIES[0], proposal)
    store.told(STUDIES[0], len(history), outcome)
    written = history.asked(proposal).told(len(history), outcome)
    for who, reader in (("it", store), ("one opened again", make_store())):
        if _text(reader.history(STUDIES[0])) != _text(written):
            raise AssertionError(f"{who} lost or changed the NaN, inf or -inf of a measurement.")


def _text(history: History) -> bytes:
    return _trials.dump_json(tuple(history.trials)) + _trials.dump_json(tuple(history.finished))


def _proposal(history: History, rng: Generator) -> Proposal:
    space, kind = _tiny(), rng.integers(4)
    if kind == 3:
        return Proposal(space.sample(rng), 0, Untrained(("synflow", "macs"), 8), keep=False)
    methods: tuple[Method, ...] = (Fit(), Relax(0.01, unrolled=True), SamplePaths((space.draw(rng), space.draw(rng))))
    return Proposal(
        space.template if kind else space.sample(rng),
        int(rng.integers(1000)),
        methods[kind],
        start=int(rng.integers(len(history))) if len(history) and rng.random() < 0.5 else None,
        probes={"msss": ("stem", "head"), "variance": ()} if rng.random() < 0.5 else {},
        horizon=1000 if rng.random() < 0.5 else None,
        seed=int(rng.integers(2**31)),
        keep=bool(rng.random() < 0.5),
    )


def _outcome(rng: Generator) -> Outcome:
    if rng.random() < 0.3:
        return Failure("out_of_memory", 'CUDA: "2 GiB"\nüber alles\u2028', seconds=rng.random())
    tables = {"msss": {"stem": rng.normal(), "head": 1e-300}, "empty": {}}
    cost = Cost("cpu", flops=1e18, joules=rng.random()) if rng.random() < 0.5 else None
    return Measurement({"accuracy": rng.random(), "loss": 1 / 3, "parameters": 448}, tables, rng.random(), cost)


@cache
def _tiny() -> Space:
    return envelope((1, 4, 4), 2, width=4, cells=(1,), max_cells=(2,), branches=("1x1", "3x3")).space
