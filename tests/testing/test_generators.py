"""The law of generators catches those that break it, and says in words how."""

import pytest

from amla.algorithms import remote
from amla.algorithms.errors import RemoteError
from amla.algorithms.random import RandomSearch
from amla.algorithms.remote import Remote
from amla.spaces.space import Space
from amla.spec.architecture import Architecture
from amla.testing import generators
from amla.testing.generators import check_generator
from amla.trials.history import History
from amla.trials.trial import Proposal


class Served(Remote):
    """A remote algorithm whose generator is this process: what it asks for is decided by `asks`."""

    def check_health(self) -> None:
        """It is well."""

    def ask(self, history: History) -> Proposal | None:
        return asks(self.space, history)

    def recommend(self, history: History) -> Architecture | None:
        return RandomSearch(self.space, 10).recommend(history)


def asks(space: Space, history: History) -> Proposal | None:
    raise NotImplementedError


@pytest.fixture(autouse=True)
def _served(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(generators, "Remote", Served)


def test_one_that_keeps_the_law_passes(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(globals(), "asks", lambda space, history: RandomSearch(space, 10, 8).ask(history))
    assert check_generator("http://x", {}).startswith("8 searches of up to 20 trials, with 1 and 3 workers")


def test_one_that_counts_its_questions_is_caught(monkeypatch: pytest.MonkeyPatch):
    calls = iter(range(10**6))
    monkeypatch.setitem(
        globals(), "asks", lambda space, history: RandomSearch(space, 10, 8, seed=next(calls)).ask(history)
    )
    with pytest.raises(AssertionError, match="answers differently"):
        check_generator("http://x", {})


def test_one_that_asks_for_nothing_is_caught(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(globals(), "asks", lambda space, history: None)
    with pytest.raises(AssertionError, match="asks for nothing"):
        check_generator("http://x", {})


def test_one_that_is_not_there_is_said(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(generators, "Remote", remote.Remote)
    with pytest.raises(RemoteError, match="Nothing answers"):
        check_generator("http://127.0.0.1:9", {})
