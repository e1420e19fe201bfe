"""The bench's origin: bodies of the size in the path, storable, counted."""

from __future__ import annotations

import asyncio

import pytest

from tools.benching.client import fetch_all
from tools.benching.origin import TAG, Answering, head, own_head, serve, size_of
from tools.ports import free_port


@pytest.mark.parametrize(
    "target,size",
    [("/1k/a", 1024), ("/8k/b/c?d", 8192), ("/100m/x", 100 << 20), ("/cold/1", 1024), ("/", 1024)],
)
def test_the_size_stands_in_the_path(target: str, size: int):
    assert size_of(target) == size


def test_a_response_may_be_stored_and_asked_for_again():
    said = head(1024, 1_795_502_400)
    assert b"\r\nDate: Tue, 24 Nov 2026 06:40:00 GMT\r\n" in said
    assert b"\r\nContent-Length: 1024\r\n" in said
    assert f"\r\nETag: {TAG}\r\n".encode() in said
    assert b"\r\nCache-Control: public, max-age=" in said


async def listening_at(port: int) -> None:
    while True:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except ConnectionRefusedError:
            await asyncio.sleep(0)
        else:
            writer.close()
            return


async def test_small_and_large_bodies_come_whole_and_are_counted():
    port = free_port()
    before = Answering.asked
    serving = asyncio.ensure_future(serve(port))
    await listening_at(port)
    tally = await fetch_all(port, ("/1k/a", "/1k/b", "/2m/c"), connections=2)
    assert (tally.requests, tally.failures) == (3, 0)
    assert tally.bytes > 2 * 1024 + (2 << 20)
    assert Answering.asked == before + 3
    serving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await serving


def test_an_object_may_have_validators_of_its_own_in_the_same_head():
    one, other = own_head(1024, 1_795_502_400, "/1k/own/a"), own_head(1024, 1_795_502_400, "/1k/own/b")
    assert one == own_head(1024, 1_795_502_400, "/1k/own/a")
    for name in (b"ETag", b"Last-Modified"):
        lines = [next(line for line in said.split(b"\r\n") if line.startswith(name)) for said in (one, other)]
        assert lines[0] != lines[1]
        assert lines[0] not in head(1024, 1_795_502_400)
    assert one.count(b"\r\n") == head(1024, 1_795_502_400).count(b"\r\n")
