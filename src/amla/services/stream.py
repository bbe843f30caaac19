"""What happens in a study, as a stream of server-sent events that can be taken up where it was cut off."""

import re
from collections.abc import AsyncIterator, Callable
from http import HTTPStatus
from pathlib import Path

from anyio import sleep, to_thread

from amla.services.documents import Document
from amla.services.logbook import NOTHING, Seen, mark, since
from amla.services.problems import Problem
from amla.services.wire import Standing

PAUSE = 0.2  # seconds between two looks at a log in a file
REMOTE_PAUSE = 1.0  # at one in a database
SILENCE = 15.0  # seconds after which something is said, so that no one between takes the line for dead
STANDING: Document[Standing] = Document(Standing)


def seen(last_event_id: str | None) -> Seen:
    """Return what the header Last-Event-ID says was seen. Raises Problem for what is no id of ours."""
    if not last_event_id:
        return NOTHING
    if not re.fullmatch(r"\d{1,12}-\d{1,12}-\d{1,12}", last_event_id, re.ASCII):
        raise Problem(
            HTTPStatus.BAD_REQUEST, f"Last-Event-ID is {last_event_id[:80]!r}; send one of this stream, or none."
        )
    rehearsal, search, final = map(int, last_event_id.split("-"))
    return rehearsal, search, final


async def stream(folder: Path, standing: Callable[[], Standing], after: Seen) -> AsyncIterator[bytes]:
    """Yield the events of a study after those that were seen, and its standing whenever that changes.

    `event: trial` has a `Happened`, `event: study` a `Standing`. It ends with the study.
    """
    told: Standing | None = None
    looked, quiet = None, 0.0
    while True:
        now = await to_thread.run_sync(standing)  # before the log is read, so that no event is behind the last standing
        state = await to_thread.run_sync(mark, folder)
        events = [] if state == looked is not None else await to_thread.run_sync(since, folder, after)
        for after, body in events:
            yield _message("trial", body, after)
        if now.state != (told.state if told else None):
            told = now
            yield _message("study", STANDING.dumped(now), after)
        if events:
            quiet = 0.0
            continue
        looked = state
        if now.is_over:
            return
        pause = PAUSE if state is not None else REMOTE_PAUSE
        if (quiet := quiet + pause) > SILENCE:
            quiet = 0.0
            yield b": still here\n\n"
        await sleep(pause)


def _message(kind: str, body: bytes, after: Seen) -> bytes:
    return b"event: %s\nid: %s\ndata: %s\n\n" % (kind.encode(), "-".join(map(str, after)).encode(), body)
