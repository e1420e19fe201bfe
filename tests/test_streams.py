"""Streams in streams: nothing lost at the seams, nothing beyond the bound."""

import pytest

from edge.errors import ClientFault
from edge.semantics.message import EMPTY, Fields
from edge.streams import BoundedBody, JoinedStream


class Pieces:
    """A stream of these pieces."""

    def __init__(self, *pieces: bytes) -> None:
        self.pieces = list(pieces)
        self.closed = 0

    @property
    def trailers(self) -> Fields:
        return EMPTY

    async def read(self) -> bytes:
        return self.pieces.pop(0) if self.pieces else b""

    def close(self) -> None:
        self.closed += 1


async def read_all(stream: JoinedStream | BoundedBody) -> bytes:
    whole = b""
    while piece := await stream.read():
        whole += piece
    return whole


async def test_streams_come_with_what_stands_before_and_after_them():
    joined = JoinedStream((b"<1>", b"", b"<3>"), (Pieces(b"a", b"b"), Pieces(b"c"), Pieces()), b"<end>")
    assert await read_all(joined) == b"<1>abc<3><end>"
    assert await joined.read() == b""


async def test_closing_closes_each():
    streams = (Pieces(b"a"), Pieces(b"b"))
    JoinedStream((b"", b""), streams, b"").close()
    assert [stream.closed for stream in streams] == [1, 1]


async def test_a_body_up_to_its_bound_passes():
    assert await read_all(BoundedBody(Pieces(b"abc", b"de"), 5)) == b"abcde"


async def test_a_body_beyond_its_bound_is_413_before_the_surplus_goes_anywhere():
    body = BoundedBody(Pieces(b"abc", b"def"), 5)
    assert await body.read() == b"abc"
    with pytest.raises(ClientFault) as caught:
        await body.read()
    assert caught.value.status == 413
