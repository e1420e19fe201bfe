"""The client of the constant rate on real sockets: it sends whatever becomes of the answers, and takes each for what it is."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tools.benching.heads import request_bytes
from tools.benching.open_loop import drive
from tools.benching.pacing import BadAnswer

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc"
HEADS = [request_bytes("a", "/1"), request_bytes("a", "/2")]


class Server:
    """answer: what each request gets, None = the end of its connection. asked: targets, in the order in which they came."""

    def __init__(self, answer: Callable[[int], Awaitable[bytes | None]]) -> None:
        self.answer = answer
        self.asked: list[str] = []
        self.connections = 0

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                self.asked.append(head.split(b" ")[1].decode())
                said = await self.answer(len(self.asked))
                if said is None:
                    return
                writer.write(said)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def serving(answer: Callable[[int], Awaitable[bytes | None]]) -> AsyncIterator[tuple[int, Server]]:
    server = Server(answer)
    running = await asyncio.start_server(server.talk, "127.0.0.1", 0)
    try:
        yield running.sockets[0].getsockname()[1], server
    finally:
        running.close()
        await running.wait_closed()


async def at_once(_number: int) -> bytes:
    return OK


async def test_all_that_is_due_is_sent_and_answered():
    async with serving(at_once) as (port, server):
        tale = await asyncio.to_thread(drive, port, HEADS, rate=1000, connections=3, seconds=0.2)
    told = tale.told()
    assert (told.due, told.answered) == (200, 200)
    assert sorted(server.asked) == ["/1"] * 100 + ["/2"] * 100
    assert server.connections == 3
    assert 0 < told.p50 <= told.p99 <= told.p999


async def test_a_server_that_holds_its_answers_back_gets_the_rest_all_the_same():
    """Nothing is answered before everything came: a client that waited for answers would never get there."""
    everything = asyncio.Event()

    async def held_back(number: int) -> bytes:
        if number == 2:
            everything.set()
        await everything.wait()
        return OK

    async with serving(held_back) as (port, server):
        tale = await asyncio.to_thread(drive, port, HEADS, rate=1000, connections=2, seconds=0.05)
    assert tale.told().answered == 50
    assert len(server.asked) == 50


@pytest.mark.parametrize("said", [None, b"HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n", OK + OK])
async def test_a_broken_connection_or_a_wrong_answer_ends_it(said: bytes | None):
    async def answer(_number: int) -> bytes | None:
        return said

    async with serving(answer) as (port, _):
        with pytest.raises(BadAnswer):
            await asyncio.to_thread(drive, port, HEADS, rate=1000, connections=1, seconds=0.05)


@pytest.mark.slow
async def test_the_command_tells_one_line_of_json(tmp_path: Path):
    heads = tmp_path / "heads"
    heads.write_bytes(b"\0".join(HEADS))
    async with serving(at_once) as (port, _):
        command = [sys.executable, "-m", "tools.benching.open_loop", str(port), str(heads), "100", "2", "0.1"]
        said = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, check=False)
    assert said.returncode == 0, said.stderr
    assert json.loads(said.stdout)["answered"] == 10


@pytest.mark.slow
async def test_the_command_says_what_went_wrong(tmp_path: Path):
    async def never(_number: int) -> None:
        return None

    heads = tmp_path / "heads"
    heads.write_bytes(HEADS[0])
    async with serving(never) as (port, _):
        command = [sys.executable, "-m", "tools.benching.open_loop", str(port), str(heads), "100", "1", "0.1"]
        said = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, check=False)
    assert said.returncode == 1
    assert "a connection was closed" in said.stderr
