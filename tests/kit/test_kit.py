"""The kit is trusted by every other test, so it is tested itself: the client against the origin, both ways."""

import asyncio

import pytest

from tests.kit.client import Ending, MalformedAnswer, RawClient, get
from tests.kit.origin import Canned, OriginConnection, OriginRequest, ScriptedOrigin
from tests.kit.waiting import TookTooLong


async def test_the_client_reads_what_the_origin_was_told_to_send() -> None:
    rules = {
        "/a": Canned(203, {"X-A": "1"}, b"hello"),
        "/c": Canned(body=b"x" * 70000, chunked=True, trailers={"T": "1"}),
    }
    async with ScriptedOrigin(rules) as origin, await RawClient.connect("127.0.0.1", origin.port) as client:
        first = await client.get("/a?q=1", {"X-B": "2"})
        assert (first.status, first.body, first.header("x-a"), first.complete) == (203, b"hello", b"1", True)
        second = await client.get("/c")
        assert (len(second.body), second.trailers, second.complete) == (70000, [(b"T", b"1")], True)
        head = await client.request("HEAD", "/a")
        assert (head.body, head.header("Content-Length"), head.complete) == (b"", b"5", True)
        assert [r.target for r in origin.requests] == [b"/a?q=1", b"/c", b"/a"]
        assert origin.requests[0].header("x-b") == b"2"
        assert len(origin.connections) == 1


async def test_answers_of_a_list_are_given_in_turn_and_the_last_one_repeats() -> None:
    async with ScriptedOrigin({"/a": [Canned(body=b"1"), Canned(body=b"2")]}) as origin:
        assert [(await get(origin.url + "/a")).body for _ in range(3)] == [b"1", b"2", b"2"]


async def test_a_pipeline_is_answered_in_order_and_a_request_sent_bytewise_is_read_whole() -> None:
    rules = {"/a": Canned(body=b"a"), "/b": Canned(body=b"bb")}
    async with ScriptedOrigin(rules) as origin, await RawClient.connect("127.0.0.1", origin.port) as client:
        answers = await client.pipeline([("GET", "/a", {}), ("HEAD", "/b", {}), ("GET", "/b", {})])
        assert [a.body for a in answers] == [b"a", b"", b"bb"]
        await client.send_bytewise(
            b"POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nT: 1\r\n\r\n"
        )
        assert (await client.read_answer("POST")).body == b"a"
        posted = origin.requests[-1]
        assert (posted.body, posted.trailers, posted.complete) == (b"abc", [(b"T", b"1")], True)


async def test_interim_answers_are_kept_and_a_streamed_body_can_be_read_in_pieces() -> None:
    async def handler(request: OriginRequest, connection: OriginConnection) -> None:
        await connection.send_head(103, {"Link": "</s>"}, reason="Early Hints")
        await connection.send_head(200, {"Transfer-Encoding": "chunked"})
        await connection.send_chunk(b"first")
        await gate.passed()
        await connection.send_last_chunk()

    async with ScriptedOrigin() as origin, await RawClient.connect("127.0.0.1", origin.port) as client:
        gate = origin.hold("/other")
        origin.on("/s", handler)
        await client.send_request("GET", "/s")
        head = await client.read_head()
        assert [(i.status, i.headers) for i in head.interim] == [(103, [(b"Link", b"</s>")])]
        assert await client.read_body_until(5) == b"first"
        gate.release()
        assert (await client.read_rest()).complete


