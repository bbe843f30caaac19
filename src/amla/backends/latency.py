"""Latency: how long a network takes for one batch, measured by repeating it; the median, and how far that spreads."""

from collections.abc import Callable
from time import perf_counter, thread_time
from typing import Literal

import numpy as np
from pydantic import TypeAdapter

from amla.spec.values import value

Runtime = Literal["onnx", "torch"]
WARM_UP, WARM_UP_SECONDS = 3, 0.05  # goes before anything counts, and how long they take at least
LEAST, MOST = 30, 300  # goes that count
SECONDS = 0.3  # for which goes are repeated, if there are enough of them
LONGEST = 10.0  # seconds after which a slow network has been seen often enough
INTERRUPTED = 1.05, 2e-5  # a go by the clock, as a multiple of its processor time, and seconds: more was not its own


@value
class Latency:
    """The median of the seconds of a batch, the quartiles around it, over so many goes, and where that was.

    `device` says what it was measured on: processor, cores, runtime and its version, threads, batch.
    """

    median: float
    low: float
    high: float
    goes: int
    device: str

    @property
    def spread(self) -> float:
        """Seconds between the quartiles."""
        return self.high - self.low

    def is_close_to(self, limit: float) -> bool:
        """Whether the spread is more than the margin to a limit, so that another measurement may say otherwise."""
        return self.spread > abs(limit - self.median)


latencies = TypeAdapter(Latency)


def measured(work: Callable[[], object], device: str, *, alone: bool) -> Latency:
    """Measure `work` after it has warmed up. If it is `alone`, it computes in this thread, and nothing else does.

    Then goes in which the processor did something else meanwhile do not count, as long as there are others: they tell
    of other programs. Seconds are those that pass.
    """
    began, count = perf_counter(), 0
    while count < WARM_UP or perf_counter() - began < WARM_UP_SECONDS:
        work()
        count += 1
        if perf_counter() - began > LONGEST:
            break
    whole, disturbed = list[float](), list[float]()
    began = perf_counter()
    while (passed := perf_counter() - began) < LONGEST and len(whole) + len(disturbed) < MOST:
        if passed >= SECONDS and len(whole) >= LEAST:
            break
        busy, clock = thread_time(), perf_counter()
        work()
        clock, busy = perf_counter() - clock, thread_time() - busy
        times, more = INTERRUPTED
        (disturbed if alone and clock > times * busy + more else whole).append(clock)
    counted = whole if len(whole) >= LEAST else whole + disturbed
    low, median, high = (float(number) for number in np.percentile(counted, (25, 50, 75)))
    return Latency(median, low, high, len(counted), device)
