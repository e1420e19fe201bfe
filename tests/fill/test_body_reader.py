"""A body between its connection and its reader."""

import asyncio
from dataclasses import dataclass

import pytest

from edge.errors import UpstreamFault
from edge.fill.body_reader import MAX_UNREAD, BodyReader
from edge.semantics.message import Fields

FAULT = UpstreamFault("cut", proxy_status="http_response_incomplete")


@dataclass
class Tap:
    """A producer that remembers what it was told."""

    said: str = ""

    def pause(self) -> None:
        self.said += "p"

    def resume(self) -> None:
        self.said += "r"

    def abandon(self) -> None:
        self.said += "a"


async def test_what_came_is_read_at_once_and_in_order():
    body = BodyReader()
    body.feed([b"a", b"", b"b"])
    body.feed([b"c"])
    assert (await body.read(), body.size) == (b"abc", 3)
    body.feed([b"d"])
    body.end(Fields([(b"T", b"1")]))
    assert [await body.read(), await body.read(), await body.read()] == [b"d", b"", b""]
    assert list(body.trailers) == [(b"T", b"1")]


async def test_one_who_waits_is_woken_by_bytes_by_the_end_and_by_a_fault():
    body = BodyReader()
    for happens, result in ((lambda: body.feed([b"x"]), b"x"), (body.end, b"")):
        reading = asyncio.ensure_future(body.read())
        await asyncio.sleep(0)
        happens()
        assert await reading == result
    broken = BodyReader()
    reading = asyncio.ensure_future(broken.read())
    await asyncio.sleep(0)
    broken.fail(FAULT)
    with pytest.raises(UpstreamFault, match="cut"):
        await reading


async def test_an_empty_feed_wakes_nobody_for_nothing():
    body = BodyReader()
    reading = asyncio.ensure_future(body.read())
    await asyncio.sleep(0)
    body.feed([b""])
    await asyncio.sleep(0)
    assert not reading.done()
    body.feed([b"x"])
    assert await reading == b"x"


async def test_what_came_before_a_fault_is_delivered_before_it():
    body = BodyReader()
    body.feed([b"x"])
    body.fail(FAULT)
    assert (await body.read(), body.is_over) == (b"x", True)
    for _ in range(2):
        with pytest.raises(UpstreamFault):
            await body.read()


async def test_one_who_stops_waiting_loses_nothing():
    body = BodyReader()
    reading = asyncio.ensure_future(body.read())
    await asyncio.sleep(0)
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading
    body.feed([b"x"])
    assert await body.read() == b"x"


@pytest.mark.parametrize("size,said", [(MAX_UNREAD, ""), (MAX_UNREAD + 1, "p")])
async def test_the_producer_pauses_beyond_the_bound_and_resumes_when_it_was_read(size: int, said: str):
    tap, body = Tap(), BodyReader()
    body.come_from(tap)
    body.feed([b"x" * size])
    body.feed([b""])
    assert tap.said == said
    await body.read()
    assert tap.said == said + ("r" if said else "")


async def test_giving_up_tells_the_producer_once_and_ends_the_reading():
    tap, body = Tap(), BodyReader()
    body.come_from(tap)
    body.feed([b"x"])
    reading = asyncio.ensure_future(body.read())
    assert await reading == b"x"
    reading = asyncio.ensure_future(body.read())
    await asyncio.sleep(0)
    body.abort()
    body.abort()
    assert tap.said == "a"
    with pytest.raises(UpstreamFault):
        await reading


async def test_giving_up_a_body_that_is_over_tells_nobody():
    tap, body = Tap(), BodyReader()
    body.come_from(tap)
    body.feed([b"x"])
    body.end()
    body.abort()
    assert (tap.said, await body.read()) == ("", b"")


async def test_a_body_that_was_whole_with_its_head_is_small():
    for pieces, small in (([], b""), ([b"a"], b"a"), ([b"a", b"b"], b"ab")):
        body = BodyReader()
        body.feed(pieces)
        body.end()
        body.settle_small()
        assert body.small == small
    still_coming = BodyReader()
    still_coming.feed([b"a"])
    still_coming.settle_small()
    assert still_coming.small is None


async def test_a_body_can_be_made_from_bytes():
    body = BodyReader.of(b"hello", Fields([(b"T", b"1")]))
    assert (body.small, await body.read(), await body.read()) == (b"hello", b"hello", b"")
    assert BodyReader.of(b"").small == b""


async def test_a_body_ends_once_and_has_one_reader():
    body = BodyReader()
    first = asyncio.ensure_future(body.read())
    await asyncio.sleep(0)
    with pytest.raises(AssertionError, match="one reader"):
        await body.read()
    body.end()
    await first
    with pytest.raises(AssertionError, match="ends once"):
        body.end()
    with pytest.raises(AssertionError, match="ends once"):
        body.fail(FAULT)


@pytest.mark.parametrize(
    "ends,broken",
    [
        (BodyReader.end, False),
        (BodyReader.abort, False),
        (lambda body: body.fail(FAULT), True),
        (lambda body: body.fail(ConnectionError("the upload's client left")), False),
    ],
    ids=["complete", "given up", "broken off", "not the next tier's fault"],
)
@pytest.mark.parametrize("when", ["before", "after"])
async def test_one_is_told_when_it_is_over_and_whether_the_next_tier_broke_it_off(ends, broken, when):
    body = BodyReader()
    told: list[bool] = []
    body.feed([b"x"])
    if when == "before":
        ends(body)
    body.when_over(told.append)
    if when == "after":
        assert told == []
        ends(body)
    body.abort()
    assert told == [broken]
