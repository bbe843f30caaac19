"""What a hand-designed plain network reaches on CIFAR-10 with amla's recipe, and what that takes.

Runs studies/baselines/plain-cifar10.yaml (or, with --hour, plain-cifar10-hour.yaml) through the command line, once for
each seed, and prints one JSON object on its last line: `accuracy`, the test accuracies; `cpu_seconds`, of the whole
command, from start-up over training to the test; their `worst_accuracy` and `most_cpu_seconds`. CIFAR-10 is looked for
under $AMLA_DATA.

    python benchmarks/baseline.py [--quick | --hour] [--seeds 0 1 2] [--threads 1]
"""

import argparse
import json
import os
import resource
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from amla.study.folder import read
from amla.study.result import result

ROOT = Path(__file__).parents[1]
STUDIES = "studies/baselines/plain-cifar10{}.yaml"
QUICK = ("final.steps=8", "recipe.small=null")  # as fast as in the whole run, and as good as a guess


def run(study: str, seed: int, folder: Path, changes: tuple[str, ...], threads: int) -> tuple[float, float]:
    """Return the test accuracy and the CPU seconds of one run."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    settings = [f"--set={change}" for change in (f"seed={seed}", *changes)]
    command = [sys.executable, "-m", "amla", "run", study, "--run", str(folder), *settings]
    environment = {**os.environ, "OMP_NUM_THREADS": str(threads)}
    subprocess.run(command, cwd=ROOT, env=environment, check=True, stdout=sys.stderr)  # noqa: S603
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    found = result(read(folder))
    tested = found.tested if found else None
    assert tested is not None, "the run did not finish"
    return tested.accuracy, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    length = parser.add_mutually_exclusive_group()
    length.add_argument("--quick", action="store_true", help="eight steps only: under 50 s")
    length.add_argument("--hour", action="store_true", help="the longer training")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    study = STUDIES.format("-hour" if options.hour else "")
    found = []
    with TemporaryDirectory() as folder:
        for seed in options.seeds:
            changes = QUICK if options.quick else ()
            found.append(run(study, seed, Path(folder) / str(seed), changes, options.threads))
            print(f"seed {seed}: test accuracy {found[-1][0]:.2%}, {found[-1][1]:,.0f} CPU-seconds", flush=True)
    accuracies, seconds = [round(a, 4) for a, _ in found], [round(s) for _, s in found]
    worst = {"worst_accuracy": min(accuracies), "most_cpu_seconds": max(seconds)}
    print(json.dumps({"accuracy": accuracies, "cpu_seconds": seconds, **worst, "seeds": options.seeds}))


if __name__ == "__main__":
    main()
