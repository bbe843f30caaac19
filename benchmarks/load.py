"""What one scheduler does under load: its study's trials recorded a second, its answers, its memory.

`amla serve --role scheduler` runs in a process of its own, is sent a study, and starts its driver, `amla run`, as it
starts any. The driver draws one random network after another, writes each proposal and each outcome into its event log
as a committed transaction, and sends the trials to 64 worker services. These are made up, in one process, but each has
a port of its own and speaks as real ones do; a trial takes them no time. In the middle of it all one of them freezes
for good: it accepts, and answers nothing. Everything shares the machine's cores, which `--cores 0,1` names.

Meanwhile there are 200 readers, who do what people's programs do with a study that runs. Every fifth follows its stream
of events to the end, as `amla studies follow` and a page with an EventSource do; each other one is a dashboard, which
asks once a second, in turn for the study's standing and for its 20 newest trials, over a connection that it keeps. They
are one process of raw connections, whose share of the CPU is told: one follower unpacks and counts its events, others
only count bytes, as a reader on another machine would unpack them there.

Prints one JSON object on its last line:

- `trials_per_s`: trials recorded, by the clock, from the first look that saw the study run to the last;
  `first_per_s`, `last_per_s`: over the first and last fifth.
- `p50_ms`, `p99_ms`, `max_ms`: of the reads, from the request to the last byte. One that has no answer when the run
  ends counts with the time it has waited: `reads` have one, `unanswered` none. `errors`: answers that were none.
- `followed`: which part of the events has come to the follower that counts; `slowest_follower`: how many bytes the
  slowest has got, for each that one has on average. `sent_mb`: what all of them got.
- `rss_growth_mb`: how much memory the driver and the server took from the first tenth of the run to its end, together;
  `driver_bytes_per_trial`, `server_bytes_per_trial`: of each, by trials; `driver_mb`, `server_mb`: after each fifth.
- `frozen_s`: what the slowest trial took, of those about the freezing, from its proposal to its outcome: that of
  the frozen service, whose lease is 5 s, and which then ran elsewhere. `frozen_lost`: trials that have no outcome,
  though the lease is over by far: 0.
- `driver_cpu`, `server_cpu`, `readers_cpu`, `services_cpu`: CPU seconds of each second; `driver_cpu_ms_per_trial`.
  `load`: of the machine, at the end, by all that runs on it.

    python benchmarks/load.py [--quick] [--services 64] [--trials 100000] [--readers 200] [--seconds S]
                              [--cores 0,1]
"""

import argparse
import json
import multiprocessing
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import quantiles
from tempfile import TemporaryDirectory
from time import monotonic, sleep
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from load_log import longest, unanswered
from load_readers import FOLLOWING, read
from load_services import serve

QUICK_SECONDS = 25.0  # of a quick run, after which it ends
LEASE = 5.0  # seconds after which a silent service is gone
TICK = os.sysconf("SC_CLK_TCK")
STUDY = {
    "name": "load",
    "data": {"source": "digits"},
    "algorithm": {"kind": "random", "steps": 10},
    "final": {"steps": 10},
}


@dataclass(frozen=True)
class Scheduler:
    """A scheduler in a process of its own."""

    process: "subprocess.Popen[str]"
    url: str

    def ask(self, method: str, path: str, body: object = None) -> dict[str, object]:
        headers = {"content-type": "application/json"}
        data = None if body is None else json.dumps(body).encode()
        request = Request(f"{self.url}/v1/studies{path}", data, headers, method=method)  # noqa: S310
        try:
            with urlopen(request) as answer:  # noqa: S310
                return dict(json.loads(answer.read()))
        except HTTPError as error:
            raise SystemExit(error.read().decode()) from None


@contextmanager
def scheduler(folder: Path, urls: list[str]) -> Iterator[Scheduler]:
    allowed = [word for url in urls for word in ("--allow-url", url)]
    command = [sys.executable, "-m", "amla", "serve", "--role", "scheduler", "--port", "0", *allowed]
    with (
        (folder / "journal").open("w") as journal,
        subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=journal, text=True) as process,  # noqa: S603
    ):
        try:
            assert process.stdout
            yield Scheduler(process, process.stdout.readline().split()[-1])
        finally:
            process.kill()


def resident(pid: int) -> int:
    """Return the bytes of memory that a process holds."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def used(pid: int) -> float:
    """Return the CPU seconds that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICK


@dataclass(frozen=True)
class Look:
    """What a look has seen: trials told, seconds by the clock, and bytes and CPU seconds of each process."""

    told: int
    at: float
    bytes: dict[str, int]
    cpu: dict[str, float]


