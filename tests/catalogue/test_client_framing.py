"""Requests whose body two programs could end at two places. RFC 9112 s6, s7.1.

Every refused case is followed by the request that the other reading would find.
"""

import pytest

from tests.kit.origin import Canned
from tests.kit.yard import SMUGGLED, Yard, get, head, post

pytestmark = pytest.mark.asyncio(loop_scope="module")

CL, TE = b"Content-Length: 5", b"Transfer-Encoding: chunked"
CHUNKED = b"5\r\nhello\r\n0\r\n\r\n"

BOTH = {
    "CL then TE": post("/both", CL, TE) + CHUNKED,
    "TE then CL": post("/both", TE, CL) + CHUNKED,
    "CL 0 then TE": post("/both", b"Content-Length: 0", TE) + CHUNKED,
    "TE then CL 0": post("/both", TE, b"Content-Length: 0") + CHUNKED,
    "CL far beyond, TE": post("/both", b"Content-Length: 500", TE) + CHUNKED,
    "CL, TE identity": post("/both", CL, b"Transfer-Encoding: identity") + b"hello",
    "CL, empty TE": post("/both", CL, b"Transfer-Encoding:") + b"hello",
    "CL, TE on GET": get("/both", CL, TE) + CHUNKED,
    "bad CL, TE": post("/both", b"Content-Length: x", TE) + CHUNKED,
    "CL, two TE": post("/both", CL, TE, TE) + CHUNKED,
    "lower case": post("/both", b"content-length: 5", b"transfer-encoding: chunked") + CHUNKED,
    "named in Connection": post("/both", CL, TE, b"Connection: Content-Length") + CHUNKED,
    "TE in 1.0": head("POST /both HTTP/1.0", TE) + CHUNKED,
    "TE in 1.0 kept alive": head("POST /both HTTP/1.0", TE, b"Connection: keep-alive") + CHUNKED,
    "TE and CL in 1.0": head("POST /both HTTP/1.0", CL, TE) + CHUNKED,
}

CODINGS = {
    "identity": b"identity",
    "xchunked": b"xchunked",
    "chunkedx": b"chunkedx",
    "list ending in chunked": b"gzip, chunked",
    "list ending in identity": b"chunked, identity",
    "chunked twice": b"chunked, chunked",
    "empty member": b"chunked,",
    "leading comma": b", chunked",
    "parameter": b"chunked;q=1",
    "empty parameter": b"chunked;",
    "quoted": b'"chunked"',
    "single quotes": b"'chunked'",
    "empty": b"",
    "unknown": b"br",
    "with CL's value": b"5",
    "two words": b"chunked chunked",
}

# 17 bytes that are neither in a token nor the end of a line, at 8 places: 136 mutants.
MUTANTS = bytes((0, 1, 8, 9, 10, 11, 12, 13, 31, 32, 34, 44, 59, 127, 128, 160, 255))
PLACES = {
    "before the name": b"%bTransfer-Encoding: chunked",
    "within the name": b"Trans%bfer-Encoding: chunked",
    "for the hyphen": b"Transfer%bEncoding: chunked",
    "before the colon": b"Transfer-Encoding%b: chunked",
    "after the colon": b"Transfer-Encoding:%bchunked",
    "within the value": b"Transfer-Encoding: chun%bked",
    "behind the value": b"Transfer-Encoding: chunked%b",
    "behind the value, and more": b"Transfer-Encoding: chunked%bx",
}
OPTIONAL_SPACE = {(place, byte) for place in ("after the colon", "behind the value") for byte in b"\t "}

