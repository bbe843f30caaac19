"""What happens in a study, as a stream of server-sent events that can be taken up where it was cut off."""

import re
from collections.abc import AsyncIterator, Callable, Hashable
from http import HTTPStatus
from pathlib import Path
from threading import Lock
from time import monotonic

from anyio import sleep

from amla.services.documents import Document
from amla.services.logbook import NOTHING, Seen, mark, since
from amla.services.packing import Part
from amla.services.problems import Problem
from amla.services.together import Together
from amla.services.wire import Count, Standing
from amla.study.log import PHASES

PAUSE = 0.2  # seconds between two looks at a log in a file
REMOTE_PAUSE = 1.0  # at one in a database
SILENCE = 15.0  # seconds after which something is said, so that no one between takes the line for dead
KEPT = 16 << 20  # bytes of a stream that are kept for those who have not told them yet
STANDING: Document[Standing] = Document(Standing)


def seen(last_event_id: str | None) -> Seen:
    """Return what the header Last-Event-ID says was seen. Raises Problem for what is no id of ours."""
    if not last_event_id:
        return NOTHING
    if not re.fullmatch(r"\d{1,12}" + (len(PHASES) - 1) * r"-\d{1,12}", last_event_id, re.ASCII):
        raise Problem(
            HTTPStatus.BAD_REQUEST, f"Last-Event-ID is {last_event_id[:80]!r}; send one of this stream, or none."
        )
    return tuple(map(int, last_event_id.split("-")))


class Watched:
    """One study as all its streams see it. Whichever wakes first looks at it for all of them.

    `now` is its standing when its log was last looked at, `seen` how far that went. What is new is read and written as
    parts, which all streams that have got as far tell alike. For one that is far behind, as its reader is slow or has
    just come, they are read again: of what was not sent to it, no more than one part is kept for it alone.
    """

    def __init__(self, folder: Path, standing: Callable[[], Standing], together: Together) -> None:
        self._folder, self._standing, self._together = folder, standing, together
        self.now: Standing | None = None
        self.seen: Seen = NOTHING
        self._parts: dict[Seen, tuple[Part, Seen]] = {}  # by what was seen before
        self._kept = 0  # bytes of them
        self._state: Hashable = None
        self._looked, self.pause = -REMOTE_PAUSE, PAUSE
        self._keeping = Lock()  # parts

    async def look(self) -> None:
        """Look what is new, unless somebody just has. Of what was there before the first look, nothing is read."""
        if monotonic() - self._looked >= self.pause:
            await self._together.found((self._folder, "look"), self._look)

    async def part(self, after: Seen) -> tuple[Part, Seen] | None:
        """Return what comes after what was seen, and what is seen then; None if that was all so far."""
        if found := self._parts.get(after):
            return found
        if all(mine >= all_there_is for mine, all_there_is in zip(after, self.seen, strict=True)):
            return None
        return await self._together.found((self._folder, after), lambda: self._part(after))

    def _look(self) -> None:
        if monotonic() - self._looked < self.pause:
            return
        now = self._standing()  # before the log is read: no event is behind the last one
        if self.now is None:
            phases = (now.phases.get(phase, Count(0, 0)) for phase in PHASES)
            self.seen = tuple(count.asked + count.told for count in phases)
        state = mark(self._folder)
        if state is None or state != self._state:
            while found := _written(since(self._folder, self.seen)):
                self._keep(self.seen, found)
                self.seen = found[1]
        self.now, self._state, self._looked = now, state, monotonic()
        self.pause = PAUSE if state is not None else REMOTE_PAUSE

    def _part(self, after: Seen) -> tuple[Part, Seen] | None:
        """Return, and keep, what comes after what was seen, up to where the log was last looked at."""
        if found := _written(since(self._folder, after, self.seen)):
            self._keep(after, found)
        return found

    def _keep(self, after: Seen, found: tuple[Part, Seen]) -> None:
        with self._keeping:
            if after not in self._parts:
                self._parts[after] = found
                self._kept += len(found[0].text)
            while self._kept > KEPT and len(self._parts) > 1:
                self._kept -= len(self._parts.pop(next(iter(self._parts)))[0].text)


async def stream(watched: Watched, after: Seen) -> AsyncIterator[Part]:
    """Yield the events of a study after those that were seen, and its standing whenever that changes.

    `event: trial` has a `Happened`, `event: study` a `Standing`. It ends with the study.
    """
    told: Standing | None = None
    quiet = 0.0
    while True:
        await watched.look()
        now, is_new = watched.now, False
        while part := await watched.part(after):
            is_new, after = True, part[1]
            yield part[0]
        if now is not None and now.state != (told.state if told else None):
            told = now
            yield Part(_message("study", STANDING.dumped(now), after))
        if now is not None and now.is_over:
            return
        quiet = 0.0 if is_new else quiet + watched.pause
        if quiet > SILENCE:
            quiet = 0.0
            yield Part(b": still here\n\n")
        await sleep(watched.pause)


def _written(events: list[tuple[Seen, bytes]]) -> tuple[Part, Seen] | None:
    """Return events as a part of a stream, and what is seen after it; None if there are none."""
    return (
        (Part(b"".join(_message("trial", body, number) for number, body in events)), events[-1][0]) if events else None
    )


def _message(kind: str, body: bytes, after: Seen) -> bytes:
    return b"event: %s\nid: %s\ndata: %s\n\n" % (kind.encode(), "-".join(map(str, after)).encode(), body)
