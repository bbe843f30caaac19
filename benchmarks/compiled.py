"""Whether torch.compile pays: the hand-written networks compiled, beside the same run eagerly and by amla.

Prints one JSON object on its last line. Of the plain 3x3 network at a batch of 64, and without --quick of the
EnvelopeNet that the search of 2018 began with at a batch of 50 (networks.py), with one thread:

    ..._first_s    CPU seconds of the first compiled step: forward and backward pass are compiled, by processes of
                   their own, too, whose time counts
    ..._ratio      CPU seconds of a later compiled step over those of an eager one; medians of pairs
    ..._amla_ratio and over those of amla's whole step, which also augments its images
    ..._steps      steps after which the eager network would be overtaken; null where it is never

    python benchmarks/compiled.py [--quick]
"""

import argparse
import json
import os
from collections.abc import Callable
from functools import partial
from resource import RUSAGE_CHILDREN, getrusage
from statistics import median
from tempfile import TemporaryDirectory
from time import process_time

import torch
from engine import Run, by_amla, by_hand

NETWORKS = {"plain": 64, "construction": 50}


def spent() -> float:
    children = getrusage(RUSAGE_CHILDREN)
    return process_time() + children.ru_utime + children.ru_stime


def seconds(run: Run, steps: int) -> float:
    began = spent()
    run(steps)
    return (spent() - began) / steps


def compared(network: str, batch: int, pairs: int) -> dict[str, float | None]:
    kinds: dict[str, Callable[[str, int], Run]] = {
        "compiled": partial(by_hand, compiled=True),
        "hand": by_hand,
        "amla": by_amla,
    }
    runs = {name: kind(network, batch) for name, kind in kinds.items()}
    first = seconds(runs["compiled"], 1)
    for run in runs.values():
        run(1)
    times = [{name: seconds(run, 1) for name, run in runs.items()} for _ in range(pairs)]
    gain = median(t["hand"] - t["compiled"] for t in times)
    return {
        f"{network}_first_s": round(first, 1),
        f"{network}_ratio": round(median(t["compiled"] / t["hand"] for t in times), 3),
        f"{network}_amla_ratio": round(median(t["compiled"] / t["amla"] for t in times), 3),
        f"{network}_steps": round(first / gain) if gain > 0 else None,
        f"{network}_n": pairs,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="the plain network alone, 3 pairs")
    quick = parser.parse_args().quick
    torch.set_num_threads(1)
    os.environ["TORCHINDUCTOR_COMPILE_THREADS"] = "1"  # in this process, so that all its CPU time is counted
    figures: dict[str, float | None] = {}
    with TemporaryDirectory() as folder:
        os.environ["TORCHINDUCTOR_CACHE_DIR"] = folder  # nothing is compiled beforehand
        for network in ("plain",) if quick else tuple(NETWORKS):
            figures |= compared(network, NETWORKS[network], 3 if quick else 9)
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
