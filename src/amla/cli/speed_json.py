"""What `amla bench` measured as plain values for JSON: seconds, and billions of operations or bytes a second."""

from dataclasses import asdict
from typing import Any

from pydantic import TypeAdapter

from amla.backends.bench import Machine, NetworkSpeed, Pass, Roof, Speed
from amla.reports.names import short
from amla.spec.ops import Op

Plain = dict[str, Any]
_op: TypeAdapter[Op] = TypeAdapter(Op)


def plain_machine(machine: Machine) -> Plain:
    """Return all that was measured of a machine."""
    return {
        "device": machine.device,
        "processor": machine.processor,
        "library": machine.library,
        "cores": machine.cores,
        "roofs": [_roof(roof) for roof in machine.roofs],
        "batch": machine.batch,
        "operations": [_speed(speed, machine.roofs[0]) for speed in machine.speeds],
    }


def plain_network(found: NetworkSpeed) -> Plain:
    """Return all that was measured of a network; each operation names its nodes, and is told for one of them."""
    return {
        "device": found.device,
        "processor": found.processor,
        "library": found.library,
        "batch": found.batch,
        "roof": _roof(found.roof),
        "flops": found.work.flops,
        "bytes": found.work.bytes,
        "step": asdict(found.step),
        "sum": found.seconds,
        "floor": {"arithmetic": found.arithmetic_floor, "arithmetic_and_memory": found.floor},
        "operations": [
            {**_speed(speed, found.roof), "nodes": speed.nodes, "share": speed.seconds / found.seconds}
            for speed in found.speeds
        ],
    }


def _roof(roof: Roof) -> Plain:
    derived = {"peak": roof.peak, "matrix_peak": roof.matrix.rate.best, "bandwidth": roof.bandwidth}
    return {**asdict(roof), **derived, "ridge": roof.ridge}


def _speed(speed: Speed, roof: Roof) -> Plain:
    return {
        "name": short(speed.op, speed.sources, speed.target),
        "op": _op.dump_python(speed.op, mode="json"),
        "inputs": speed.sources,
        "output": speed.target,
        "forward": _pass(speed.forward, roof),
        "backward": _pass(speed.backward, roof),
    }


def _pass(found: Pass | None, roof: Roof) -> Plain | None:
    if found is None:
        return None
    return {
        **asdict(found.work),
        "intensity": found.intensity,
        "seconds": asdict(found.times),
        "gflops": found.rate,
        "of_peak": found.rate / roof.peak,
        "gbytes": found.throughput,
        "of_bandwidth": found.throughput / roof.bandwidth,
        "bound": "memory" if found.is_bound_by_memory(roof) else "arithmetic",
        "floor": found.floor(roof),
    }
