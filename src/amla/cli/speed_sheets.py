"""What `amla bench` measured as tables."""

from amla.backends.bench import GIGA, Machine, NetworkSpeed, Pass, Rate, Roof, Speed
from amla.reports.names import short
from amla.reports.numbers import count, percent, plural, reading, size
from amla.reports.speeds import Sheet

STEP_NOTE = (
    "A whole step is trained by the real backend. It may compute several operations in one pass, and so take less than "
    "the sum of its nodes; and it also has what is no node: the data, the loss, the optimiser."
)
CACHE_NOTE = (
    "The roof is the peak of arithmetic, or the bandwidth of memory where that is the bound. It supposes that tensors "
    "come from memory: what is still in a cache can be faster than that, and get more than 100 %."
)


def machine_sheets(machine: Machine) -> list[Sheet]:
    """Return the roof with one and with all threads, how both scale, and the standing operations."""
    return [_roofs(machine), *_scaling(machine), _standing(machine)]


def network_sheets(found: NetworkSpeed) -> list[Sheet]:
    """Return the operations, the heaviest first, and what they sum up to."""
    return [_operations(found), _step(found)]


def _roofs(machine: Machine) -> Sheet:
    """Return every product and every stream, with one thread and with all."""
    shown = list(dict.fromkeys((machine.roofs[0], machine.roofs[-1])))
    head = [("", "GFLOP/s, GB/s"), ("", "threads"), ("clock", "median"), ("clock", "best")]
    head += [("CPU-s", "median"), ("CPU-s", "best")] if machine.device == "cpu" else []
    rows = tuple(
        (name, str(roof.threads), *_rates(rate, machine))
        for named in zip(*map(_measured, shown), strict=True)
        for roof, (name, rate) in zip(shown, named, strict=True)
    )
    caption = "by the clock, and for each second of processor time" if machine.device == "cpu" else "by the clock"
    return Sheet("Arithmetic and memory", caption, tuple(head), rows)


def _measured(roof: Roof) -> list[tuple[str, Rate]]:
    names = {"matrix": "matrix product {0}", "convolution": "conv 3×3 {0}→{0}"}
    products = [(names[each.kind].format(each.size), each.rate) for each in roof.products]
    return products + [(f"{each.kind} of {size(each.bytes)}", each.rate) for each in roof.streams]


def _rates(rate: Rate, machine: Machine) -> tuple[str, ...]:
    by_clock = reading(rate.clock_median), reading(rate.clock_best)
    return (*by_clock, reading(rate.median), reading(rate.best)) if machine.device == "cpu" else by_clock


def _scaling(machine: Machine) -> list[Sheet]:
    """Return how much more several threads do; nothing if there is only one."""
    if len(machine.roofs) == 1:
        return []
    one = machine.roofs[0]
    head = (("", "threads"), ("peak", "GFLOP/s"), ("peak", "times one"), ("memory", "GB/s"), ("memory", "times one"))
    rows = []
    for roof in machine.roofs:
        cells = [str(roof.threads)]
        for best in (_peak_by_clock, _stream_by_clock):
            cells += [reading(best(roof)), f"{best(roof) / best(one):.2f}"]
        rows.append(tuple(cells))
    return [Sheet("Threads", "at best by the clock, which counts only if nothing else runs", head, tuple(rows))]


def _peak_by_clock(roof: Roof) -> float:
    return max(product.rate.clock_best for product in roof.products)


def _stream_by_clock(roof: Roof) -> float:
    return max(stream.rate.clock_best for stream in roof.streams)


def _standing(machine: Machine) -> Sheet:
    roof = machine.roofs[0]
    head = [("", "operation"), ("", "FLOP /byte")]
    head += [(way, name) for way in ("forward", "backward") for name in ("GFLOP/s", "of peak", "GB/s", "of mem.")]
    rows = tuple(
        (
            short(speed.op, speed.sources, speed.target),
            reading(speed.forward.intensity) if speed.forward else "",
            *(cell for found in (speed.forward, speed.backward) for cell in _pass(found, roof)),
        )
        for speed in machine.speeds
    )
    caption = f"with one thread and batch {machine.batch}, {_told(machine.device)}"
    return Sheet("Operations", caption, tuple(head), rows)


def _told(device: str) -> str:
    return "for each second of processor time" if device == "cpu" else "by the clock"


def _pass(found: Pass | None, roof: Roof) -> tuple[str, ...]:
    """Return the rate of a pass and its share of the peak; if memory bounds it, also those of its bytes."""
    if found is None:
        return ("", "", "", "")
    cells = reading(found.rate), percent(found.rate / roof.peak, 0)
    if not found.is_bound_by_memory(roof):
        return (*cells, "", "")
    return (*cells, reading(found.throughput), percent(found.throughput / roof.bandwidth, 0))


def _operations(found: NetworkSpeed) -> Sheet:
    span = "CPU-ms" if found.device == "cpu" else "ms"
    names = ("operation", "×", "FLOP", "bytes", "FLOP /byte"), ("fwd.", "bwd."), ("GFLOP /s", "of roof", "share")
    head = tuple((group, name) for group, of in zip(("", span, ""), names, strict=True) for name in of)
    rows = tuple(_operation(speed, found) for speed in found.speeds if speed.passes)
    idle = sum(len(speed.nodes) for speed in found.speeds if not speed.passes)
    left_out = f"; {plural(idle, 'node')} without work left out" if idle else ""
    caption = f"of all nodes together, batch {found.batch}, {plural(found.roof.threads, 'thread')}{left_out}"
    return Sheet("Operations", caption, head, rows)


def _operation(speed: Speed, found: NetworkSpeed) -> tuple[str, ...]:
    """Return a row: FLOP, bytes and time are those of all nodes that do this, in both passes."""
    nodes, work, once = len(speed.nodes), speed.work, speed.seconds / len(speed.nodes)
    floor = sum(each.floor(found.roof) for each in speed.passes)
    return (
        short(speed.op, speed.sources, speed.target),
        str(nodes),
        count(nodes * work.flops) if work.flops else "",
        count(nodes * work.bytes),
        reading(work.flops / work.bytes) if work.flops else "",
        *(reading(1e3 * nodes * each.times.median) if each else "" for each in (speed.forward, speed.backward)),
        reading(work.flops / GIGA / once) if work.flops else "",
        percent(floor / once, 0),
        percent(speed.seconds / found.seconds),
    )


def _step(found: NetworkSpeed) -> Sheet:
    step, flops = found.step.median, found.work.flops / GIGA
    spans = (
        ("all nodes, one by one", found.seconds),
        ("a whole step, as trained", step),
        ("floor: arithmetic at its peak", found.arithmetic_floor),
        ("floor: memory at its bandwidth, too", found.floor),
    )
    rows = tuple((name, reading(1e3 * span), reading(flops / span), percent(span / step, 0)) for name, span in spans)
    head = (("", ""), ("", "CPU-ms" if found.device == "cpu" else "ms"), ("", "GFLOP/s"), ("", "of step"))
    return Sheet("A training step", "as it is, and as it could be", head, rows)
