"""Between what the numbers of a study may lie."""

from collections.abc import Mapping
from typing import Any

_LEAST = 1e-9  # of a number that must be more than 0
_MOST = 1e15  # of any, and less than infinity
_BELOW_ONE = 1 - 1e-9
_RECIPE = {
    "optimiser.rate": (0, _MOST, "0 or more, and finite"),
    "optimiser.momentum": (0, _BELOW_ONE, "at least 0 and below 1"),
    "optimiser.other.rate": (0, _MOST, "0 or more, and finite"),
    "optimiser.other.momentum": (0, _BELOW_ONE, "at least 0 and below 1"),
    "optimiser.beta1": (0, _BELOW_ONE, "at least 0 and below 1"),
    "optimiser.beta2": (0, _BELOW_ONE, "at least 0 and below 1"),
    "schedule.warm_up": (0, _BELOW_ONE, "at least 0 and below 1"),
    "schedule.peak": (0, _BELOW_ONE, "at least 0 and below 1"),
    "schedule.every": (1, _MOST, "1 or more"),
    "schedule.first": (1, _MOST, "1 or more"),
    "schedule.growth": (1, 1e3, "from 1 to 1000"),
    "weight_decay": (0, _MOST, "0 or more, and finite"),
    "shift_rate": (0, _MOST, "0 or more, and finite"),
    "clip": (_LEAST, _MOST, "more than 0, and finite"),
    "augment.crop": (_LEAST, 1, "more than 0, and at most 1"),
}
_RANGES = {
    **{f"{place}.{name}": rule for place in ("recipe", "final.recipe") for name, rule in _RECIPE.items()},
    "data.validation": (0, _BELOW_ONE, "at least 0 and less than 1"),
    "data.test": (0, _BELOW_ONE, "at least 0 and less than 1"),
    "data.share": (_LEAST, 1, "more than 0, and at most 1"),
    "algorithm.steps": (1, _MOST, "1 or more"),
    "algorithm.iterations": (0, _MOST, "0 or more"),
    "algorithm.quota": (0, _MOST, "0 or more"),
    "algorithm.windows": (1, 1000, "from 1 to 1000"),
    "algorithm.candidates": (1, 1000, "from 1 to 1000"),
    "algorithm.trained": (1, 1000, "from 1 to 1000"),
    "algorithm.share": (0, 1, "from 0 to 1"),
    "algorithm.skip_share": (0, 1, "from 0 to 1"),
    "algorithm.seconds": (_LEAST, _MOST, "more than 0, and finite"),
    "algorithm.legs": (1, _MOST, "1 or more"),
    "algorithm.paths": (1, 1e6, "from 1 to 1000000"),
    "algorithm.examples": (1, _MOST, "1 or more"),
    "algorithm.tuning": (1, _MOST, "1 or more"),
    "algorithm.rate": (0, _MOST, "0 or more, and finite"),
    "algorithm.weight_decay": (0, _MOST, "0 or more, and finite"),
    "algorithm.skip": (0, _MOST, "0 or more, and finite"),
    "algorithm.memory": (0, _BELOW_ONE, "at least 0 and below 1"),
    "algorithm.trials": (1, _MOST, "1 or more"),
    "terms.stop.gain": (0, 1, "a share of 1, such as 0.001 for a tenth of a point"),
    "terms.stop.seconds": (1e-3, 1e9, "more than 0"),
    "terms.seeds": (1, 1000, "from 1 to 1000"),
    "tuning.trials": (2, 10_000, "from 2 to 10000"),
    "tuning.steps": (1, 1e9, "1 or more"),
    "baselines.random": (0, 1000, "from 0 to 1000"),
    "run_off.networks": (2, 1000, "from 2 to 1000"),
    "run_off.times": (2, 1000, "from 2 to 1000"),
    "final.macs": (1, _MOST, "1 or more"),
    "final.stem_stride": (1, _MOST, "1 or more"),
    "final.steps": (1, _MOST, "1 or more"),
    "space.width": (1, 1e6, "from 1 to 1,000,000"),
    "space.stem_stride": (1, 1e6, "from 1 to 1,000,000"),
    "space.dropout": (0, _BELOW_ONE, "at least 0 and below 1"),
    "space.drop_path": (0, _BELOW_ONE, "at least 0 and below 1"),
    "space.head_dropout": (0, _BELOW_ONE, "at least 0 and below 1"),
    "space.macs": (1, _MOST, "1 or more"),
    "space.parameters": (1, _MOST, "1 or more"),
    **{f"constraints.{name}": (1, _MOST, "1 or more") for name in ("parameters", "macs", "memory")},
    "constraints.latency.at_most": (1, _MOST, "1 or more, in nanoseconds"),
    "latency.at_most": (1e-6, 3600, "from 0.000001 to 3600, in seconds"),
    "latency.batch": (1, 1024, "from 1 to 1024"),
    "latency.threads": (1, 256, "from 1 to 256"),
    "latency.networks": (8, 1000, "from 8 to 1000"),
    "backend.devices": (1, 1024, "from 1 to 1024"),
    "executor.workers": (1, 1024, "from 1 to 1024"),
    "executor.threads": (1, 1024, "from 1 to 1024"),
    "executor.cpus": (1, 1024, "from 1 to 1024"),
    "executor.gpus": (0, 1024, "from 0 to 1024"),
    "executor.lease": (1, 3600, "from 1 to 3600"),
    "executor.patience": (_LEAST, _MOST, "more than 0, and finite"),
    "executor.memory": (1, _MOST, "1 or more, in bytes"),
    "limit.trials": (1, _MOST, "1 or more"),
    "limit.seconds": (_LEAST, _MOST, "more than 0, and finite"),
    "limit.steps": (1, _MOST, "1 or more"),
    "limit.flops": (1, 1e30, "1 or more"),
    "limit.search": (0.01, 0.95, "from 0.01 to 0.95"),
    "trial_seconds": (_LEAST, _MOST, "more than 0, and finite"),
    "seed": (0, _MOST, "0 or more"),
}


def out_of_range(plain: Mapping[str, Any]) -> str | None:
    """Return what is wrong with the first number of a study, as plain values, that lies elsewhere; else None."""
    for place, (low, high, rule) in _RANGES.items():
        number: Any = plain
        for step in place.split("."):
            number = number.get(step) if isinstance(number, dict) else None
        if isinstance(number, int | float) and not low <= number <= high:
            return f"{place} is {number}; it must be {rule}."
    return None
