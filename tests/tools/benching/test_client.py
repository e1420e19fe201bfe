"""The load generator in Python: it counts whole answers and takes nothing else for one."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from tools.benching.client import crowd, fetch_all, keep_asking

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc"


@asynccontextmanager
async def server(answer: Callable[[bytes], bytes | None]) -> AsyncIterator[tuple[int, list[bytes]]]:
    """One that answers each head; None: it closes instead."""
    asked: list[bytes] = []

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while said := answer(await reader.readuntil(b"\r\n\r\n")):
                asked.append(said)
                writer.write(said)
        except asyncio.IncompleteReadError:
            pass
        finally:
            writer.close()

    running = await asyncio.start_server(talk, "127.0.0.1", 0)
    try:
        yield running.sockets[0].getsockname()[1], asked
    finally:
        running.close()
        await running.wait_closed()


async def test_every_target_is_asked_for_once():
    async with server(lambda _: OK) as (port, asked):
        tally = await fetch_all(port, [f"/{number}" for number in range(10)], connections=3)
    assert (tally.requests, tally.failures, tally.bytes) == (10, 0, 10 * len(OK))
    assert len(asked) == 10


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        OK + OK,
        None,
    ],
)
async def test_anything_else_is_a_failure(answer: bytes | None):
    async with server(lambda _: answer) as (port, _):
        tally = await fetch_all(port, ["/a"], connections=1)
    assert (tally.requests, tally.failures) == (0, 1)


async def test_a_304_has_no_body_whatever_it_says():
    async with server(lambda _: b"HTTP/1.1 304 Not Modified\r\nContent-Length: 3\r\n\r\n") as (port, _):
        tally = await fetch_all(port, ["/a", "/b"], connections=1)
    assert (tally.requests, tally.failures) == (2, 0)


async def test_it_stops_asking_when_the_time_is_over():
    async with server(lambda _: OK) as (port, _):
        tally = await keep_asking(port, itertools.repeat("/a"), (), connections=2, seconds=0.02)
    assert tally.requests > 0
    assert tally.failures == 0


async def test_a_crowd_asks_once_each():
    async with server(lambda _: OK) as (port, asked):
        tally = await crowd(port, "/cold/1", 20)
    assert (tally.requests, tally.failures, len(asked)) == (20, 0, 20)
