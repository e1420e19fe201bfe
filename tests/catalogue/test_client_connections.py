"""What belongs to one connection: options, expectations, upgrades, order, ends. RFC 9112 s9, RFC 9110 s7.6, s7.8, s10.1.1."""

import asyncio

import pytest

from tests.kit.answer import Ending
from tests.kit.client import RawClient
from tests.kit.origin import Canned, OriginConnection, OriginRequest
from tests.kit.yard import SMUGGLED, Yard, get, head, post

pytestmark = pytest.mark.asyncio(loop_scope="module")

CL, TE = b"Content-Length: 5", b"Transfer-Encoding: chunked"

HOP_BY_HOP = {
    "Connection": [b"Connection: X-Mine", b"X-Mine: 1"],
    "Connection of two": [b"Connection: close-not, x-mine", b"X-MINE: 1"],
    "two lines of Connection": [b"Connection: keep-alive", b"Connection: X-Mine", b"X-Mine: 1", b"X-Mine: 2"],
    "Keep-Alive": [b"Keep-Alive: timeout=5"],
    "TE": [b"TE: trailers, deflate"],
    "Proxy-Connection": [b"Proxy-Connection: keep-alive"],
    "Proxy-Authorization": [b"Proxy-Authorization: Basic eA=="],
    "Upgrade": [b"Upgrade: h2c", b"Connection: Upgrade"],
    "HTTP2-Settings": [b"HTTP2-Settings: AAMAAABk", b"Upgrade: h2c", b"Connection: Upgrade, HTTP2-Settings"],
    "Trailer": [b"Trailer: X-Mine"],
}
NOT_SENT_ON = ("X-Mine", "Keep-Alive", "TE", "Proxy-Connection", "Proxy-Authorization", "Upgrade", "HTTP2-Settings",
               "Trailer", "Connection")  # fmt: skip

NOT_STRIPPABLE = {
    "Content-Length": b"Content-Length",
    "Host": b"Host",
    "CDN-Loop": b"CDN-Loop",
    "Via": b"Via",
    "all of them": b"content-length, host, cdn-loop, via, x",
}


@pytest.mark.parametrize("lines", HOP_BY_HOP.values(), ids=HOP_BY_HOP)
async def test_what_belongs_to_the_connection_stays_on_it(yard: Yard, lines: list[bytes]) -> None:
    target = yard.target()
    async with await yard.edge.client() as client:
        await client.send(get(target, *lines, b"X-Kept: 1"))
        assert (await client.read_answer()).status == 200
    request = yard.only(target)
    assert [name for name in NOT_SENT_ON if request.header(name) is not None] == []
    assert request.header("X-Kept") == b"1"


@pytest.mark.parametrize("option", NOT_STRIPPABLE.values(), ids=NOT_STRIPPABLE)
async def test_framing_host_and_loop_detection_cannot_be_stripped(yard: Yard, option: bytes) -> None:
    target = yard.target()
    async with await yard.edge.client() as client:
        lines = (b"Connection: " + option, CL, b"CDN-Loop: other", b"Via: 1.1 other")
        await client.send(post(target, *lines) + b"hello")
        assert (await client.read_answer("POST")).status == 200
    request = yard.only(target)
    assert (request.body, request.header_lines("Host")) == (b"hello", [b"a.test"])
    assert request.header("CDN-Loop") == b"other, edge"
    assert request.header("Via") == b"1.1 other, 1.1 edge"


@pytest.mark.parametrize("option", [b"Cache-Control", b"Content-Type"])
async def test_a_field_that_all_need_cannot_be_stripped(yard: Yard, option: bytes) -> None:
    target = yard.target()
    async with await yard.edge.client() as client:
        await client.send(post(target, b"Connection: " + option, option + b": a/b", CL) + b"hello")
        assert (await client.read_answer("POST")).status == 200
    assert yard.only(target).header(option.decode()) == b"a/b"


