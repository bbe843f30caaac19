"""How many trials train at once, with how many threads each: by measurement, not by habit.

A training step of the first network is timed with w workers of t threads, for all powers of two that the cores allow. A
search that can use several trials at once takes the arrangement that trains most; one that cannot, and the final
training, the number of threads that is best for a single trial.
"""

import json
import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from hashlib import blake2b
from importlib import metadata
from math import inf

from pydantic import TypeAdapter

from amla import __version__
from amla.algorithms.protocol import Algorithm
from amla.backends import processor
from amla.spec.architecture import Architecture
from amla.spec.digest import digest
from amla.spec.values import value
from amla.storage.files import Files
from amla.study import plan
from amla.study.settings.places import Inline, OnThisMachine
from amla.study.study import Study
from amla.study.timing import Arrangement, Opened, Timing, timed
from amla.tasks import cache
from amla.tasks.recipe import Recipe
from amla.trials.history import History
from amla.trials.trial import Proposal

FILE = "arrangement.json"  # in a run folder
MOST, SHARE = 180.0, 0.1  # seconds, and share of a limit of seconds, after which no further arrangement is timed
TIE = 0.03  # figures that differ by less are as good as equal: then fewer cores are better, and fewer workers


@value
class Arranged:
    """In which arrangements a study trains, and by which figures, if any; `seconds` is what measuring them took.

    `opening` is what had passed before, since the study was asked for.
    """

    search: Arrangement
    final: Arrangement
    timings: tuple[Timing, ...] = ()
    seconds: float = 0.0
    opening: float = 0.0

    def steps(self, arrangement: Arrangement) -> float | None:
        """Return the steps a second of an arrangement, None if they are not known."""
        return next((timing.steps for timing in self.timings if timing.arrangement == arrangement), None)

    def starting(self, arrangement: Arrangement) -> float:
        """Return the seconds that starting the workers of an arrangement takes, 0 if that is not known."""
        return next((timing.starting for timing in self.timings if timing.arrangement == arrangement), 0.0)

    @property
    def pace(self) -> float:
        """How fast one worker of the search trains, the final training being 1; by threads, where it is not known."""
        together, alone = self.steps(self.search), self.steps(self.final)
        if together and alone:
            return together / self.search.workers / alone
        return min(1.0, self.search.threads / self.final.threads)


@value
class _Figures:
    """What is kept for the next study: what was timed where, and how fast it was."""

    of: dict[str, str]
    timings: tuple[Timing, ...]


_arranged, _figures = TypeAdapter(Arranged), TypeAdapter(_Figures)


def recorded(files: Files) -> Arranged | None:
    """Return what a run folder says that its study was arranged like, None if it does not."""
    try:
        return _arranged.validate_json(files.read_text(FILE))
    except (OSError, ValueError):
        return None


def record(files: Files, arranged: Arranged) -> None:
    """Write it into a run folder."""
    files.write_text(FILE, _arranged.dump_json(arranged, indent=1).decode() + "\n")


def arrange(
    study: Study,
    settings: OnThisMachine,
    algorithm: Algorithm,
    batch: int,
    opened: Opened,
    announce: Callable[[Sequence[Arrangement]], None],
) -> Arranged:
    """Return how a study is arranged best, as far as its executor's `settings` leave a choice.

    `announce` is told what is going to be timed, if anything is. Figures come from AMLA_CACHE if the same network was
    timed there on such a machine, and else are left there. Nothing is timed where there is no choice, nor a leg to
    plan whose workers slow each other down.
    """
    network = plan.first(algorithm)
    macs = [leg.macs for leg in plan.foreseen(algorithm, plan.LEAST_STEPS)[: study.limit.trials]]
    searching = candidates(settings, processor.cores(), min(at_once(algorithm), max(1, len(macs))))
    finishing = candidates(settings, processor.cores(), 1)
    planned = study.limit.seconds is not None and searching != finishing
    if network is None or (len(searching) == len(finishing) == 1 and not planned):
        return Arranged(searching[0], finishing[0])
    needed = tuple(dict.fromkeys(searching + finishing))
    of = _described(study, network, batch)
    timings, seconds = _remembered(of, needed), 0.0
    if not timings:
        announce(needed)
        allowed = min(MOST, SHARE * (study.limit.seconds or inf))
        proposal = Proposal(network, 0, seed=study.seed, keep=False)
        timings, seconds = timed(needed, (searching[0], finishing[0]), proposal, opened, allowed)
        if len(timings) == len(needed) and any(timing.steps for timing in timings):
            _remember(of, timings)
    return Arranged(_best(timings, searching, macs), _best(timings, finishing, macs), timings, seconds)


