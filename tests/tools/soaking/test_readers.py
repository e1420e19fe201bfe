"""Readers, and that they notice each way in which a cache can be wrong."""

from __future__ import annotations

import asyncio
import random

import pytest

from tests.kit.toy_cache import CLOCK, NeverLate, Toy, Way, read_once
from tools.ports import free_ports
from tools.soaking.checker import Checker
from tools.soaking.origin import Origin
from tools.soaking.readers import NoAnswer, Place, read_on


async def reading(place: Place, checker: Checker, *, reads: int = 0, fails: int = 0) -> None:
    """Until so much has happened."""
    task = asyncio.ensure_future(read_on(place, checker, CLOCK, dice=random.Random(1)))
    async with asyncio.timeout(5):
        while checker.counts.reads < reads or checker.counts.failed < fails:  # noqa: ASYNC110
            await asyncio.sleep(0.005)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_what_it_reads_is_told_to_the_checker() -> None:
    checker = Checker(15.0)
    async with Origin(NeverLate()) as origin, Toy(origin.port, Way.FENCED) as toy:
        await reading(toy.place, checker, reads=20)
    assert (checker.counts.failed, checker.counts.damaged, checker.counts.stale) == (0, 0, 0)


async def test_a_damaged_body_is_noticed() -> None:
    checker = Checker(15.0)
    async with Origin(NeverLate()) as origin, Toy(origin.port, Way.HALF) as toy:
        await read_once(toy.place, checker)
    assert checker.counts.damaged == 1


async def test_who_cannot_be_reached_is_asked_again_and_again() -> None:
    checker = Checker(15.0)
    await reading(Place("nobody", *free_ports(1)), checker, fails=2)
    assert checker.counts.statuses == {"no connection, or a broken one": checker.counts.failed}


@pytest.mark.parametrize(
    ("said", "why"),
    [
        (b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n", "503"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\nshort", "broken off"),
        (b"HTTP/1.1 200 OK\r\n", "broken off"),
        (b"HTTP/1.1 200 OK\r\n\r\n", "200"),
        (b"garbage\r\n\r\n", "no HTTP"),
    ],
)
async def test_what_is_no_whole_200_proves_nothing(said: bytes, why: str) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(said)
        writer.close()

    checker = Checker(15.0)
    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        with pytest.raises(NoAnswer, match=f"^{why}$"):
            await read_once(Place("odd", server.sockets[0].getsockname()[1]), checker)
    assert checker.counts.reads == 0
