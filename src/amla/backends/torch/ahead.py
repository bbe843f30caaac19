"""Batches read ahead: while one is trained on, the next ones are fetched, decoded and cropped in another thread."""

from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Generic, TypeVar

Key = TypeVar("Key")
Made = TypeVar("Made")


class Ahead(Generic[Key, Made]):
    """Makes things by key, in one thread, before they are asked for; it ends with this object.

    Holds no more than the keys that it was last told of. What making raises is raised where a thing is asked for.
    """

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(1)
        self._waiting: dict[Key, Future[Made]] = {}

    def get(self, key: Key, coming: Iterable[Key], make: Callable[[Key], Made]) -> Made:
        """Return what is made of a key, having begun with those that are probably asked for next."""
        before, self._waiting = self._waiting, {}
        for each in (key, *coming):
            self._waiting[each] = before.pop(each) if each in before else self._pool.submit(make, each)
        for dropped in before.values():
            dropped.cancel()
        return self._waiting[key].result()