@pytest.mark.parametrize("protocol", [b"h2c", b"foo", b"TLS/1.0", b"websocket, h2c", b""])
async def test_an_upgrade_that_is_not_offered_is_dropped_and_what_follows_is_a_request(
    yard: Yard, protocol: bytes
) -> None:
    target = yard.target()
    async with await yard.edge.client() as client:
        lines = (b"Connection: Upgrade", b"Upgrade: " + protocol)
        await client.send(get(target, *lines) + get(target + "-next"))
        assert (await client.read_answer()).status == 200
        assert (await client.read_answer()).status == 200
    assert yard.only(target).header("Upgrade") is None
    assert len(yard.origin.seen(target + "-next")) == 1


WEBSOCKET = (b"Connection: Upgrade", b"Upgrade: websocket", b"Sec-WebSocket-Version: 13")


async def test_there_is_no_tunnel_without_101(yard: Yard) -> None:
    target = yard.target()
    async with await yard.edge.client() as client:
        await client.send(get(target, *WEBSOCKET) + get(target + "-next"))
        assert (await client.read_answer()).status == 200
        assert (await client.read_answer()).status == 200
    assert yard.only(target).header("Upgrade") == b"websocket"
    assert yard.only(target + "-next").header("Via") is not None


async def test_a_websocket_is_passed_through_after_101(yard: Yard) -> None:
    target = yard.target()
    heard = asyncio.Queue[bytes]()

    async def socket(request: OriginRequest, connection: OriginConnection) -> None:
        await connection.send_head(101, {"Connection": "Upgrade", "Upgrade": "websocket"})
        await connection.send_raw(b"welcome")
        await heard.put(await connection.read_raw(5))
        await connection.send_raw(b"bye")
        await connection.close()

    yard.origin.on(target, socket)
    async with await yard.edge.client() as client:
        await client.send(get(target, *WEBSOCKET) + b"hello")
        answer = await client.read_head()
        assert (answer.status, answer.header("Upgrade")) == (101, b"websocket")
        assert (await client.wait_ended())[1] == b"welcomebye"
    assert await heard.get() == b"hello"


@pytest.mark.parametrize("first", ["POST", "GET"])
async def test_an_upgrade_with_a_body_is_none(yard: Yard, first: str) -> None:
    target = yard.target()
    yard.origin.on(target, Canned(101, {"Connection": "Upgrade", "Upgrade": "websocket"}))
    async with await yard.edge.client() as client:
        await client.send(head(f"{first} {target} HTTP/1.1", *WEBSOCKET, CL) + b"hello")
        assert (await client.read_answer(first)).status == 502
    assert yard.only(target).header("Upgrade") is None


@pytest.mark.parametrize("framed", [(CL, b"hello"), (TE, b"5\r\nhello\r\n0\r\n\r\n")], ids=["CL", "TE"])
async def test_an_expectation_of_100_is_met_by_us_and_goes_no_further(
    yard: Yard, framed: tuple[bytes, bytes]
) -> None:
    target = yard.target()
    async with await yard.edge.client() as client:
        await client.send(post(target, b"Expect: 100-Continue", framed[0]))
        assert await client.read_raw() == b"HTTP/1.1 100 Continue\r\n\r\n"
        await client.send(framed[1])
        answer = await client.read_answer("POST")
        assert (answer.status, answer.interim) == (200, [])
        assert (await client.get(target + "-next")).status == 200
    assert (yard.only(target).body, yard.only(target).header("Expect")) == (b"hello", None)


async def test_who_sends_the_body_at_once_is_not_told_to_continue(yard: Yard) -> None:
    target = yard.target()
    async with await yard.edge.client() as client:
        await client.send(post(target, b"Expect: 100-continue", CL) + b"hello")
        assert (await client.read_answer("POST")).interim == []


async def test_an_expectation_without_a_body_is_ignored(yard: Yard) -> None:
    target = yard.target()
    async with await yard.edge.client() as client:
        await client.send(get(target, b"Expect: 100-continue") + get(target + "-next"))
        assert (await client.read_answer()).interim == []
        assert (await client.read_answer()).status == 200
    assert yard.only(target).header("Expect") is None


async def test_an_old_client_is_not_told_to_continue(yard: Yard) -> None:
    target = yard.target()
    async with await yard.edge.client() as client:
        await client.send(head(f"POST {target} HTTP/1.0", b"Expect: 100-continue", CL) + b"hello")
        answer = await client.read_answer("POST")
        assert (answer.status, answer.interim) == (200, [])


