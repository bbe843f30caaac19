"""What many ask at once: found once for all of them, and since they asked."""

import gc
from threading import Event

import anyio
import pytest
from anyio import to_thread

from amla.services.together import Together


class Slow:
    """A thing that is found out when it may be; it counts how often."""

    def __init__(self) -> None:
        self.times, self.begins, self.may_end = 0, Event(), Event()

    def __call__(self) -> int:
        self.times += 1
        number = self.times
        self.begins.set()
        assert self.may_end.wait(60)
        if number == 2 and self.fails:
            raise LookupError
        return number

    fails = False


async def asked_during_one(together: Together, find: Slow, others: int) -> list[object]:
    """Return what the first and then the others got, who asked while the first answer was being found."""
    found: list[object] = [None] * (others + 1)

    async def ask(place: int) -> None:
        try:
            found[place] = await together.found("question", find)
        except LookupError:
            found[place] = LookupError

    async with anyio.create_task_group() as group:
        group.start_soon(ask, 0)
        await to_thread.run_sync(find.begins.wait, 60)
        for place in range(1, others + 1):
            group.start_soon(ask, place)
        await anyio.wait_all_tasks_blocked()
        find.may_end.set()
    return found


def test_who_asks_during_an_answer_gets_the_next_one_with_all_others():
    find = Slow()
    assert anyio.run(asked_during_one, Together(), find, 20) == [1] + 20 * [2]
    assert find.times == 2


def test_an_answer_is_never_older_than_its_question():
    find, together = Slow(), Together()
    find.may_end.set()

    async def one_after_another() -> list[int]:
        return [await together.found("question", find) for _ in range(3)]

    assert anyio.run(one_after_another) == [1, 2, 3]


def test_one_who_gets_an_error_leaves_it_to_the_next():
    find = Slow()
    find.fails = True
    assert anyio.run(asked_during_one, Together(), find, 3) == [1, LookupError, 3, 3]


def test_different_questions_do_not_wait_for_one_another():
    find, together = Slow(), Together()

    async def asks() -> None:
        async with anyio.create_task_group() as group:
            group.start_soon(together.found, "slow", find)
            await to_thread.run_sync(find.begins.wait, 60)
            assert await together.found("quick", lambda: "answer") == "answer"
            find.may_end.set()

    anyio.run(asks)


def test_what_nobody_asks_any_more_is_forgotten():
    together = Together()

    async def asks() -> None:
        with pytest.raises(ZeroDivisionError):
            await together.found("wrong", lambda: 1 // 0)
        assert await together.found("right", lambda: 1) == 1

    anyio.run(asks)
    gc.collect()  # the frames of what was raised
    assert not together._asked
