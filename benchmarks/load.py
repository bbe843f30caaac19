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
- `frozen_s`: what the slowest trial took, of those over after the freezing, from its proposal to its outcome: that of
  the frozen service, whose lease is 5 s, and which then ran elsewhere. `frozen_lost`: trials that have no outcome, though
  the lease is over by far: 0.
- `driver_cpu`, `server_cpu`, `readers_cpu`, `services_cpu`: CPU seconds of each second; `driver_cpu_ms_per_trial`.
  `load`: of the machine, at the end, by all that runs on it.

    python benchmarks/load.py [--quick] [--services 64] [--trials 100000] [--readers 200]
"""

import argparse
import asyncio
import json
import multiprocessing
import os
import signal
import sqlite3
import subprocess
import sys
import zlib
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from itertools import cycle
from multiprocessing.connection import Connection
from pathlib import Path
from statistics import quantiles
from tempfile import TemporaryDirectory
from time import monotonic, sleep, time
from typing import TypeVar
from urllib.error import HTTPError
from urllib.request import Request, urlopen

QUICK_SECONDS = 25.0  # of a quick run, after which it ends
PERIOD = 1.0  # seconds between the reads of one reader
NEWEST = 20  # trials that a reader looks at
FOLLOWING = 5  # every fifth reader follows the stream
LEASE = 5.0  # seconds after which a silent service is gone
END = b"\r\n\r\n"
TRIAL = b"event: trial\n"
P = TypeVar("P", bound=asyncio.BaseProtocol)
TICK = os.sysconf("SC_CLK_TCK")
OUTCOME = {
    "kind": "measurement",
    "metrics": {"accuracy": 0.5, "loss": 0.7, "parameters": 1e5, "macs": 1e7},
    "statistics": {"taylor": {f"stage0/cell0/{place}": 0.5 for place in range(6)}},
    "seconds": 0.01,
    "cost": {"device": "none", "flops": 1e9},
}
STUDY = {
    "name": "load",
    "data": {"source": "digits"},
    "algorithm": {"kind": "random", "steps": 10},
    "final": {"steps": 10},
}


class MadeUp(asyncio.Protocol):
    """A connection to a made-up worker service, which has every trial done when it is asked after."""

    frozen: set[int] = set()  # noqa: RUF012 - ports of services that answer nothing any more

    def __init__(self) -> None:
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport, self._port = transport, transport.get_extra_info("sockname")[1]

    def data_received(self, data: bytes) -> None:
        self._received += data
        while (end := self._received.find(END)) >= 0:
            head = self._received[:end].decode("ascii").lower()
            _, found, rest = head.partition("content-length:")
            whole = end + len(END) + (int(rest.partition("\r")[0]) if found else 0)
            if len(self._received) < whole:
                return
            self._received = self._received[whole:]
            if self._port not in self.frozen:
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


def serve(count: int, told: Connection) -> None:
    """Be so many worker services, and tell their ports; freeze those that are named."""

    async def serving() -> None:
        loop = asyncio.get_running_loop()
        servers = [await loop.create_server(MadeUp, "127.0.0.1", 0) for _ in range(count)]
        told.send([server.sockets[0].getsockname()[1] for server in servers])
        loop.add_reader(told.fileno(), lambda: MadeUp.frozen.add(told.recv()))
        await asyncio.Event().wait()

    asyncio.run(serving())


class Line(asyncio.Protocol):
    """A connection of a reader that asks one thing after another: as little of HTTP as that takes."""

    def __init__(self) -> None:
        self._received = bytearray()
        self._answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._answer.set_result(b"")  # nothing was asked

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: asyncio.Transport = transport  # type: ignore[assignment]

    async def ask(self, request: bytes) -> bytes:
        """Return the body of an answer."""
        self._received.clear()
        self._answer = asyncio.get_running_loop().create_future()
        self.transport.write(request)
        return await self._answer

    def data_received(self, data: bytes) -> None:
        if self._answer.done():
            return
        try:
            whole = self._whole(data)
        except ValueError as error:
            self._answer.set_exception(error)
            return
        if whole is not None:
            self._answer.set_result(whole)

    def _whole(self, data: bytes) -> bytes | None:
        self._received += data
        head = self._received.find(END)
        if head < 0:
            return None
        if not self._received.startswith(b"HTTP/1.1 200"):
            raise ValueError(bytes(self._received[:300]))
        length = self._received[:head].lower().partition(b"content-length:")[2].partition(b"\r")[0]
        body = head + len(END)
        return bytes(self._received[body:]) if len(self._received) >= body + int(length) else None

    def connection_lost(self, error: Exception | None) -> None:
        if not self._answer.done():
            self._answer.set_exception(ConnectionError(str(error or "closed")))


class Follower(asyncio.Protocol):
    """A connection that a stream of events comes by. One that `counts` unpacks it, which others do elsewhere."""

    def __init__(self, request: bytes, counts: bool) -> None:
        self.bytes = self.events = 0
        self.is_over, self._request, self._rest = False, request, b""
        self._unpacked = Unpacked() if counts else None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        transport.write(self._request)  # type: ignore[attr-defined]

    def data_received(self, data: bytes) -> None:
        self.bytes += len(data)
        if self._unpacked:
            text = self._rest + self._unpacked.feed(data)
            self.events += text.count(TRIAL)
            self._rest = text[1 - len(TRIAL) :]

    def connection_lost(self, error: Exception | None) -> None:
        self.is_over = True


class Unpacked:
    """The body of an answer in chunks, which is compressed."""

    def __init__(self) -> None:
        self._received, self._unpacker, self._is_body = b"", zlib.decompressobj(zlib.MAX_WBITS | 16), False

    def feed(self, data: bytes) -> bytes:
        """Return what becomes readable with more of it. Raises ValueError if it is none."""
        self._received += data
        if not self._is_body:
            head, end, self._received = self._received.partition(END)
            if not end:
                self._received = head
                return b""
            if not head.startswith(b"HTTP/1.1 200") or b"content-encoding: gzip" not in head.lower():
                raise ValueError(head[:300])
            self._is_body = True
        text = b""
        while (line := self._received.find(b"\r\n")) >= 0:
            over = line + 2 + int(self._received[:line], 16)
            if len(self._received) < over + 2:
                break
            text += self._unpacker.decompress(self._received[line + 2 : over])
            self._received = self._received[over + 2 :]
        return text


@dataclass
class Readers:
    """So many readers of one study, as tasks of one process: what they have seen, and how long it took them."""

    port: int
    study: str
    took: list[float] = field(default_factory=list)  # seconds
    errors: list[str] = field(default_factory=list)
    asked: int = 0  # trials, as somebody has seen last
    began: dict[int, float] = field(default_factory=dict)  # when each reader sent what has no answer yet
    followers: list[Follower] = field(default_factory=list)

    async def read(self, number: int, count: int) -> None:
        """Read as one reader does, until it is cancelled."""
        await asyncio.sleep(PERIOD * number / count)
        if number % FOLLOWING == 0:
            request, counts = self._request("/events", "Accept-Encoding: gzip\r\n"), not self.followers
            self.followers.append(await self._connected(lambda: Follower(request, counts)))
            return
        kinds = cycle((self._standing, self._newest))
        for _ in range(number):
            next(kinds)
        line = await self._connected(Line)
        for kind in kinds:  # without end
            self.began[number] = began = monotonic()
            try:
                if line.transport.is_closing():  # it was idle for long: clients of HTTP then open another one
                    line = await self._connected(Line)
                await kind(line)
                self.took.append(monotonic() - began)
            except (OSError, ValueError) as error:
                self.errors.append(f"{type(error).__name__}: {error}"[:200])
                line.transport.close()
            del self.began[number]
            await asyncio.sleep(max(0.0, PERIOD - (monotonic() - began)))

    def over(self) -> list[float]:
        """Return what all reads took; one that has no answer yet, as long as it has waited."""
        now = monotonic()
        return self.took + [now - began for began in self.began.values()]

    async def _standing(self, line: Line) -> None:
        found = json.loads(await line.ask(self._request("")))
        count = found["phases"].get("search", {"asked": 0, "told": 0})
        self.asked = max(self.asked, count["asked"])

    async def _newest(self, line: Line) -> None:
        path = f"/history?first={max(0, self.asked - NEWEST)}&most={NEWEST}"
        text = await line.ask(self._request(path))
        if not text.startswith(b'{"phase":"search","trials":['):
            raise ValueError(text[:100])

    async def _connected(self, make: Callable[[], P]) -> P:
        return (await asyncio.get_running_loop().create_connection(make, "127.0.0.1", self.port))[1]

    def _request(self, path: str, more: str = "") -> bytes:
        head = f"GET /v1/studies/{self.study}{path} HTTP/1.1\r\nHost: 127.0.0.1:{self.port}\r\n{more}\r\n"
        return head.encode()


def read(port: int, study: str, count: int, told: Connection) -> None:
    """Read as so many readers do, until told to stop; then tell how that went."""

    async def reading() -> None:
        readers, over = Readers(port, study), asyncio.Event()
        tasks = [asyncio.create_task(readers.read(number, count)) for number in range(count)]
        asyncio.get_running_loop().add_reader(told.fileno(), over.set)
        await over.wait()
        took = readers.over()
        for task in tasks:
            task.cancel()
        failed = [str(found) for found in await asyncio.gather(*tasks, return_exceptions=True) if found and str(found)]
        failed += ["A stream ended before its study." for each in readers.followers if each.is_over]
        got = [each.bytes for each in readers.followers]
        counted = readers.followers[0].events if got else 0
        told.send((took, len(readers.took), readers.errors + failed, counted, min(got, default=0), sum(got)))

    asyncio.run(reading())


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
        looks, last, frozen = [], Look(0, 0.0, {}, {}), 0.0
        began = monotonic()
        while last.told < trials and monotonic() - began < seconds:
            sleep(0.5)
            last = look(server, key, pids)
            looks.append(last)
            if not frozen and (last.told > trials / 2 or monotonic() - began > seconds / 2):
                here.send(ports[0])
                frozen = time()
        load = os.getloadavg()[0]
        told.send("stop")
        took, answered, errors, counted, least, sent = told.recv()
        reading.join()
        lost = unanswered(server, key, last.told, services)
        late = longest(folder / "runs" / key / "events.sqlite", frozen)
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


def unanswered(server: Scheduler, key: str, told: int, services: int) -> int:
    """Return how many trials have no outcome though as many as there are services have begun and ended since, twice."""
    first, last, count = 0, max(0, told - 4 * services), 0
    while first < last:
        page: list[dict[str, object]] = server.ask("GET", f"/{key}/history?first={first}&most=500")["trials"]  # type: ignore[assignment]
        count += sum(1 for past in page if past["told"] is None and first < last)
        first += 500
    return count


def longest(log: Path, frozen: float) -> float | None:
    """Return how long the slowest trial took, from its proposal to its outcome, of those over after the freezing."""
    times = "SELECT trial, at FROM event WHERE study = 'search' AND kind = "
    query = f"SELECT max(told.at - asked.at) FROM ({times}'told') told JOIN ({times}'asked') asked USING (trial)"
    with closing(sqlite3.connect(log)) as connection:
        found = connection.execute(f"{query} WHERE told.at > ?", (frozen,)).fetchone()[0]  # noqa: S608
    return None if found is None else round(found, 1)


def told_of(looks: list[Look], took: list[float]) -> dict[str, object]:
    looks = [each for each in looks if each.told]
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
    with TemporaryDirectory() as folder, suppress(KeyboardInterrupt):
        seconds = said.seconds or (QUICK_SECONDS if said.quick else float("inf"))
        print(json.dumps(measured(said.services, said.trials, said.readers, seconds, Path(folder))))


if __name__ == "__main__":
    main()
