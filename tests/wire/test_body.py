"""Bodies off the wire: pieces in order, and the end only where the framing says so (RFC 9112 s6, s7)."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.wire.body import BodyError, ChunkedDecoder, CloseDecoder, Decoder, LengthDecoder, decoder
from edge.wire.framing import CHUNKED, NO_BODY, UNTIL_CLOSE, Length
from edge.wire.limits import DEFAULT_LIMITS, Limits
from edge.wire.render import LAST_CHUNK, chunk

SMALL = Limits(chunk_line=16, chunk_overhead=64, trailer_bytes=40, trailer_fields=3)


class Read(ChunkedDecoder):
    """A decoder that remembers its body."""

    __slots__ = ("body",)

    def __init__(self, limits: Limits = DEFAULT_LIMITS) -> None:
        super().__init__(limits)
        self.body = b""

    def take(self, *pieces: bytes) -> "Read":
        for piece in pieces:
            self.body += b"".join(self.feed(piece))
        return self


def split(data: bytes, *, size: int = 1) -> list[bytes]:
    return [data[at : at + size] for at in range(0, len(data), size)]


@pytest.mark.parametrize(
    "data,body,trailers,leftover",
    [
        (b"0\r\n\r\n", b"", [], b""),
        (b"5\r\nhello\r\n0\r\n\r\n", b"hello", [], b""),
        (b"5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n", b"hello world", [], b""),
        (b"A\r\n0123456789\r\na\r\n0123456789\r\n0\r\n\r\n", b"0123456789" * 2, [], b""),
        (b"005\r\nhello\r\n000\r\n\r\n", b"hello", [], b""),
        (b"000000000000005\r\nhello\r\n0\r\n\r\n", b"hello", [], b""),
        (b'5;ext\r\nhello\r\n0;a=b;c="d e;f"\r\n\r\n', b"hello", [], b""),
        (b"2\r\n\r\n\r\n0\r\n\r\n", b"\r\n", [], b""),
        (b"5\r\n0\r\n\r\n\r\n0\r\n\r\n", b"0\r\n\r\n", [], b""),
        (b"0\r\nX-A: 1\r\nX-B:\t2 \r\n\r\n", b"", [(b"X-A", b"1"), (b"X-B", b"2")], b""),
        (b"0\r\n\r\nGET / HTTP/1.1\r\n", b"", [], b"GET / HTTP/1.1\r\n"),
        (b"0\r\nX: 1\r\n\r\nGET", b"", [(b"X", b"1")], b"GET"),
        # RFC 9110 s6.5.1: a trailer may not change framing, routing, authentication, content
        (b"0\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\nAuthorization: x\r\nCache-Control: x\r\nSet-Cookie: x\r\nX: 1\r\n\r\n", b"", [(b"X", b"1")], b""),
    ],
)  # fmt: skip
def test_chunks_are_read_whole_and_byte_by_byte(data, body, trailers, leftover):
    end = len(data) - len(leftover)
    for pieces in ([data], split(data), split(data, size=2), split(data, size=3)):
        read = Read().take(*pieces)
        assert (read.done, read.end(), read.body, list(read.trailers), read.leftover) == (
            True,
            True,
            body,
            trailers,
            leftover,
        )
    for cut in range(end):
        read = Read().take(data[:cut])
        assert (read.done, read.end(), read.leftover) == (False, False, b"")
        assert body.startswith(read.body)
        assert read.take(data[cut:]).body == body


BAD = [
    ("no size", b"\r\nhello\r\n0\r\n\r\n"),
    ("not hex", b"g\r\nhello\r\n0\r\n\r\n"),
    ("an ordinary body", b"a body"),
    ("plus", b"+5\r\nhello\r\n0\r\n\r\n"),
    ("minus", b"-5\r\nhello\r\n0\r\n\r\n"),
    ("0x", b"0x5\r\nhello\r\n0\r\n\r\n"),
    ("underscore", b"0_5\r\nhello\r\n0\r\n\r\n"),
    ("blank before", b" 5\r\nhello\r\n0\r\n\r\n"),
    ("blank behind", b"5 \r\nhello\r\n0\r\n\r\n"),
    ("tab behind", b"5\t\r\nhello\r\n0\r\n\r\n"),
    ("overflow", b"ffffffffffffffff\r\nhello\r\n0\r\n\r\n"),
    ("overflow by one", b"10000000000000005\r\nhello\r\n0\r\n\r\n"),
    ("too many digits", b"0000000000000005\r\nhello\r\n0\r\n\r\n"),
    ("LF behind the size", b"5\nhello\r\n0\r\n\r\n"),
    ("CR behind the size", b"5\rhello\r\n0\r\n\r\n"),
    ("LF behind the data", b"5\r\nhello\n0\r\n\r\n"),
    ("CR behind the data", b"5\r\nhello\r0\r\n\r\n"),
    ("spill", b"5\r\nhelloworld\r\n0\r\n\r\n"),
    ("short", b"5\r\nhel\r\n0\r\n\r\n"),
    ("no CRLF behind the data", b"5\r\nhello0\r\n\r\n"),
    ("LF behind the last chunk", b"0\n\r\n"),
    ("LF ends the trailers", b"0\r\n\n"),
    ("LF in the trailers", b"0\r\nX: 1\nY: 2\r\n\r\n"),
    ("extension with LF", b"5;a\nb\r\nhello\r\n0\r\n\r\n"),
    ("extension with CR", b"5;a\rb\r\nhello\r\n0\r\n\r\n"),
    ("extension with NUL", b"5;a\0b\r\nhello\r\n0\r\n\r\n"),
    ("extension without a name", b"5;\r\nhello\r\n0\r\n\r\n"),
    ("extension with blanks", b"5; a\r\nhello\r\n0\r\n\r\n"),
    ("extension with an open quote", b'5;a="b\r\nhello\r\n0\r\n\r\n'),
    ("extension with a quoted LF", b'5;a="\n"\r\nhello\r\n0\r\n\r\n'),
    ("extension with a backslash", b'5;a="\\""\r\nhello\r\n0\r\n\r\n'),
    ("comma list", b"5,5\r\nhello\r\n0\r\n\r\n"),
    ("trailer without a colon", b"0\r\nnonsense\r\n\r\n"),
    ("trailer with a fold", b"0\r\nX: 1\r\n 2\r\n\r\n"),
    ("trailer with a space before the colon", b"0\r\nX : 1\r\n\r\n"),
    ("trailer with NUL", b"0\r\nX: \0\r\n\r\n"),
    ("trailer with an empty name", b"0\r\n: 1\r\n\r\n"),
]  # fmt: skip


@pytest.mark.parametrize("name,data", BAD)
def test_chunks_that_bend_the_grammar_are_refused(name: str, data: bytes):
    for tail in (b"", b"GET / HTTP/1.1\r\n\r\n"):
        for pieces in ([data + tail], split(data + tail)):
            with pytest.raises(BodyError):
                Read().take(*pieces)


@pytest.mark.parametrize(
    "name,data,is_good",
    [
        ("line at the limit", b"1;" + b"a" * 14 + b"\r\nx\r\n0\r\n\r\n", True),
        ("line beyond it", b"1;" + b"a" * 15 + b"\r\nx\r\n0\r\n\r\n", False),
        ("line without end", b"1;" + b"a" * 1000, False),
        ("size without end", b"0" * 1000, False),
        ("extensions at the limit", (b"1;" + b"a" * 14 + b"\r\nx\r\n") * 4 + b"0\r\n\r\n", True),
        ("extensions beyond it", (b"1;" + b"a" * 14 + b"\r\nx\r\n") * 4 + b"0;a\r\n\r\n", False),
        ("surplus digits at the limit", b"000000001\r\nx\r\n" * 7 + b"0\r\n\r\n", True),
        ("surplus digits beyond it", b"000000001\r\nx\r\n" * 8 + b"0\r\n\r\n", False),
        ("trailers at the limit", b"0\r\nX: " + b"a" * 33 + b"\r\n\r\n", True),
        ("trailers beyond it", b"0\r\nX: " + b"a" * 34 + b"\r\n\r\n", False),
        ("trailers without end", b"0\r\nX: " + b"a" * 1000, False),
        ("trailer fields at the limit", b"0\r\na:\r\nb:\r\nc:\r\n\r\n", True),
        ("trailer fields beyond it", b"0\r\na:\r\nb:\r\nc:\r\nd:\r\n\r\n", False),
        ("many small chunks", b"1\r\nx\r\n" * 1000 + b"0\r\n\r\n", True),
    ],
)
def test_each_bound_holds_at_the_limit_and_one_past_it(name: str, data: bytes, is_good: bool):
    for pieces in ([data], split(data)):
        read = Read(SMALL)
        if is_good:
            assert read.take(*pieces).done
        else:
            with pytest.raises(BodyError):
                read.take(*pieces)


def test_a_chunk_that_fills_the_read_is_not_copied():
    read = ChunkedDecoder(DEFAULT_LIMITS)
    assert list(read.feed(b"ff\r\n")) == []
    data = b"x" * 100
    assert read.feed(data)[0] is data


@pytest.mark.parametrize(
    "size,pieces,body,done,leftover",
    [
        (0, [], b"", True, b""),
        (0, [b"x", b"y"], b"", True, b"xy"),
        (5, [b"hello"], b"hello", True, b""),
        (5, [b"he", b"llo"], b"hello", True, b""),
        (5, [b"hel"], b"hel", False, b""),
        (5, [b"hello world"], b"hello", True, b" world"),
        (5, [b"hel", b"lo wor", b"ld"], b"hello", True, b" world"),
    ],
)
def test_a_length_is_counted_exactly(size, pieces, body, done, leftover):
    read = LengthDecoder(size)
    got = b"".join(piece for given in pieces for piece in read.feed(given))
    assert (got, read.done, read.end(), read.leftover, len(read.trailers)) == (body, done, done, leftover, 0)


def test_a_close_delimited_body_ends_with_its_connection_only():
    read = CloseDecoder()
    assert list(read.feed(b"a")) == [b"a"]
    assert (read.done, read.end(), read.done, read.leftover) == (False, True, True, b"")


@pytest.mark.parametrize(
    "framing,kind,done",
    [
        (NO_BODY, LengthDecoder, True),
        (Length(5), LengthDecoder, False),
        (CHUNKED, ChunkedDecoder, False),
        (UNTIL_CLOSE, CloseDecoder, False),
    ],
)
def test_each_framing_has_its_decoder(framing, kind: type[Decoder], done: bool):
    made = decoder(framing, DEFAULT_LIMITS)
    assert (type(made), made.done) == (kind, done)


def test_what_comes_behind_the_end_is_kept_apart():
    read = Read().take(b"0\r\n\r\nab", b"cd")
    assert (read.body, read.leftover) == (b"", b"abcd")


@given(st.lists(st.binary(min_size=1, max_size=50), max_size=10), st.data())
def test_what_is_encoded_is_decoded_wherever_it_is_cut(pieces: list[bytes], data: st.DataObject):
    wire = b"".join(chunk(piece) for piece in pieces) + LAST_CHUNK
    tail = data.draw(st.binary(max_size=10))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(wire) + len(tail)), max_size=8)))
    at = [0, *cuts, len(wire) + len(tail)]
    read = Read().take(*[(wire + tail)[start:end] for start, end in itertools.pairwise(at)])
    assert (read.done, read.body, read.leftover) == (True, b"".join(pieces), tail)


SCRAPS = st.sampled_from(
    [b"0", b"5", b"f", b"\r\n", b"\r", b"\n", b";", b"=", b'"', b"a", b":", b" ", b"\0", b"hello", b"\xff"]
)


@given(st.one_of(st.lists(st.binary(max_size=20), max_size=8), st.lists(SCRAPS, max_size=30)))
def test_no_bytes_raise_anything_but_a_body_error_however_they_are_cut(pieces: list[bytes]):
    def outcome(fed: list[bytes]) -> object:
        read = Read(SMALL)
        try:
            read.take(*fed)
        except BodyError:
            return None
        return (read.body, read.done, read.leftover, read.trailers)

    data = b"".join(pieces)
    assert outcome(pieces) == outcome([data]) == outcome(split(data))
