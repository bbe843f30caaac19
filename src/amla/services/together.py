"""Answers that many readers want at once: each is found once for all of them, and none is older than its question."""

from collections.abc import Callable, Hashable
from typing import Any, TypeVar
from weakref import WeakValueDictionary

from anyio import CapacityLimiter, Lock, to_thread

T = TypeVar("T")

AT_ONCE = 16  # answers; more threads would wait for one another, and each keeps memory of its own to allocate from


class _Asked:
    """What is asked for: how often it was begun to be found; which of these times found something last, and what."""

    def __init__(self) -> None:
        self.lock = Lock()
        self.begun = self.last = 0
        self.found: Any = None


class Together:
    """Finds answers in threads, a few at a time, and of each question one.

    Whoever asks while an answer is being found waits for the next one, with all others who do. So what a reader gets
    was found after it asked; and however many ask, an answer is found no more often than one after another.
    """

    def __init__(self) -> None:
        self._threads = CapacityLimiter(AT_ONCE)
        self._asked: WeakValueDictionary[Hashable, _Asked] = WeakValueDictionary()  # as long as somebody waits

    async def found(self, question: Hashable, find: Callable[[], T]) -> T:
        """Return what `find` returns or raises, called since this was asked, by this or by another one who asked."""
        if (asked := self._asked.get(question)) is None:
            asked = self._asked[question] = _Asked()
        before = asked.begun
        async with asked.lock:
            if asked.last <= before:
                asked.begun += 1
                asked.found = await to_thread.run_sync(find, limiter=self._threads)
                asked.last = asked.begun
            found: T = asked.found
            return found