LENGTHS = {
    "plus": b"+5",
    "minus": b"-5",
    "minus zero": b"-0",
    "hexadecimal": b"0x5",
    "underscore": b"0_5",
    "exponent": b"5e0",
    "fraction": b"5.0",
    "empty": b"",
    "list": b"5, 5",
    "list without space": b"5,5",
    "list of two": b"5, 6",
    "trailing comma": b"5,",
    "quoted": b'"5"',
    "blank within": b"5 5",
    "arabic digit": "\u0665".encode(),
    "superscript": b"\xb2",
    "unit": b"5 bytes",
    "2^64": b"18446744073709551616",
    "2^64 + 5": b"18446744073709551621",
    "2^63": b"9223372036854775808",
    "60 digits": b"5" * 60,
    "60 zeros": b"0" * 59 + b"5",
    "semicolon": b"5;",
    "letters": b"five",
    "NUL": b"5\0",
}

CHUNKS = {
    "size plus": b"+5\r\nhello\r\n0\r\n\r\n",
    "size minus": b"-5\r\nhello\r\n0\r\n\r\n",
    "size 0x": b"0x5\r\nhello\r\n0\r\n\r\n",
    "size underscore": b"0_5\r\nhello\r\n0\r\n\r\n",
    "size empty": b"\r\nhello\r\n0\r\n\r\n",
    "size blank before": b" 5\r\nhello\r\n0\r\n\r\n",
    "size blank behind": b"5 \r\nhello\r\n0\r\n\r\n",
    "size tab behind": b"5\t\r\nhello\r\n0\r\n\r\n",
    "size no digit": b"g\r\nhello\r\n0\r\n\r\n",
    "size overflow 2^64": b"10000000000000005\r\nhello\r\n0\r\n\r\n",
    "size overflow 2^65": b"20000000000000005\r\nhello\r\n0\r\n\r\n",
    "size of 40 digits": b"0" * 39 + b"5\r\nhello\r\n0\r\n\r\n",
    "size with NUL": b"5\0\r\nhello\r\n0\r\n\r\n",
    "size ended by LF": b"5\nhello\r\n0\r\n\r\n",
    "size ended by CR": b"5\rhello\r\n0\r\n\r\n",
    "size ended by CR CR LF": b"5\r\r\nhello\r\n0\r\n\r\n",
    "data ended by LF": b"5\r\nhello\n0\r\n\r\n",
    "data not ended": b"5\r\nhello0\r\n\r\n",
    "data longer than its size": b"5\r\nhello!!\r\n0\r\n\r\n",
    "data shorter than its size": b"7\r\nhello\r\n0\r\n\r\n",
    "last chunk ended by LF": b"5\r\nhello\r\n0\n\n",
    "extension with LF": b"5;a\nb\r\nhello\r\n0\r\n\r\n",
    "extension with CR": b"5;a\rb\r\nhello\r\n0\r\n\r\n",
    "extension with NUL": b"5;a=\0\r\nhello\r\n0\r\n\r\n",
    "extension of nothing": b"5;\r\nhello\r\n0\r\n\r\n",
    "extension not closed": b'5;a="b\r\nhello\r\n0\r\n\r\n',
    "extension without semicolon": b"5 a=b\r\nhello\r\n0\r\n\r\n",
    "trailer without colon": b"5\r\nhello\r\n0\r\nnonsense\r\n\r\n",
    "trailer blank before colon": b"5\r\nhello\r\n0\r\nA : b\r\n\r\n",
    "trailer folded": b"5\r\nhello\r\n0\r\nA: b\r\n c\r\n\r\n",
    "trailer with NUL": b"5\r\nhello\r\n0\r\nA: \0\r\n\r\n",
    "trailer ended by LF": b"5\r\nhello\r\n0\r\nA: b\n\r\n",
    "trailer is a request": b"5\r\nhello\r\n0\r\n" + SMUGGLED,
    "size line without end": b"5;" + b"a" * 20_000,
    "extensions without end": b"".join(b"1;a=%b\r\nx\r\n" % (b"y" * 200) for _ in range(200)),
    "trailers without end": b"0\r\n" + b"A: b\r\n" * 5000,
    "one trailer without end": b"0\r\nA: " + b"b" * 40_000,
    "trailers too many": b"0\r\n" + b"A: b\r\n" * 33 + b"\r\n",
}


