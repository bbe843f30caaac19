"""What the runs of a comparison say: on each task standings, differences, curves and fronts; over tasks ranks."""

from collections.abc import Mapping, Sequence
from dataclasses import field, replace
from statistics import stdev

from pydantic import TypeAdapter

from amla.comparison.circumstances import Circumstances, circumstances
from amla.comparison.comparison import Comparison
from amla.comparison.controls import SAMPLING
from amla.comparison.incumbents import Milestone, curves, milestones
from amla.comparison.pairs import Pair, pairs
from amla.comparison.record import Known, Record
from amla.comparison.runs import Records, all_searching
from amla.comparison.standing import Standing, accuracies, standing
from amla.comparison.trade import Trade, trade
from amla.evidence.anytime import Anytime, anytime
from amla.evidence.fronts import Point, front, hypervolume, reference
from amla.evidence.ranks import Ranking, ranking
from amla.reports.numbers import is_share
from amla.spec.values import value

MEASURES = ("trials", "steps", "flops", "joules", "seconds")  # that a curve may be drawn against
OF_TABLES = ("trials", "seconds")  # the same on tables, where each network takes as many steps


@value
class OnTask:
    """All that the runs of one task say.

    `metric` is what all are judged by, on the test part. `curves` are by what they are drawn against and by contender;
    `fronts` of parameters and that, and `volumes` what each dominates. `noise` is the standard deviation of it over the
    seeds of one network. `about` is where and with what runs came about. `refused` says which runs do not belong in
    the table, and why. `limit` is its name where there are several; with `whole` it is of the operations of whole runs,
    not of searches. `trade` says what whole fronts are worth, where a contender goes by costs.

    Where a table answered, `known` is what it says of all networks, `incumbents` are curves of what the network chosen
    so far would test at, and `milestones` what could have been said after fewer networks.
    """

    task: str
    benchmark: str
    standings: tuple[Standing, ...]
    pairs: tuple[Pair, ...]
    curves: Mapping[str, Mapping[str, Anytime]]
    fronts: Mapping[str, tuple[Point, ...]]
    volumes: Mapping[str, float]
    noise: float | None
    refused: tuple[str, ...]
    about: Circumstances
    known: Known | None = None
    incumbents: Mapping[str, Mapping[str, Anytime]] = field(default_factory=dict)
    milestones: tuple[Milestone, ...] = ()
    metric: str = "accuracy"
    whole: bool = False
    limit: str = ""
    trade: Trade | None = None

    @property
    def called(self) -> str:
        """Its task, and within which limit, where there are several."""
        return f"{self.task} within {self.limit}" if self.limit else self.task


@value
class Judgement:
    """All that a comparison says so far: of `planned` runs, those that are done.

    `tasks` are those of each limit. `rankings` over tasks are by limit, "" where there is one; none below three tasks.
    `about` are all values that its runs have of machine, code, libraries and device.
    """

    name: str
    seeds: int
    planned: int
    done: int
    tasks: tuple[OnTask, ...]
    rankings: Mapping[str, Ranking] = field(default_factory=dict)
    about: Circumstances = field(default_factory=dict)


def by_limit(judgement: Judgement) -> dict[str, tuple[OnTask, ...]]:
    """Return the tasks that were run within several limits, each with what was said within every one of them."""
    found = {on.task: tuple(each for each in judgement.tasks if each.task == on.task) for on in judgement.tasks}
    return {task: each for task, each in found.items() if len(each) > 1 and any(on.standings for on in each)}


_judgement = TypeAdapter(Judgement)


def as_json(judgement: Judgement) -> str:
    """Return all that a comparison says as JSON."""
    return _judgement.dump_json(judgement).decode()


def judged(comparison: Comparison, records: Records, planned: int) -> Judgement:
    """Return what the records of a comparison say that has one limit; see `together`."""
    tasks = tuple(
        _on_task(comparison, task, {bout: found for bout, found in records.items() if bout.task == task})
        for task in comparison.tasks
    )
    usual = {found.task: found.benchmark for found in tasks}
    about = circumstances(found for bout, found in records.items() if found.task == usual[bout.task])
    ranked = _ranked(tasks)
    rankings = {} if ranked is None else {"": ranked}
    return Judgement(comparison.name, comparison.seeds, planned, len(records), tasks, rankings, about)


