"""Snapshots that a worker service keeps: whole, as they were sent, and not for ever."""

import os
from pathlib import Path

import pytest

from amla.execution.orders import key
from amla.services.kept import YOUNG, Keeper

CONTENT = b"weights" * 100
DIGEST = key(CONTENT)


@pytest.fixture
def keeper(tmp_path: Path) -> Keeper:
    return Keeper(tmp_path / "snapshots", largest=10_000)


def test_what_is_put_in_parts_is_there_whole(keeper):
    assert not keeper.put(DIGEST, 0, 700, CONTENT[:300])
    assert keeper.path(DIGEST) is None
    assert keeper.put(DIGEST, 300, 700, CONTENT[300:])
    assert keeper.path(DIGEST).read_bytes() == CONTENT
    assert keeper.put(DIGEST, 0, 700, CONTENT)  # again, which changes nothing


def test_parts_that_were_cut_off_begin_again(keeper):
    keeper.put(DIGEST, 0, 700, CONTENT[:300])
    assert keeper.put(DIGEST, 0, 700, CONTENT)
    assert keeper.path(DIGEST).read_bytes() == CONTENT


@pytest.mark.parametrize(
    ("offset", "length", "part", "said"),
    [
        (1, 700, CONTENT[1:], "A part begins at 1, but 0 bytes are there"),
        (0, 700, CONTENT + b"x", "no part of a snapshot of 700 bytes"),
        (0, 700, b"", "no part"),
        (-1, 700, b"x", "no part"),
        (0, 10_001, b"x", "the most that is kept is 10,000"),
        (0, 700, b"x" * 700, "not " + DIGEST),
    ],
)
def test_what_is_no_part_of_it_is_refused_and_leaves_nothing(keeper, tmp_path, offset, length, part, said):
    with pytest.raises(ValueError, match=r"snapshot|digest|begins") as raised:
        keeper.put(DIGEST, offset, length, part)
    assert said in str(raised.value)
    assert list((tmp_path / "snapshots").iterdir()) == []


@pytest.mark.parametrize("name", ["", "..", "../../etc/passwd", "a" * 63, "A" * 64, "é" * 64, "a" * 64 + "\n"])
def test_what_is_no_digest_names_no_file(keeper, name):
    with pytest.raises(ValueError, match="is no digest"):
        keeper.path(name)


def test_a_link_is_the_same_file_and_what_a_trial_left_is_taken(keeper, tmp_path):
    left = tmp_path / "left"
    left.write_bytes(CONTENT)
    kept = keeper.take(left)
    assert (kept.digest, kept.bytes, left.exists()) == (DIGEST, 700, False)
    keeper.link(DIGEST, tmp_path / "new" / "start")
    assert (tmp_path / "new" / "start").read_bytes() == CONTENT
    with pytest.raises(FileNotFoundError):
        keeper.link("0" * 64, tmp_path / "nowhere")


def test_beyond_its_room_what_was_asked_for_longest_ago_goes_unless_it_is_young(tmp_path):
    keeper = Keeper(tmp_path / "snapshots", room=250)
    contents = [bytes([number]) * 100 for number in range(4)]
    for age, content in zip((3, 2, 4, 0), contents, strict=True):
        keeper.put(key(content), 0, 100, content)
        path = tmp_path / "snapshots" / key(content)
        os.utime(path, times=(path.stat().st_atime, path.stat().st_mtime - age * YOUNG))
    extra = b"extra"
    keeper.put(key(extra), 0, 5, extra)
    left = {path.name for path in (tmp_path / "snapshots").iterdir()}
    assert left == {key(contents[1]), key(contents[3]), key(extra)}
