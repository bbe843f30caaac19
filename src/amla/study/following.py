"""Sends a run to its trackers while it runs, from a process of its own: whatever they do, the search does not notice.

Run as `python -m amla.study.following FOLDER`. The first line of its input is the settings of the trackers, as JSON;
the end of its input, which comes when the process that drives the run has ended in whatever way, means that the run
goes on no further: what is left is sent, and it ends. A line of its output is a notice for the user.
"""

import os
import subprocess
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Event, Thread
from typing import IO

from pydantic import TypeAdapter

from amla.study.settings.places import TrackerSettings
from amla.study.tracking import Sender, sending, tracker_of

POLL, RETRY = 3.0, 30.0  # seconds between two looks at a run, and before a tracker that failed is tried again
PATIENCE = 60.0  # seconds for what is left in the end; it can be sent later
LOG = "logs/trackers.log"

_trackers: TypeAdapter[tuple[TrackerSettings, ...]] = TypeAdapter(tuple[TrackerSettings, ...])


@contextmanager
def followed(folder: Path, trackers: Sequence[TrackerSettings], notice: Callable[[str], None]) -> Iterator[None]:
    """Send what is written into a run folder to trackers meanwhile; a tracker that fails is a notice, and no more.

    In the end it waits for what is left to be sent, for a minute at most.
    """
    if not trackers:
        yield
        return
    try:
        process = _started(folder, trackers)
    except OSError as error:
        notice(f"the trackers could not be started ({error}); send the run later: amla track {folder}")
        yield
        return
    heard = Thread(target=_hear, args=(process.stdout, notice), daemon=True)
    heard.start()
    try:
        yield
    finally:
        _finish(process, folder, notice)
        heard.join(1.0)


def follow(
    folder: Path, settings: TrackerSettings, key: str, over: Event, say: Callable[[str], None], retry: float = RETRY
) -> None:
    """Send a run to a tracker until it is `over`. What goes wrong is told once; then all is tried again, from anew."""
    sender: Sender | None = None
    has_failed, pause = False, 0.0
    while True:
        last = over.wait(pause)
        try:
            sender = sender or Sender(folder, key, tracker_of(settings))
            sender.send()
            if last:
                sender.end()
                return
            pause = POLL
        except Exception as error:  # whatever a library may raise: nothing of it concerns the search
            traceback.print_exc()
            why = f"{settings.kind}: {str(error).splitlines()[0][:300] if str(error) else type(error).__name__}"
            if last:
                say(f"not all was sent to {why}; send it later: amla track {folder}")
                return
            if not has_failed:
                say(f"{why}; the search goes on, and what is missing will be sent again")
            sender, has_failed, pause = None, True, retry


def _started(folder: Path, trackers: Sequence[TrackerSettings]) -> "subprocess.Popen[str]":
    log = folder / LOG
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("a", encoding="utf-8") as errors:
        process = subprocess.Popen(  # noqa: S603 - no shell, and the command is our own
            [sys.executable, "-m", "amla.study.following", str(folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            encoding="utf-8",
            start_new_session=True,  # Ctrl-C ends the search; this one then sends what is left
        )
    assert process.stdin is not None  # noqa: S101 - as asked for
    with suppress(OSError):  # that it has ended already is seen in the end
        process.stdin.write(_trackers.dump_json(tuple(trackers)).decode() + "\n")
        process.stdin.flush()
    return process


def _hear(lines: IO[str], notice: Callable[[str], None]) -> None:
    for line in lines:
        notice(line.rstrip("\n"))


def _finish(process: "subprocess.Popen[str]", folder: Path, notice: Callable[[str], None]) -> None:
    assert process.stdin is not None  # noqa: S101 - as asked for
    with suppress(OSError):
        process.stdin.close()
    try:
        if process.wait(PATIENCE + 1):
            notice(f"the trackers ended with code {process.returncode}; see {folder / LOG}")
    except subprocess.TimeoutExpired:
        notice(f"the trackers do not end; what is left can be sent later: amla track {folder}")
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


def main(folder: Path) -> None:
    """Send a run to all its trackers, each in a thread, so that one that hangs holds up no other."""
    if hasattr(os, "nice"):
        os.nice(5)  # training goes first
    over = Event()
    trackers = _trackers.validate_json(sys.stdin.readline())

    def say(line: str) -> None:
        print(line, flush=True)  # noqa: T201 - that is how it speaks

    with sending(folder, waiting=True) as key:
        threads = [Thread(target=follow, args=(folder, one, key, over, say), daemon=True) for one in trackers]
        for thread in threads:
            thread.start()
        sys.stdin.read()  # until the driver has ended
        over.set()
        for thread in threads:
            thread.join(PATIENCE / len(threads))
        if any(thread.is_alive() for thread in threads):
            say(f"a tracker hangs; what is left can be sent later: amla track {folder}")
        sys.stdout.flush()
        os._exit(0)  # whatever hangs


if __name__ == "__main__":
    main(Path(sys.argv[1]))
