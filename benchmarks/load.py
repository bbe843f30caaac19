"""What one driver does with 64 worker services: trials recorded a second, and how its memory grows.

The services are made up, in one process of their own, but each has a port of its own and speaks as real ones do; a
trial takes them no time. The driver is the real one: it asks for one network after another, writes each proposal and
each outcome into its event log as a committed transaction, and sends the trials over HTTP. Everything shares the
machine's cores. Meanwhile readers, in another process, read the history of the study from its event log as it grows.

Prints one JSON object on its last line:

- `trials_per_s`: trials recorded, by the clock, over the whole run; `first_per_s`, `last_per_s`: over its first and
  last fifth.
- `p99_ms`: of the reads, each of which is a count of the trials that are over; `reads`: how many there were.
- `rss_growth_mb`: how much memory the driver took from its first tenth to its end; `bytes_per_trial`: that by trials.

    python benchmarks/load.py [--quick] [--services 64] [--trials 100000] [--readers 200]
"""

import argparse
import asyncio
import json
import multiprocessing
import os
import sqlite3
from contextlib import closing
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from statistics import quantiles
from tempfile import TemporaryDirectory
from time import monotonic, sleep

import numpy as np

from amla.execution.errand import Terms
from amla.execution.http import HttpExecutor
from amla.spaces.envelope import envelope
from amla.spec.architecture import Architecture
from amla.storage.records import Records
from amla.study.run import Limit, run
from amla.trials.history import History
from amla.trials.trial import Proposal, TrialId

QUICK_SECONDS = 25.0  # of a quick run, after which nothing more is asked for
PAUSE = 0.2  # seconds between the reads of one reader
END = b"\r\n\r\n"
OUTCOME = {
    "kind": "measurement",
    "metrics": {"accuracy": 0.5, "loss": 0.7, "parameters": 1e5, "macs": 1e7},
    "statistics": {"taylor": {f"stage0/cell0/{place}": 0.5 for place in range(6)}},
    "seconds": 0.01,
    "cost": {"device": "none", "flops": 1e9},
}


class MadeUp(asyncio.Protocol):
    """A connection to a made-up worker service, which has every trial done when it is asked after."""

    def __init__(self) -> None:
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._received += data
        while (end := self._received.find(END)) >= 0:
            head = self._received[:end].decode("ascii").lower()
            _, found, rest = head.partition("content-length:")
            whole = end + len(END) + (int(rest.partition("\r")[0]) if found else 0)
            if len(self._received) < whole:
                return
            self._received = self._received[whole:]
            self._transport.write(self._answer(head))  # type: ignore[attr-defined]

    def _answer(self, head: str) -> bytes:
        method, path, _ = head.partition("\r")[0].split(" ")
        body: dict[str, object]
        if path == "/v1/worker":
            status, body = 200, {"slots": 1, "free": 1}
        elif method == "post":
            key = head.partition("idempotency-key:")[2].partition("\r")[0].strip()
            status, body = 202, {"id": key[:32], "state": "running"}
        else:
            trial = path.partition("?")[0].rpartition("/")[2]
            status, body = 200, {"id": trial, "state": "done", "outcome": OUTCOME}
        text = json.dumps(body).encode()
        return f"HTTP/1.1 {status} OK\r\nContent-Length: {len(text)}\r\n\r\n".encode() + text


def serve(count: int, ports: Connection) -> None:
    async def serving() -> None:
        loop = asyncio.get_running_loop()
        servers = [await loop.create_server(MadeUp, "127.0.0.1", 0) for _ in range(count)]
        ports.send([server.sockets[0].getsockname()[1] for server in servers])
        await asyncio.Event().wait()

    asyncio.run(serving())


def read(path: Path, readers: int, told: Connection) -> None:
    """Read as so many readers do, each every PAUSE seconds, until told to stop; then tell how long each read took."""
    took: list[float] = []
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as database:
        while not told.poll(0):
            began = monotonic()
            database.execute("SELECT max(sequence) FROM event WHERE study = 'search'").fetchone()
            took.append(monotonic() - began)
            sleep(max(0.0, PAUSE / readers - (monotonic() - began)))
    told.send(took)


