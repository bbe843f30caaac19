"""What a comparison keeps of one run: what it found, what that scored at last, what it cost, and how it came about."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import field, replace
from hashlib import blake2b
from itertools import accumulate

from pydantic import TypeAdapter

from amla.spec.digest import digest
from amla.spec.values import Number, value
from amla.study.folder import Run
from amla.study.prefer import front
from amla.study.result import Result, result
from amla.study.study import Data, Provenance, Study, to_plain
from amla.trials.history import History
from amla.trials.trial import Failure, Measurement, Trial

# of a study, and not of its task
OWN = ("algorithm", "run_off", "seed", "name", "provenance", "limit", "executor", "trackers")


@value
class Point:
    """What a search had used up when it was told of a trial, and the best validation metric that it knew then.

    `seconds` are those of all trials together; where a table answered, the simulated time that had passed. `tested` is
    what the network that the search would choose then would test at, `joules` are of all trials done, both None where
    nobody knows.
    """

    trials: int
    steps: int
    flops: float
    seconds: float
    best: float
    tested: float | None = None
    joules: float | None = None


@value
class Spent:
    """What a phase took. `joules` are None unless they could be read of all trials that are done."""

    trials: int
    steps: int
    flops: float
    seconds: float
    joules: float | None = None
    failures: Mapping[str, int] = field(default_factory=dict)


@value
class Known:
    """What a table knows besides: the `best` test accuracy of all its networks, and how seeds differ.

    `noise` is the standard deviation of one network's accuracy over the seeds of trainings, None where there is one
    training of each; `measured` says of which accuracy. Where nothing is `held_out`, searches see the test part.
    """

    best: float
    noise: float | None
    measured: str = ""
    held_out: bool = True


@value
class Record:
    """One run of a contender on a task. `task` is the digest of all that contenders have in common.

    `accuracy` is of the test part, read once, or what the task's metric is there, if it is another one; `validation` is
    the best of that in the search; `network` is the digest of what was found. `about` are versions and hardware,
    `known` is what the table says where one answered. `front` is, where any contender goes by costs, the
    metric and these costs of all networks that none beats.
    """

    task: str
    seed: int
    accuracy: float
    examples: int
    validation: Number
    network: str
    parameters: int
    macs: int
    search: Spent
    final: Spent
    points: tuple[Point, ...]
    about: Mapping[str, str]
    known: Known | None = None
    front: tuple[tuple[float, ...], ...] = ()


_study = TypeAdapter(dict[str, object])


def record(run: Run, costs: Sequence[str] = ()) -> Record | None:
    """Return the record of a run, with its front by some costs; None before it has been tested."""
    found, about = result(run), run.study.provenance
    if found is None:
        return None
    points = points_of(run.search, run.study.metric)
    return Record(
        task=benchmark(run.study),
        seed=run.study.seed,
        accuracy=_worth(found),
        examples=found.examples,
        validation=points[-1].best if points else float("nan"),
        network=digest(found.architecture),
        parameters=found.parameters,
        macs=found.macs,
        search=spent(run.search),
        final=spent(run.final),
        points=points,
        about=about_of(about) | {"device": ", ".join(sorted(_devices(run)))},
        front=front_of(front(run.search, costs, run.study.metric), run.study.metric, costs) if costs else (),
    )


def _worth(found: Result) -> float:
    if found.scored:
        return found.scored.value
    return found.tested.accuracy if found.tested else float("nan")


def benchmark(study: Study) -> str:
    """Return a digest of all that must be the same for two runs to stand in one table, the data themselves included."""
    # Read from memory or not, data are the same. Terms are the contender's.
    same = replace(study, data=replace(study.data, stream=Data.stream), terms=None)
    shared = {name: part for name, part in to_plain(same).items() if name not in OWN}
    if study.data.share == 1:  # as before there was such a setting
        shared["data"] = {name: part for name, part in shared["data"].items() if name != "share"}
    data = study.provenance.data if study.provenance else ""
    return blake2b(_study.dump_json({**shared, "fingerprint": data}), digest_size=8).hexdigest()


def about_of(provenance: Provenance | None) -> dict[str, str]:
    """Return the machine and the versions that something was run with."""
    if provenance is None:
        return {}
    return {"machine": provenance.machine, "code": provenance.code, **provenance.versions}


def front_of(trials: Sequence[Trial], metric: str, costs: Sequence[str]) -> tuple[tuple[float, ...], ...]:
    """Return the metric and the costs of each of some trials."""
    return tuple(tuple(trial.measurement.metrics[name] for name in (metric, *costs)) for trial in trials)


def points_of(history: History, metric: str) -> tuple[Point, ...]:
    """Return what the search knew after each trial; only those that improved it, and the last."""
    found: list[Point] = []
    best, used = float("-inf"), (0, 0, 0.0, 0.0)
    joules: float | None = 0.0
    for count, trial in enumerate(history.finished, start=1):
        outcome = trial.outcome
        steps, flops, seconds = used[1:]
        if isinstance(outcome, Measurement):
            steps, flops = steps + trial.proposal.budget, flops + (outcome.cost.flops if outcome.cost else 0.0)
            joules, reached = _both(joules, _joules(outcome)), outcome.metrics.get(metric, float("-inf"))
        else:
            reached = float("-inf")
        used = (count, steps, flops, seconds + (outcome.seconds if outcome else 0.0))
        if reached > best:
            best = reached
            found.append(Point(*used, best, joules=joules))
    if found and found[-1].trials != used[0]:
        found.append(Point(*used, best, joules=joules))
    return tuple(found)


def spent(history: History) -> Spent:
    """Return what a phase took."""
    joules = list(accumulate((_joules(trial.measurement) for trial in history.done), _both))
    failures = Counter[str](t.outcome.reason for t in history.failed if isinstance(t.outcome, Failure))
    return Spent(
        len(history),
        history.steps,
        history.flops,
        history.seconds,
        joules[-1] if joules else None,
        dict(failures),
    )


def _joules(measurement: Measurement) -> float | None:
    return measurement.cost.joules if measurement.cost else None


def _both(one: float | None, other: float | None) -> float | None:
    """Return what two took together, None unless both are known."""
    return None if one is None or other is None else one + other


def _devices(run: Run) -> set[str]:
    return {t.measurement.cost.device for t in (*run.search.done, *run.final.done) if t.measurement.cost}