@pytest.mark.parametrize(
    "lines",
    [(b"Expect: x",), (b"Expect: 100-continue, x",), (b"Expect: 100-continue", b"Expect: 100-continue"), (b"Expect:",),
     (b"Expect: 100-continu\xeb",), (b"Expect: 100-continue;q=1",), (b"Expect: y 100-continue",), (b"Expect: 200-ok",)],
    ids=["unknown", "list", "twice", "empty", "high byte", "parameter", "obfuscated", "200-ok"],
)  # fmt: skip
async def test_another_expectation_is_refused(yard: Yard, lines: tuple[bytes, ...]) -> None:
    await yard.refused(post("/expect", *lines, CL) + b"hello" + SMUGGLED, 417)


async def test_a_pipeline_of_sixty_is_answered_in_order(yard: Yard) -> None:
    stored = yard.target()
    yard.origin.on(stored, Canned(200, {"Cache-Control": "max-age=60"}, b"stored"))
    await yard.edge.get(stored, {"Host": "a.test"})
    methods = ("GET", "HEAD", "POST", "GET", "PUT", "GET")
    targets = [stored if at % 6 == 3 else f"{stored}-{at}" for at in range(60)]
    for at, target in enumerate(targets):
        if target != stored:
            yard.origin.on(target, Canned(200, {"Cache-Control": "no-store"}, b"%d" % at))
    data = b"".join(_request(methods[at % 6], target) for at, target in enumerate(targets))
    for cut in (len(data), 1, 7919):
        async with await yard.edge.client() as client:
            for at in range(0, len(data), cut):
                await client.send(data[at : at + cut])
            for at, target in enumerate(targets):
                answer = await client.read_answer(methods[at % 6])
                wanted = b"stored" if target == stored else b"" if methods[at % 6] == "HEAD" else b"%d" % at
                assert (answer.status, answer.body) == (200, wanted)


def _request(method: str, target: str) -> bytes:
    if method in {"POST", "PUT"}:
        return head(f"{method} {target} HTTP/1.1", CL) + b"hello"
    return head(f"{method} {target} HTTP/1.1")


async def test_only_so_much_of_a_pipeline_is_read_while_one_is_answered(yard: Yard) -> None:
    target = yard.target()
    gate = yard.origin.hold(target)
    async with await yard.edge.client() as client:
        await client.send(get(target))
        await gate.wait_waiting(1)
        sending = asyncio.ensure_future(client.send(get(target + "-next") * 300_000))
        done, _ = await asyncio.wait((sending,), timeout=0.1)
        assert not done, "the edge took 15 MB of requests that it is not ready for"
        assert not yard.origin.seen(target + "-next")
        sending.cancel()
        client.abort()
    gate.release()


@pytest.mark.parametrize("framed", [(CL, b"hello"), (TE, b"5\r\nhello\r\n0\r\n\r\n")], ids=["CL", "TE"])
async def test_what_follows_a_close_is_never_read(yard: Yard, framed: tuple[bytes, bytes]) -> None:
    target = yard.target()
    for data in (
        get(target, b"Connection: close"),
        get(target, b"Connection: x, Close"),
        get(target, b"Connection: keep-alive", b"Connection: close"),
        head(f"GET {target} HTTP/1.0"),
        head(f"GET {target} HTTP/1.0", b"Connection: close, keep-alive"),
        post(target, b"Connection: close", framed[0]) + framed[1],
    ):
        answer, rest = await yard.closed(data + SMUGGLED)
        assert (answer.status, answer.header("Connection"), rest) == (200, b"close", b"")
    assert not yard.origin.seen("/smuggled")


async def test_what_follows_a_close_is_never_read_after_a_hit(yard: Yard) -> None:
    target = yard.target()
    yard.origin.on(target, Canned(200, {"Cache-Control": "max-age=60"}, b"stored"))
    await yard.edge.get(target, {"Host": "a.test"})
    answer, rest = await yard.closed(get(target, b"Connection: close") + SMUGGLED)
    assert (answer.body, answer.header("Connection"), rest) == (b"stored", b"close", b"")
    assert (len(yard.origin.seen(target)), yard.origin.seen("/smuggled")) == (1, [])


