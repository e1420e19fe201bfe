"""What an origin may do wrong: a client never takes a part for the whole, nothing doubtful is stored or passed on, and
no connection that is in doubt serves another request. RFC 9112 s4, s6, s8, s9; RFC 9111 s3.3; RFC 9110 s15.2.
"""

import asyncio

import pytest

from tests.kit.answer import Ending
from tests.kit.origin import Handler, OriginConnection, OriginRequest
from tests.kit.yard import Yard, get, head

pytestmark = pytest.mark.asyncio(loop_scope="module")

HEAD = b"HTTP/1.1 200 OK\r\nServer: x\r\nCache-Control: max-age=600\r\n"
FRESH = {"Cache-Control": "max-age=60"}
FINE = HEAD + b"Content-Length: 4\r\n\r\nfine"


def raw(data: bytes, end: str = "") -> Handler:
    """An origin that sends these bytes for the first request, and what is right from then on."""
    left = [data]

    async def handler(request: OriginRequest, connection: OriginConnection) -> None:
        if not left:
            await connection.send_raw(FINE)
            return
        await connection.send_raw(left.pop())
        if end == "reset":
            connection.reset()
        elif end == "close":
            await connection.close()

    return handler


CUT = {
    "CL": (HEAD + b"Content-Length: 100\r\n\r\nonly this", "close"),
    "CL, nothing of it": (HEAD + b"Content-Length: 100\r\n\r\n", "close"),
    "CL, one byte short": (HEAD + b"Content-Length: 5\r\n\r\nfour", "close"),
    "CL, large": (HEAD + b"Content-Length: 300000\r\n\r\n" + b"x" * 299_999, "close"),
    "CL, reset": (HEAD + b"Content-Length: 100\r\n\r\nonly this", "reset"),
    "chunked": (HEAD + b"Transfer-Encoding: chunked\r\n\r\n4\r\npart\r\n", "close"),
    "chunked, nothing of it": (HEAD + b"Transfer-Encoding: chunked\r\n\r\n", "close"),
    "chunked, within a chunk": (HEAD + b"Transfer-Encoding: chunked\r\n\r\nff\r\npart", "close"),
    "chunked, within a size": (HEAD + b"Transfer-Encoding: chunked\r\n\r\n4\r\npart\r\n1", "close"),
    "chunked, behind the last size": (
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n4\r\npart\r\n0\r\n",
        "close",
    ),
    "chunked, within the trailers": (
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n4\r\npart\r\n0\r\nA: b\r\n",
        "close",
    ),
    "chunked, reset": (HEAD + b"Transfer-Encoding: chunked\r\n\r\n4\r\npart\r\n", "reset"),
    "until close, reset": (HEAD + b"Connection: close\r\n\r\npart", "reset"),
}


@pytest.mark.parametrize("case", CUT.values(), ids=CUT)
@pytest.mark.parametrize("version", ["1.1", "1.0"])
async def test_a_cut_body_is_cut_for_the_client_and_never_stored(
    yard: Yard, case: tuple[bytes, str], version: str
) -> None:
    target = yard.target()
    yard.origin.on(target, raw(*case))
    async with await yard.edge.client() as client:
        await client.send(head(f"GET {target} HTTP/{version}"))
        answer = await client.read_answer()
        if answer.status == 502:
            assert answer.complete
        elif answer.header("Content-Length") or answer.header("Transfer-Encoding"):
            assert not answer.complete
        else:
            # Without a length only a reset says that something is missing.
            assert answer.ending is Ending.RESET
    for _ in range(2):
        assert (await yard.edge.get(target, {"Host": "a.test"})).body == b"fine"
    assert len(yard.origin.seen(target)) == 2


CHUNK = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"