CUTS = [
    ("short body", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc", "close", 200, Ending.CLOSED, False),
    ("cut chunk", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nabc", "close", 200, Ending.CLOSED, False),
    ("no last chunk", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n", "close", 200, Ending.CLOSED, False),
    ("close-delimited", b"HTTP/1.1 200 OK\r\n\r\nabc", "close", 200, Ending.CLOSED, True),
    ("cut head", b"HTTP/1.1 200 OK\r\nConte", "close", 0, Ending.CLOSED, False),
    ("nothing", b"", "close", 0, Ending.CLOSED, False),
    ("reset", b"", "reset", 0, Ending.RESET, False),
]  # fmt: skip


@pytest.mark.parametrize(
    ("sent", "end", "status", "ending", "complete"), [c[1:] for c in CUTS], ids=[c[0] for c in CUTS]
)
async def test_a_cut_answer_is_reported_and_not_taken_for_a_whole_one(
    sent: bytes, end: str, status: int, ending: Ending, complete: bool
) -> None:
    async def handler(request: OriginRequest, connection: OriginConnection) -> None:
        await connection.send_raw(sent)
        if end == "reset":
            connection.reset()
        else:
            await connection.close()

    async with ScriptedOrigin({"/": handler}) as origin:
        answer = await get(origin.url + "/")
    assert (answer.status, answer.ending, answer.complete) == (status, ending, complete)


@pytest.mark.parametrize(
    "sent",
    [
        b"HTTP/1.1 200 OK\r\nA : b\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n A: b\r\n\r\n",
        b"HTTP/1.1 2000 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: +1\r\n\r\na",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n0\r\n\r\n",
    ],
)
async def test_a_malformed_answer_is_refused(sent: bytes) -> None:
    async def handler(request: OriginRequest, connection: OriginConnection) -> None:
        await connection.send_raw(sent)
        await connection.close()

    async with ScriptedOrigin({"/": handler}) as origin:
        with pytest.raises(MalformedAnswer):
            await get(origin.url + "/")


async def test_a_request_that_is_cut_is_recorded_as_incomplete_and_one_that_is_none_as_malformed() -> None:
    async with ScriptedOrigin({"/": Canned()}) as origin:
        async with await RawClient.connect("127.0.0.1", origin.port) as client:
            await client.send(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nabc")
            await origin.wait_in_flight(1)
            client.abort()
            await origin.wait_in_flight(0)
        async with await RawClient.connect("127.0.0.1", origin.port) as client:
            await client.send(b"GARBAGE\r\n\r\n")
            assert (await client.read_answer()).status == 400
        await origin.wait_connections(0)
        assert [(r.method, r.complete) for r in origin.requests] == [(b"POST", False)]
        assert origin.malformed == [b"GARBAGE\r\n\r\n"]


async def test_a_held_request_is_in_flight_until_its_gate_is_released() -> None:
    async with ScriptedOrigin({"/a": Canned(body=b"a")}) as origin:
        gate = origin.hold("/a")
        async with asyncio.TaskGroup() as tasks:
            answers = [tasks.create_task(get(origin.url + "/a")) for _ in range(3)]
            await gate.wait_waiting(3)
            await origin.wait_in_flight(3)
            gate.release()
        assert [t.result().body for t in answers] == [b"a"] * 3
        assert (origin.in_flight_max, origin.in_flight) == (3, 0)


async def test_a_wait_that_runs_out_fails_and_says_what_was_seen() -> None:
    async with ScriptedOrigin() as origin:
        with pytest.raises(TookTooLong, match=r"2 requests at the origin; seen: \[\]"):
            await origin.wait_requests(2, within=0.01)


async def test_a_failing_handler_fails_the_test() -> None:
    async def handler(request: OriginRequest, connection: OriginConnection) -> None:
        raise ValueError("a mistake in a test")

    with pytest.raises(ExceptionGroup, match="handlers of the scripted origin"):
        async with ScriptedOrigin({"/": handler}) as origin:
            await get(origin.url + "/")


async def test_an_origin_that_stops_listening_refuses_and_can_come_back_on_its_port() -> None:
    async with ScriptedOrigin({"/": Canned(204)}) as origin:
        await origin.stop_listening()
        with pytest.raises(ConnectionRefusedError):
            await get(origin.url + "/")
        await origin.listen()
        assert (await get(origin.url + "/")).status == 204
