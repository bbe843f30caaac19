"""From the rows of an event log to the history that they tell, or to the first row that does not fit."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from pydantic import ConfigDict, TypeAdapter, ValidationError

from amla.spec.text import explain
from amla.trials.history import History
from amla.trials.trial import Outcome, Proposal

proposals: TypeAdapter[Proposal] = TypeAdapter(Proposal)
outcomes: TypeAdapter[Outcome] = TypeAdapter(Outcome, config=ConfigDict(ser_json_inf_nan="constants"))


@dataclass(frozen=True)
class Fault:
    """An event that cannot be used, and why."""

    sequence: int
    kind: str
    trial: int
    why: str


def replayed(rows: Iterable[Any]) -> tuple[History, Fault | None]:
    """Return the history that rows of (sequence, kind, trial, body) tell, up to the first that does not fit, if any."""
    history = History()
    for place, (sequence, kind, trial_id, body) in enumerate(rows):
        try:
            if sequence != place or (kind == "asked" and trial_id != len(history)):
                raise ValueError("an event before it is missing")
            if kind == "asked":
                history = history.asked(proposals.validate_json(body))
            else:
                history = history.told(trial_id, outcomes.validate_json(body))
        except ValueError as error:
            why = explain(error) if isinstance(error, ValidationError) else str(error)
            return history, Fault(sequence, kind, trial_id, why)
    return history, None


def is_readable(kind: str, body: str) -> bool:
    """Return whether an event can be read by itself, whatever was before it."""
    try:
        (proposals if kind == "asked" else outcomes).validate_json(body)
    except ValueError:
        return False
    return True