async def test_what_follows_a_refusal_is_never_read_even_when_it_comes_later(yard: Yard) -> None:
    async with await yard.edge.client() as client:
        await client.send(get("/refused", b"A : b"))
        assert (await client.read_answer()).status == 400
        await client.send(SMUGGLED)
        assert await client.wait_ended() == (Ending.CLOSED, b"")
    assert not yard.origin.seen("/smuggled")


async def test_a_refusal_waits_for_the_answers_before_it(yard: Yard) -> None:
    target = yard.target()
    gate = yard.origin.hold(target)
    async with await yard.edge.client() as client:
        await client.send(get(target) + get("/refused", b"A : b") + SMUGGLED)
        await gate.wait_waiting(1)
        gate.release()
        assert (await client.read_answer()).status == 200
        assert (await client.read_answer()).status == 400
        assert await client.wait_ended() == (Ending.CLOSED, b"")
    assert not yard.origin.seen("/smuggled")


async def test_an_old_client_may_keep_its_connection(yard: Yard) -> None:
    target = yard.target()
    async with await yard.edge.client() as client:
        for _ in range(3):
            await client.send(head(f"GET {target} HTTP/1.0", b"Connection: Keep-Alive"))
            answer = await client.read_answer()
            assert (answer.status, answer.header("Connection")) == (200, b"keep-alive")


ABORTED = {
    "CL": (b"Content-Length: 100", b"hello"),
    "TE between chunks": (TE, b"5\r\nhello\r\n"),
    "TE within a chunk": (TE, b"ff\r\nhello"),
    "TE within a size": (TE, b"5\r\nhello\r\n1"),
    "TE before its last line": (TE, b"5\r\nhello\r\n0\r\n"),
    "TE within the trailers": (TE, b"5\r\nhello\r\n0\r\nA: b\r\n"),
    "nothing of it": (b"Content-Length: 100", b""),
}


@pytest.mark.parametrize("framed", ABORTED.values(), ids=ABORTED)
@pytest.mark.parametrize("way", ["FIN", "half", "RST"])
async def test_an_upload_that_breaks_off_is_never_finished_for_its_client(
    yard: Yard, framed: tuple[bytes, bytes], way: str
) -> None:
    target = yard.target()
    async with await yard.edge.client() as client:
        await client.send(post(target, framed[0]) + framed[1])
        await yard.origin.wait_requests(1, target)
        await _leave(client, way)
        if way == "half":
            assert (await client.read_answer("POST")).status == 400
    await yard.never_finished(target)


async def _leave(client: RawClient, way: str) -> None:
    if way == "RST":
        client.abort()
    elif way == "half":
        await client.half_close()
    else:
        await client.close()


LOOPS = {
    "ours": (b"CDN-Loop: edge",),
    "ours with parameters": (b"CDN-Loop: edge; v=1",),
    "ours in another case": (b"CDN-Loop: EDGE",),
    "ours behind another": (b"CDN-Loop: other, edge",),
    "ours on a second line": (b"CDN-Loop: other", b"CDN-Loop: edge"),
    "far too many": (b"CDN-Loop: " + b", ".join(b"cdn%d" % at for at in range(40)),),
    "ours, to be stripped": (b"CDN-Loop: edge", b"Connection: CDN-Loop"),
}


@pytest.mark.parametrize("lines", LOOPS.values(), ids=LOOPS)
async def test_a_request_that_came_through_us_is_refused(yard: Yard, lines: tuple[bytes, ...]) -> None:
    target = yard.target()
    async with await yard.edge.client() as client:
        await client.send(get(target, *lines))
        assert (await client.read_answer()).status in {502, 508}
    assert not yard.origin.seen(target)


async def test_a_loop_is_refused_even_where_the_response_is_stored(yard: Yard) -> None:
    target = yard.target()
    yard.origin.on(target, Canned(200, {"Cache-Control": "max-age=60"}, b"stored"))
    await yard.edge.get(target, {"Host": "a.test"})
    async with await yard.edge.client() as client:
        await client.send(get(target, b"CDN-Loop: edge"))
        assert (await client.read_answer()).status in {502, 508}