REFUSED = {
    "CL twice, different": HEAD + b"Content-Length: 4\r\nContent-Length: 5\r\n\r\nfour",
    "CL twice, identical": HEAD + b"Content-Length: 4\r\nContent-Length: 4\r\n\r\nfour",
    "CL list": HEAD + b"Content-Length: 4, 4\r\n\r\nfour",
    "CL plus": HEAD + b"Content-Length: +4\r\n\r\nfour",
    "CL minus": HEAD + b"Content-Length: -4\r\n\r\nfour",
    "CL hexadecimal": HEAD + b"Content-Length: 0x4\r\n\r\nfour",
    "CL underscore": HEAD + b"Content-Length: 0_4\r\n\r\nfour",
    "CL empty": HEAD + b"Content-Length:\r\n\r\nfour",
    "CL 2^64 + 4": HEAD + b"Content-Length: 18446744073709551620\r\n\r\nfour",
    "CL letters": HEAD + b"Content-Length: four\r\n\r\nfour",
    "CL and TE": HEAD + b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nfour\r\n0\r\n\r\n",
    "TE and CL": HEAD + b"Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n4\r\nfour\r\n0\r\n\r\n",
    "TE unknown": HEAD + b"Transfer-Encoding: xyz\r\n\r\nfour",
    "TE identity": HEAD + b"Transfer-Encoding: identity\r\n\r\nfour",
    "TE list": HEAD + b"Transfer-Encoding: gzip, chunked\r\n\r\n4\r\nfour\r\n0\r\n\r\n",
    "TE twice": HEAD
    + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nfour\r\n0\r\n\r\n",
    "TE quoted": HEAD + b'Transfer-Encoding: "chunked"\r\n\r\n4\r\nfour\r\n0\r\n\r\n',
    "TE empty": HEAD + b"Transfer-Encoding:\r\n\r\n4\r\nfour\r\n0\r\n\r\n",
    "TE in 1.0": CHUNK.replace(b"HTTP/1.1", b"HTTP/1.0") + b"4\r\nfour\r\n0\r\n\r\n",
    "NUL in a value": HEAD + b"A: b\0c\r\nContent-Length: 4\r\n\r\nfour",
    "NUL in a name": HEAD + b"A\0: b\r\nContent-Length: 4\r\n\r\nfour",
    "CR in a value": HEAD + b"A: b\rc\r\nContent-Length: 4\r\n\r\nfour",
    "LF in a value": HEAD + b"A: b\nSet-Cookie: c\r\nContent-Length: 4\r\n\r\nfour",
    "ESC in a value": HEAD + b"A: b\x1bc\r\nContent-Length: 4\r\n\r\nfour",
    "a folded line": HEAD + b"A: b\r\n c\r\nContent-Length: 4\r\n\r\nfour",
    "a folded first line": HEAD.replace(b"Server", b" Server") + b"Content-Length: 4\r\n\r\nfour",
    "a space before the colon": HEAD + b"A : b\r\nContent-Length: 4\r\n\r\nfour",
    "a space before CL's colon": HEAD + b"Content-Length : 4\r\n\r\nfour",
    "an empty name": HEAD + b": b\r\nContent-Length: 4\r\n\r\nfour",
    "a name with a space": HEAD + b"A B: c\r\nContent-Length: 4\r\n\r\nfour",
    "a line without colon": HEAD + b"nonsense\r\nContent-Length: 4\r\n\r\nfour",
    "lines ended by LF": FINE.replace(b"\r\n", b"\n"),
    "status of two digits": FINE.replace(b"200 OK", b"20 OK"),
    "status of four digits": FINE.replace(b"200 OK", b"2000 OK"),
    "status of letters": FINE.replace(b"200 OK", b"2xx OK"),
    "status 099": FINE.replace(b"200 OK", b"099 OK"),
    "status negative": FINE.replace(b"200 OK", b"-200 OK"),
    "no status": FINE.replace(b" 200 OK", b""),
    "NUL in the reason": FINE.replace(b"OK", b"O\0K"),
    "two spaces before the status": FINE.replace(b" 200", b"  200"),
    "HTTP/2.0": FINE.replace(b"HTTP/1.1", b"HTTP/2.0"),
    "HTTP/1.2": FINE.replace(b"HTTP/1.1", b"HTTP/1.2"),
    "http lower case": FINE.replace(b"HTTP/1.1", b"http/1.1"),
    "ICY": FINE.replace(b"HTTP/1.1", b"ICY"),
    "a blank line before": b"\r\n" + FINE,
    "garbage before": b"xx" + FINE,
    "HTTP/0.9": b"<html>an answer without a head</html>\r\n",
    "HTML with blank lines": b"<html>\r\n\r\n</html>\r\n\r\n",
    "a banner": b"220 mail.test ESMTP\r\n",
    "a TLS alert": b"\x15\x03\x01\x00\x02\x02\x46",
    "101 that nobody asked for": b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
    "101 without a protocol": b"HTTP/1.1 101 Switching Protocols\r\n\r\n",
    "300 times 103": b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n" * 300 + FINE,
    "300 times 100": b"HTTP/1.1 100 Continue\r\n\r\n" * 300 + FINE,
    "a head of 2 MB": HEAD + b"A: " + b"b" * 2_000_000 + b"\r\n\r\n",
    "a head without end": HEAD + b"A: b\r\n" * 100_000,
    "20,000 fields": HEAD + b"A: b\r\n" * 20_000 + b"\r\n",
    "257 fields": HEAD + b"A: b\r\n" * 255 + b"\r\n",
    "a status line without end": b"HTTP/1.1 200 " + b"x" * 200_000,
}


