"""The final answers of two runs of one study, compared: what differs is said in words."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from amla.storage.errors import DamagedFile
from amla.storage.files import Files
from amla.study.arrangement import Arranged, recorded
from amla.study.folder import BEST, WEIGHTS, Run, read
from amla.study.phases import FINAL
from amla.trials.history import History
from amla.trials.trial import Failure, Measurement, Outcome, Trial

NAMES = {FINAL: "final training"}  # of phases that are called otherwise than they are named
TIMES = {"step_seconds", "latency", "latency_spread"}  # metrics that are measured times
MOST = 8  # differences that are told; the rest follows from them


def differences(undisturbed: Path, other: Path) -> list[str]:
    """Return how the answer of another run differs from that of the undisturbed one; nothing if it is the same.

    Compared are the recommended network, every trial with its measurement but for times, and the weights bit for bit.
    On other devices than a CPU training does not repeat exactly: there, only the trials asked for are compared.
    """
    one, two = read(undisturbed), read(other)
    found = list(_networks(undisturbed, other)) if is_exact(one) else []
    for phase, history in one.phases.items():
        found += _histories(NAMES.get(phase, phase), history, two.phases[phase], is_exact(one))
    if is_exact(one):
        found += _weights(Files(undisturbed), Files(other))
    if found and (why := _arrangements(recorded(Files(undisturbed)), recorded(Files(other)))):
        found.insert(0, why)
    return found[:MOST] + ([f"and {len(found) - MOST} more"] if len(found) > MOST else [])


def is_exact(run: Run) -> bool:
    """Return whether all that a run trained was trained on CPUs, where training repeats exactly."""
    done = (trial for history in run.phases.values() for trial in history.done)
    devices = {trial.measurement.cost.device for trial in done if trial.measurement.cost}
    return all(device.startswith("cpu") for device in devices)


def _networks(one: Path, two: Path) -> Iterator[str]:
    texts = [(folder / BEST).read_text(encoding="utf-8") if (folder / BEST).exists() else None for folder in (one, two)]
    if texts[1] is None:
        yield f"there is no {BEST}"
    elif texts[0] != texts[1]:
        yield f"another network is recommended: {BEST} differs"


def _histories(phase: str, one: History, two: History, exact: bool) -> Iterator[str]:
    if len(one) != len(two):
        yield f"{phase}: {len(two)} trials instead of {len(one)}"
    for here, there in zip(one.trials, two.trials, strict=False):
        yield from _trials(f"trial {here.id} of the {phase}", here, there, exact)


def _trials(which: str, one: Trial, two: Trial, exact: bool) -> Iterator[str]:
    if exact and one.proposal != two.proposal:
        what = "another network" if one.proposal.architecture != two.proposal.architecture else "other terms"
        yield f"{which} was asked for with {what}"
    elif exact and (why := _outcomes(one.outcome, two.outcome)):
        yield f"{which}: {why}"
    elif type(one.outcome) is not type(two.outcome):
        yield f"{which}: {_told(two.outcome)} instead of {_told(one.outcome)}"


def _outcomes(one: Outcome | None, two: Outcome | None) -> str | None:
    match one, two:
        case Measurement(), Measurement():
            for name in (one.metrics.keys() | two.metrics.keys()) - TIMES:
                if not _equal(was := one.metrics.get(name), now := two.metrics.get(name)):
                    return f"{name} is {now} instead of {was}"
            return None if _readings(one) == _readings(two) else "what the probes read differs"
        case Failure(reason=was), Failure(reason=now) if was == now:
            return None
        case None, None:
            return None
    return f"{_told(two)} instead of {_told(one)}"


def _equal(one: float | None, two: float | None) -> bool:
    return one == two or (one is not None and two is not None and one != one and two != two)


def _readings(measured: Measurement) -> str:
    return repr({probe: dict(sorted(nodes.items())) for probe, nodes in sorted(measured.statistics.items())})


def _told(outcome: Outcome | None) -> str:
    match outcome:
        case Measurement():
            return "a measurement"
        case Failure(reason=reason, message=message):
            return f"a failure ({reason}: {message.splitlines()[0] if message else ''})"
        case _:
            return "no outcome"


def _weights(one: Files, two: Files) -> Iterator[str]:
    try:
        (was, _), (now, _) = one.load_weights("best"), two.load_weights("best")
    except (FileNotFoundError, DamagedFile) as error:
        yield f"{WEIGHTS}: {error}"
        return
    if was.keys() != now.keys():
        yield f"{WEIGHTS} has other weights: {', '.join(sorted(was.keys() ^ now.keys())[:3])}"
    for name in sorted(was.keys() & now.keys()):
        if was[name].shape != now[name].shape or was[name].tobytes() != now[name].tobytes():
            yield f"{WEIGHTS}: {name} differs{_how_far(was[name], now[name])}"


def _how_far(was: np.ndarray, now: np.ndarray) -> str:
    return f", by up to {np.abs(was - now).max():.2g}" if was.shape == now.shape else " in shape"


def _arrangements(one: Arranged | None, two: Arranged | None) -> str | None:
    """Return that two runs trained with different workers or threads, which is why they differ in the last digits."""
    if one is None or two is None or (one.search, one.final) == (two.search, two.final):
        return None
    return (
        f"they trained in different arrangements ({two.search}, {two.final} instead of {one.search}, {one.final}), so "
        "sums were rounded differently; give executor.workers and executor.threads as numbers"
    )
