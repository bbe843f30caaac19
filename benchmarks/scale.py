"""What limits a study as it grows: its constants measured here, and a simulation of one driver made of them.

Measured are the two events of a trial in SQLite and in PostgreSQL (flushed, and as brief trials are), the bytes of a
trial on disk and in memory, what `ask` and `recommend` of each algorithm take after many trials, and the size of the
question that a remote algorithm is sent. All seconds are CPU seconds of this process but those of flushed events,
which wait for the disk or the server.

Simulated is one driver (`simulated`): it serves one asking and one telling after another, workers take trials of a
given length. Throughput then is what events, `ask` and the loop leave, or what the workers can.

Prints one JSON object on its last line.

    python benchmarks/scale.py [--quick] [--postgres URL]
"""

import argparse
import json
import os
from collections.abc import Callable
from functools import partial
from heapq import heappop, heappush
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter, process_time
from typing import Any

from overhead import InTurn, Nothing, networks, resident

from amla.algorithms import wire
from amla.algorithms.nac import Nac
from amla.algorithms.protocol import Algorithm
from amla.algorithms.random import RandomSearch
from amla.algorithms.remote import Remote
from amla.algorithms.runoff import RunOff
from amla.execution.inline import InlineExecutor
from amla.spaces.envelope import Envelope, envelope
from amla.storage.records import Records
from amla.storage.replay import outcomes, proposals
from amla.study.run import Limit, Store, run
from amla.trials.history import History
from amla.trials.progress import silent
from amla.trials.trial import Measurement, Proposal, Trial

LENGTHS = (1.0, 60.0, 3600.0)  # seconds of a trial
WORKERS = (10, 1_000, 100_000)
REPEATED = 5  # calls of which the fastest counts


def space(iterations: int = 0) -> Envelope:
    cells = 1 + iterations
    return envelope((3, 32, 32), 10, width=16, cells=(1, 1), max_cells=(max(2, cells), max(2, cells)))


def timed(act: Callable[[], object]) -> float:
    """Return the CPU seconds of a call: the least of some, as anything else only adds to it."""
    found = []
    for _ in range(REPEATED):
        began = process_time()
        act()
        found.append(process_time() - began)
    return min(found)


def trials(store: Store, count: int, keep: bool) -> tuple[float, float]:
    """Return the seconds, and the CPU seconds, of a trial that does nothing, through the driver's own loop."""
    began, used = perf_counter(), process_time()
    run("search", InTurn(keep), InlineExecutor(Nothing(10**9)), store, Limit(trials=count))
    return (perf_counter() - began) / count, (process_time() - used) / count