@pytest.mark.parametrize("data", REFUSED.values(), ids=REFUSED)
async def test_an_answer_that_cannot_be_trusted_is_502_and_its_connection_is_gone(
    yard: Yard, data: bytes
) -> None:
    target = yard.target()
    yard.origin.on(target, raw(data))
    answer = await yard.edge.get(target, {"Host": "a.test"})
    assert answer.status == 502, answer
    assert answer.complete
    assert b"Set-Cookie" not in dict(answer.headers)
    bad = yard.origin.connections[yard.only(target).connection_id]
    await yard.origin.wait_in_flight(0)
    assert (await yard.edge.get(target, {"Host": "a.test"})).body == b"fine"
    assert yard.origin.seen(target)[-1].connection_id != bad.number


BAD_CHUNKS = {
    "size plus": b"+4\r\nfour\r\n0\r\n\r\n",
    "size 0x": b"0x4\r\nfour\r\n0\r\n\r\n",
    "size underscore": b"0_4\r\nfour\r\n0\r\n\r\n",
    "size blank": b"4 \r\nfour\r\n0\r\n\r\n",
    "size empty": b"\r\nfour\r\n0\r\n\r\n",
    "size letters": b"xyz\r\nfour\r\n0\r\n\r\n",
    "size overflow": b"10000000000000004\r\nfour\r\n0\r\n\r\n",
    "size ended by LF": b"4\nfour\r\n0\r\n\r\n",
    "data ended by LF": b"4\r\nfour\n0\r\n\r\n",
    "all ended by LF": b"4\nfour\n0\n\n",
    "data too long": b"4\r\nfourteen\r\n0\r\n\r\n",
    "data too short": b"6\r\nfour\r\n0\r\n\r\n",
    "extension with LF": b"4;a\nb\r\nfour\r\n0\r\n\r\n",
    "extensions without end": b"".join(b"1;a=%b\r\nx\r\n" % (b"y" * 200) for _ in range(200)),
    "trailer malformed": b"4\r\nfour\r\n0\r\nA : b\r\n\r\n",
    "trailers without end": b"4\r\nfour\r\n0\r\n" + b"A: b\r\n" * 5000,
    "no chunks at all": b"an ordinary body",
}


@pytest.mark.parametrize("body", BAD_CHUNKS.values(), ids=BAD_CHUNKS)
@pytest.mark.parametrize("split", [False, True], ids=["at once", "behind its head"])
async def test_a_malformed_chunk_cuts_the_answer(yard: Yard, body: bytes, split: bool) -> None:
    target = yard.target()
    gate = asyncio.Event()
    good = raw(FINE)

    async def handler(request: OriginRequest, connection: OriginConnection) -> None:
        if request is not yard.origin.seen(target)[0]:
            await good(request, connection)
        elif split:
            await connection.send_raw(CHUNK)
            await gate.wait()
            await connection.send_raw(body)
        else:
            await connection.send_raw(CHUNK + body)

    yard.origin.on(target, handler)
    async with await yard.edge.client() as client:
        await client.send(get(target))
        if split:
            assert (await client.read_head()).status == 200
            gate.set()
            answer = await client.read_rest()
        else:
            answer = await client.read_answer()
        assert answer.status == 502 or (answer.status == 200 and not answer.complete), answer
    assert (await yard.edge.get(target, {"Host": "a.test"})).body == b"fine"
    assert len({request.connection_id for request in yard.origin.seen(target)}) == 2


