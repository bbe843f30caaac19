"""What reads some examples at a time gives what an array gives, for every index, and no more than was asked for."""

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from amla.tasks.arrayfile import ArrayFile, opened
from amla.tasks.dataset import Examples
from amla.tasks.inputs import Chosen, Filed, Inputs, Joined, can_be_filed, in_turn

ROWS = np.random.default_rng(0).integers(0, 255, (23, 3, 5, 2), dtype=np.uint8)


@pytest.fixture(scope="module")
def mapped(tmp_path_factory: pytest.TempPathFactory) -> np.ndarray:
    path = tmp_path_factory.mktemp("rows") / "rows.npy"
    file = ArrayFile(path, "|u1", ROWS.shape[1:])
    file.append(ROWS)
    return opened(path, file.finish())


def chosen(of: Inputs) -> tuple[Inputs, np.ndarray]:
    places = np.array([22, 0, 7, 7, 8, 9, 1])
    return Chosen(of, places), ROWS[places]


def joined(of: Inputs) -> tuple[Inputs, np.ndarray]:
    return Joined(Chosen(of, np.arange(4)), of), np.concatenate([ROWS[:4], ROWS])


@pytest.mark.parametrize("make", [lambda of: (of, ROWS), chosen, joined])
@given(data=st.data())
def test_rows_are_those_of_an_array(mapped, make: Callable[[Inputs], tuple[Inputs, np.ndarray]], data):
    assert can_be_filed(mapped)
    found, expected = make(Filed(mapped))
    assert (found.shape, found.dtype, len(found)) == (expected.shape, expected.dtype, len(expected))
    most = len(expected)
    places = data.draw(st.lists(st.integers(-most, most - 1), max_size=30).map(lambda some: np.array(some, np.int64)))
    start, stop = data.draw(st.tuples(st.integers(-most, most), st.integers(-most, most)))
    for index in (places, slice(start, stop), slice(None, None, 3), slice(None, None, -1)):
        rows = found[index]
        np.testing.assert_array_equal(rows, expected[index])
        assert rows.flags.c_contiguous
    assert np.concatenate(list(in_turn(found, 4))).tobytes() == expected.tobytes()


def test_positions_beyond_the_last_are_refused(mapped):
    for place in (23, -24):
        with pytest.raises(IndexError, match=f"There are 23 examples; asked for are {place}"):
            Filed(mapped)[np.array([place])]


def test_a_file_that_became_shorter_is_named(tmp_path: Path):
    path = tmp_path / "rows.npy"
    file = ArrayFile(path, "|u1", ROWS.shape[1:])
    file.append(ROWS)
    rows = Filed(opened(path, file.finish()))
    with path.open("r+b") as stream:
        stream.truncate(300)
    assert rows[np.array([0])].tobytes() == ROWS[:1].tobytes()
    with pytest.raises(OSError, match="has become shorter") as caught:
        rows[np.array([22])]
    assert str(path) in str(caught.value)


def test_what_the_system_reads_in_pieces_is_whole(mapped, monkeypatch: pytest.MonkeyPatch):
    whole, calls = os.preadv, []

    def short(file: int, buffers: list[memoryview], offset: int) -> int:
        calls.append(offset)
        return whole(file, [buffers[0][:7]], offset)

    monkeypatch.setattr("amla.tasks.inputs.os.preadv", short)
    assert Filed(mapped)[np.array([3, 4, 0])].tobytes() == ROWS[[3, 4, 0]].tobytes()
    assert len(calls) == -(-60 // 7) + -(-30 // 7)


def test_large_examples_come_fewer_at_a_time(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("amla.tasks.inputs.AT_ONCE", 65)
    assert [len(some) for some in in_turn(ROWS, 10)] == [2] * 11 + [1]
    monkeypatch.setattr("amla.tasks.inputs.AT_ONCE", 1)
    assert [len(some) for some in in_turn(ROWS, 10)] == [1] * 23


def test_what_is_read_when_asked_for_stays_where_it_is(mapped):
    labels = np.arange(23)
    examples = Examples(Filed(mapped), labels, (2, 2), sums=np.zeros((23, 2, 2), np.int64))
    some = examples.only(np.array([3, 1]))
    both = some.and_then(examples)
    assert isinstance(some.inputs, Chosen)
    assert isinstance(both.inputs, Joined)
    assert both.labels.tolist() == [3, 1, *range(23)]
    assert (both.sums.shape, both.digests) == ((25, 2, 2), None)
    assert both.shape == (2, 2, 2)
    held = Examples(ROWS, labels).only(np.array([3, 1]))
    assert held.and_then(held).inputs.tobytes() == np.concatenate([ROWS[[3, 1]]] * 2).tobytes()
