"""Records that no training made, so that what is said of them can be known beforehand."""

from amla.comparison.comparison import Comparison, from_yaml
from amla.comparison.record import Point, Record, Spent
from amla.comparison.runs import Bout

FILE = """
name: made-up
tasks:
  digits: {data: {source: digits}, final: {steps: 10}}
contenders:
  ours: {algorithm: {kind: nac, steps: 10}}
seeds: 8
limit: {steps: 100}
"""


def comparison(file: str = FILE) -> Comparison:
    return from_yaml(file)


def record(
    accuracy: float,
    seed: int,
    *,
    task: str = "t",
    network: str = "n",
    parameters: int = 1000,
    machine: str = "m",
    flops: float = 4e6,
    code: str = "amla",
    joules: float | None = None,
) -> Record:
    first = Point(1, 10, 1e6, 1.0, accuracy / 2, joules=joules and joules / 4)
    points = (first, Point(4, 40, flops, 4.0, accuracy, joules=joules))
    spent = Spent(4, 40, flops, 4.0, joules, {"diverged": 1})
    final = Spent(2, 10, 1e6, 1.0, joules)
    about = {"machine": machine, "code": code}
    return Record(task, seed, accuracy, 100, accuracy, network, parameters, 5000, spent, final, points, about)


def records(task: str = "digits", **accuracies: list[float]) -> dict[Bout, Record]:
    return {
        Bout(task, name.replace("_", "-"), seed): record(accuracy, seed, network=f"{name}{seed}")
        for name, of in accuracies.items()
        for seed, accuracy in enumerate(of)
    }