SURPLUS = {
    "more than CL": (b"GET", FINE + b"surplus"),
    "a second response": (b"GET", FINE + FINE.replace(b"fine", b"evil")),
    "a second response to HEAD": (
        b"HEAD",
        FINE.replace(b"\r\n\r\nfine", b"\r\n\r\n") + FINE.replace(b"fine", b"evil"),
    ),
    "a body of HEAD": (b"HEAD", FINE),
    "a chunked body of HEAD": (b"HEAD", CHUNK + b"4\r\nevil\r\n0\r\n\r\n"),
    "a body of 204": (b"GET", FINE.replace(b"200 OK", b"204 No Content")),
    "a body of 304": (b"GET-conditional", FINE.replace(b"200 OK", b"304 Not Modified")),
    "a chunked body of 204": (
        b"GET",
        CHUNK.replace(b"200 OK", b"204 No Content") + b"4\r\nevil\r\n0\r\n\r\n",
    ),
    "more behind the last chunk": (b"GET", CHUNK + b"4\r\nfine\r\n0\r\n\r\nsurplus"),
    "a second response behind the last chunk": (b"GET", CHUNK + b"4\r\nfine\r\n0\r\n\r\n" + FINE),
    "more than CL 0": (b"GET", HEAD + b"Content-Length: 0\r\n\r\nsurplus"),
    "a second response behind CL 0": (b"GET", HEAD + b"Content-Length: 0\r\n\r\n" + FINE),
}


@pytest.mark.parametrize("case", SURPLUS.values(), ids=SURPLUS)
@pytest.mark.parametrize("later", [False, True], ids=["at once", "later"])
async def test_more_than_was_announced_never_reaches_the_next_one(
    yard: Yard, case: tuple[bytes, bytes], later: bool
) -> None:
    target = yard.target()
    method, data = case
    end = (
        data.index(b"\r\n\r\n")
        + 4
        + (4 if data.startswith(FINE[:-4]) and method == b"GET" and b" 200 " in data else 0)
    )
    sent = asyncio.Event()

    async def handler(request: OriginRequest, connection: OriginConnection) -> None:
        await connection.send_raw(data[:end] if later else data)
        if later:
            await sent.wait()
            await connection.send_raw(data[end:])

    yard.origin.on(target, handler)
    yard.origin.on(target + "-next", raw(FINE.replace(b"fine", b"next")))
    async with await yard.edge.client() as client:
        lines = (b"If-None-Match: x", b"Cache-Control: no-store") if b"conditional" in method else ()
        await client.send(head(b"%b %b HTTP/1.1" % (method.partition(b"-")[0], target.encode()), *lines))
        if not later:
            answer = await client.read_answer(method.decode())
            assert answer.status in {200, 204, 304, 502}
            assert b"evil" not in answer.body
            assert b"surplus" not in answer.body
        sent.set()
        async with await yard.edge.client() as other:
            await other.send(get(target + "-next"))
            answer = await other.read_answer()
            assert (answer.status, answer.body) == (200, b"next")


async def test_early_hints_pass_within_their_bound(yard: Yard) -> None:
    target = yard.target()
    hint = b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n"
    yard.origin.on(target, raw(hint * 16 + FINE))
    answer = await yard.edge.get(target)
    assert (answer.status, [interim.status for interim in answer.interim]) == (200, [103] * 16)


async def test_an_answer_of_unknown_length_without_end_is_not_stored(yard: Yard) -> None:
    target = yard.target()
    yard.origin.on(target, raw(HEAD + b"Connection: close\r\n\r\nall there is", "close"))
    assert (await yard.edge.get(target)).body == b"all there is"
    assert (await yard.edge.get(target)).body == b"fine"
