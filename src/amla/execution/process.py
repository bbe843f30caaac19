"""A worker process as its parent sees it: started, sent trials, listened to, ended."""

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from time import monotonic
from typing import BinaryIO, cast

from amla.execution import wire
from amla.trials.trial import Trial

GRACE = 2.0  # seconds that an idle worker has to end in good order
_CHUNK = 1 << 16  # bytes read at a time
_LAST = 8192  # bytes of a worker's output among which its last words are looked for
_LINES, _WIDTH = 10, 200  # of them that are shown
_LONG = 1 << 20  # bytes of output that nobody asked to keep, after which it is thrown away
_THREADS = ("OMP", "MKL", "OPENBLAS", "NUMEXPR")  # each reads its own <name>_NUM_THREADS


class WorkerProcess:
    """One worker. It leads a session of its own: no Ctrl-C reaches it, and what its trials start ends with it.

    `trial` is what it was sent, `since` when, and has not answered; `begun` says that it has read it, and `ready`
    that it has its evaluator. `ended` is found by listening. What the worker prints goes to `log`, or to a temporary
    file; `last_words` are the end of it, once there is one.
    """

    def __init__(self, start: wire.Start, threads: int, log: Path | None) -> None:
        self.trial: Trial | None = None
        self.since = 0.0
        self._starved: int | None = None  # how many processes had been killed for want of memory by then
        self.ready = self.begun = self.ended = False
        self.last_words = ""
        self._received = b""
        self._keeps_log = log is not None
        self._log = _opened(log)
        self._log_start = os.fstat(self._log.fileno()).st_size
        requests, self._requests = os.pipe()
        self._answers, answers = os.pipe()
        os.set_blocking(self._answers, False)
        self._files = [self._answers]
        try:
            self._process = subprocess.Popen(  # noqa: S603 - no shell, and the command is our own
                [*_COMMAND, str(requests), str(answers), str(os.getpid())],
                stdin=subprocess.DEVNULL,
                stdout=self._log,
                stderr=self._log,
                pass_fds=(requests, answers),
                start_new_session=True,
                env=_environment(threads),
            )
        except BaseException:
            self._close()
            raise
        finally:
            os.close(requests)
            os.close(answers)
        if sys.platform == "linux":
            # Without it, a child of a worker that was killed would keep the pipe open and its death a secret.
            self._files.append(os.pidfd_open(self._process.pid))
        self._send(wire.start.dump_json(start))

    @property
    def is_idle(self) -> bool:
        """Whether it could begin a trial at once."""
        return self.ready and self.trial is None and not self.ended

    @property
    def may_be_too_large(self) -> bool:
        """Whether the system has killed processes for want of memory since the trial was sent, or does not say so."""
        return self._starved is None or starved() != self._starved

    @property
    def files(self) -> tuple[int, ...]:
        """The files of which one becomes readable when the worker has said something, or has ended."""
        return tuple(self._files)

    def send(self, trial: Trial) -> None:
        """Let an idle worker begin a trial. That it is dead by now is found by listening."""
        if not self._keeps_log and os.fstat(self._log.fileno()).st_size > _LONG:
            os.truncate(self._log.fileno(), 0)
            self._log_start = 0
        self.trial, self.begun, self.since, self._starved = trial, False, monotonic(), starved()
        self._send(wire.trial.dump_json(trial))

    def receive(self) -> Iterator[wire.Message]:
        """Yield what the worker has said since; set `ended` if there will be no more."""
        has_ended = self._process.poll() is not None  # asked first: what it said before is in the pipe by now
        while chunk := self._read():
            *lines, self._received = (self._received + chunk).split(b"\n")
            for line in lines:
                yield wire.message.validate_json(line)
        self.ended = self.ended or has_ended

    def release(self) -> None:
        """Let the worker end: an idle one in good order, a busy one at once."""
        if not self.is_idle:
            self.kill()
        elif self._requests >= 0:
            os.close(self._requests)
            self._requests = -1

    def end(self) -> int | None:
        """Wait until the worker has ended, and return its exit code; None if it would not end and was killed."""
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(GRACE)
        code = self._process.returncode
        self.kill()
        self._process.wait()
        self.last_words = self._tail()
        self._close()
        return cast("int | None", code)

    def _send(self, line: bytes) -> None:
        left = memoryview(line + b"\n")
        with suppress(BrokenPipeError):
            while left:
                left = left[os.write(self._requests, left) :]

    def _read(self) -> bytes:
        """Return what can be read now, empty if nothing can."""
        try:
            chunk = os.read(self._answers, _CHUNK)
        except BlockingIOError:
            return b""
        if not chunk:
            self.ended = True
        return chunk

    def kill(self) -> None:
        """Kill the worker and whatever it has started."""
        with suppress(ProcessLookupError, PermissionError):  # the latter of a group of zombies, on macOS
            os.killpg(self._process.pid, signal.SIGKILL)

    def _tail(self) -> str:
        size = os.fstat(self._log.fileno()).st_size
        first = max(self._log_start, size - _LAST)
        written = os.pread(self._log.fileno(), size - first, first).decode(errors="replace")
        lines = written.strip().splitlines()
        fatal = [place for place, line in enumerate(lines) if line.startswith("Fatal Python error")]
        begin = fatal[-1] - 2 if fatal else len(lines) - _LINES  # the stack after it begins with what matters
        return "\n".join(line[-_WIDTH:] for line in lines[max(0, begin) :][:_LINES])

    def _close(self) -> None:
        for file in (*self._files, self._requests):
            if file >= 0:
                os.close(file)
        self._files, self._requests = [], -1
        self._log.close()


_COMMAND = (sys.executable, "-u", "-P", "-X", "faulthandler", "-m", "amla.execution.worker")


def _opened(log: Path | None) -> BinaryIO:
    """Return the file for a worker's output, which is only ever appended to."""
    if log is not None:
        log.parent.mkdir(parents=True, exist_ok=True)
        return log.open("ab+")
    handle, name = tempfile.mkstemp(prefix="amla-worker-", suffix=".log")
    os.close(handle)
    file = open(name, "ab+")  # noqa: SIM115 - it stays open as long as its worker lives
    os.unlink(name)
    return file


def _environment(threads: int) -> dict[str, str]:
    """Return this process's environment, in which numeric libraries use that many threads and imports work as here."""
    pinned = {f"{library}_NUM_THREADS": str(threads) for library in _THREADS}
    return {**os.environ, **pinned, "PYTHONPATH": search_path()}


def starved() -> int | None:
    """Return how many processes Linux has killed for want of memory since it was started; None where it is not said."""
    try:
        lines = Path("/proc/vmstat").read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) for line in lines if line.startswith("oom_kill ")), None)


def search_path() -> str:
    """Return where this process looks for modules, as the variable PYTHONPATH."""
    return os.pathsep.join(folder or os.getcwd() for folder in sys.path)
