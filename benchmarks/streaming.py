"""Data larger than memory: how fast batches come, whether they are the same, and a search under a limit of 1 GB.

Writes 20,000 JPEG files of 224x224 pixels in ten classes (gratings of ten directions, in random colours, phases and
noise), about 1.6 KB each. Batches of random resized crops are then read in the three ways that there are: mapped into
memory, from the cache's disk, and decoded anew; also once more from the middle, as a run that goes on reads them. Then
`amla search` runs on the files, with the memory of its processes limited to 1 GB by a control group where one can be
made (as root), and watched everywhere: the proportional set size of all its processes, which counts what they share
once. It is killed after its first trial, begun again, and compared with a search that was not killed.

Prints one JSON object on its last line: `images_per_second` of each way and of bare decoding; `batches_equal`;
`peak_mb`, of the whole search, and `limited_mb`; `ends_equal`, whether killed and unkilled search end alike; `accuracy`
of its test, on ten classes.

    python benchmarks/streaming.py [--quick] [--images 20000] [--folder FOLDER] [--seed 0]
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from PIL import Image
from safetensors.numpy import load_file

from amla.backends.torch.data import Batches
from amla.study.folder import WEIGHTS, read
from amla.study.result import result
from amla.tasks.load import load
from amla.tasks.recipe import Augment
from amla.tasks.streaming import Stream

SIZE, CANVAS, CLASSES = 224, 256, 10
LIMIT = 1_000_000_000  # bytes
BATCH = 32
GROUPS = (Path("/sys/fs/cgroup/memory"), Path("/sys/fs/cgroup"))  # of control groups, version 1 and version 2
BOUNDS = ("memory.limit_in_bytes", "memory.max")
START = "import os, sys; open(sys.argv[1], 'w').write(str(os.getpid())); os.execv(sys.argv[2], sys.argv[2:])"
AUGMENT, MOMENTS = Augment(flip=True, crop=0.35), ((128.0,) * 3, (64.0,) * 3)
SEARCH = (
    f"data.size=[{SIZE},{SIZE}]",
    f"data.canvas=[{CANVAS},{CANVAS}]",
    f"recipe.batch={BATCH}",
    "recipe.optimiser={kind: sgd, rate: 0.1}",
    "recipe.whiten=false",
    "recipe.augment={flip: true, crop: 0.35}",
    "run_off=null",
    "baselines=null",
    "final.macs=null",
    "final.recipe=null",
    "space.macs=3000000",
)


def picture(seed: int, number: int) -> Image.Image:
    """Return an image of class `number` % CLASSES."""
    rng = np.random.default_rng((seed, number))
    angle = np.pi * (number % CLASSES + rng.uniform(-0.3, 0.3)) / CLASSES
    y, x = np.mgrid[:SIZE, :SIZE].astype(np.float32)
    wave = np.sin((x * np.cos(angle) + y * np.sin(angle)) * rng.uniform(0.15, 0.3) + rng.uniform(0, 6.28))
    colours = rng.uniform(0, 255, (2, 3)).astype(np.float32)
    share = ((wave + 1) / 2)[..., None]
    noise = rng.normal(0, 20, (SIZE // 4, SIZE // 4, 1)).astype(np.float32).repeat(4, 0).repeat(4, 1)
    return Image.fromarray((share * colours[0] + (1 - share) * colours[1] + noise).clip(0, 255).astype(np.uint8))


def write(folder: Path, images: int, seed: int) -> None:
    """Write the files of all classes, unless they are there."""

    def one(number: int) -> None:
        path = folder / f"{number % CLASSES}" / f"{number:06}.jpg"
        if not path.exists():
            picture(seed, number).save(path, quality=85)

    for number in range(CLASSES):
        (folder / f"{number}").mkdir(parents=True, exist_ok=True)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(one, range(images)))


def batches(folder: Path, cache: Path, stream: Stream) -> Batches:
    data = load(str(folder), cache_dir=cache, size=(SIZE, SIZE), canvas=(CANVAS, CANVAS), stream=stream)
    return Batches(data.train, MOMENTS, BATCH, torch.device("cpu"))


def reading(folder: Path, cache: Path, steps: int) -> tuple[dict[str, float], bool]:
    """Return how many images a second come in each way, and whether all of them are the same."""
    ways: tuple[Stream, ...] = ("never", "disk", "decode")
    every = {way: batches(folder, cache, way) for way in ways}
    seconds = dict.fromkeys(ways, 0.0)
    equal = True
    for step in range(steps):  # in turn, as the machine may be busier at one time than at another
        found = {}
        for way, each in every.items():
            began = time.perf_counter()
            found[way] = each.training(0, step, AUGMENT)
            seconds[way] += time.perf_counter() - began
        first = found["never"]
        equal &= all(torch.equal(a, b) for pair in found.values() for a, b in zip(first, pair, strict=True))
    later, again = batches(folder, cache, "disk"), every["decode"]
    equal &= all(map(torch.equal, later.training(0, steps // 2, AUGMENT), again.training(0, steps // 2, AUGMENT)))
    return {way: round(steps * BATCH / taken) for way, taken in seconds.items()}, equal


@contextmanager
def limited() -> Iterator[Path | None]:
    """Make a control group that may use so much memory, if that is allowed; yields its folder."""
    group = next(filter(None, map(made, GROUPS, BOUNDS)), None)
    try:
        yield group
    finally:
        if group:
            group.rmdir()


def made(root: Path, bound: str) -> Path | None:
    group = root / f"amla-streaming-{os.getpid()}"
    try:
        group.mkdir()
        (group / bound).write_text(str(LIMIT))
    except OSError:
        with suppress(OSError):
            group.rmdir()
        return None
    return group


def tree(pid: int) -> Iterator[int]:
    """Yield a process and all that it has started."""
    yield pid
    with suppress(OSError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            for child in (task / "children").read_text().split():
                yield from tree(int(child))


def used(pid: int) -> int:
    """Return the bytes that a process and those that it started have in memory; what they share is counted once."""
    total = 0
    for each in tree(pid):
        with suppress(OSError):
            for line in Path(f"/proc/{each}/smaps_rollup").read_text().splitlines():
                if line.startswith("Pss:"):
                    total += 1024 * int(line.split()[1])
    return total


def same(one: dict[str, Any], other: dict[str, Any]) -> bool:
    return one.keys() == other.keys() and all(np.array_equal(one[name], other[name]) for name in one)


def search(command: list[str], folder: Path, cache: Path, group: Path | None, kill: bool) -> int:
    """Run a search, or kill it after its first trial; return the most memory that it had. Fails beyond the limit."""
    start = [sys.executable, "-c", START, str(group / "cgroup.procs")] if group else []
    environment = {**os.environ, "AMLA_CACHE": str(cache), "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen([*start, *command, "--run", str(folder)], env=environment, stdout=sys.stderr)  # noqa: S603
    most = 0
    try:
        while process.poll() is None:
            most = max(most, used(process.pid))
            assert most <= LIMIT, f"the search used {most:,} bytes"
            if kill and list(folder.glob("curves/search/1.jsonl")):
                process.send_signal(signal.SIGKILL)
                process.wait()
                return most
            time.sleep(0.2)
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
    assert process.returncode == 0, f"the search ended with {process.returncode}"
    return most


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="900 images and few steps: under 50 s")
    parser.add_argument("--images", type=int, default=20_000)
    parser.add_argument("--folder", type=Path, help="where images and cache are kept; by default they are deleted")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    images, trials, steps, final = (900, 2, 4, 6) if options.quick else (options.images, 3, 30, 150)
    torch.set_num_threads(1)
    with TemporaryDirectory() as scratch, limited() as group:
        place = options.folder or Path(scratch)
        data, cache, runs = place / "images", place / "cache", Path(scratch) / "runs"
        write(data, images, options.seed)
        print(f"{images:,} images are written", flush=True)
        command = [
            sys.executable,
            "-m",
            "amla",
            "search",
            str(data),
            "--plain",
            "--algorithm",
            "random",
            "--workers",
            "0",
        ]
        settings = (f"algorithm.trials={trials}", f"algorithm.steps={steps}", f"final.steps={final}", *SEARCH)
        settings = (*settings, f"seed={options.seed}", *(() if group else ("data.stream=disk",)))
        command += [f"--set={each}" for each in settings]
        most = search(command, runs / "killed", cache, group, kill=True)
        most = max(most, search(command, runs / "killed", cache, group, kill=False))
        most = max(most, search(command, runs / "whole", cache, group, kill=False))
        whole, killed = (read(runs / name) for name in ("whole", "killed"))
        ended = result(whole)
        assert ended is not None
        assert ended.tested is not None
        ends = [load_file(runs / name / WEIGHTS) for name in ("whole", "killed")]
        speeds, equal = reading(data, cache, 10 if options.quick else 100)
    print(
        json.dumps(
            {
                "images_per_second": speeds,
                "batches_equal": equal,
                "peak_mb": round(most / 1e6),
                "limited_mb": round(LIMIT / 1e6) if group else None,
                "ends_equal": result(killed) is not None and same(*ends),
                "accuracy": round(ended.tested.accuracy, 4),
                "images": images,
                "seed": options.seed,
            }
        )
    )


if __name__ == "__main__":
    main()
