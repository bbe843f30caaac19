"""What a study says of the latency of its networks: the limit, how it is measured, and what was learned of it."""

from amla.backends.latency import Runtime
from amla.spec.values import Number, value


@value
class Learned:
    """What measuring some networks of the space showed, before the search: their latencies, in seconds.

    `error` is how far the estimate was off those near the limit, as a share: the root of the mean square, over networks
    that it had not been fitted to. `device` is what was measured on, and `seconds` how long all that took.
    """

    networks: int
    least: Number
    middle: Number
    most: Number
    error: Number
    device: str
    seconds: Number


@value
class LatencySettings:
    """How long networks may take for a batch, `at_most` seconds (None: as long as they like), and how that is measured.

    In the `runtime`, on batches of `batch` inputs, with so many `threads`; here, or by the agent at `url`
    (`amla probe-device --listen`). So many `networks` of the space are measured to learn what their latency follows
    from, and what they showed is written into `learned`.
    """

    at_most: float | None = None
    runtime: Runtime = "onnx"
    batch: int = 1
    threads: int = 1
    url: str | None = None
    networks: int = 32
    learned: Learned | None = None
