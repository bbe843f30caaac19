"""A study whose trials run on worker services: how many at once, and what these are told."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from secrets import token_hex

from amla.algorithms.protocol import Algorithm
from amla.execution.errand import Terms
from amla.execution.http import HttpExecutor
from amla.execution.sites import slots
from amla.execution.work import WorkerError
from amla.storage.files import Files
from amla.study.arrangement import Arranged, at_once
from amla.study.assignment import assignment
from amla.study.settings.places import Http
from amla.study.study import Study
from amla.study.timing import Arrangement
from amla.study.underway import Underway
from amla.trials import calls
from amla.trials.progress import Report
from amla.trials.trial import TrialId

RUN = "run.id"  # in a run folder: by what worker services know its trials again


@dataclass(frozen=True)
class InFiles:
    """The snapshots of a phase, as the bytes of their files."""

    files: Files
    phase: str

    def read(self, trial_id: TrialId) -> bytes:
        """Return what a trial left. Raises FileNotFoundError."""
        return self.files.packed(f"{self.phase}/{trial_id}")

    def write(self, trial_id: TrialId, content: bytes) -> None:
        """Keep what a trial left. Raises DamagedFile for what is no snapshot."""
        self.files.save_packed(f"{self.phase}/{trial_id}", content)


@contextmanager
def http_executor(
    underway: Underway, http: Http, phase: str, workers: int, seconds: float | None, report: Report
) -> Iterator[HttpExecutor]:
    """Yield what sends the trials of a phase to worker services, and end them."""
    task = assignment(underway.study, phase, underway.task.dataset.fingerprint)
    terms = Terms(_run(underway.files), phase, task, http.threads, seconds, http.memory)
    with HttpExecutor(
        http.urls,
        terms,
        InFiles(underway.files, phase),
        workers=workers,
        headers=_headers(terms.run),
        lease=http.lease,
        patience=http.patience,
        report=report,
    ) as executor:
        yield executor


def arranged_by(http: Http, study: Study, algorithm: Algorithm) -> Arranged:
    """Return how many trials of a study run at once: as many as it says, or as its worker services have slots for.

    Nothing is timed: a worker has the cores that it has. Raises WorkerError where no service answers.
    """
    threads = http.threads or 1
    workers = _slots(http.urls, http.lease) if http.workers == "auto" else http.workers
    workers = min(workers, at_once(algorithm), study.limit.trials or workers)
    return Arranged(Arrangement(workers, threads), Arrangement(1, threads))


def _slots(urls: Sequence[str], lease: float) -> int:
    found, silent = slots(urls, lease, calls.headers())
    if not found:
        why = "\n".join(f"  {line}" for line in silent)
        raise WorkerError(
            f"No worker service answers:\n{why}\nStart one, such as `amla serve --role worker`, and the same command "
            "again. To begin without, give executor.workers as a number."
        )
    return found


def _headers(run: str) -> dict[str, str]:
    """Return what goes with every request: the token, and a trace that is the same for all of this run."""
    with calls.within(calls.current() or calls.Trace(run, run[:16])):
        return calls.headers()


def _run(files: Files) -> str:
    """Return by what worker services know the trials of this run: the same when it goes on, and of no other run."""
    try:
        return files.read_text(RUN).strip()
    except FileNotFoundError:
        files.write_text(RUN, f"{token_hex(16)}\n")
        return files.read_text(RUN).strip()
