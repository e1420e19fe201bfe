"""One body, written once and read by many: in memory, and at the pace of the slowest."""

from __future__ import annotations

import asyncio

import pytest

from edge.errors import StoreFault, UpstreamFault
from edge.fill.body import FillBody
from edge.semantics.message import Fields
from tests.kit.disk import body_of
from tests.kit.fills import WINDOW, cut, quiet, rest_of, write

BROKEN = UpstreamFault("it broke off")


def filled(data: bytes = b"", *, window: int = WINDOW) -> FillBody:
    body = FillBody(window)
    for part in cut(data, 7):
        body.add(part)
    return body


# -- in memory --


async def test_bytes_come_in_order_and_then_the_end():
    body = filled()
    reader = body.reader()
    reading = asyncio.ensure_future(rest_of(reader))
    for piece in (b"one ", b"two ", b"three"):
        await quiet(lambda: reader.offset)
        body.add(piece)
    assert not reading.done()
    body.end()
    assert await reading == b"one two three"
    assert await reader.read() == b""


async def test_a_reader_that_comes_late_gets_everything_and_one_after_the_end_as_well():
    body = filled(b"before")
    early = body.reader()
    body.add(b" and after")
    late = body.reader()
    body.end()
    assert [await rest_of(each) for each in (early, late, body.reader())] == [b"before and after"] * 3


async def test_an_empty_body_ends_at_once():
    body = filled()
    body.end()
    assert await body.reader().read() == b""
    assert body.is_whole_in_memory
    assert body.join() == b""


async def test_a_piece_of_no_bytes_is_not_taken_for_the_end():
    body = filled()
    body.add(b"")
    body.add(b"some")
    body.add(b"")
    body.end()
    assert await rest_of(body.reader()) == b"some"


async def test_trailers_are_known_after_the_end():
    body = filled(b"body")
    reader = body.reader()
    body.end(Fields([(b"Digest", b"x")]))
    await rest_of(reader)
    assert reader.trailers == Fields([(b"Digest", b"x")])


async def test_joined_bytes_are_joined_once_and_are_still_read_by_those_in_the_middle():
    body = filled(b"0123456789abcdefghij")
    reader = body.reader()
    assert await reader.read() == b"0123456"
    assert body.join() is body.join()
    body.end()
    assert await rest_of(reader) == b"789abcdefghij"
    assert body.join() == b"0123456789abcdefghij"


# -- ranges --

RANGES = [
    (0, 0),
    (0, 1),
    (0, 7),
    (3, 10),
    (7, 14),
    (6, 8),
    (19, 20),
    (0, 20),
    (0, None),
    (13, None),
    (20, None),
    (5, 5),
]


@pytest.mark.parametrize("start, stop", RANGES)
@pytest.mark.parametrize("when", ["before", "during", "after"])
async def test_a_range_is_exactly_its_bytes_whenever_it_is_asked_for(start: int, stop: int | None, when: str):
    data = b"0123456789abcdefghij"
    body = FillBody(WINDOW)
    reader = body.reader(start, stop) if when == "before" else None
    for at, part in enumerate(cut(data, 7)):
        if when == "during" and at == 1:
            reader = body.reader(start, stop)
        body.add(part)
    body.end()
    assert await rest_of(reader or body.reader(start, stop)) == data[start:stop]


async def test_a_range_ends_before_the_body_does_and_does_not_learn_of_its_failure():
    body = filled(b"0123456789")
    reader = body.reader(2, 5)
    body.fail(BROKEN)
    assert await rest_of(reader) == b"234"


async def test_a_range_behind_the_end_of_the_body_is_empty():
    body = filled(b"0123456789")
    body.end()
    assert await rest_of(body.reader(100, 200)) == b""


# -- ends --


async def test_what_came_before_a_failure_is_read_before_the_failure():
    body = filled(b"0123456789")
    readers = [body.reader() for _ in range(3)]
    body.fail(BROKEN)
    for reader in readers:
        assert await reader.read() + await reader.read() == b"0123456789"
        with pytest.raises(UpstreamFault, match="broke off"):
            await reader.read()


async def test_a_reader_that_waits_learns_of_the_failure():
    body = filled()
    reading = asyncio.ensure_future(body.reader().read())
    await quiet(reading.done)
    body.fail(BROKEN)
    with pytest.raises(UpstreamFault, match="broke off"):
        await reading


async def test_one_failure_read_by_many_does_not_grow_with_each_of_them():
    body = filled()
    body.fail(BROKEN)
    depths = []
    for _ in range(10):
        with pytest.raises(UpstreamFault) as raised:
            await body.reader().read()
        depths.append(len(raised.traceback))
    assert len(set(depths)) == 1


async def test_the_first_end_is_the_only_one():
    failed, ended = filled(), filled()
    failed.fail(BROKEN)
    failed.fail(UpstreamFault("something else"))
    failed.end()
    assert failed.error is BROKEN
    assert not failed.ended
    ended.end()
    ended.fail(BROKEN)
    assert ended.error is None
    assert await ended.reader().read() == b""


async def test_nothing_is_added_behind_the_end():
    for body in (filled(), filled()):
        body.end()
        with pytest.raises(AssertionError):
            body.add(b"more")


