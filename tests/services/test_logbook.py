"""What a server reads of an event log: JSON of the types that say what it is."""

import json
import sqlite3
from dataclasses import replace
from math import inf, nan
from pathlib import Path

import pytest
from made_up_runs import finished
from pydantic import TypeAdapter

from amla.services.logbook import NOTHING, counts, page, since
from amla.services.wire import Count, Happened, Page
from amla.storage.errors import StoreError
from amla.storage.records import Records
from amla.study.folder import read
from amla.trials.trial import Measurement

PAGE, HAPPENED = TypeAdapter(Page), TypeAdapter(Happened)


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return finished(tmp_path)


def test_a_page_is_json_of_its_type_and_tells_what_the_history_does(run: Path):
    search = read(run).search
    for first, most in ((0, 100), (1, 1), (0, 2), (99, 5)):
        text = page(run, "search", first, most)
        found = PAGE.validate_json(text)
        assert text == PAGE.dump_json(found)
        assert [past.trial for past in found.trials] == list(search.trials)[first : first + most]
        assert found.total == len(search)


def test_a_page_of_nothing_is_empty(tmp_path: Path, run: Path):
    assert page(run, "rehearsal", 0, 9) == b'{"phase":"rehearsal","trials":[],"total":0}'
    assert PAGE.validate_json(page(tmp_path / "none", "search", 0, 9)) == Page("search", (), 0)


def test_an_event_is_json_of_its_type_and_is_numbered(run: Path):
    told = since(run, NOTHING)
    for _, text in told:
        assert text == HAPPENED.dump_json(HAPPENED.validate_json(text))
    assert counts(run) == {"search": Count(3, 3), "final": Count(2, 2)}
    assert [seen for seen, _ in told] == [
        *((0, number + 1, 0, 0, 0) for number in range(6)), *((0, 6, 0, 0, number + 1) for number in range(4)),
    ]  # fmt: skip
    assert since(run, (0, 6, 0, 0, 2), (0, 6, 0, 0, 3)) == told[8:9]
    assert since(run, (0, 6, 0, 0, 4)) == []


def test_a_trial_that_runs_has_no_outcome_yet(run: Path):
    with Records(run / "events.sqlite") as records:
        records.asked("search", records.history("search").trials[0].proposal)
    *_, last = PAGE.validate_json(page(run, "search", 0, 9)).trials
    assert (last.trial.id, last.asked, last.told, last.trial.is_running) == (3, 6, None, True)


def test_what_is_no_number_is_told_as_json_can(run: Path):
    with Records(run / "events.sqlite") as records:
        history = records.history("search")
        records.asked("search", history.trials[0].proposal)
        outcome = history[0].outcome
        assert isinstance(outcome, Measurement)
        records.told("search", 3, replace(outcome, metrics={"loss": nan}, seconds=inf))
    for text in (page(run, "search", 3, 1), since(run, (0, 7, 0, 0, 0))[0][1]):
        assert json.loads(text, parse_constant=pytest.fail)
        assert b'"metrics":{"loss":"NaN"}' in text


@pytest.mark.parametrize(
    ("kind", "body"), [("asked", '{"architecture":{'), ("asked", "\x00"), ("asked", '{\n"x": 1}'), ("told", "{}")]
)
def test_a_damaged_event_is_named(run: Path, kind: str, body: str):
    with sqlite3.connect(run / "events.sqlite") as log:
        log.execute("UPDATE event SET body = ? WHERE study = 'search' AND trial = 1 AND kind = ?", (body, kind))
    log.close()
    sequence = next(number for number, text in ((2, "asked"), (3, "told")) if text == kind)
    with pytest.raises(StoreError, match=rf"Event {sequence} of 'search' is damaged: .* Ask `amla doctor`"):
        page(run, "search", 0, 9)
    with pytest.raises(StoreError, match="is damaged"):
        since(run, NOTHING)
