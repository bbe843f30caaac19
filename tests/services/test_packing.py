"""Streams that are compressed: each is a gzip file, and what has come of one can be read at once."""

import gzip
import zlib
from collections.abc import AsyncIterator, Callable

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.datastructures import Headers

from amla.services.packing import PIECE, Part, gzipped, plain, takes_gzip


def sent(way: Callable[[AsyncIterator[Part]], AsyncIterator[bytes]], parts: list[Part]) -> list[bytes]:
    async def given() -> AsyncIterator[Part]:
        for part in parts:
            yield part

    async def all_of_it() -> list[bytes]:
        return [piece async for piece in way(given())]

    return anyio.run(all_of_it)


@given(st.lists(st.binary(max_size=300)))
def test_a_stream_is_one_gzip_file(texts: list[bytes]):
    assert gzip.decompress(b"".join(sent(gzipped, [Part(text) for text in texts]))) == b"".join(texts)


def test_each_part_can_be_read_when_it_has_come():
    texts = [b"event: trial\n\n" * 50, b"x", b"event: study\n\n"]
    unpacker = zlib.decompressobj(zlib.MAX_WBITS | 16)
    read = [unpacker.decompress(piece) for piece in sent(gzipped, [Part(text) for text in texts])]
    assert [text for text in read if text] == texts
    assert unpacker.eof


def test_a_part_is_compressed_once_and_may_stand_in_any_stream():
    part = Part(b"the same for all " * 100)
    assert part.packed is part.packed
    for others in ([], [Part(b"before")], [part, part]):
        parts = [*others, part]
        assert gzip.decompress(b"".join(sent(gzipped, parts))) == b"".join(each.text for each in parts)


def test_a_large_part_is_sent_in_pieces_to_who_reads_no_gzip():
    text = bytes(range(256)) * (3 * PIECE // 256) + b"rest"
    pieces = sent(plain, [Part(text), Part(b"last")])
    assert b"".join(pieces) == text + b"last"
    assert max(map(len, pieces)) == PIECE


@pytest.mark.parametrize(
    ("said", "takes"),
    [
        ("gzip", True), ("deflate, GZIP;q=0.5", True), ("br, gzip ; q=1", True),
        ("", False), ("identity", False), ("gzip;q=0", False), ("gzip; q = 0.000", False), ("x-gzip", False),
    ],
)  # fmt: skip
def test_who_reads_gzip_says_so(said: str, takes: bool):
    assert takes_gzip(Headers({"accept-encoding": said})) is takes
    assert not takes_gzip(Headers({}))
