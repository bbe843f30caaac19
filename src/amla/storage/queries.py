"""The questions that an event log is asked: made once, as making one takes longer than answering it."""

from functools import cache
from typing import Any

from sqlalchemy import Select, bindparam, func, select

from amla.storage.tables import event

_first, _end = bindparam("first", type_=event.c.sequence.type), bindparam("end", type_=event.c.trial.type)
EVENTS = (
    select(event.c.sequence, event.c.kind, event.c.trial, event.c.body)
    .where(event.c.study == bindparam("study", type_=event.c.study.type))
    .order_by(event.c.sequence)
)
AFTER = EVENTS.where(event.c.sequence >= _first)
PART = AFTER.limit(bindparam("most", type_=event.c.sequence.type))
OF_TRIALS = EVENTS.where(event.c.trial >= _first, event.c.trial < _end)


@cache
def ends(count: int) -> Select[Any]:
    """Return the query of the last event and the last trial of so many studies."""
    named = [bindparam(f"study_{place}", type_=event.c.study.type) for place in range(count)]
    columns = event.c.sequence, event.c.trial
    return select(
        *(select(func.max(each)).where(event.c.study == study).scalar_subquery() for study in named for each in columns)
    )