Seen = tuple[int, float, int]  # trials, seconds, bytes


@dataclass
class InTurn:
    """Asks for one network after another, until the time is up, and notes when how much memory was taken."""

    networks: list[Architecture]
    seconds: float
    began: float = field(default_factory=monotonic)
    seen: list[Seen] = field(default_factory=list)  # trials, seconds, bytes

    def ask(self, history: History) -> Proposal | None:
        place = len(history)
        if place % 500 == 0:
            self.seen.append((place, monotonic() - self.began, resident()))
        if monotonic() - self.began > self.seconds:
            return None
        return Proposal(self.networks[place % len(self.networks)], 100, seed=place, keep=False)

    def recommend(self, history: History) -> Architecture | None:
        return None


class Nowhere:
    """No weights are kept."""

    def read(self, trial_id: TrialId) -> bytes:
        raise FileNotFoundError

    def write(self, trial_id: TrialId, content: bytes) -> None:
        raise AssertionError


def resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def drawn(count: int) -> list[Architecture]:
    space = envelope((3, 32, 32), 10, width=16, cells=(1, 1), max_cells=(2, 2)).space
    rng = np.random.default_rng(0)
    return [space.sample(rng) for _ in range(count)]


def measured(services: int, trials: int, readers: int, seconds: float, folder: Path) -> dict[str, float | None]:
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    serving = context.Process(target=serve, args=(services, there), daemon=True)
    serving.start()
    urls = [f"http://127.0.0.1:{port}" for port in here.recv()]
    algorithm, path = InTurn(drawn(500), seconds), folder / "events.sqlite"
    told, telling = context.Pipe()
    with Records(path, durable=False) as records, records.lease("search"):
        reading = context.Process(target=read, args=(path, readers, telling), daemon=True)
        if readers:
            reading.start()
        with HttpExecutor(urls, Terms("0" * 32, "search", {}), Nowhere(), workers=services) as executor:
            algorithm.began = began = monotonic()
            history = run("search", algorithm, executor, records, Limit(trials=trials))
            spent = monotonic() - began
    took: list[float] = []
    if readers:
        told.send("stop")
        took = told.recv()
        reading.join()
    serving.terminate()
    assert all(trial.outcome for trial in history.trials)
    return told_of(algorithm.seen, len(history), spent, took)


def told_of(
    seen: list[tuple[int, float, int]], trials: int, spent: float, took: list[float]
) -> dict[str, float | None]:
    seen = [*seen, (trials, spent, resident())]
    tenth = next(entry for entry in seen if entry[0] >= trials / 10)

    def pace(first: float, last: float) -> float:
        begin, end = (min(seen, key=lambda entry: abs(entry[0] - share * trials)) for share in (first, last))
        return (end[0] - begin[0]) / (end[1] - begin[1]) if end[1] > begin[1] else float("nan")

    growth = seen[-1][2] - tenth[2]
    return {
        "trials_per_s": round(trials / spent, 1),
        "p99_ms": round(1000 * quantiles(took, n=100)[98], 3) if len(took) > 1 else None,
        "rss_growth_mb": round(growth / 1e6, 1),
        "trials": trials,
        "first_per_s": round(pace(0.0, 0.2), 1),
        "last_per_s": round(pace(0.8, 1.0), 1),
        "bytes_per_trial": round(growth / max(1, trials - tenth[0])),
        "reads": len(took),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--services", type=int, default=64)
    parser.add_argument("--trials", type=int, default=100_000)
    parser.add_argument("--readers", type=int, default=200)
    said = parser.parse_args()
    with TemporaryDirectory() as folder:
        seconds = QUICK_SECONDS if said.quick else float("inf")
        print(json.dumps(measured(said.services, said.trials, said.readers, seconds, Path(folder))))


if __name__ == "__main__":
    main()