def together(parts: Mapping[str, Judgement]) -> Judgement:
    """Return what the parts of a comparison say, each with a limit of its own, by the limit's name."""
    first = next(iter(parts.values()))
    about: dict[str, set[str]] = {}
    for part in parts.values():
        for name, values in part.about.items():
            about.setdefault(name, set()).update(values)
    return replace(
        first,
        planned=sum(part.planned for part in parts.values()),
        done=sum(part.done for part in parts.values()),
        tasks=tuple(replace(found, limit=limit) for limit, part in parts.items() for found in part.tasks),
        rankings={limit: ranked for limit, part in parts.items() for ranked in part.rankings.values()},
        about={name: tuple(sorted(values)) for name, values in about.items()},
    )


def _on_task(comparison: Comparison, task: str, records: Records) -> OnTask:
    benchmark, refused = _same_task(records)
    kept = {bout: found for bout, found in records.items() if found.task == benchmark}
    by_name: dict[str, dict[int, Record]] = {}
    for bout, found in kept.items():
        by_name.setdefault(bout.contender, {})[bout.seed] = found
    sampled = [found.accuracy for found in by_name.get(SAMPLING, {}).values()]
    base = sum(sampled) / len(sampled) if sampled else None
    searching = {name for name, contender in all_searching(comparison).items() if contender.searches}
    standings = [
        standing(
            name,
            runs,
            is_control=name not in comparison.contenders,
            searches=name in searching,
            base=base,
            share=is_share(comparison.tasks[task].metric),
        )
        for name, runs in by_name.items()
    ]
    known = next((found.known for found in kept.values()), None)
    fronts = {name: tuple(front(map(_point, runs.values()))) for name, runs in by_name.items()}
    corner = reference(fronts.values()) if fronts else (0.0, 0.0)
    return OnTask(
        task=task,
        benchmark=benchmark,
        standings=tuple(sorted(standings, key=lambda standing: -standing.mean)),
        pairs=pairs(list(comparison.contenders), {name: accuracies(runs) for name, runs in by_name.items()}),
        curves={measure: _curves(measure, by_name) for measure in (OF_TABLES if known else MEASURES)},
        fronts=fronts,
        volumes={name: hypervolume(points, corner) for name, points in fronts.items()},
        noise=_noise(by_name),
        refused=refused,
        about=circumstances(kept.values()),
        known=known,
        incumbents=curves(by_name),
        milestones=milestones(list(comparison.contenders), by_name),
        metric=comparison.tasks[task].metric,
        whole=comparison.is_whole(task),
        trade=trade(list(comparison.contenders), comparison.costs, by_name),
    )


def _same_task(records: Records) -> tuple[str, tuple[str, ...]]:
    """Return the digest of the task that most runs share, and why others are refused."""
    digests = [found.task for found in records.values()]
    if not digests:
        return "", ()
    usual = max(dict.fromkeys(digests), key=digests.count)
    refused = [
        f"{bout.contender}, seed {bout.seed}: its task has the digest {found.task}, the others {usual}"
        for bout, found in records.items()
        if found.task != usual
    ]
    return usual, tuple(refused)


def _curves(measure: str, by_name: Mapping[str, Mapping[int, Record]]) -> dict[str, Anytime]:
    """Return the curves of those that search for longer than one network, none unless all know what they spent."""
    long = {name: runs for name, runs in by_name.items() if all(run.search.trials > 1 for run in runs.values())}
    if any(getattr(point, measure) is None for runs in long.values() for run in runs.values() for point in run.points):
        return {}
    curves = {
        name: anytime([[(getattr(point, measure), point.best) for point in run.points] for run in runs.values()])
        for name, runs in long.items()
    }
    return {name: curve for name, curve in curves.items() if curve and curve.spent[-1] > 0}


def _noise(by_name: Mapping[str, Mapping[int, Record]]) -> float | None:
    """Return the spread of accuracies of one network over seeds, as runs show it or a table says it."""
    for runs in by_name.values():
        if known := next((run.known for run in runs.values()), None):
            return known.noise
        if len(runs) > 1 and len({run.network for run in runs.values()}) == 1:
            return stdev(run.accuracy for run in runs.values())
    return None


def _ranked(tasks: Sequence[OnTask]) -> Ranking | None:
    by_task = [{standing.name: standing.mean for standing in found.standings} for found in tasks]
    everywhere = [name for name in (by_task[0] if by_task else ()) if all(name in means for means in by_task)]
    return ranking({name: [means[name] for means in by_task] for name in everywhere})


def _point(found: Record) -> Point:
    return float(found.parameters), found.accuracy
