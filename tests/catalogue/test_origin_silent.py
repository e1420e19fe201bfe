"""An origin that gives no answer, or one too early, or one that is not for all who wait. RFC 9110 s9.2.2; RFC 9112 s9.3.

None hangs, none gets a part for the whole, and what is unsafe is sent at most once.
"""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from tests.kit.answer import Answer, Ending
from tests.kit.origin import Handler, OriginConnection, OriginRequest
from tests.kit.yard import Yard, head, post

pytestmark = pytest.mark.asyncio(loop_scope="module")

FRESH = {"Cache-Control": "max-age=60"}


async def _closes(request: OriginRequest, connection: OriginConnection) -> None:
    await connection.close()


async def _resets(request: OriginRequest, connection: OriginConnection) -> None:
    connection.reset()


async def _half_a_head(request: OriginRequest, connection: OriginConnection) -> None:
    await connection.send_raw(b"HTTP/1.1 200 OK\r\nDate:")
    await connection.close()


SENDS = 3
"""Of one safe request: on an idle connection that may have been dead, on a new one, and one retry (the setting)."""
FILLS = 2
"""For one herd: when the first fails, one of those who waited tries once more, for all."""

SILENT: dict[str, Callable[[OriginRequest, OriginConnection], Awaitable[None]]] = {
    "closes": _closes,
    "resets": _resets,
    "half a head": _half_a_head,
}


@pytest.mark.parametrize("handler", SILENT.values(), ids=SILENT)
@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "BREW"])
@pytest.mark.parametrize("warm", [False, True], ids=["new connection", "idle connection"])
async def test_an_unsafe_request_without_an_answer_is_502_and_was_sent_once(
    yard: Yard, method: str, handler: Handler, warm: bool
) -> None:
    target = yard.target()
    yard.origin.on(target, handler)
    if warm:
        await yard.edge.get(target + "-warm")
    async with await yard.edge.client() as client:
        await client.send(head(f"{method} {target} HTTP/1.1", b"Content-Length: 5") + b"hello")
        assert (await client.read_answer(method)).status == 502
    assert len(yard.origin.seen(target)) == 1


@pytest.mark.parametrize("handler", SILENT.values(), ids=SILENT)
async def test_a_safe_request_without_an_answer_is_502_and_was_sent_thrice_at_most(
    yard: Yard, handler: Handler
) -> None:
    target = yard.target()
    yard.origin.on(target, handler)
    answer = await yard.edge.get(target)
    assert (answer.status, answer.complete) == (502, True)
    assert 1 <= len(yard.origin.seen(target)) <= SENDS


@pytest.mark.parametrize(
    "line", [b"Content-Length: 10000000", b"Transfer-Encoding: chunked"], ids=["CL", "TE"]
)
async def test_an_early_refusal_of_an_upload_is_passed_on_and_both_connections_end(
    yard: Yard, line: bytes
) -> None:
    target = yard.target()

    async def refuses(request: OriginRequest, connection: OriginConnection) -> None:
        await connection.send_raw(
            b"HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\nConnection: close\r\n\r\nbig"
        )
        await connection.close()

    yard.origin.on(target, refuses, read_body=False)
    async with await yard.edge.client() as client:
        await client.send(post(target, line) + b"400\r\n" + b"x" * 1024)
        answer = await client.read_answer("POST")
        assert (answer.status, answer.body, answer.header("Connection")) == (413, b"big", b"close")
        assert (await client.wait_ended())[0] is Ending.CLOSED
    await yard.never_finished(target)


async def herd(yard: Yard, target: str, size: int = 24) -> list[Answer]:
    """Answers to that many requests, all of which wait before the origin answers the first."""
    gate = yard.origin.hold(target)
    active = yard.edge.measures.requests_active
    before = active.value
    asking = [asyncio.ensure_future(yard.edge.get(target, {"Host": "a.test"})) for _ in range(size)]
    await gate.wait_waiting(1)
    await yard.edge.until(lambda: active.value - before == size, f"{size} requests under way")
    gate.release()
    return await asyncio.gather(*asking)


@pytest.mark.parametrize("handler", SILENT.values(), ids=SILENT)
async def test_a_herd_gets_an_answer_each_when_the_origin_gives_none(yard: Yard, handler: Handler) -> None:
    target = yard.target()
    yard.origin.on(target, handler)
    answers = await herd(yard, target)
    assert {(answer.status, answer.complete) for answer in answers} == {(502, True)}
    assert len(yard.origin.seen(target)) <= FILLS * SENDS


async def test_a_herd_never_takes_a_part_for_the_whole(yard: Yard) -> None:
    target = yard.target()

    async def cuts(request: OriginRequest, connection: OriginConnection) -> None:
        await connection.send_raw(
            b"HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nContent-Length: 100\r\n\r\nonly this"
        )
        connection.reset()

    yard.origin.on(target, cuts)
    for answer in await herd(yard, target):
        assert answer.status == 502 or (answer.status, answer.complete) == (200, False)
    assert len(yard.origin.seen(target)) <= 4


@pytest.mark.parametrize("said", ["private, max-age=60", "no-store"])
async def test_of_a_private_answer_each_of_a_herd_gets_its_own(yard: Yard, said: str) -> None:
    target = yard.target()

    async def personal(request: OriginRequest, connection: OriginConnection) -> None:
        await connection.send_response(200, {"Cache-Control": said}, b"%d" % request.number)

    yard.origin.on(target, personal)
    answers = await herd(yard, target)
    assert {answer.status for answer in answers} == {200}
    assert len({answer.body for answer in answers}) == len(answers)
    assert len(yard.origin.seen(target)) == len(answers)


async def test_of_an_answer_that_varies_each_of_a_herd_gets_its_own(yard: Yard) -> None:
    target = yard.target()

    async def varies(request: OriginRequest, connection: OriginConnection) -> None:
        headers = FRESH | {"Vary": "X-Who"}
        await connection.send_response(200, headers, request.header("X-Who") or b"-")

    yard.origin.on(target, varies)
    gate = yard.origin.hold(target)
    asking = [asyncio.ensure_future(yard.edge.get(target, {"X-Who": f"{n % 3}"})) for n in range(24)]
    await gate.wait_waiting(1)
    gate.release()
    answers = await asyncio.gather(*asking)
    assert [answer.body for answer in answers] == [b"%d" % (n % 3) for n in range(24)]
    assert len(yard.origin.seen(target)) <= 6