def candidates(settings: OnThisMachine, cores: int, trials: int) -> tuple[Arrangement, ...]:
    """Return the arrangements that a study may have, of which `trials` may run at once.

    First comes the usual one, with all cores and the fewest workers; then the widest and the most parallel ones. If
    their number is free, several workers with less than half of the cores are not worth a trial.
    """
    workers = 1 if isinstance(settings, Inline) else settings.workers
    counts = _powers(min(cores, trials)) if workers == "auto" else (min(workers, trials),)
    found = [Arrangement(count, threads) for count in counts for threads in _threads(settings, cores, count)]
    found = [a for a in found if a.workers * a.threads <= cores] or found[:1]
    usual = max(found, key=lambda a: (a.workers * a.threads, -a.workers))
    least = usual.workers * usual.threads / 2 if workers == "auto" else 0
    found = [a for a in found if a.workers == 1 or a.workers * a.threads >= least]
    mixed = {a: min(a.workers, a.threads) > 1 for a in found}
    return tuple(sorted(found, key=lambda a: (a != usual, mixed[a], -a.workers * a.threads, a.workers)))


def _threads(settings: OnThisMachine, cores: int, workers: int) -> tuple[int, ...]:
    """Return how many threads each of so many workers may have; whoever sets OMP_NUM_THREADS does not want more."""
    match settings.threads:
        case "auto":
            said = os.environ.get("OMP_NUM_THREADS", "")
            most = min(cores, int(said)) if said.isdecimal() and int(said) else cores
            return tuple(threads for threads in _powers(most) if workers * threads <= cores) or (1,)
        case None:
            return (max(1, cores // workers),)
        case threads:
            return (threads,)


def _powers(most: int) -> tuple[int, ...]:
    """Return the powers of two up to `most`, and `most`."""
    return tuple(sorted({2**power for power in range(most.bit_length())} | {most}))


def at_once(algorithm: Algorithm) -> int:
    """Return how many trials an algorithm asks for before it is told of any, as far as is foreseen."""
    history = History()
    while len(history) < plan.FORESEEN and (proposal := algorithm.ask(history)):
        history = history.asked(proposal)
    return max(1, len(history))


def _best(timings: Sequence[Timing], among: Sequence[Arrangement], macs: Sequence[int]) -> Arrangement:
    """Return in which arrangement networks of so many MACs are trained first; the usual one where nothing is known."""
    times = {
        timing.arrangement: plan.makespan(macs, timing.arrangement.workers) * timing.arrangement.workers / timing.steps
        for timing in timings
        if timing.arrangement in among and timing.steps
    }
    good = [arrangement for arrangement, time in times.items() if time <= (1 + TIE) * min(times.values())]
    return min(good, key=lambda a: (a.workers * a.threads, a.workers), default=among[0])


def _described(study: Study, network: Architecture, batch: int) -> dict[str, str]:
    """Return all that the figures depend on; how busy the machine was is not known beforehand."""
    try:
        torch = metadata.version("torch")
    except metadata.PackageNotFoundError:
        torch = "none"
    recipe = TypeAdapter(Recipe).dump_json(study.recipe)
    return {
        "processor": f"{processor.name()}, {processor.cores()} cores",
        "amla": __version__,
        "torch": torch,
        "device": str(getattr(study.backend, "device", None)),
        "network": digest(network),
        "batch": str(batch),
        "recipe": blake2b(recipe, digest_size=8).hexdigest(),
    }


def _remembered(of: dict[str, str], needed: Sequence[Arrangement]) -> tuple[Timing, ...] | None:
    """Return the figures of an earlier study if all that are needed are there: those of two moments do not compare."""
    with suppress(OSError, ValueError):
        found = _figures.validate_json(Files(cache.folder(None)).read_text(_name(of)))
        if found.of == of and {timing.arrangement for timing in found.timings} >= set(needed):
            return found.timings
    return None


def _remember(of: dict[str, str], timings: tuple[Timing, ...]) -> None:
    with suppress(OSError):  # without a cache the next study times again
        Files(cache.folder(None)).write_text(_name(of), _figures.dump_json(_Figures(of, timings), indent=1).decode())


def _name(of: dict[str, str]) -> str:
    return f"arrangements/{blake2b(json.dumps(of).encode(), digest_size=8).hexdigest()}.json"