def measured(services: int, trials: int, readers: int, seconds: float, folder: Path) -> dict[str, object]:
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    serving = context.Process(target=serve, args=(services, there), daemon=True)
    serving.start()
    ports = here.recv()
    urls = [f"http://127.0.0.1:{port}" for port in ports]
    executor = {"kind": "http", "urls": urls, "workers": services, "lease": LEASE}
    algorithm = {**STUDY["algorithm"], "trials": 10 * trials}  # type: ignore[dict-item]
    with scheduler(folder, urls) as server:
        key = str(server.ask("POST", "", {**STUDY, "algorithm": algorithm, "executor": executor})["key"])
        while not (folder / "runs" / key / "events.sqlite").exists():
            if server.ask("GET", f"/{key}")["state"] not in ("queued", "running"):
                raise SystemExit((folder / "runs" / key / "logs" / "driver.log").read_text())
            sleep(0.05)
        told, telling = context.Pipe()
        reading = context.Process(target=read, args=(int(server.url.rpartition(":")[2]), key, readers, telling))
        reading.start()
        driver = json.loads((folder / "runs" / key / "scheduler.json").read_text())["pid"]
        pids = {
            "driver": driver,
            "server": server.process.pid,
            "readers": reading.pid or 0,
            "services": serving.pid or 0,
        }
        looks, last, frozen = [], Look(0, 0.0, {}, {}), 0
        began = monotonic()
        while last.told < trials and monotonic() - began < seconds:
            sleep(0.5)
            last = look(server, key, pids)
            looks.append(last)
            if not frozen and (last.told > trials / 2 or monotonic() - began > seconds / 2):
                here.send(ports[0])
                frozen = last.told
        load = os.getloadavg()[0]
        told.send("stop")
        took, answered, errors, counted, least, sent = told.recv()
        reading.join()
        log = folder / "runs" / key / "events.sqlite"
        lost, late = unanswered(log, last.told, services), longest(log, frozen, services)
        server.process.kill()  # before its driver, which it would start anew; to end that gently would take a report
        os.killpg(driver, signal.SIGKILL)
    serving.terminate()
    found = told_of(looks, took)
    followed = round(min(1.0, counted / (2 * last.told)), 3) if readers else None
    slowest = round(least * -(-readers // FOLLOWING) / max(1, sent), 3) if readers else None
    found |= {"reads": answered, "unanswered": len(took) - answered, "sent_mb": round(sent / 1e6, 1)}
    found |= {"slowest_follower": slowest}
    return {
        **found,
        "errors": len(errors),
        "followed": followed,
        "frozen_s": late,
        "frozen_lost": lost,
        "load": round(load, 1),
    } | ({"first_errors": errors[:3]} if errors else {})


def look(server: Scheduler, key: str, pids: dict[str, int]) -> Look:
    phases: dict[str, dict[str, int]] = server.ask("GET", f"/{key}")["phases"]  # type: ignore[assignment]
    told = phases.get("search", {"told": 0})["told"]
    present = {name: pid for name, pid in pids.items() if Path(f"/proc/{pid}").exists()}
    now = monotonic()
    return Look(told, now, {n: resident(p) for n, p in present.items()}, {n: used(p) for n, p in present.items()})


def told_of(looks: list[Look], took: list[float]) -> dict[str, object]:
    looks = [each for each in looks if each.told]
    if len(looks) < 2:
        raise SystemExit("The study was over, or had not begun, before it could be looked at twice; let it run longer.")
    first, last = looks[0], looks[-1]
    tenth = next(each for each in looks if each.at >= first.at + (last.at - first.at) / 10)
    since = max(1, last.told - tenth.told)

    def at(share: float) -> Look:
        return looks[int(share * (len(looks) - 1))]

    def pace(begin: float, end: float) -> float:
        a, b = at(begin), at(end)
        return round((b.told - a.told) / (b.at - a.at), 1) if b.at > a.at else float("nan")

    growth = {name: last.bytes[name] - tenth.bytes[name] for name in ("driver", "server")}
    cuts = quantiles(took, n=100) if len(took) > 1 else None
    return {
        "trials_per_s": pace(0.0, 1.0),
        "p99_ms": round(1e3 * cuts[98], 1) if cuts else None,
        "rss_growth_mb": round(sum(growth.values()) / 1e6, 1),
        "trials": last.told,
        "first_per_s": pace(0.0, 0.2),
        "last_per_s": pace(0.8, 1.0),
        "p50_ms": round(1e3 * cuts[49], 1) if cuts else None,
        "max_ms": round(1e3 * max(took), 1) if took else None,
        **{f"{name}_bytes_per_trial": round(grown / since) for name, grown in growth.items()},
        **{f"{name}_mb": [round(at(place / 5).bytes[name] / 1e6) for place in range(1, 6)] for name in growth},
        "driver_cpu_ms_per_trial": round(1e3 * (last.cpu["driver"] - tenth.cpu["driver"]) / since, 2),
        **{f"{n}_cpu": round((last.cpu[n] - first.cpu[n]) / (last.at - first.at), 2) for n in last.cpu},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--services", type=int, default=64)
    parser.add_argument("--trials", type=int, default=100_000)
    parser.add_argument("--readers", type=int, default=200)
    parser.add_argument("--seconds", type=float, help="end after so many")
    parser.add_argument("--cores", help="such as 0,1: all processes share these")
    said = parser.parse_args()
    if said.cores:
        os.sched_setaffinity(0, {int(core) for core in said.cores.split(",")})
    with TemporaryDirectory() as folder:
        seconds = said.seconds or (QUICK_SECONDS if said.quick else float("inf"))
        print(json.dumps(measured(said.services, said.trials, said.readers, seconds, Path(folder))))


if __name__ == "__main__":
    main()