@pytest.mark.parametrize("data", BOTH.values(), ids=BOTH)
async def test_a_length_and_a_coding_together_are_refused(yard: Yard, data: bytes) -> None:
    await yard.refused(data + SMUGGLED)


@pytest.mark.parametrize("coding", CODINGS.values(), ids=CODINGS)
async def test_a_transfer_coding_other_than_chunked_is_refused(yard: Yard, coding: bytes) -> None:
    await yard.refused(post("/coding", b"Transfer-Encoding: " + coding) + CHUNKED + SMUGGLED, 400, 501)


async def test_two_lines_of_transfer_encoding_are_refused(yard: Yard) -> None:
    for lines in ((TE, TE), (TE, b"Transfer-Encoding: identity"), (b"Transfer-Encoding:", TE)):
        await yard.refused(post("/coding", *lines) + CHUNKED + SMUGGLED, 400, 501)


@pytest.mark.parametrize("place", PLACES)
async def test_a_byte_too_many_in_transfer_encoding_is_refused(yard: Yard, place: str) -> None:
    for byte in MUTANTS:
        if (place, byte) not in OPTIONAL_SPACE:
            line = PLACES[place] % bytes((byte,))
            await yard.refused(post("/mutant", line) + CHUNKED + SMUGGLED, 400, 501)


@pytest.mark.parametrize(
    "line",
    [PLACES[place] % bytes((byte,)) for place, byte in OPTIONAL_SPACE]
    + [b"transfer-encoding: CHUNKED", b"TRANSFER-ENCODING:chunked"],
)
async def test_optional_space_and_letter_case_change_nothing(yard: Yard, line: bytes) -> None:
    target = yard.target()
    async with await yard.edge.client() as client:
        await client.send(post(target, line) + CHUNKED)
        assert (await client.read_answer("POST")).status == 200
    assert (yard.only(target).body, yard.only(target).complete) == (b"hello", True)


@pytest.mark.parametrize("length", LENGTHS.values(), ids=LENGTHS)
async def test_a_length_that_is_not_plain_digits_is_refused(yard: Yard, length: bytes) -> None:
    await yard.refused(post("/length", b"Content-Length: " + length) + b"hello" + SMUGGLED)


@pytest.mark.parametrize(
    "lines",
    [(CL, CL), (CL, b"Content-Length: 6"), (b"Content-Length: 0", CL), (CL, b"content-length: 5")],
    ids=["identical", "different", "zero first", "other letter case"],
)
async def test_two_lengths_are_refused_even_when_they_agree(yard: Yard, lines: tuple[bytes, ...]) -> None:
    await yard.refused(post("/length", *lines) + b"hello" + SMUGGLED)


@pytest.mark.parametrize("body", CHUNKS.values(), ids=CHUNKS)
@pytest.mark.parametrize("split", [False, True], ids=["at once", "behind its head"])
async def test_a_malformed_chunk_is_refused_and_the_origin_sees_the_request_break_off(
    yard: Yard, body: bytes, split: bool
) -> None:
    target = yard.target()
    async with await yard.edge.client() as client:
        await client.send(post(target, TE) + (b"" if split else body))
        if split:
            await yard.origin.wait_requests(1, target)
            await client.send(body)
        answer = await client.read_answer("POST")
        assert (answer.status, answer.header("Connection")) == (400, b"close")
        assert (await client.wait_ended())[1] == b""
    await yard.never_finished(target)


@pytest.mark.parametrize("method", ["GET", "HEAD", "DELETE"])
async def test_a_malformed_chunk_is_refused_where_nobody_wants_the_body(yard: Yard, method: str) -> None:
    target = yard.target()
    answer, rest = await yard.closed(
        head(f"{method} {target} HTTP/1.1", TE) + b"5\r\nhello!!\r\n0\r\n\r\n" + SMUGGLED, method
    )
    assert (answer.status, rest) == (400, b"")
    assert not yard.origin.seen("/smuggled")