def stored(where: Path | str, count: int) -> dict[str, float]:
    """Return what a trial takes in a database: brief ones, and those whose every event is flushed."""
    found: dict[str, float] = {}
    for name, keep, number in (("brief", False, count), ("flushed", True, count // 5)):
        path = where / f"{name}.sqlite" if isinstance(where, Path) else where
        with Records(path) as records, records.lease(name):
            wall, cpu = trials(Named(records, name), number, keep)
        found |= {f"{name}_ms": wall * 1e3, f"{name}_cpu_ms": cpu * 1e3}
        if isinstance(path, Path) and name == "brief":
            found["bytes_per_trial"] = path.stat().st_size / number
    return found


class Named:
    """A store whose one study has another name."""

    def __init__(self, records: Records, name: str) -> None:
        self._records, self._name = records, name

    def history(self, study: str) -> History:
        return self._records.history(self._name)

    def asked(self, study: str, proposal: Any) -> None:
        self._records.asked(self._name, proposal)

    def told(self, study: str, trial_id: int, outcome: Any) -> None:
        self._records.told(self._name, trial_id, outcome)


def grown(count: int) -> tuple[History, float]:
    """Return a history as it is read from a log, each network its own, and how many bytes of memory a trial takes."""
    evaluate = Nothing(10**9)
    bodies = [proposals.dump_json(Proposal(network, 100, keep=False)) for network in networks()]
    before, history = resident(), History()
    for number in range(count):
        proposal = proposals.validate_json(bodies[number % len(bodies)])
        told = outcomes.validate_json(outcomes.dump_json(evaluate(Trial(number, proposal), silent)))
        history = history.asked(proposal).told(number, told)
    return history, (resident() - before) / count


def asking(history: History) -> dict[str, dict[str, float]]:
    """Return the milliseconds of `ask` and `recommend` of each algorithm, after a tenth and after all of a history."""
    search = RandomSearch(space().space, 10)
    algorithms: dict[str, Algorithm] = {"random": search, "random, run_off": RunOff(search, 3, 40)}
    found: dict[str, dict[str, float]] = {}
    for name, algorithm in algorithms.items():
        for length in (len(history) // 10, len(history)):
            past = History()
            for trial in history.trials[:length]:
                past = past.asked(trial.proposal).told(trial.id, trial.measurement)
            found[f"{name}, {length} trials"] = {
                "ask_ms": timed(partial(algorithm.ask, past)) * 1e3,
                "recommend_ms": timed(partial(algorithm.recommend, past)) * 1e3,
            }
    return found


def constructing(iterations: int, candidates: int) -> dict[str, dict[str, float]]:
    """Return what `ask` takes NAC as it lives through a search: its histories are short, and each ask reads them."""
    nac = Nac(space(iterations), 10, iterations, candidates=candidates, share=0.1)
    history, found, looks = History(), {}, {0, 1, 10, 20, 40}
    evaluate = Nothing(10**9)
    while True:
        began = process_time()
        proposal = nac.ask(history)
        spent = process_time() - began
        if len(history) in looks:
            found[f"nac, candidates {candidates}, {len(history)} trials"] = {"ask_ms": spent * 1e3}
        if proposal is None:
            return found
        history = history.asked(proposal)
        measured = evaluate(history.trials[-1], silent)
        statistics = {probe: {node: len(node) / 97 for node in nodes} for probe, nodes in proposal.probes.items()}
        history = history.told(len(history) - 1, Measurement(measured.metrics, statistics, measured.seconds))


def question_bytes(history: History, count: int) -> float:
    """Return by how many bytes each trial makes the question to a remote algorithm longer."""
    made = space().space
    remote = Remote("http://nowhere", made, 10)
    lengths = []
    for some in (0, count):
        past = History()
        for trial in history.trials[:some]:
            past = past.asked(trial.proposal).told(trial.id, trial.measurement)
        lengths.append(len(wire.question.dump_json(remote.question(past))))
    return (lengths[1] - lengths[0]) / count


def simulated(workers: int, length: float, cost: float, trials: int) -> dict[str, float]:
    """Return trials a second, and how busy the driver and the workers are, over so many trials.

    The driver does one thing at a time: telling one outcome and asking for the next trial takes it `cost` seconds. In
    the beginning all workers train, each somewhere in its trial.
    """
    over = [length * (place + 1) / workers for place in range(workers)]  # a heap
    now = busy = 0.0
    for _ in range(trials):
        now = max(now, heappop(over)) + cost
        busy += cost
        heappush(over, now + length)
    rate = trials / now
    return {"trials_per_s": rate, "driver_busy": busy / now, "workers_busy": min(1.0, rate * length / workers)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a tenth of the trials")
    parser.add_argument("--postgres", help="the URL of an empty database; else PostgreSQL is null")
    options = parser.parse_args()
    count = 1_000 if options.quick else 5_000
    networks()
    figures: dict[str, Any] = {"cores": os.cpu_count(), "postgres": None}
    with TemporaryDirectory() as folder:
        figures["sqlite"] = stored(Path(folder), count)
    if options.postgres:
        figures["postgres"] = stored(options.postgres, count // 2)
    history, figures["memory_bytes_per_trial"] = grown(count * 2)
    figures["algorithms"] = asking(history) | constructing(10 if options.quick else 20, 1)
    figures["algorithms"] |= constructing(10, 3)
    figures["question_bytes_per_trial"] = question_bytes(history, count)
    driver = figures["sqlite"]["flushed_ms"] / 1e3
    figures["simulation"] = {
        f"{workers} workers, {length:.0f} s": simulated(workers, length, driver, 50_000)
        for workers in WORKERS
        for length in LENGTHS
    }
    figures["driver_ms"] = driver * 1e3
    print(json.dumps(rounded(figures)))


def rounded(plain: Any) -> Any:
    if isinstance(plain, dict):
        return {key: rounded(part) for key, part in plain.items()}
    return float(f"{plain:.3g}") if isinstance(plain, float) else plain


if __name__ == "__main__":
    main()
