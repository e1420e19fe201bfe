"""Vary: the right variant to each, and only so many of them. RFC 9111 s4.1."""

import pytest

from tests.kit.client import RawClient
from tests.kit.origin import OriginConnection, OriginRequest
from tests.kit.yard import Yard, get

pytestmark = pytest.mark.asyncio(loop_scope="module")


def varies(*names: str, lines: bool = False):
    """An origin that answers with the values of these fields, and says so."""

    async def handler(request: OriginRequest, connection: OriginConnection) -> None:
        said = [("Vary", name) for name in names] if lines else [("Vary", ", ".join(names))]
        seen = b"|".join(request.header(name) or b"-" for name in names)
        await connection.send_response(200, [("Cache-Control", "max-age=60"), *said], seen)

    return handler


async def ask(client: RawClient, target: str, *lines: bytes) -> bytes:
    await client.send(get(target, *lines))
    answer = await client.read_answer()
    assert answer.status == 200
    return answer.body


@pytest.mark.parametrize("as_lines", [False, True], ids=["one line", "two lines"])
async def test_each_request_gets_its_own_variant(yard: Yard, as_lines: bool) -> None:
    target = yard.target()
    yard.origin.on(target, varies("X-A", "x-b", lines=as_lines))
    cases = {
        (b"X-A: 1", b"X-B: 2"): b"1|2",
        (b"X-A: 1",): b"1|-",
        (b"X-B: 1",): b"-|1",
        (): b"-|-",
        (b"X-A: 12",): b"12|-",
        (b"X-A: 1", b"X-A: 2"): b"1, 2|-",
        (b"X-A:",): b"-|-",
    }
    async with await yard.edge.client() as client:
        for _ in range(2):
            for lines, body in cases.items():
                assert await ask(client, target, *lines) == body
    assert len(yard.origin.seen(target)) == len(cases)


async def test_what_is_absent_is_not_what_is_empty(yard: Yard) -> None:
    target = yard.target()
    yard.origin.on(target, varies("X-A"))
    async with await yard.edge.client() as client:
        await ask(client, target)
        await ask(client, target, b"X-A:")
        await ask(client, target)
    assert len(yard.origin.seen(target)) == 2


@pytest.mark.parametrize("vary", [("*",), ("Accept", "*"), ("*", "*")])
async def test_an_asterisk_is_never_reused(yard: Yard, vary: tuple[str, ...]) -> None:
    target = yard.target()
    yard.origin.on(target, varies(*vary))
    async with await yard.edge.client() as client:
        for _ in range(3):
            await ask(client, target, b"Accept: x")
    assert len(yard.origin.seen(target)) == 3


async def test_a_variant_cannot_be_written_to_look_like_another(yard: Yard) -> None:
    target = yard.target()
    yard.origin.on(target, varies("X-A", "X-B"))
    async with await yard.edge.client() as client:
        assert await ask(client, target, b"X-A: 1|2", b"X-B: 3") == b"1|2|3"
        assert await ask(client, target, b"X-A: 1", b"X-B: 2|3") == b"1|2|3"
        assert await ask(client, target, b"X-A: 1-x-b+1:2") == b"1-x-b+1:2|-"
    assert len(yard.origin.seen(target)) == 3


async def test_codings_reach_only_those_who_take_them(yard: Yard) -> None:
    target = yard.target()

    async def handler(request: OriginRequest, connection: OriginConnection) -> None:
        coding = b"gzip" if b"gzip" in (request.header("Accept-Encoding") or b"") else b"identity"
        headers = {"Cache-Control": "max-age=60", "Vary": "Accept-Encoding"}
        await connection.send_response(200, headers, coding)

    yard.origin.on(target, handler)
    cases = {
        b"gzip, deflate, br": b"gzip",
        b"gzip;q=0": b"identity",
        b"identity": b"identity",
        b"GZIP": b"gzip",
        b"gzip;q=0.5, identity": b"gzip",
        b"*;q=0": b"identity",
        b"x, gzip;q=0, y": b"identity",
    }
    async with await yard.edge.client() as client:
        for _ in range(2):
            for value, coding in cases.items():
                assert await ask(client, target, b"Accept-Encoding: " + value) == coding
            assert await ask(client, target) == b"identity"


async def test_three_hundred_variants_are_right_and_fill_nothing(yard: Yard) -> None:
    target = yard.target()
    yard.origin.on(target, varies("X-A"))
    async with await yard.edge.client() as client:
        for _ in range(2):
            for n in range(300):
                assert await ask(client, target, b"X-A: %d" % n) == b"%d" % n
    kept = 600 - len(yard.origin.seen(target))
    assert 0 < kept <= 64