FIVE = b"Content-Length: %d" % len(SMUGGLED)
HIDDEN = b"%x\r\n%b\r\n0\r\n\r\n" % (len(SMUGGLED), SMUGGLED)


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])
@pytest.mark.parametrize("framed", [(FIVE, SMUGGLED), (TE, HIDDEN)], ids=["CL", "TE"])
@pytest.mark.parametrize("split", [False, True], ids=["at once", "behind its head"])
async def test_a_body_where_none_belongs_is_never_read_as_a_request(
    yard: Yard, method: str, framed: tuple[bytes, bytes], split: bool
) -> None:
    target = yard.target()
    line, body = framed
    async with await yard.edge.client() as client:
        await client.send(head(f"{method} {target} HTTP/1.1", line) + (b"" if split else body))
        if split:
            await yard.origin.wait_requests(1, target)
            await client.send(body)
        answer = await client.read_answer(method)
        assert (answer.status, answer.complete) == (200, True)
        if answer.header("Connection") == b"close":
            assert (await client.wait_ended())[1] == b""
        else:
            assert (await client.get(target + "-next")).status == 200
    assert not yard.origin.seen("/smuggled")
    if method != "OPTIONS":
        assert yard.only(target).body == b""


@pytest.mark.parametrize("framed", [(FIVE, SMUGGLED), (TE, HIDDEN)], ids=["CL", "TE"])
@pytest.mark.parametrize("split", [False, True], ids=["at once", "behind its head"])
async def test_a_body_sent_to_a_hit_is_never_read_as_a_request(
    yard: Yard, framed: tuple[bytes, bytes], split: bool
) -> None:
    target = yard.target()
    yard.origin.on(target, Canned(200, {"Cache-Control": "max-age=60"}, b"stored"))
    assert (await yard.edge.get(target, {"Host": "a.test"})).body == b"stored"
    line, body = framed
    async with await yard.edge.client() as client:
        await client.send(get(target, line) + (b"" if split else body))
        answer = await client.read_answer()
        assert (answer.status, answer.body) == (200, b"stored")
        if split:
            await client.send(body)
        if answer.header("Connection") == b"close":
            assert (await client.wait_ended())[1] == b""
        else:
            assert (await client.get(target + "-next")).status == 200
    assert len(yard.origin.seen(target)) == 1
    assert not yard.origin.seen("/smuggled")


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "QUERY"])
@pytest.mark.parametrize(
    "framed",
    [(CL, b"hello"), (TE, CHUNKED), (TE, b"1\r\nh\r\n00004;a=b;c\r\nello\r\n000\r\n\r\n")],
    ids=["CL", "TE", "TE in pieces"],
)
async def test_a_well_framed_body_arrives_whole_and_the_connection_lives_on(
    yard: Yard, method: str, framed: tuple[bytes, bytes]
) -> None:
    target = yard.target()
    line, body = framed
    async with await yard.edge.client() as client:
        await client.send(head(f"{method} {target} HTTP/1.1", line) + body + get(target + "-next"))
        assert (await client.read_answer(method)).status == 200
        assert (await client.read_answer()).status == 200
    sent = yard.only(target)
    assert (sent.method, sent.body, sent.complete) == (method.encode(), b"hello", True)


@pytest.mark.parametrize(
    "name", [b"Host", b"Content-Length", b"Transfer-Encoding", b"Authorization", b"Cookie"]
)
async def test_a_trailer_never_becomes_a_header(yard: Yard, name: bytes) -> None:
    target = yard.target()
    async with await yard.edge.client() as client:
        await client.send(
            post(target, TE, b"Trailer: " + name) + b"5\r\nhello\r\n0\r\n" + name + b": 9\r\n\r\n"
        )
        assert (await client.read_answer("POST")).status == 200
        assert (await client.get(target + "-next")).status == 200
    sent = yard.only(target)
    assert (sent.body, sent.trailers) == (b"hello", [])
    assert sent.header(name.decode()) in {None, b"a.test", b"chunked"}