async def test_a_reader_that_is_cancelled_leaves_the_others_alone():
    body = filled()
    leaver, stayer = body.reader(), body.reader()
    leaving, staying = asyncio.ensure_future(leaver.read()), asyncio.ensure_future(stayer.read())
    await quiet(leaving.done)
    leaving.cancel()
    body.add(b"piece")
    assert await staying == b"piece"
    assert leaver.offset == 0
    assert await leaver.read() == b"piece"


async def test_readers_are_counted_until_they_close_and_closing_twice_is_allowed():
    body = filled()
    first, second = body.reader(), body.reader()
    first.close()
    first.close()
    assert body.readers == 1
    second.close()
    assert body.readers == 0


# -- without a spool --


async def test_without_a_spool_the_writer_waits_for_the_slowest_and_memory_stays_bounded():
    data = body_of(1, 1, 20 * WINDOW)
    body = FillBody(WINDOW)
    quick, stalled = body.reader(), body.reader()
    writing = asyncio.ensure_future(write(body, data))
    reading = asyncio.ensure_future(rest_of(quick))
    await quiet(lambda: (body.size, quick.offset))
    assert not writing.done()
    assert quick.offset == body.size == body.held_bytes == WINDOW + 1000
    for _ in range(30):
        before = stalled.offset
        await stalled.read()
        await quiet(lambda: (body.size, quick.offset))
        assert stalled.offset == before + 1000
        assert quick.offset == body.size
        assert body.held_bytes <= WINDOW + 1000
    assert quick.offset == WINDOW + 31 * 1000
    stalled.close()
    assert await reading == data
    await writing


async def test_closing_the_stalled_reader_frees_all_others():
    data = body_of(1, 1, 20 * WINDOW)
    body = FillBody(WINDOW)
    stalled, *quick = (body.reader() for _ in range(4))
    writing = asyncio.ensure_future(write(body, data))
    reading = [asyncio.ensure_future(rest_of(each)) for each in quick]
    await quiet(lambda: body.size)
    assert not any(task.done() for task in (writing, *reading))
    stalled.close()
    assert await asyncio.gather(*reading) == [data] * 3
    await writing


async def test_a_reader_that_has_its_range_holds_up_nobody_though_it_is_not_closed():
    data = body_of(1, 1, 20 * WINDOW)
    body = FillBody(WINDOW)
    first, second = body.reader(0, 1500), body.reader(15 * WINDOW, 16 * WINDOW)
    writing = asyncio.ensure_future(write(body, data))
    assert await first.read() + await first.read() == data[:1500]
    assert await rest_of(second) == data[15 * WINDOW : 16 * WINDOW]
    await writing


async def test_a_reader_of_nothing_holds_up_nobody():
    body = FillBody(WINDOW)
    nothing = body.reader(5, 5)
    await write(body, bytes(20 * WINDOW))
    assert await nothing.read() == b""


async def test_without_readers_a_body_keeps_its_window_and_goes_on():
    data = body_of(1, 1, 5 * WINDOW)
    body = FillBody(WINDOW)
    await write(body, data, end=False)
    assert WINDOW <= body.held_bytes <= WINDOW + 1000
    assert not body.is_whole_in_memory
    assert body.reaches(body.size - WINDOW)
    assert not body.reaches(0)
    late = body.reader(body.size - WINDOW)
    body.end()
    assert await rest_of(late) == data[-WINDOW:]


async def test_a_reader_that_comes_too_late_is_told_and_holds_up_nobody():
    data = body_of(1, 1, 10 * WINDOW)
    body = FillBody(WINDOW)
    await write(body, data[: 5 * WINDOW], end=False)
    late, right = body.reader(), body.reader(body.size)
    writing = asyncio.ensure_future(write(body, data[5 * WINDOW :]))
    assert await rest_of(right) == data[5 * WINDOW :]
    await writing
    with pytest.raises(StoreFault, match="gone"):
        await late.read()


async def test_a_body_of_which_all_was_dropped_is_not_taken_for_an_empty_one():
    body = FillBody(WINDOW)
    reader = body.reader()
    writing = asyncio.ensure_future(write(body, bytes(WINDOW + 1), piece=WINDOW + 1))
    assert len(await reader.read()) == WINDOW + 1
    await writing
    assert body.held_bytes == 0
    assert not body.is_whole_in_memory
    with pytest.raises(AssertionError):
        body.join()


async def test_a_writer_that_waits_goes_on_when_its_reader_is_cancelled_and_closed():
    body = FillBody(WINDOW)
    reader = body.reader()

    async def client() -> None:
        try:
            await reader.read()
            await asyncio.Event().wait()
        finally:
            reader.close()

    serving = asyncio.ensure_future(client())
    writing = asyncio.ensure_future(write(body, bytes(5 * WINDOW)))
    await quiet(lambda: body.size)
    assert not writing.done()
    serving.cancel()
    await writing
    assert body.ended


async def test_readers_in_thousands_are_not_woken_by_each_other():
    body = FillBody(WINDOW)
    readers = [body.reader() for _ in range(1000)]
    writing = asyncio.ensure_future(write(body, bytes(3 * WINDOW)))
    got = await asyncio.gather(*(rest_of(each) for each in readers))
    await writing
    assert {len(each) for each in got} == {3 * WINDOW}
