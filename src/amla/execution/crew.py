"""The executor that runs one trial at a time in several worker processes, which train its network together."""

from collections.abc import Callable
from multiprocessing.connection import wait
from pathlib import Path
from secrets import token_hex
from shutil import rmtree
from types import TracebackType
from typing import Self

from amla.execution.local import LOSSES, LocalExecutor
from amla.execution.work import Work, failure
from amla.trials.progress import Report, silent
from amla.trials.trial import Failure, Outcome, Trial, TrialId


class CrewExecutor:
    """Runs a trial in `size` workers at once, each with `threads` threads and `memory` bytes, kept for the next one.

    `work` returns what the member of a number, from 0, does, given a new folder for files by which members meet; such
    folders come and go in `meetings`. The first member's outcome is the trial's, once all have theirs, and `report`
    hears of its progress alone. As soon as one has failed or died, all are ended, which would wait for it for ever;
    then that is the outcome, and the next trial has a new crew. If somebody killed a member, a new crew takes the same
    trial. A trial without a budget trains nothing: the first
    member has it for itself. What a member prints goes to a folder of its own in `logs`.

    `wait` raises OSError where the machine is at fault and WorkerError where workers cannot start. The trial stays
    submitted: the next `wait` tries it again, with a new crew.
    """

    def __init__(
        self,
        work: Callable[[int, Path], Work],
        *,
        size: int,
        meetings: Path,
        threads: int,
        memory: int | None = None,
        report: Report = silent,
        logs: Path | None = None,
    ) -> None:
        if size < 1:
            raise ValueError(f"size is {size}; it must be 1 or more.")
        self._work, self._size, self._meetings = work, size, meetings
        self._threads, self._memory, self._report, self._logs = threads, memory, report, logs
        self._members: list[LocalExecutor] = []
        self._trial: Trial | None = None

    @property
    def idle(self) -> int:
        """How many more trials it can take now: 1 or 0."""
        return 0 if self._trial else 1

    def submit(self, trial: Trial) -> None:
        """Take a trial. Raises RuntimeError if it has one already."""
        if self._trial:
            raise RuntimeError(f"Trial {trial.id} was submitted while {self._trial.id} is to run; call wait() first.")
        self._trial = trial

    def wait(self) -> list[tuple[TrialId, Outcome]]:
        """Run the submitted trial, if there is one, and return its outcome."""
        if not self._trial:
            return []
        try:
            outcome = self._outcome(self._trial)
        except BaseException:
            self.close()
            raise
        trial, self._trial = self._trial, None
        return [(trial.id, outcome)]

    def close(self) -> None:
        """End all workers, and whatever they are doing."""
        members, self._members = self._members, []
        for member in members:
            member.close()
        rmtree(self._meetings, ignore_errors=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self.close()

    def _outcome(self, trial: Trial) -> Outcome:
        for _ in range(LOSSES):
            if (outcome := self._together(trial)) is not None:
                return outcome
        return failure("crashed", f"{LOSSES} crews lost a process with this trial, each of them killed.", 0.0)

    def _together(self, trial: Trial) -> Outcome | None:
        """Return what comes of a trial with one crew; None if somebody killed a member, after which it is ended."""
        if not self._members:
            self._begin()
        running = dict(enumerate(self._members if trial.proposal.budget else self._members[:1]))
        for member in running.values():
            member.submit(trial)
        outcomes: dict[int, Outcome] = {}
        while running:
            wait([file for member in running.values() for file in member.files])
            for number, member in list(running.items()):
                answers = member.wait(patience=0)
                if member.losses(trial.id):  # it would begin anew by itself, where no other one meets it
                    self.close()
                    return None
                for _, outcome in answers:
                    if isinstance(outcome, Failure):
                        self.close()
                        return self._named(outcome, number)
                    outcomes[number] = outcome
                    del running[number]
        return outcomes[0]

    def _begin(self) -> None:
        rmtree(self._meetings, ignore_errors=True)  # of crews that were killed together with their executor
        meeting = self._meetings / token_hex(8)
        meeting.mkdir(parents=True)
        for number in range(self._size):
            member = LocalExecutor(
                self._work(number, meeting),
                workers=1,
                threads=self._threads,
                memory=self._memory,
                report=silent if number else self._report,
                logs=self._logs / f"crew-{number + 1}" if self._logs else None,
            )
            self._members.append(member)

    def _named(self, found: Failure, number: int) -> Failure:
        """Return a failure that says which process it was, unless it is the first, which speaks for all."""
        if not number:
            return found
        message = f"In process {number + 1} of {self._size}: {found.message}"
        return failure(found.reason, message, found.seconds)
